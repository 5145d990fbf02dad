"""The plots of an experiment's answer: what data they hold, and what is drawn of it."""

from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from panglot.experiments.display import as_differences, curves, dots, pareto
from panglot.report.colours import RUNS
from panglot.report.render import png, svg

SERIES = ["hybrid", "monolingual"]
NAMES = ["Swahili", "English"]
OF_CURVES: list[dict[str, Any]] = [
    {"x": x, "value": k + x, "low": k + x - 0.5, "high": k + x + 0.5, "series": name, "panel": panel}
    for panel in ("multilingual", "monolingual")
    for k, name in enumerate(SERIES)
    for x in (1, 3, 12)
]
OF_DOTS: list[dict[str, Any]] = [
    {"name": name, "value": k - 0.5, "low": k - 1.0, "high": k, "series": series, "panel": "a panel"}
    for k, name in enumerate(NAMES)
    for series in SERIES
]


CURVES, DOTS = pd.DataFrame(OF_CURVES), pd.DataFrame(OF_DOTS)


def texts_of(spec: dict[str, Any]) -> list[str]:
    """Return the texts in a picture, as they are drawn."""
    root = ElementTree.fromstring(svg(spec))
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text") if element.text]


def values_of(spec: Any) -> list[Any]:
    """Return the rows of data in a specification."""
    found = list(spec.get("data", {}).get("values", [])) if isinstance(spec, dict) else []
    inner = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else []
    return found + [row for part in inner if isinstance(part, dict | list) for row in values_of(part)]


def test_curves_hold_the_rows_and_draw_their_panels_in_order() -> None:
    panels = ["multilingual", "monolingual"]
    spec = curves(CURVES, "The title", x="languages", y="mAP")
    assert [row for row in OF_CURVES if row not in values_of(spec)] == []
    texts = texts_of(spec)
    assert [text for text in texts if text in panels] == [*panels, "monolingual"]  # the last of the legend
    assert texts.count("hybrid") == 1
    assert texts.count("languages") == texts.count("mAP") == 2  # an axis a panel
    assert "The title" in texts


def test_a_series_is_a_line_a_band_and_dots_of_one_colour() -> None:
    text = svg(curves(CURVES, "t", x="x", y="y"))
    for colour in RUNS[:2]:
        assert text.count(f'stroke="{colour}"') >= 2  # a line a panel
        assert text.count(f'fill="{colour}"') >= 2 * (1 + 3)  # a band and three dots a panel
    assert RUNS[2] not in text


def test_a_logarithmic_axis_names_what_was_tried() -> None:
    one = CURVES[CURVES["panel"] == "multilingual"]
    logarithmic = texts_of(curves(one, "t", x="languages", logarithmic=True))
    assert [text for text in logarithmic if text in ("1", "3", "12")][:3] == ["1", "3", "12"]
    assert "3" not in texts_of(curves(one, "t", x="languages"))


def test_dots_stand_in_lines_in_order_and_no_difference_is_marked() -> None:
    spec = dots(DOTS, "The title", value="gain", names=NAMES)
    assert [row for row in OF_DOTS if row not in values_of(spec)] == []
    texts = texts_of(spec)
    assert [text for text in texts if text in NAMES] == NAMES
    assert "a panel" in texts
    assert [text for text in texts if text in SERIES] == SERIES
    assert svg(spec).count('stroke="#6a6a6a"') == 1  # the grid's line at 0
    assert "stroke-dasharray" not in svg(spec)


def test_dots_have_a_line_at_0_where_it_is_asked_for() -> None:
    rows = pd.DataFrame([{**row, "panel": panel} for panel in ("one", "two") for row in OF_DOTS])
    assert svg(dots(rows, "t", value="gain", zero=True)).count("stroke-dasharray") == 2


def test_the_names_of_lines_stand_once_beside_all_panels() -> None:
    rows = pd.DataFrame([{**row, "panel": panel} for panel in ("one", "two", "three") for row in OF_DOTS])
    spec = dots(rows, "t", value="gain", names=NAMES)
    texts = texts_of(spec)
    assert [text for text in texts if text in NAMES] == NAMES
    assert [text for text in texts if text in ("one", "two", "three")] == ["one", "two", "three"]


@pytest.mark.parametrize("draw", [curves, dots])
def test_a_single_series_needs_no_legend(draw: Any) -> None:
    rows = CURVES if draw is curves else DOTS
    axis = {"x": "x"} if draw is curves else {"value": "gain"}
    assert "hybrid" not in texts_of(draw(rows[rows["series"] == "hybrid"], "t", **axis))


def test_a_frontier_is_drawn_with_its_points_named() -> None:
    rows = DOTS.assign(x=[1.0, 2.0, 3.0, 4.0], label=list("abcd"), frontier=[True, False, True, False])
    spec = pareto(rows, "t")
    assert [text for text in texts_of(spec) if text in "abcd"] == list("abcd")
    assert png(spec).startswith(b"\x89PNG")


FIGURES = pd.DataFrame({"value": [1.0, 2.0], "difference": [float("nan"), 0.125]}).assign(
    difference_low=[float("nan"), -20.0], difference_high=[float("nan"), 0.25]
)


def test_the_difference_of_a_baseline_to_itself_is_0() -> None:
    assert as_differences(FIGURES)["value"].tolist() == [0, 0.125]
    assert as_differences(FIGURES)["low"].tolist() == [0, -20]
