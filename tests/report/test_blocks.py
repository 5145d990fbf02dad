"""Cells and columns."""

import pytest

from panglot.report.blocks import EMPTY, Cell, Grid, figure, number


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(0.1234, ".3f", "0.123"), (-0.5, "+.1f", "−0.5"), (-0.0004, "+.3f", "0.000"), (1234.5, ",.0f", "1,234")],
)
def test_numbers_as_people_write_them(value: float, form: str, text: str) -> None:
    assert number(value, form) == text


def test_a_figure_keeps_its_value_and_shows_it_rounded() -> None:
    cell = figure(0.12345, [0.1, 0.2], ".0f", times=100, verdict="better")
    assert (cell.text, cell.ends_text, cell.value) == ("12", "10 to 20", 0.12345)
    assert (cell.ends, cell.verdict) == ((0.1, 0.2), "better")
    assert figure(None) is EMPTY


def test_a_column_of_words_is_not_numeric() -> None:
    rows = [[Cell("a"), Cell("x"), EMPTY, EMPTY], [Cell("b"), Cell("y"), figure(1.0), EMPTY]]
    grid = Grid("g", "title", ["head", "words", "figures", "none"], rows)
    assert [grid.numeric(k) for k in range(4)] == [False, False, True, True]
