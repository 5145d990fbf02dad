from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from panglot.errors import PanglotError
from panglot.evaluation import ALL, Evaluation
from panglot.evaluation.comparable import run_names
from panglot.evaluation.compare import compare

LANGUAGES = ("de", "en", "sw")


def made_run(
    name: str,
    gains: dict[str, float] | None = None,
    items: int = 40,
    noise: int = 1,
    distance: float = 100.0,
) -> Evaluation:
    """A run whose AP is the item's ease, some noise, and a gain by query language."""
    ease = np.random.default_rng(0).uniform(0.2, 0.6, items)
    rng = np.random.default_rng(noise)
    rows = [
        {
            "query_id": f"{k}:{x}",
            "item": k,
            "query_language": x,
            "pool": pool,
            "relevant": 1,
            "best_rank": 1,
            "worst_rank": 1,
            "AP": float(ease[k] + rng.uniform(0, 0.1) + (gains or {}).get(x, 0.0)),
            "rank_distance": float(distance + k) if pool == ALL else None,
        }
        for x in LANGUAGES
        for pool in (*LANGUAGES, ALL)
        for k in range(items)
    ]
    results: dict[str, Any] = {
        "model": {"name": name},
        "benchmark": {"name": "kitchen", "sha256": "a" * 64, "candidate_text": "sentence", "passages": 9},
        "settings": {"monolingual": {"AP": 0.5}, "crosslingual": None, "multilingual": {"AP": 0.5}},
    }
    return Evaluation(results, pa.Table.from_pylist(rows))


def mean(run: Evaluation, language: str, pools: Sequence[str]) -> float:
    rows = [
        row["AP"]
        for row in run.per_query.to_pylist()
        if row["query_language"] == language and row["pool"] in pools
    ]
    return float(np.mean(rows))


def test_figures_are_macro_means_and_differences_theirs() -> None:
    a, b = made_run("a"), made_run("b", {"sw": 0.2}, noise=2)
    found = compare([a, b], resamples=50, flips=200)["compared"]
    for x in LANGUAGES:
        others = [y for y in LANGUAGES if y != x]
        for run, name in ((a, "a"), (b, "b")):
            by_language = found[name]["by_language"][x]
            assert by_language["crosslingual"]["value"] == pytest.approx(mean(run, x, others))
            assert found[name]["matrix"][x]["sw"]["value"] == pytest.approx(mean(run, x, ["sw"]))
        difference = mean(b, x, [ALL]) - mean(a, x, [ALL])
        assert found["b"]["by_language"][x]["multilingual"]["difference"] == pytest.approx(difference)
    own = np.mean([mean(b, x, [x]) - mean(a, x, [x]) for x in LANGUAGES])
    assert found["b"]["settings"]["monolingual"]["difference"] == pytest.approx(own)
    assert "difference" not in found["a"]["settings"]["monolingual"]


def test_the_language_that_gains_is_found_and_the_others_are_not() -> None:
    found = compare([made_run("a"), made_run("b", {"sw": 0.2}, noise=2)])["compared"]["b"]
    verdicts = {x: f["multilingual"]["verdict"] for x, f in found["by_language"].items()}
    assert verdicts == {"de": None, "en": None, "sw": "better"}
    assert {x: row["sw"]["verdict"] for x, row in found["matrix"].items()} == verdicts
    assert found["settings"]["multilingual"]["verdict"] == "better"
    back = compare([made_run("a"), made_run("b", {"sw": 0.2}, noise=2)], baseline=1)["compared"]["a"]
    assert back["by_language"]["sw"]["multilingual"]["verdict"] == "worse"
    one, other = found["settings"]["monolingual"], back["settings"]["monolingual"]
    assert (one["p"], one["effect"]) == (other["p"], -other["effect"])


def test_a_test_is_that_of_scipy_on_the_differences_of_items() -> None:
    a, b = made_run("a"), made_run("b", {"en": 0.02}, noise=2)
    found = compare([a, b], flips=20_000)["compared"]["b"]["matrix"]["en"]["de"]
    differences = [
        y["AP"] - x["AP"]
        for x, y in zip(a.per_query.to_pylist(), b.per_query.to_pylist(), strict=True)
        if x["query_language"] == "en" and x["pool"] == "de"
    ]
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, vectorized=True,
        rng=np.random.default_rng(3),
    )  # fmt: skip
    spread = np.sqrt(theirs.pvalue * (1 - theirs.pvalue) * 2 / 20_000)
    assert found["p"] == pytest.approx(theirs.pvalue, abs=5 * spread + 1e-4)
    assert found["effect"] * np.sqrt(40) == pytest.approx(stats.ttest_1samp(differences, 0).statistic)
    interval = stats.bootstrap((differences,), np.mean, method="percentile", rng=np.random.default_rng(4))
    assert [found["difference_low"], found["difference_high"]] == pytest.approx(
        interval.confidence_interval, abs=0.003
    )


def test_holm_goes_over_the_family_of_all_runs() -> None:
    runs = [made_run("a"), made_run("b", {"sw": 0.01}, noise=2), made_run("c", {"de": 0.01}, noise=3)]
    compared = compare(runs, resamples=20, flips=500)
    # two runs with three settings and rank distance; three languages; nine pairs
    assert compared["method"]["families"] == {"settings": 8, "by_language": 24, "matrix": 18}
    found = compared["compared"]
    pairs = [figure for run in "bc" for row in found[run]["matrix"].values() for figure in row.values()]
    smallest = min(pairs, key=lambda figure: float(figure["p"]))
    assert smallest["p_holm"] == pytest.approx(min(1.0, 18 * smallest["p"]))
    assert all(figure["p_holm"] >= figure["p"] for figure in pairs)


def test_a_shorter_rank_distance_is_better() -> None:
    compared = compare([made_run("a", distance=100), made_run("b", distance=30, noise=1)])["compared"]["b"]
    assert compared["rank_distance"]["difference"] == pytest.approx(-70)
    assert compared["rank_distance"]["verdict"] == "better"
    assert compared["by_language"]["sw"]["rank_distance"]["verdict"] == "better"


def test_a_run_does_not_differ_from_itself() -> None:
    found = compare([made_run("a"), made_run("a2")], resamples=20)["compared"]["a2"]
    for figure in (*found["settings"].values(), found["rank_distance"]):
        assert (figure["difference"], figure["p"], figure["verdict"]) == (0.0, 1.0, None)
        assert (figure["difference_low"], figure["difference_high"], figure["effect"]) == (0.0, 0.0, None)


def test_rows_may_stand_in_another_order() -> None:
    a, b = made_run("a"), made_run("b", {"sw": 0.2}, noise=2)
    mixed = replace(b, per_query=b.per_query.take(np.random.default_rng(0).permutation(b.per_query.num_rows)))
    assert compare([a, mixed], resamples=20) == compare([a, b], resamples=20)


def test_too_few_items_for_any_verdict_are_said() -> None:
    (note,) = compare([made_run("a", items=3), made_run("b", {"sw": 0.3}, items=3)], resamples=20)["notes"]
    # the smallest p of 3 items is 2 / 8, and of 40 items and 10,000 flips 1 / 10,001
    assert "measure on more items" in note
    assert compare([made_run("a"), made_run("b", noise=2)], resamples=20)["notes"] == []
    (note,) = compare([made_run("a"), made_run("b", noise=2)], resamples=20, flips=100)["notes"]
    assert "by_language" in note
    assert "use 241 flips or more" in note


def changed(run: Evaluation, **benchmark: str) -> Evaluation:
    return replace(run, results={**run.results, "benchmark": {**run.results["benchmark"], **benchmark}})


def test_what_cannot_be_compared_is_refused() -> None:
    a, b = made_run("a"), made_run("b", noise=2)
    with pytest.raises(PanglotError, match="one run cannot be compared"):
        compare([a])
    with pytest.raises(PanglotError, match="no run 3 to be the baseline; use a number from 1 to 2"):
        compare([a, b], baseline=2)
    with pytest.raises(PanglotError, match=r"different benchmarks, kitchen .* and garden .*sha256 bbbbbbbb"):
        compare([a, changed(b, name="garden", sha256="b" * 64)])
    with pytest.raises(PanglotError, match="different benchmarks"):
        compare([a, changed(b, candidate_text="sentence+context")])
    with pytest.raises(PanglotError, match="not all runs hold 'nDCG@10'; use AP"):
        compare([a, b], measure="nDCG@10")
    with pytest.raises(PanglotError, match="a and b were measured on different queries or pools"):
        compare([a, replace(b, per_query=b.per_query.slice(0, 30))])
    unknown = b.per_query.set_column(7, "AP", pa.nulls(b.per_query.num_rows, pa.float64()))
    with pytest.raises(PanglotError, match="a and b have 'AP' for different queries"):
        compare([a, replace(b, per_query=unknown)])


def test_runs_are_named_by_what_tells_them_apart() -> None:
    from pathlib import Path

    paths = [Path("x/one.json"), Path("x/two.json")]
    assert run_names([made_run("runs/a/"), made_run("hub/b")], paths) == ["a", "b"]
    assert run_names([made_run("one/model"), made_run("two/model")], paths) == ["one/model", "two/model"]
    assert run_names([made_run("m"), made_run("m")], paths) == ["one", "two"]
    assert run_names([made_run("m"), made_run("m")]) == ["m (1)", "m (2)"]
