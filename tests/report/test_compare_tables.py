"""Tables and sentences of a comparison, from figures written by hand."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from panglot.report.compare_tables import (
    change_by_language_table,
    change_matrix_table,
    comparison_in_words,
    runs_table,
)


def figure(value: float, difference: float, p: float, verdict: str | None) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "difference": difference,
        "difference_low": difference - 0.01,
        "difference_high": difference + 0.01,
        "effect": 0.5 if difference > 0 else -0.5,
        "p": p / 2,
        "p_holm": p,
        "verdict": verdict,
    }


def plain(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


@pytest.fixture
def compared() -> dict[str, Any]:
    better, worse = figure(0.6, 0.1, 0.0004, "better"), figure(0.3, -0.05, 0.012, "worse")
    unclear = figure(0.5, 0.0004, 0.7, None)
    return {
        "benchmark": {"name": "kitchen"},
        "measure": "AP",
        "runs": ["new", "old"],
        "baseline": "old",
        "method": {"share": 0.95, "alpha": 0.05},
        "notes": [],
        "compared": {
            "old": {
                "settings": {"monolingual": plain(0.5), "multilingual": plain(0.45)},
                "rank_distance": plain(1234.0),
                "by_language": {},
                "matrix": {},
            },
            "new": {
                "settings": {"monolingual": better, "multilingual": unclear},
                "rank_distance": figure(1000.0, -234.0, 0.2, None),
                "by_language": {
                    "de": {"monolingual": better, "multilingual": unclear},
                    "sw": {"monolingual": figure(0.7, 0.25, 0.001, "better"), "multilingual": unclear},
                    "th": {"monolingual": worse, "multilingual": unclear},
                },
                "matrix": {
                    "de": {"de": better, "sw": worse},
                    "sw": {"de": unclear, "sw": better},
                },
            },
        },
    }


def lines(table: Table, width: int = 80) -> list[str]:
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(table)
    return [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip(" ─")]


def test_runs_stand_under_each_setting_with_the_baseline_first(compared: dict[str, Any]) -> None:
    shown = lines(runs_table(compared))
    assert shown[:8] == [
        "mAP on kitchen; baseline: old",
        "setting run mAP difference 95 % interval p d",
        "monolingual old 0.500 0.400 to 0.600",
        "new 0.600 +0.100▲ +0.090 to +0.110 <.001 +0.50",
        "multilingual old 0.450 0.350 to 0.550",
        "new 0.500 0.000 -0.010 to +0.010 .700 +0.50",
        "rank distance old 1,234 1,234 to 1,234",
        "new 1,000 -234 -234 to -234 .200 -0.50",
    ]
    assert "▲ better and ▼ worse than the baseline, p < 0.05 after Holm's" in " ".join(shown[8:])


def test_marks_do_not_need_colour(compared: dict[str, Any]) -> None:
    shown = lines(change_by_language_table(compared, "new"))
    assert shown[1:5] == [
        "query language monolingual multilingual",
        "German (de) +0.100▲ 0.000",
        "Swahili (sw) +0.250▲ 0.000",
        "Thai (th) -0.050▼ 0.000",
    ]


def test_the_matrix_of_changes(compared: dict[str, Any]) -> None:
    shown = lines(change_matrix_table(compared, "new"))
    start = shown.index("de sw")
    assert " ".join(shown[:start]) == (
        "new minus old: mAP x 100, query language (down), passage language (across)"
    )
    assert shown[start + 1 : start + 3] == ["de +10▲ -5▼", "sw 0 +10▲"]


def test_words_name_who_gains_and_who_loses(compared: dict[str, Any]) -> None:
    assert comparison_in_words(compared) == [
        "new is better than old in the monolingual setting: mAP +0.100 (+0.090 to +0.110, p <.001). "
        "Swahili +0.250 and German +0.100 gain; Thai -0.050 loses.",
        "new does not differ significantly from old in the multilingual setting: mAP 0.000 "
        "(-0.010 to +0.010, p .700). No language by itself gains or loses significantly.",
        "Of 4 pairs of query and passage language, 2 gain significantly and 1 loses (de-sw).",
        "Rank distance does not change significantly: 1,234 to 1,000 (p .200).",
    ]


def test_many_languages_are_counted(compared: dict[str, Any]) -> None:
    gain = figure(0.6, 0.1, 0.0004, "better")
    codes = ["ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"]
    compared["compared"]["new"]["by_language"] = {code: {"monolingual": gain} for code in codes}
    assert "Thai +0.100 and 3 others gain; no language loses." in comparison_in_words(compared)[0]
