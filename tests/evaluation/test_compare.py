"""Comparisons of runs, and their tests against enumeration by hand, scipy, and worked numbers."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_tables import table_of
from scipy import stats

from panglot.errors import PanglotError
from panglot.evaluation import ALL, Evaluation, compare, compare_results, tidy
from panglot.evaluation.aggregate import (
    STANDARD,
    align,
    all_cells,
    by_language,
    cells_of,
    figures_of,
    values_of,
)
from panglot.evaluation.comparison import (
    contributions,
    correct,
    effect_sizes,
    holm,
    is_exact,
    reverse,
    run_names,
    sign_flip_test,
)
from panglot.evaluation.groups import language_kinds, named_languages, pair_groups, pair_kinds, query_groups
from panglot.evaluation.measures import DISTANCE

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
        "model": {"name": name, "sha256": None},
        "benchmark": {"name": "kitchen", "sha256": "a" * 64, "candidate_text": "sentence", "passages": 9},
        "settings": {"monolingual": {"AP": 0.5}, "crosslingual": None, "multilingual": {"AP": 0.5}},
    }
    return Evaluation(results, pa.Table.from_pylist(rows))


def compared(*runs: Evaluation, **settings: Any) -> dict[str, Any]:
    return compare_results(*runs, **settings).to_dict()


def mean(run: Evaluation, language: str, pools: Sequence[str]) -> float:
    rows = [
        row["AP"]
        for row in run.per_query.to_pylist()
        if row["query_language"] == language and row["pool"] in pools
    ]
    return float(np.mean(rows))


def test_figures_are_macro_means_and_differences_theirs() -> None:
    a, b = made_run("a"), made_run("b", {"sw": 0.2}, noise=2)
    found = compared(a, b, resamples=50, flips=200)["compared"]
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
    found = compared(made_run("a"), made_run("b", {"sw": 0.2}, noise=2))["compared"]["b"]
    verdicts = {x: f["multilingual"]["verdict"] for x, f in found["by_language"].items()}
    assert verdicts == {"de": None, "en": None, "sw": "better"}
    assert {x: row["sw"]["verdict"] for x, row in found["matrix"].items()} == verdicts
    assert found["settings"]["multilingual"]["verdict"] == "better"
    back = compared(made_run("a"), made_run("b", {"sw": 0.2}, noise=2), baseline=1)["compared"]["a"]
    assert back["by_language"]["sw"]["multilingual"]["verdict"] == "worse"
    one, other = found["settings"]["monolingual"], back["settings"]["monolingual"]
    assert (one["p"], one["effect"]) == (other["p"], -other["effect"])


def test_a_test_is_that_of_scipy_on_the_differences_of_items() -> None:
    a, b = made_run("a"), made_run("b", {"en": 0.02}, noise=2)
    found = compared(a, b, flips=20_000)["compared"]["b"]["matrix"]["en"]["de"]
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
    found_all = compared(*runs, resamples=20, flips=500)
    # two runs with three settings and rank distance; three languages; nine pairs
    assert found_all["method"]["families"] == {"settings": 8, "by_language": 24, "matrix": 18}
    found = found_all["compared"]
    pairs = [figure for run in "bc" for row in found[run]["matrix"].values() for figure in row.values()]
    smallest = min(pairs, key=lambda figure: float(figure["p"]))
    assert smallest["p_holm"] == pytest.approx(min(1.0, 18 * smallest["p"]))
    assert all(figure["p_holm"] >= figure["p"] for figure in pairs)


def test_a_shorter_rank_distance_is_better() -> None:
    found = compared(made_run("a", distance=100), made_run("b", distance=30, noise=1))["compared"]["b"]
    assert found["rank_distance"]["difference"] == pytest.approx(-70)
    assert found["rank_distance"]["verdict"] == "better"
    assert found["by_language"]["sw"]["rank_distance"]["verdict"] == "better"


def test_a_run_does_not_differ_from_itself() -> None:
    found = compared(made_run("a"), made_run("a2"), resamples=20)["compared"]["a2"]
    for figure in (*found["settings"].values(), found["rank_distance"]):
        assert (figure["difference"], figure["p"], figure["verdict"]) == (0.0, 1.0, None)
        assert (figure["difference_low"], figure["difference_high"], figure["effect"]) == (0.0, 0.0, None)


def test_rows_may_stand_in_another_order() -> None:
    a, b = made_run("a"), made_run("b", {"sw": 0.2}, noise=2)
    mixed = replace(b, per_query=b.per_query.take(np.random.default_rng(0).permutation(b.per_query.num_rows)))
    assert compared(a, mixed, resamples=20) == compared(a, b, resamples=20)


def test_too_few_items_for_any_verdict_are_said() -> None:
    (note,) = compared(made_run("a", items=3), made_run("b", {"sw": 0.3}, items=3), resamples=20)["notes"]
    # the smallest p of 3 items is 2 / 8, and of 40 items and 10,000 flips 1 / 10,001
    assert "measure on more items" in note
    assert compared(made_run("a"), made_run("b", noise=2), resamples=20)["notes"] == []
    (note,) = compared(made_run("a"), made_run("b", noise=2), resamples=20, flips=100)["notes"]
    assert "by_language" in note
    assert "use 241 flips or more" in note


def changed(run: Evaluation, **benchmark: Any) -> Evaluation:
    return replace(run, results={**run.results, "benchmark": {**run.results["benchmark"], **benchmark}})


def test_what_cannot_be_compared_is_refused() -> None:
    a, b = made_run("a"), made_run("b", noise=2)
    with pytest.raises(PanglotError, match="one run cannot be compared"):
        compared(a)
    with pytest.raises(PanglotError, match="no run 3 to be the baseline"):
        compared(a, b, baseline=2)
    with pytest.raises(PanglotError, match=r"different benchmarks, kitchen .* and garden .*sha256 bbbbbbbb"):
        compared(a, changed(b, name="garden", sha256="b" * 64))
    with pytest.raises(PanglotError, match="different benchmarks"):
        compared(a, changed(b, candidate_text="sentence+context"))
    # the same queries may look for the same answers among passages in other languages
    here, there = changed(a, languages=["de", "en"]), changed(b, languages=["de", "fr"])
    with pytest.raises(PanglotError, match=r"different languages, de, en and de, fr; .* --languages"):
        compared(here, there)
    with pytest.raises(PanglotError, match="not all runs hold 'nDCG@10'"):
        compared(a, b, measure="nDCG@10")
    with pytest.raises(PanglotError, match=r"a and b .* have 'AP' for different queries or pools"):
        compared(a, replace(b, per_query=b.per_query.slice(0, 30)))
    unknown = b.per_query.set_column(7, "AP", pa.nulls(b.per_query.num_rows, pa.float64()))
    with pytest.raises(PanglotError, match="b does not hold 'AP'"):
        compared(a, replace(b, per_query=unknown))


def rows_of(table: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[name] == value for name, value in wanted.items()])]


def test_a_comparison_is_one_line_and_a_frame_of_all_figures() -> None:
    found = compare_results(made_run("a"), made_run("b", {"sw": 0.2}, noise=2), resamples=20)
    assert repr(found) == "Comparison(b with a on kitchen, AP: 3 better and 0 worse of 4 settings)"
    frame = found.to_frame()
    # two runs, of three settings in AP and one in rank distance: all, by language, and nine pairs
    assert len(frame) == 2 * (4 + 3 * 4 + 9)
    assert frame["baseline"].isna().sum() == len(frame) / 2
    one = rows_of(frame, run="b", family="by_language", group="sw", setting="multilingual", measure="AP")
    figure = found.to_dict()["compared"]["b"]["by_language"]["sw"]["multilingual"]
    assert one["difference"].item() == figure["difference"] > 0.1
    assert one["verdict"].item() == "better"


def test_any_groups_are_compared_in_families_of_their_own() -> None:
    table = tidy([made_run("a"), made_run("b", {"sw": 0.2}, noise=2)], measures=["AP"])
    groups = {
        "sets": named_languages({"rich": ["de", "en"], "poor": ["sw"]}),
        "resource": query_groups(language_kinds(None)["resource"]),
        "pairs": pair_groups(pair_kinds(["de", "en"])["training"]),
    }
    found = compare(table, groups, "a", resamples=20, flips=500)
    own = found[found["run"] == "b"].set_index(["family", "group", "setting"])
    a, b = made_run("a"), made_run("b", {"sw": 0.2}, noise=2)
    expected = np.mean([mean(b, x, [x]) - mean(a, x, [x]) for x in ("de", "en")])
    assert own.loc[("sets", "rich", "monolingual"), "difference"] == pytest.approx(expected)
    across = np.mean([mean(b, "sw", [y]) - mean(a, "sw", [y]) for y in ("de", "en")])
    assert own.loc[("sets", "poor", "crosslingual"), "difference"] == pytest.approx(across)
    assert set(own.loc["resource"].index.get_level_values(0)) == {"2", "5"}
    assert list(own.loc["pairs"].index) == [("both seen", "crosslingual"), ("one seen", "crosslingual")]
    for family, size in (("sets", 6), ("pairs", 2)):
        smallest = own.loc[family].sort_values("p").iloc[0]
        assert smallest["p_holm"] == pytest.approx(min(1.0, size * smallest["p"]))


def test_pairs_of_runs_are_compared_and_turn_with_their_order() -> None:
    runs = [made_run("a"), made_run("b", {"sw": 0.2}, noise=2), made_run("c", noise=3)]
    table = tidy(runs, measures=["AP", DISTANCE])
    pairs = [("a", "b"), ("b", "a"), ("c", "b")]
    found = compare(table, {"settings": all_cells}, pairs, resamples=50, flips=500)
    assert len(found) == 3 * 4
    there, back = (rows_of(found, run=a, baseline=b, measure="AP") for a, b in pairs[:2])
    assert there["difference"].tolist() == (-back["difference"]).tolist()
    assert there["difference_low"].tolist() == pytest.approx((-back["difference_high"]).tolist())
    assert there["p"].tolist() == back["p"].tolist()
    assert there["verdict"].tolist() == ["worse"] * 3
    assert back["verdict"].tolist() == ["better"] * 3


def test_seeds_are_averaged_query_by_query() -> None:
    one, two, other = made_run("b", noise=2), made_run("b", noise=3), made_run("a")
    two = replace(two, results={**two.results, "seed": 1})
    table = tidy([other, one, two], measures=["AP"])
    found = compare(table, {"settings": all_cells}, "a", resamples=20, flips=100)
    value = rows_of(found, run="b", setting="monolingual")["value"].item()
    assert value == pytest.approx(np.mean([mean(run, x, [x]) for run in (one, two) for x in LANGUAGES]))
    with pytest.raises(PanglotError, match="holds 'AP' of one query twice"):
        compare(tidy([other, one, one], measures=["AP"]), {"settings": all_cells}, "a")


@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
@settings(max_examples=12, deadline=None)
def test_any_figure_is_the_mean_over_cells_of_means_over_queries(seed: int, items: int) -> None:
    rng = np.random.default_rng(seed)
    keys = [
        (x, y, k) for x in LANGUAGES for y in (*LANGUAGES, ALL) for k in range(items) if rng.random() < 0.6
    ]
    frame = pd.DataFrame(keys, columns=["query_language", "pool", "item"])
    setting = np.where(frame["query_language"] == frame["pool"], "monolingual", "crosslingual")
    shared = {"benchmark": "b", "part": "", "perturbation": "", "measure": "AP", "seed": 0}
    frame = frame.assign(setting=np.where(frame["pool"] == ALL, "multilingual", setting), **shared)
    frame["query"] = frame["query_language"] + frame["item"].astype(str)
    runs = [frame.assign(run=run, value=rng.random(len(frame))) for run in ("a", "b")]
    table = pd.concat(runs).sample(frac=1, random_state=seed % 1000)
    sets = {"south": ["sw"], "north": ["de", "en"]}
    found = compare(table, {"sets": named_languages(sets)}, [("b", "a"), ("a", "b")], resamples=5, flips=20)
    for row in found.itertuples():
        rows = table[table["query_language"].isin(sets[row.group]) & (table["setting"] == row.setting)]
        cells = rows.groupby(["run", "query_language", "pool"])["value"].mean().groupby("run").mean()
        assert row.value == pytest.approx(cells[row.run])
        assert row.difference == pytest.approx(cells[row.run] - cells[row.baseline])
    turned = reverse(found[found["run"] == "b"]).set_index(["group", "setting"])
    other = found[found["run"] == "a"].set_index(["group", "setting"])
    for column in ("difference", "difference_low", "difference_high", "p"):
        assert turned[column].tolist() == pytest.approx(other.loc[turned.index, column].tolist())


def test_a_run_alone_has_figures_and_no_tests() -> None:
    found = compare(tidy([made_run("a")], measures=["AP"]), {"settings": all_cells}, resamples=20)
    assert found["value"].notna().all()
    assert found[["baseline", "difference", "p", "p_holm", "verdict"]].isna().all(axis=None)


def test_an_unknown_run_is_refused() -> None:
    table = tidy([made_run("a"), made_run("b")])
    with pytest.raises(PanglotError, match="no run 'c' to compare"):
        compare(table, STANDARD, "c")


def test_a_family_may_be_corrected_anew() -> None:
    found = pd.DataFrame(
        {
            "kind": ["x", "x", "y"],
            "measure": ["AP", DISTANCE, "AP"],
            "difference": [0.1, 2.0, -0.1],
            "p": [0.01, 0.04, 0.04],
        }
    )
    whole = correct(found.assign(one=""), ["one"])
    assert whole["p_holm"].tolist() == pytest.approx([0.03, 0.08, 0.08])
    assert whole["verdict"].tolist() == ["better", None, None]
    apart = correct(found, ["kind"])
    assert apart["p_holm"].tolist() == pytest.approx([0.02, 0.04, 0.04])
    assert apart["verdict"].tolist() == ["better", "worse", "worse"]  # less rank distance is better


def test_figures_of_each_seed() -> None:
    runs = [made_run("a"), made_run("b", noise=2)]
    found = align(tidy(runs, measures=["AP"]), ["AP"]).by_seed({"by_language": by_language})
    assert list(found.columns) == ["family", "group", "setting", "measure", "run", "seed", "value"]
    one = rows_of(found, run="b", group="sw", setting="monolingual")
    assert one["value"].item() == pytest.approx(mean(runs[1], "sw", ["sw"]))


def test_runs_are_named_by_what_tells_them_apart() -> None:
    from pathlib import Path

    paths = [Path("x/one.json"), Path("x/two.json")]
    assert run_names([made_run("runs/a/"), made_run("hub/b")], paths) == ["a", "b"]
    assert run_names([made_run("one/model"), made_run("two/model")], paths) == ["one/model", "two/model"]
    assert run_names([made_run("m"), made_run("m")], paths) == ["one", "two"]
    assert run_names([made_run("m"), made_run("m")]) == ["m (1)", "m (2)"]


Floats = npt.NDArray[np.float64]


def monolingual(table: pa.Table, grouping: Any = all_cells) -> tuple[Any, Any]:
    """What items add to the values of a table, taken for differences, in each group."""
    cells = cells_of(table)
    return contributions(cells, values_of(table, "AP"), figures_of(cells, {"": grouping})[1])


def enumerated(values: Floats) -> Floats:
    """Go through all assignments of signs as one would on paper."""
    found = abs(values.sum(axis=0))
    sums = [abs((np.array(signs)[:, None] * values).sum(axis=0)) for signs in _signs(len(values))]
    return np.asarray(np.mean([total >= found - 1e-9 for total in sums], axis=0), np.float64)


def _signs(count: int) -> list[tuple[int, ...]]:
    return list(itertools.product((-1, 1), repeat=count))


def test_a_small_test_is_exact_by_hand() -> None:
    # sums of ±1 ±2 ±3 are as far from zero as 6 only with all signs alike: 2 of 8
    assert sign_flip_test(np.array([[1.0], [2.0], [3.0]])).tolist() == [0.25]
    # 1 + 2 - 3 = 0: any sum is as far
    assert sign_flip_test(np.array([[1.0], [2.0], [-3.0]])).tolist() == [1.0]
    # |±1 ±1 ±1 ±1| >= 2 in all but the 6 of 16 assignments with sum 0
    assert sign_flip_test(np.array([[1.0], [1.0], [1.0], [-1.0]])).tolist() == [10 / 16]


def test_items_that_add_nothing_change_nothing() -> None:
    few = np.array([[0.1], [0.2], [0.3]])
    assert sign_flip_test(np.concatenate([few, np.zeros((500, 1))])).tolist() == [0.25]


def test_several_figures_are_tested_with_the_same_signs() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0.3, 1, (9, 5))
    np.testing.assert_allclose(sign_flip_test(values), enumerated(values))


def test_drawn_signs_agree_with_scipy_on_the_same_statistic() -> None:
    rng = np.random.default_rng(8)
    differences = rng.normal(0.35, 1, 60)
    found = sign_flip_test(differences[:, None], flips=20_000)[0]
    theirs = stats.permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(1),
    ).pvalue
    assert 0.001 < theirs < 0.2
    # both are shares of 20,000 draws
    assert found == pytest.approx(theirs, abs=5 * np.sqrt(theirs * (1 - theirs) * 2 / 20_000))


def test_exact_agrees_with_scipy() -> None:
    differences = np.random.default_rng(5).normal(0.4, 1, 11)
    theirs = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=True
    ).pvalue
    assert sign_flip_test(differences[:, None])[0] == pytest.approx(theirs)


def test_false_alarms_are_as_rare_as_alpha_says() -> None:
    rng = np.random.default_rng(0)
    p = sign_flip_test(rng.standard_t(3, (150, 400)), flips=999)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 400))


def test_no_p_of_drawn_signs_is_zero() -> None:
    assert sign_flip_test(np.ones((100, 1)), flips=199).tolist() == [1 / 200]


@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=40),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_p_is_a_probability_symmetric_and_one_for_equal_runs(numbers: list[int], seed: int) -> None:
    values = np.array(numbers, float)[:, None] / 7
    found = sign_flip_test(values, flips=300, seed=seed)
    assert 0 < found[0] <= 1
    assert found.tolist() == sign_flip_test(-values, flips=300, seed=seed).tolist()
    assert sign_flip_test(0 * values, flips=300, seed=seed).tolist() == [1.0]
    if is_exact(len(numbers), 300):
        assert found[0] == pytest.approx(enumerated(values)[0])


def test_holm_by_hand() -> None:
    # 4 x .01 = .04, 3 x .02 = .06, 2 x .03 = .06, 1 x .04 = .04 but not below .06
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.9, 0.6])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_holm_leaves_out_what_was_not_tested() -> None:
    found = holm(np.array([np.nan, 0.01, 0.5, np.nan]))
    np.testing.assert_allclose(found, [np.nan, 0.02, 0.5, np.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(deadline=None)
def test_holm_keeps_order_and_never_lowers_p(given_p: list[float]) -> None:
    p = np.array(given_p)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= 1).all()
    assert (corrected <= np.minimum(p * len(p), 1) + 1e-15).sum() >= 1
    order = np.argsort(p, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()


def rows_of_two_languages() -> list[tuple[int, str, str, float | None]]:
    """Differences: German of items 0 to 3, English of items 0 and 1, one unknown."""
    return [
        *((0, "de", "de", 0.1), (1, "de", "de", 0.3), (2, "de", "de", -0.2), (3, "de", "de", 0.6)),
        *((0, "en", "en", 0.4), (1, "en", "en", 0.0), (2, "en", "en", None)),
    ]


def test_contributions_add_up_to_the_difference_of_macro_means() -> None:
    table = table_of(rows_of_two_languages())
    added, present = monolingual(table)
    # German (0.1 + 0.3 - 0.2 + 0.6) / 4 = 0.2, English 0.4 / 2 = 0.2; an item adds d/4/2 and d/2/2
    assert added.sum(0) == pytest.approx([0.2])
    assert added[:, 0] == pytest.approx([0.0125 + 0.1, 0.0375, -0.025, 0.075])
    assert present[:, 0].tolist() == [True, True, True, True]
    added, present = monolingual(table, by_language)
    assert added.sum(0) == pytest.approx([0.2, 0.2])
    assert present[:, 1].tolist() == [True, True, False, False]


def test_translations_are_flipped_together() -> None:
    # one language or three that say the same: the same p
    one = table_of([(k, "de", "de", value) for k, value in enumerate((1.0, 2.0, 3.0))])
    three = table_of([(k, x, x, v) for k, v in enumerate((1.0, 2.0, 3.0)) for x in ("de", "en", "sw")])
    for table in (one, three):
        assert sign_flip_test(monolingual(table)[0]).tolist() == [0.25]


def test_the_effect_is_the_mean_over_the_deviation_of_items() -> None:
    differences = [0.1, 0.3, -0.2, 0.6, 0.2]
    table = table_of([(k, "de", "de", value) for k, value in enumerate(differences)])
    found = effect_sizes(*monolingual(table))
    # d times the root of the number of items is the paired t
    theirs = stats.ttest_1samp(differences, 0).statistic
    assert found * np.sqrt(5) == pytest.approx([theirs])


def test_an_effect_without_spread_is_none() -> None:
    same = table_of([(k, "de", "de", 0.2) for k in range(4)])
    single = table_of([(0, "de", "de", 0.2)])
    for table in (same, single):
        assert np.isnan(effect_sizes(*monolingual(table))).all()
