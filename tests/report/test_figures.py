"""Figures of results as a frame, tables of one run or of a comparison, and published figures, by hand."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from panglot.errors import PanglotError
from panglot.evaluation import Comparison
from panglot.report.figures import (
    SOURCES,
    change_by_language_table,
    change_matrix_tables,
    comparison_table,
    excess_rows,
    figure_table,
    figures_of,
    heat_table,
    languages_table,
    matrix_table,
    perturbed_tables,
    reference_for,
    settings_table,
    with_panels,
    with_texts,
)
from panglot.report.tables import Table, to_rich

NAN = float("nan")


def lines(table: Table, width: int = 90) -> list[str]:
    """Return what a terminal shows, blanks squeezed."""
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(to_rich(table))
    return [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip(" ─")]


# one run


def measures(ap: float, ndcg: float) -> dict[str, float]:
    return {"AP": ap, "nDCG@10": ndcg}


RESULTS: dict[str, Any] = {
    "model": {"name": "mine"},
    "benchmark": {"name": "kitchen", "queries": 2380, "passages": 12345, "languages": ["de", "sw"]},
    "settings": {
        "monolingual": measures(0.61234, 0.7),
        "crosslingual": measures(0.31256, 0.4),
        "multilingual": measures(0.21278, 0.3),
    },
    "bias": {
        "rank_distance": 1234.56,
        "peer@100": None,
        "top_shares@10": {
            "share": {"de": {"de": 0.75, "sw": 0.25}, "sw": {"de": 0.5, "sw": 0.5}},
            "fair": {"de": {"de": 0.5, "sw": 0.5}},
        },
    },
    "by_language": {
        "de": {
            "monolingual": measures(0.7, 0.8),
            "crosslingual": measures(0.4, 0.5),
            "multilingual": measures(0.3, 0.6),
            "rank_distance": 2000.04,
        },
        "sw": {
            "monolingual": measures(0.5246, 0.6),
            "crosslingual": None,
            "multilingual": measures(0.1, 0.2),
            "rank_distance": None,
        },
    },
    "matrix": {"AP": {"de": {"de": 0.7004, "sw": 0.4}, "sw": {"sw": 0.5246}}},
    "intervals": {
        "settings": {"monolingual": {"AP": [0.5, 0.7]}},
        "bias": {"rank_distance": [1000.0, 1500.0]},
        "by_language": {"de": {"multilingual": {"AP": [0.2, 0.4]}, "rank_distance": [1900.0, 2100.0]}},
        "matrix": {"AP": {"de": {"sw": [0.35, 0.45]}}},
    },
}


@pytest.mark.parametrize(
    ("family", "group", "setting", "measure", "figure"),
    [
        ("settings", "all", "monolingual", "AP", (0.61234, 0.5, 0.7)),
        ("settings", "all", "monolingual", "nDCG@10", (0.7, NAN, NAN)),
        ("settings", "all", "multilingual", "rank_distance", (1234.56, 1000, 1500)),
        ("bias", "all", "multilingual", "rank_distance", (1234.56, 1000, 1500)),
        ("by_language", "de", "multilingual", "AP", (0.3, 0.2, 0.4)),
        ("by_language", "de", "multilingual", "rank_distance", (2000.04, 1900, 2100)),
        ("matrix", "de→sw", "crosslingual", "AP", (0.4, 0.35, 0.45)),
        ("matrix", "sw→sw", "monolingual", "AP", (0.5246, NAN, NAN)),
    ],
)
def test_figures_have_the_intervals_that_the_results_hold(
    family: str, group: str, setting: str, measure: str, figure: tuple[float, ...]
) -> None:
    found = figures_of(RESULTS).set_index(["family", "group", "setting", "measure"])
    np.testing.assert_array_equal(found.loc[(family, group, setting, measure)], figure)


def test_other_intervals_take_their_place_and_what_is_missing_has_no_row() -> None:
    found = figures_of(RESULTS, {"settings": {"monolingual": {"AP": [0.1, 0.9]}}})
    assert found.iloc[0][["low", "high"]].tolist() == [0.1, 0.9]
    assert found["low"].notna().sum() == 1
    assert len(found) == 6 + 1 + 1 + (6 + 1) + 4 + 3
    assert not found["measure"].str.startswith(("peer", "top_shares")).any()


def test_terminal_tables_of_one_run() -> None:
    assert lines(settings_table(RESULTS)) == [
        "mine on kitchen: 2,380 queries, 12,345 passages, 2 languages",
        "setting mAP nDCG@10 rank distance",
        *("monolingual 0.6123 0.7000", "cross-lingual 0.3126 0.4000", "multilingual 0.2128 0.3000 1,234.6"),
    ]
    assert lines(languages_table(RESULTS, "AP")) == [
        "mAP by query language",
        "query language monolingual cross-lingual multilingual rank distance",
        *("German (de) 0.7000 0.4000 0.3000 2,000.0", "Swahili (sw) 0.5246 0.1000"),
    ]
    assert lines(languages_table(RESULTS, "nDCG@10"))[2].startswith("German (de) 0.8000")
    matrix = matrix_table(RESULTS, "AP")
    assert lines(matrix)[1:] == ["de sw", "de 70 40", "sw 52"]
    assert matrix.shown.columns[0] == ""  # rows are query languages


def test_a_run_in_one_language_has_no_column_for_what_it_lacks() -> None:
    alone = {
        **RESULTS,
        "settings": {"monolingual": measures(0.75, 0.8155), "crosslingual": None, "multilingual": None},
        "bias": {"rank_distance": None},
        "by_language": {"sw": {"monolingual": measures(0.75, 0.8155), "rank_distance": None}},
        "matrix": {"AP": {"sw": {"sw": 0.75}}},
    }
    assert lines(settings_table(alone))[1:] == ["setting mAP nDCG@10", "monolingual 0.7500 0.8155"]
    assert lines(languages_table(alone, "AP"))[2:] == ["Swahili (sw) 0.7500"]


def test_perturbed_queries_are_shown_by_setting_and_by_language() -> None:
    change = {"before": 0.5, "after": 0.4, "change": -0.1, "low": -0.2, "high": 0.0}
    less = {**change, "change": -0.05}
    perturbed = {
        "typos": {
            "settings": {"monolingual": change, "crosslingual": None, "multilingual": less},
            "by_language": {"de": {"monolingual": change, "changed": 1.0}, "th": {"changed": 0.5}},
        }
    }
    whole, each = perturbed_tables(perturbed, "AP")
    assert whole.shown.to_numpy().tolist() == [
        ["typos", "75 %", "−0.1000 [−0.2000, 0.0000]", "−0.0500 [−0.2000, 0.0000]"]
    ]
    assert list(whole.shown) == ["change", "queries changed", "monolingual", "multilingual"]
    assert each.shown.to_numpy().tolist() == [["German (de)", "−0.1000 (100 %)"]]
    assert list(perturbed_tables({}, "AP")) == []


# heat maps


def test_heat_maps_have_colours_between_nothing_and_the_ends() -> None:
    rows = pd.DataFrame({"group": ["de→sw", "de→de", "sw→de"], "value": [-0.25, 0.5, 2.0], "measure": "AP"})
    table = heat_table("name", "title", rows, (0.0, 1.0), form="+.0f")
    assert list(table.shown) == ["", "de", "sw"]  # in the order of the rows
    assert table.shown.to_numpy().tolist() == [["de", "+50", "−25"], ["sw", "+200", ""]]
    assert table.fills is not None
    np.testing.assert_array_equal(table.fills, [[50, -25], [100, NAN]])


def test_over_representation_is_the_share_at_the_top_minus_that_of_relevant_passages() -> None:
    rows = excess_rows(RESULTS)
    assert rows[["group", "value"]].to_numpy().tolist() == [["de→de", 0.25], ["de→sw", -0.25]]
    assert len(excess_rows({"bias": {}})) == 0


# compared runs


def figure(
    value: float, difference: float, p: float, verdict: str | None, measure: str = "AP"
) -> dict[str, Any]:
    return {
        **{"measure": measure, "run": "new", "value": value, "low": value - 0.1, "high": value + 0.1},
        **{"baseline": "old", "difference": difference, "effect": 0.5 if difference > 0 else -0.5},
        **{"difference_low": difference - 0.01, "difference_high": difference + 0.01},
        **{"p": p / 2, "p_holm": p, "verdict": verdict},
    }  # fmt: skip


def plain(value: float, setting: str, measure: str = "AP") -> dict[str, Any]:
    missing = dict.fromkeys(("difference", "difference_low", "difference_high", "effect", "p", "p_holm"), NAN)
    own = {"measure": measure, "run": "old", "value": value, "low": value - 0.1, "high": value + 0.1}
    return {**own, **missing, "baseline": None, "verdict": None, **where("settings", "all", setting)}


def where(family: str, group: str, setting: str) -> dict[str, str]:
    return {"family": family, "group": group, "setting": setting}


BETTER, WORSE = figure(0.6, 0.1, 0.0004, "better"), figure(0.3, -0.05, 0.012, "worse")
UNCLEAR = figure(0.5, 0.0004, 0.7, None)
DISTANCE = figure(1000.0, -234.0, 0.02, "better", "rank_distance")


@pytest.fixture
def compared() -> Comparison:
    languages = {"de": BETTER, "sw": figure(0.7, 0.25, 0.001, "better"), "th": WORSE}
    matrix = {"de→de": BETTER, "de→sw": WORSE, "sw→de": UNCLEAR, "sw→sw": BETTER}
    rows = [
        {**BETTER, **where("settings", "all", "monolingual")},
        {**UNCLEAR, **where("settings", "all", "multilingual")},
        {**DISTANCE, **where("settings", "all", "multilingual")},
        *({**found, **where("by_language", code, "monolingual")} for code, found in languages.items()),
        *({**UNCLEAR, **where("by_language", code, "multilingual")} for code in languages),
        *({**found, **where("matrix", pair, "crosslingual")} for pair, found in matrix.items()),
        *(plain(0.5, "monolingual"), plain(0.45, "multilingual")),
        plain(1234.0, "multilingual", "rank_distance"),
    ]  # fmt: skip
    method = {"share": 0.95, "alpha": 0.05}
    return Comparison({"name": "kitchen"}, "AP", ["new", "old"], "old", method, [], pd.DataFrame(rows))


def test_runs_are_below_each_setting_with_the_baseline_first(compared: Comparison) -> None:
    shown = lines(comparison_table(compared))
    assert shown[:8] == [
        "mAP on kitchen; baseline: old",
        "setting run mAP difference 95 % interval p d",
        "monolingual old 0.500 0.400 to 0.600",
        "new 0.600 +0.100 ▲ +0.090 to +0.110 <.001 +0.50",
        "multilingual old 0.450 0.350 to 0.550",
        "new 0.500 0.000 −0.010 to +0.010 .700 +0.50",
        "rank distance old 1,234 1,234 to 1,234",
        "new 1,000 −234 ▼ (better) −234 to −234 .020 −0.50",
    ]
    assert "p < 0.05 after Holm's" in " ".join(shown[8:])


def test_marks_do_not_need_colour(compared: Comparison) -> None:
    assert lines(change_by_language_table(compared, "new"))[1:5] == [
        "query language monolingual multilingual",
        *("German (de) +0.100 ▲ 0.000", "Swahili (sw) +0.250 ▲ 0.000", "Thai (th) −0.050 ▼ 0.000"),
    ]


def test_the_matrix_of_changes(compared: Comparison) -> None:
    (table,) = change_matrix_tables(compared)
    assert [" ".join(row) for row in table.shown.to_numpy()] == [
        "de +10 [+9, +11] ▲ −5 [−6, −4] ▼",
        "sw 0 [−1, +1] +10 [+9, +11] ▲",
    ]
    assert table.name == "change-1"  # the number of the run
    assert table.fills is not None
    np.testing.assert_array_equal(table.fills, [[100, -50], [0, 100]])
    without = replace(compared, figures=compared.figures[compared.figures["family"] != "matrix"])
    assert list(change_matrix_tables(without)) == list(change_matrix_tables(compared, ["old"])) == []


FIGURES = pd.DataFrame(
    [
        {"measure": "rank_distance", "setting": "multilingual", "value": 1234.5, "low": 999.4, "high": 2000},
        {"measure": "AP", "setting": "multilingual", "value": 0.25, "low": 0.2, "high": 0.3},
        {"measure": "AP", "setting": "monolingual", "value": 0.5, "low": 0.4, "high": 0.6},
    ]
).assign(
    difference=[-10.0, NAN, 0.125],
    difference_low=-20.0,
    difference_high=0.25,
    verdict=["better", None, "worse"],
)


def test_figures_are_written_in_the_order_of_settings() -> None:
    found = with_texts(with_panels(FIGURES))
    assert found["panel"].tolist() == ["monolingual", "multilingual", "rank distance"]
    assert found["text"].tolist() == [
        *("0.5000 [0.4000, 0.6000] ▼", "0.2500 [0.2000, 0.3000]", "1,234 [999, 2,000] ▼ (better)"),
    ]
    changes = with_texts(with_panels(FIGURES), "difference", ".3f")["text"].tolist()
    assert changes == ["+0.125 [−20.000, +0.250] ▼", "", "−10 [−20, 0] ▼ (better)"]


def test_compared_figures_are_put_side_by_side() -> None:
    rows = FIGURES.assign(run=["new", "new", "old"])
    table = figure_table("name", "title", rows, {"run": "model"}, note="note")
    assert list(table.shown.columns) == ["model", "monolingual", "multilingual", "rank distance"]
    assert table.shown.to_numpy().tolist() == [
        ["old", "0.5000 [0.4000, 0.6000] ▼", "", ""],
        ["new", "", "0.2500 [0.2000, 0.3000]", "1,234 [999, 2,000] ▼ (better)"],
    ]
    assert "panel" not in table.data


XQUAD = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]


def described(name: str = "xquad-r", **changes: Any) -> dict[str, Any]:
    return {"name": name, "languages": XQUAD, "candidate_text": "sentence", **changes}


def test_xquad_r() -> None:
    found = reference_for(described())
    values = found.set_index(["model", "setting", "measure"])["value"]
    hybrid = values["XLM-R, hybrid batches"]
    assert hybrid.to_dict() == {
        **{("monolingual", "AP"): 0.7977, ("crosslingual", "AP"): 0.7053, ("multilingual", "AP"): 0.5927},
        ("multilingual", "rank_distance"): 286.6,
    }
    assert values["LaBSE, monolingual batches", "multilingual", "rank_distance"] == 261.5
    assert values["mBERT, X-Y"].to_dict() == {("multilingual", "AP"): 0.66}
    sources = found.drop_duplicates("model").set_index("model")["source"].map(SOURCES)
    assert "arXiv 2408.10536" in sources["XLM-R, hybrid batches"]
    assert "arXiv 2004.05484" in sources["mBERT, X-Y"]


def test_mlqa_r_has_its_own_figures() -> None:
    figures = reference_for(described("mlqa-r", languages=["zh", "ar", "de", "en", "es", "hi", "vi"]))
    distances = figures[figures["measure"] == "rank_distance"]["value"]
    assert distances.tolist() == [287.5, 226.7, 227.1, 225.3, 198.3, 195.0]


@pytest.mark.parametrize(
    ("benchmark", "sentence"),
    [
        (described("sample"), "has no figures on 'sample'"),
        (described(languages=["en", "de"]), "cover all its languages"),
        (described(candidate_text="sentence+context"), "ranks sentences"),
    ],
)
def test_figures_that_cannot_stand_beside_each_other(benchmark: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PanglotError, match=sentence):
        reference_for(benchmark)
