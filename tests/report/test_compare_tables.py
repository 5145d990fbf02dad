"""Tables and sentences of a comparison, from figures written by hand."""

import io
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from panglot.evaluation import Comparison
from panglot.report.compare_tables import (
    change_by_language_table,
    change_matrix_table,
    comparison_in_words,
    comparison_table,
    figure_table,
    with_panels,
    with_texts,
)
from panglot.report.frames import Table, to_rich

NOTHING = float("nan")


def figure(
    value: float, difference: float, p: float, verdict: str | None, measure: str = "AP"
) -> dict[str, Any]:
    return {
        "measure": measure,
        "run": "new",
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "baseline": "old",
        "difference": difference,
        "difference_low": difference - 0.01,
        "difference_high": difference + 0.01,
        "effect": 0.5 if difference > 0 else -0.5,
        "p": p / 2,
        "p_holm": p,
        "verdict": verdict,
    }


def plain(value: float, setting: str, measure: str = "AP") -> dict[str, Any]:
    missing = dict.fromkeys(
        ("difference", "difference_low", "difference_high", "effect", "p", "p_holm"), NOTHING
    )
    own = {"measure": measure, "run": "old", "value": value, "low": value - 0.1, "high": value + 0.1}
    return {**own, **missing, "baseline": None, "verdict": None, **where("settings", "all", setting)}


def where(family: str, group: str, setting: str) -> dict[str, str]:
    return {"family": family, "group": group, "setting": setting}


BETTER, WORSE = figure(0.6, 0.1, 0.0004, "better"), figure(0.3, -0.05, 0.012, "worse")
UNCLEAR = figure(0.5, 0.0004, 0.7, None)


@pytest.fixture
def compared() -> Comparison:
    languages = {"de": BETTER, "sw": figure(0.7, 0.25, 0.001, "better"), "th": WORSE}
    matrix = {"de→de": BETTER, "de→sw": WORSE, "sw→de": UNCLEAR, "sw→sw": BETTER}
    rows = [
        {**BETTER, **where("settings", "all", "monolingual")},
        {**UNCLEAR, **where("settings", "all", "multilingual")},
        {**figure(1000.0, -234.0, 0.2, None, "rank_distance"), **where("settings", "all", "multilingual")},
        *({**found, **where("by_language", code, "monolingual")} for code, found in languages.items()),
        *({**UNCLEAR, **where("by_language", code, "multilingual")} for code in languages),
        *({**found, **where("matrix", pair, "crosslingual")} for pair, found in matrix.items()),
        plain(0.5, "monolingual"),
        plain(0.45, "multilingual"),
        plain(1234.0, "multilingual", "rank_distance"),
    ]
    method = {"share": 0.95, "alpha": 0.05}
    return Comparison({"name": "kitchen"}, "AP", ["new", "old"], "old", method, [], pd.DataFrame(rows))


def lines(table: Table, width: int = 80) -> list[str]:
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(to_rich(table))
    return [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip(" ─")]


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
        "new 1,000 −234 −234 to −234 .200 −0.50",
    ]
    assert "▲ better and ▼ worse than the baseline, p < 0.05 after Holm's" in " ".join(shown[8:])


def test_marks_do_not_need_colour(compared: Comparison) -> None:
    assert lines(change_by_language_table(compared, "new"))[1:5] == [
        "query language monolingual multilingual",
        "German (de) +0.100 ▲ 0.000",
        "Swahili (sw) +0.250 ▲ 0.000",
        "Thai (th) −0.050 ▼ 0.000",
    ]


def test_the_matrix_of_changes(compared: Comparison) -> None:
    table = change_matrix_table(compared, "new")
    assert table.title == "new minus old: mAP x 100, query language (down), passage language (across)"
    assert lines(table)[-3:-1] == ["de +10 ▲ −5 ▼", "sw 0 +10 ▲"]
    assert list(table.shown.columns) == ["", "de", "sw"]
    without = replace(compared, figures=compared.figures[compared.figures["family"] != "matrix"])
    assert len(change_matrix_table(without, "new").shown) == 0


def test_words_name_who_gains_and_who_loses(compared: Comparison) -> None:
    assert comparison_in_words(compared.to_dict()) == [
        "new is better than old in the monolingual setting: mAP +0.100 (+0.090 to +0.110, p <.001). "
        "Swahili +0.250 and German +0.100 gain; Thai −0.050 loses.",
        "new does not differ significantly from old in the multilingual setting: mAP 0.000 "
        "(−0.010 to +0.010, p .700). No language by itself gains or loses significantly.",
        "Of 4 pairs of query and passage language, 2 gain significantly and 1 loses (de-sw).",
        "Rank distance does not change significantly: 1,234 to 1,000 (p .200).",
    ]


def test_many_languages_are_counted(compared: Comparison) -> None:
    codes = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]
    found = compared.to_dict()
    gain = found["compared"]["new"]["settings"]["monolingual"]
    found["compared"]["new"]["by_language"] = {code: {"monolingual": gain} for code in codes}
    assert "Thai +0.100 and 3 others gain; no language loses." in comparison_in_words(found)[0]


FIGURES = pd.DataFrame(
    [
        {"measure": "rank_distance", "setting": "multilingual", "value": 1234.5, "low": 999.4, "high": 2000},
        {"measure": "AP", "setting": "multilingual", "value": 0.25, "low": 0.2, "high": 0.3},
        {"measure": "AP", "setting": "monolingual", "value": 0.5, "low": 0.4, "high": 0.6},
    ]
).assign(
    difference=[-10.0, float("nan"), 0.125],
    difference_low=-20.0,
    difference_high=0.25,
    verdict=["better", None, "worse"],
)


def test_figures_are_written_with_intervals_and_marks_in_the_order_of_settings() -> None:
    found = with_texts(with_panels(FIGURES))
    assert found["panel"].tolist() == ["monolingual", "multilingual", "rank distance"]
    assert found["text"].tolist() == [
        "0.5000 [0.4000, 0.6000] ▼",
        "0.2500 [0.2000, 0.3000]",
        "1,234 [999, 2,000] ▲",
    ]
    changes = with_texts(with_panels(FIGURES), "difference", ".3f")["text"].tolist()
    assert changes == ["+0.125 [−20.000, +0.250] ▼", "", "−10 [−20, 0] ▲"]


def test_compared_figures_are_put_side_by_side() -> None:
    rows = FIGURES.assign(run=["new", "new", "old"])
    table = figure_table("name", "title", rows, {"run": "model"}, note="note")
    assert list(table.shown.columns) == ["model", "monolingual", "multilingual", "rank distance"]
    assert table.shown.to_numpy().tolist() == [
        ["old", "0.5000 [0.4000, 0.6000] ▼", "", ""],
        ["new", "", "0.2500 [0.2000, 0.3000]", "1,234 [999, 2,000] ▲"],
    ]
    assert "panel" not in table.data
