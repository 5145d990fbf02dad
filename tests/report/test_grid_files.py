"""Tables as CSV, LaTeX and Markdown, against what should be in them."""

import csv
import io

import pytest

from panglot.report.blocks import EMPTY, Cell, Grid, figure
from panglot.report.grid_files import as_csv, as_latex, as_markdown

GRID = Grid(
    "t",
    "A & B",
    ["model", "AP", "note"],
    [
        [Cell("a_b | <i>"), figure(0.25, [0.125, 0.5], ".2f", verdict="worse"), Cell("50 %")],
        [Cell("=cmd()"), EMPTY, EMPTY],
    ],
    note="note * here",
)


def test_csv_has_figures_in_full_and_no_formulas() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(GRID))))
    assert rows == [
        ["model", "AP", "AP low", "AP high", "AP verdict", "note"],
        ["a_b | <i>", "0.25", "0.125", "0.5", "worse", "50 %"],
        ["'=cmd()", "", "", "", "", ""],
    ]


def test_markdown_keeps_its_columns_whatever_the_text() -> None:
    lines = as_markdown(GRID).splitlines()
    assert lines == [
        "**A & B**",
        "",
        "| model | AP | note |",
        "| :-- | --: | :-- |",
        r"| a\_b \| \<i\> | 0.25 ▼ (0.12 to 0.50) | 50 % |",
        "| =cmd() |  |  |",
        "",
        r"note \* here",
    ]


def test_latex_escapes_what_is_special() -> None:
    text = as_latex(GRID)
    assert r"\begin{tabular}{lrl}" in text
    assert (
        r"a\_b \textbar{} \textless{}i\textgreater{} & 0.25$\blacktriangledown$ {\scriptsize (0.12 to 0.50)}"
        r" & 50 \% \\" in text
    )


@pytest.mark.parametrize("form", [as_csv, as_markdown, as_latex])
def test_a_name_with_line_ends_does_not_break_a_table(form: object) -> None:
    grid = Grid("t", "one\ntwo", ["x"], [[Cell("a\nb")]])
    assert callable(form)
    text = form(grid)
    if form is as_csv:
        assert list(csv.reader(io.StringIO(text))) == [["x"], ["a\nb"]]
    else:
        assert "a b" in text
        assert not any(line.startswith("two") for line in text.splitlines())
