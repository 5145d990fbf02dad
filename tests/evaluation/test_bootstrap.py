"""The bootstrap over items, and the cost of perturbed queries: by hand and against resampling in a loop."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from query_tables import Row, table_of
from sentence_transformers import SentenceTransformer

from panglot import evaluate, sample_benchmark
from panglot.errors import PanglotError
from panglot.evaluation import ALL, load_results
from panglot.evaluation.aggregate import Aligned, all_cells, cells_of, values_of
from panglot.evaluation.bootstrap import bounds, draw, estimates, interval, intervals, perturbed_drops


def resampled_settings(
    tables: Sequence[pa.Table], column: str, resamples: int = 1000, seed: int = 0
) -> dict[str, npt.NDArray[np.float64]]:
    """Draws of each setting, ``(resamples + 1,)``, of tables that are seeds of one run."""
    values = {column: np.array([values_of(table, column) for table in tables])}
    aligned = Aligned(cells_of(tables[0]), [("run", k) for k in range(len(tables))], values)
    found = draw(aligned, {"settings": all_cells}, resamples=resamples, seed=seed)
    return {setting: found.of("run", setting=setting) for setting in found.figures["setting"]}


def halves(items: int, languages: str) -> list[Row]:
    """Monolingual rows: an item is 0 or 1 in all its languages, as many items one as the other."""
    return [(k, x, x, float(k % 2)) for k in range(items) for x in languages.split()]


def slow_settings(rows: Sequence[Row], resamples: int) -> dict[str, npt.NDArray[np.float64]]:
    """The bootstrap as one would say it: draw items with all their rows, average by cell, then by setting."""
    rng = np.random.default_rng(987)
    items = sorted({row[0] for row in rows})
    rows_of = {item: [row for row in rows if row[0] == item and row[3] is not None] for item in items}
    drawn: dict[str, list[float]] = {"monolingual": [], "crosslingual": [], "multilingual": []}
    for _ in range(resamples):
        cells: dict[tuple[str, str], list[float]] = {}
        for item in rng.choice(items, len(items)):
            for _, language, pool, value in rows_of[item]:
                assert value is not None
                cells.setdefault((language, pool), []).append(value)
        means: dict[str, list[float]] = {name: [] for name in drawn}
        for (language, pool), values in cells.items():
            name = "multilingual" if pool == ALL else "monolingual" if pool == language else "crosslingual"
            means[name].append(sum(values) / len(values))
        for name, found in means.items():
            drawn[name].append(sum(found) / len(found))
    return {name: np.array(values) for name, values in drawn.items()}


def uneven_rows() -> list[Row]:
    """Thirty items, English ones twice as many as German ones, some cells without some items."""
    rng = np.random.default_rng(4)
    rows: list[Row] = []
    for item in range(30):
        ease = rng.uniform(0, 0.7)
        for language in ("de", "en") if item % 2 else ("en",):
            for pool in ("de", "en", ALL):
                if rng.random() < 0.9:
                    rows.append((item, language, pool, float(ease + rng.uniform(0, 0.3))))
    rows[5] = (*rows[5][:3], None)
    return rows


def test_the_first_figure_is_the_macro_average_by_hand() -> None:
    rows: list[Row] = [
        *((0, "de", "de", 0.2), (1, "de", "de", 0.4), (0, "en", "en", 0.9)),
        *((0, "de", "en", 0.1), (1, "en", "de", 0.5), (2, "en", "de", 0.7)),
        *((0, "de", ALL, 0.8), (1, "de", ALL, None), (2, "en", ALL, 0.2), (0, "en", ALL, 0.4)),
    ]
    found = resampled_settings([table_of(rows)], "AP", resamples=3)
    assert {name: values[0] for name, values in found.items()} == pytest.approx(
        {"monolingual": (0.3 + 0.9) / 2, "crosslingual": (0.1 + 0.6) / 2, "multilingual": (0.8 + 0.3) / 2}
    )
    assert {len(values) for values in found.values()} == {4}


def test_equal_items_have_no_spread() -> None:
    rows: list[Row] = [(k, x, p, 0.625) for k in range(9) for x in ("de", "en") for p in ("de", "en", ALL)]
    for values in resampled_settings([table_of(rows)], "AP", resamples=50).values():
        assert list(interval(values).values()) == pytest.approx([0.625] * 3, abs=1e-12)


@pytest.mark.parametrize("languages", ["en", "en de", "ar de el en es hi ru th tr vi zh"])
def test_items_are_resampled_and_not_their_translations(languages: str) -> None:
    # the mean of n zeros and ones, half of each: standard error 0.5 / sqrt(n), however many translations
    rows = halves(64, languages)
    found = resampled_settings([table_of(rows)], "AP", resamples=4000)["monolingual"]
    assert found[0] == pytest.approx(0.5)
    assert found[1:].mean() == pytest.approx(0.5, abs=0.005)
    assert found[1:].std() == pytest.approx(0.5 / 8, rel=0.05)


def test_mean_and_spread_equal_those_of_a_slow_loop() -> None:
    rows = uneven_rows()
    fast = resampled_settings([table_of(rows)], "AP", resamples=3000)
    slow = slow_settings(rows, resamples=3000)
    assert fast.keys() == slow.keys()
    for name, expected in slow.items():
        drawn = fast[name][1:]
        assert drawn.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / np.sqrt(3000))
        assert drawn.std() == pytest.approx(expected.std(), rel=0.06)
        found = interval(fast[name])
        assert [found["low"], found["high"]] == pytest.approx(np.quantile(expected, [0.025, 0.975]), abs=0.01)


def test_a_seed_draws_the_same_items_again_and_another_seed_others() -> None:
    table = table_of(uneven_rows())
    first, again, other = (
        resampled_settings([table], "AP", resamples=20, seed=s)["monolingual"] for s in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_differences_are_over_the_same_resamples() -> None:
    rows = uneven_rows()
    better: list[Row] = [(k, x, p, None if value is None else value + 0.25) for k, x, p, value in rows]
    before, after = (resampled_settings([table_of(r)], "AP", resamples=100) for r in (rows, better))
    for name, values in before.items():
        assert list(interval(after[name] - values).values()) == pytest.approx([0.25] * 3, abs=1e-12)
        assert interval(values)["low"] < interval(values)["high"] - 0.05


def test_several_tables_are_averaged_query_by_query() -> None:
    rows = uneven_rows()
    higher: list[Row] = [(k, x, p, None if value is None else value * 3) for k, x, p, value in rows]
    one = resampled_settings([table_of(rows)], "AP", resamples=20)
    mean = resampled_settings([table_of(rows), table_of(higher)], "AP", resamples=20)
    for name, values in one.items():
        np.testing.assert_allclose(mean[name], 2 * values)


def test_a_setting_without_rows_is_left_out() -> None:
    assert set(resampled_settings([table_of(halves(4, "sw"))], "AP", resamples=2)) == {"monolingual"}
    unknown: list[Row] = [(0, "sw", "sw", None)]
    assert resampled_settings([table_of(unknown)], "AP", resamples=2) == {}


def test_an_interval_holds_its_share_of_the_resamples() -> None:
    # the figure first, then 0 to 200: 2.5 % and 97.5 % of them are 5 and 195
    resampled = np.array([77.0, *np.random.default_rng(0).permutation(201)])
    assert interval(resampled) == pytest.approx({"value": 77, "low": 5, "high": 195})
    assert interval(resampled, share=0.5) == pytest.approx({"value": 77, "low": 50, "high": 150})


def row_table(rows: Sequence[Row]) -> pa.Table:
    """A per-query table with a measure and, in the multilingual pool, a rank distance of 100 times it."""
    table = table_of(rows)
    distance = [None if v is None or p != ALL else 100 * v for _, _, p, v in rows]
    ones = pa.array([1] * len(rows), pa.int64())
    for name in ("relevant", "best_rank", "worst_rank"):
        table = table.append_column(name, ones)
    return table.append_column("rank_distance", pa.array(distance, pa.float64()))


def test_every_figure_has_an_interval_in_its_place() -> None:
    table = row_table(uneven_rows())
    found = intervals(table, ["AP"], passages=50, resamples=200)
    assert (found["share"], found["resamples"], found["unit"]) == (0.95, 200, "item")
    settings = resampled_settings([table], "AP", resamples=200)
    for name, values in settings.items():
        expected = interval(values)
        assert found["settings"][name]["AP"] == pytest.approx([expected["low"], expected["high"]])
    assert found["bias"]["rank_distance"] == pytest.approx(
        [100 * end for end in found["settings"]["multilingual"]["AP"]]
    )
    assert found["bias"]["rank_distance_normalised"] == pytest.approx(
        [end / 50 for end in found["bias"]["rank_distance"]]
    )
    for x in ("de", "en"):
        assert set(found["by_language"][x]) == {*settings, "rank_distance"}
        assert set(found["matrix"]["AP"][x]) == {"de", "en"}
        # with two languages, the pairs are what the settings of a language average
        assert found["matrix"]["AP"][x][x] == found["by_language"][x]["monolingual"]["AP"]
        other = "en" if x == "de" else "de"
        assert found["matrix"]["AP"][x][other] == found["by_language"][x]["crosslingual"]["AP"]


def test_the_interval_of_a_cell_is_that_of_a_slow_loop() -> None:
    rows = uneven_rows()
    fast = intervals(row_table(rows), ["AP"], resamples=3000)["matrix"]["AP"]["en"]["de"]
    only = [row for row in rows if row[1:3] == ("en", "de")]
    rng = np.random.default_rng(11)
    items = sorted({row[0] for row in rows})
    value_of = {row[0]: row[3] for row in only}
    means = []
    for _ in range(3000):
        drawn = [value_of[k] for k in rng.choice(items, len(items)) if value_of.get(k) is not None]
        means.append(np.mean(np.array(drawn, float)))
    assert fast == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.01)


def test_any_grouping_of_cells_has_estimates() -> None:
    rows: list[Row] = [
        (k, x, x, {"de": 0.25, "en": 0.75, "sw": 0.5}[x]) for k in range(5) for x in ("de", "en", "sw")
    ]
    grouping = {"wealth": lambda cells: {"rich": cells["query_language"].isin(["de", "en"]).to_numpy()}}
    (row,) = estimates(table_of(rows), ["AP"], grouping, resamples=10).to_dict("records")
    assert row == {
        **{"measure": "AP", "family": "wealth", "group": "rich", "setting": "monolingual"},
        **{"value": 0.5, "low": 0.5, "high": 0.5},
    }


def test_what_has_no_figure_has_no_interval() -> None:
    found = intervals(row_table(halves(4, "sw")), ["AP"], resamples=5)
    assert set(found["settings"]) == {"monolingual"}
    assert found["by_language"] == {"sw": {"monolingual": {"AP": found["settings"]["monolingual"]["AP"]}}}
    assert found["bias"] == {}


def test_bounds_leave_out_resamples_without_a_value() -> None:
    first, nothing = np.array([7.0, 0, 1, 2, np.nan]), np.full(5, np.nan)
    found = bounds(np.stack([first, nothing, np.arange(5.0)], axis=1), share=0.5)
    np.testing.assert_allclose(found, [[0.5, np.nan, 1.75], [1.5, np.nan, 3.25]])


def table(values: list[float]) -> pa.Table:
    """Two items in English and German; the English ones also against the pool of all."""
    rows = [
        ("e1", 0, "en", "en"),
        ("e2", 1, "en", "en"),
        ("d1", 0, "de", "de"),
        ("d2", 1, "de", "de"),
        ("e1", 0, "en", "*"),
        ("e2", 1, "en", "*"),
    ]
    names = ("query_id", "item", "query_language", "pool")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    return pa.table({**columns, "AP": pa.array(values, pa.float64())})


def test_drops_by_hand() -> None:
    found = perturbed_drops(
        table([1, 0.5, 0.8, 0.6, 1, 1]), table([0.5, 0.5, 0.8, 0.2, 1, 0]), "AP", {"en": 0.5, "de": 0.25}
    )
    mono = found["settings"]["monolingual"]
    # English .75 to .5, German .7 to .5
    assert (mono["before"], mono["after"], mono["change"]) == pytest.approx((0.725, 0.5, -0.225))
    assert found["settings"]["crosslingual"] is None
    assert found["settings"]["multilingual"]["change"] == pytest.approx(-0.5)
    german = found["by_language"]["de"]
    assert german["changed"] == 0.25 and german["multilingual"] is None
    # resamples have item 0 twice (change 0), both (-.2), or item 1 twice (-.4)
    assert (german["monolingual"]["low"], german["monolingual"]["high"]) == pytest.approx((-0.4, 0))


def test_the_interval_is_paired() -> None:
    # every query loses exactly .1: however items are drawn, so does the mean
    before = [0.9, 0.1, 0.8, 0.2, 0.7, 0.3]
    found = perturbed_drops(table(before), table([v - 0.1 for v in before]), "AP")
    for figure in found["settings"].values():
        if figure is not None:
            assert (figure["low"], figure["high"]) == pytest.approx((-0.1, -0.1))


def test_other_queries_and_unknown_measures_are_refused() -> None:
    one = table([1.0] * 6)
    with pytest.raises(PanglotError, match="not of the same queries"):
        perturbed_drops(one, one.slice(0, 5), "AP")
    with pytest.raises(PanglotError, match="no 'nDCG@10'"):
        perturbed_drops(one, one, "nDCG@10")


def test_rows_of_changed_queries_are_those_of_the_figures(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    benchmark = sample_benchmark().restrict(["de", "en"])
    evaluate(tiny_encoder, benchmark, perturb=["typos", "lower-case"]).save(tmp_path / "results.json")
    found = load_results(tmp_path / "results.json")
    frame = found.to_frame()
    assert list(dict.fromkeys(frame["perturbation"])) == ["", "typos", "lower-case"]
    frame = frame[(frame["measure"] == "AP") & (frame["setting"] == "monolingual")]
    means = frame.groupby(["perturbation", "query_language"], observed=True)["value"].mean()
    for kind, drops in found.results["perturbed"].items():
        figure = drops["settings"]["monolingual"]
        assert means[kind].mean() == pytest.approx(figure["after"])
        assert means[""].mean() == pytest.approx(figure["before"])
        for code in ("de", "en"):
            assert means[kind, code] == pytest.approx(drops["by_language"][code]["monolingual"]["after"])


def test_code_switching_goes_with_other_kinds_and_a_kind_counts_once(
    tiny_encoder: SentenceTransformer,
) -> None:
    benchmark = sample_benchmark().restrict(["de", "en"])
    lexicon = {"en": {"the": ["die"]}}
    kinds = ["typos", "code-switch", "typos"]
    found = evaluate(tiny_encoder, benchmark, perturb=kinds, lexicon=lexicon).perturbed
    assert found is not None
    assert dict(Counter(found["perturbation"].to_pylist())) == dict.fromkeys(kinds, 144)
    alone = evaluate(tiny_encoder, benchmark, perturb=["typos"]).perturbed
    assert alone is not None and alone["AP"].to_pylist() == found["AP"].to_pylist()[:144]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"perturb": ["code-switch"]}, "code-switch needs a lexicon"),
        ({"perturb": ["typos"], "lexicon": {"en": {"a": ["b"]}}}, "a lexicon is for code-switch"),
        ({"lexicon": {"en": {"a": ["b"]}}}, "a lexicon is for code-switch"),
        ({"perturb": ["typos", "tpos"]}, "'tpos' is not a change of queries"),
    ],
)
def test_kinds_that_cannot_work_are_refused_before_texts_are_encoded(
    tiny_encoder: SentenceTransformer, given: dict[str, Any], message: str
) -> None:
    encoded: list[int] = []
    with pytest.raises(PanglotError, match=message):
        evaluate(tiny_encoder, sample_benchmark(), progress=encoded.append, **given)
    assert not encoded
