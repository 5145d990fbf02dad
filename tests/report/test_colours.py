"""Colours: known mixtures, and text that can be read on all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.report.colours import DIVERGING, RUNS, SEQUENTIAL, between, contrast, ink


def test_the_ends_and_steps_of_a_scale_are_its_colours() -> None:
    assert [between(k, 0, 4) for k in range(5)] == list(SEQUENTIAL)
    assert between(0, -1, 1, DIVERGING) == "#f7f7f7"  # no change is the middle


def test_between_two_steps_colours_mix() -> None:
    assert between(0.25, 0, 1, ("#000000", "#4080c0")) == "#102030"


def test_beyond_the_ends_and_on_an_empty_scale() -> None:
    assert (between(-5, 0, 1), between(5, 0, 1)) == (SEQUENTIAL[0], SEQUENTIAL[-1])
    assert between(0.3, 0.3, 0.3) == SEQUENTIAL[2]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's well-known grey


@given(st.floats(0, 1), st.sampled_from([SEQUENTIAL, DIVERGING]))
def test_text_can_be_read_on_every_colour(value: float, scale: tuple[str, ...]) -> None:
    background = between(value, 0, 1, scale)
    # two inks, of which one is not quite black: 4.5 is the norm for small text, 4.1 the least they can do
    assert contrast(ink(background), background) > 4.1


def test_lines_stand_out_from_paper() -> None:
    assert all(contrast(colour, "#ffffff") > 2 for colour in RUNS)
