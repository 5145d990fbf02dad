"""One table in every form: figures with intervals and marks, safe wherever they are read."""

import csv
import io
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from panglot.report.tables import (
    Table,
    cell_of,
    number,
    numbers,
    texts,
    to_csv,
    to_latex,
    to_markdown,
    to_records,
    to_rich,
    wide,
)

FIGURES = pd.DataFrame(
    {
        "run": ["zero-shot", "<b>_hybrid_|\n&", "zero-shot"],
        "setting": ["monolingual", "monolingual", "multilingual"],
        "value": [0.5, 0.75, 0.25],
        "low": [0.4, 0.7, float("nan")],
        "high": [0.6, 0.8, float("nan")],
        "verdict": [None, "better", "worse"],
    }
)
FALLS = {"measure": "rank_distance"}


@pytest.fixture
def table() -> Table:
    shown = wide(FIGURES.assign(text=texts(FIGURES, form=".2f")), ["run"], "setting")
    return Table("figures", "mAP\n& more", shown, FIGURES, note="▲ better")


def lines(table: Table) -> list[str]:
    """Return what a terminal shows, blanks squeezed."""
    console = Console(record=True, width=80, file=io.StringIO())
    console.print(to_rich(table))
    return [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip(" ─")]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(-0.5, "+.2f", "−0.50"), (-0.001, "+.2f", "0.00"), (1234.5, ",.0f", "1,234"), (0.1, "+.1f", "+0.1")],
)
def test_a_number_has_a_true_minus_and_no_sign_at_zero(value: float, form: str, text: str) -> None:
    assert number(value, form) == text


@pytest.mark.parametrize(
    ("changes", "options", "expected"),
    [
        ({}, {}, ["0.50 [0.40, 0.60]", "0.75 [0.70, 0.80] ▲", "0.25 ▼"]),
        # an arrow says where a figure goes; where less is better, a word says whether that is good
        (FALLS, {}, ["0.50 [0.40, 0.60]", "0.75 [0.70, 0.80] ▼ (better)", "0.25 ▲ (worse)"]),
        (FALLS, {"less_is_better": False}, ["0.50 [0.40, 0.60]", "0.75 [0.70, 0.80] ▲", "0.25 ▼"]),
        ({"value": float("nan")}, {}, ["", "", ""]),
        ({"kept": [0.5, 1, 2], "kept_low": 0.25}, {"value": "kept", "times": 100, "form": ".0f"}, None),
    ],
)
def test_figures_are_written_with_intervals_and_marks(
    changes: dict[str, Any], options: dict[str, Any], expected: list[str] | None
) -> None:
    frame = FIGURES.assign(**changes)
    if expected is None:
        frame, expected = frame.assign(kept_high=3.0), ["50 [25, 300]", "100 [25, 300] ▲", "200 [25, 300] ▼"]
    assert texts(frame, **{"form": ".2f", **options}).tolist() == expected


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("0.75 [0.70, 0.80] ▲", ("0.75", "0.70, 0.80", "▲", "better")),
        ("188 ▼ (better)", ("188", "", "▼ (better)", "better")),
        ("210 ▲ (worse)", ("210", "", "▲ (worse)", "worse")),
        ("−5 ▼", ("−5", "", "▼", "worse")),
        ("any [words", ("any [words", "", "", None)),
        ("", ("", "", "", None)),
    ],
)
def test_a_written_figure_is_taken_apart(text: str, parts: tuple[Any, ...]) -> None:
    assert cell_of(text) == parts


def test_numbers_are_written_and_words_stay() -> None:
    frame = pd.DataFrame({"size": [8, 16], "gain": [-0.5, float("nan")], "cached": ["no", "yes"]})
    shown = numbers(frame, {"gain": "+.2f", "cached": ".1f", "missing": ".1f"})
    assert shown.to_dict("list") == {"size": [8, 16], "gain": ["−0.50", ""], "cached": ["no", "yes"]}


def test_columns_and_rows_go_in_order_of_appearance(table: Table) -> None:
    assert list(table.shown.columns) == ["run", "monolingual", "multilingual"]
    assert table.shown.to_numpy().tolist() == [
        ["zero-shot", "0.50 [0.40, 0.60]", "0.25 ▼"],
        ["<b>_hybrid_|\n&", "0.75 [0.70, 0.80] ▲", ""],
    ]


def test_heads_that_repeat_span_their_rows() -> None:
    rows = ["a x 1", "a x 2", "a y 1", "b y 1", "b y 1"]
    shown = pd.DataFrame([row.split() for row in rows], columns=list("pqr"))
    spans = [[count for _, count in heads] for heads in Table("t", "t", shown, shown, heads=3).spans()]
    assert spans == [[3, 2, 1], [0, 0, 1], [0, 1, 1], [2, 2, 1], [0, 0, 1]]


def test_markdown_escapes_what_it_would_read(table: Table) -> None:
    assert to_markdown(table).splitlines() == [
        "**mAP & more**",
        "",
        "| run | monolingual | multilingual |",
        "| :-- | --: | --: |",
        r"| zero-shot | 0.50 \[0.40, 0.60\] | 0.25 ▼ |",
        r"| \<b\>\_hybrid\_\| & | 0.75 \[0.70, 0.80\] ▲ |  |",
        "",
        "▲ better",
    ]


def test_latex_is_a_tabular_of_booktabs_with_escaped_texts(table: Table) -> None:
    assert to_latex(table).splitlines() == [
        "% mAP & more",
        r"% \usepackage{booktabs,amssymb}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"run & monolingual & multilingual \\",
        r"\midrule",
        r"zero-shot & 0.50 [0.40, 0.60] & 0.25 $\blacktriangledown$ \\",
        r"\textless{}b\textgreater{}\_hybrid\_\textbar{} \& & 0.75 [0.70, 0.80] $\blacktriangle$ &  \\",
        r"\bottomrule",
        r"\end{tabular}",
        "% ▲ better",
    ]


def test_csv_holds_the_data_in_full_and_no_formula(table: Table) -> None:
    found = pd.read_csv(io.StringIO(to_csv(table)))
    assert found["value"].tolist() == FIGURES["value"].tolist()
    assert list(csv.reader(io.StringIO(to_csv(table))))[2][0] == "<b>_hybrid_|\n&"
    risky = replace(table, data=pd.DataFrame({"=name": ["=1+1", "-x", "fine"], "value": [-1.5, 2, 3]}))
    assert to_csv(risky) == "'=name,value\n'=1+1,-1.5\n'-x,2.0\nfine,3.0\n"


def test_records_are_plain() -> None:
    assert to_records(FIGURES)[2] == {
        **{"run": "zero-shot", "setting": "multilingual", "value": 0.25},
        **{"low": None, "high": None, "verdict": "worse"},
    }


def test_a_terminal_shows_intervals_below_figures_and_heads_once() -> None:
    shown = pd.DataFrame(
        {"set": ["a", "a"], "run": ["x", "y"], "mAP": ["0.5 [0.4, 0.6]", "0.7 [0.6, 0.8] ▲"]}
    )
    found = lines(Table("t", "title", shown, shown, heads=2))
    assert found == ["title", "set run mAP", "a x 0.5", "[0.4, 0.6]", "y 0.7", "[0.6, 0.8] ▲"]
    many = pd.concat([shown, *(shown[["mAP"]].rename(columns={"mAP": k}) for k in "1234")], axis=1)
    assert lines(Table("t", "title", many, many, heads=2))[2] == "a x 0.5 0.5 0.5 0.5 0.5"
