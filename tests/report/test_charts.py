"""Charts: what data they hold, what is drawn of it, and how they become part of a page."""

import io
import re
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from panglot.report.charts import (
    AXIS,
    BLUE,
    DARK,
    GRID,
    ORANGE,
    RUNS,
    VARIABLES,
    curves,
    distance_axis,
    dots,
    heatmap,
    inline_svg,
    pareto,
    png,
    svg,
)
from panglot.report.tables import Table

SERIES = ["hybrid", "monolingual"]
NAMES = ["Swahili", "English"]
CURVES = pd.DataFrame(
    [
        {"x": x, "value": k + x, "low": k + x - 0.5, "high": k + x + 0.5, "series": name, "panel": panel}
        for panel in ("multilingual", "monolingual")
        for k, name in enumerate(SERIES)
        for x in (1, 3, 12)
    ]
)
DOTS = pd.DataFrame(
    [
        {"name": name, "series": series, "panel": "p", "value": k - 0.5, "low": k - 1.0, "high": k + 0.0}
        for k, name in enumerate(NAMES)
        for series in SERIES
    ]
)  # fmt: skip


def texts_of(spec: dict[str, Any]) -> list[str]:
    """Return the texts in a picture, as they are drawn."""
    root = ElementTree.fromstring(svg(spec))
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text") if element.text]


def values_of(spec: Any) -> list[Any]:
    """Return the rows of data in a specification."""
    found = list(spec.get("data", {}).get("values", [])) if isinstance(spec, dict) else []
    inner = spec.values() if isinstance(spec, dict) else spec if isinstance(spec, list) else []
    return found + [row for part in inner if isinstance(part, dict | list) for row in values_of(part)]


@pytest.mark.parametrize(
    ("least", "most", "start", "ticks"),
    [
        (0.0, 900, 0, [0, 1, 10, 100]),
        (61.0, 288, 50, [50, 100, 200]),
        (3.0, 13_014, 2, [2, 10, 100, 1000, 10_000]),
    ],
)
def test_ticks_of_a_logarithmic_axis(least: float, most: int, start: int, ticks: list[int]) -> None:
    assert distance_axis(least, most) == (start, ticks)


def test_curves_hold_the_rows_and_draw_their_panels_in_order() -> None:
    panels = ["multilingual", "monolingual"]
    spec = curves(CURVES, "The title", x="languages", y="mAP")
    assert [row for row in CURVES.to_dict("records") if row not in values_of(spec)] == []
    texts = texts_of(spec)
    assert [text for text in texts if text in panels] == [*panels, "monolingual"]  # the last of the legend
    assert texts.count("hybrid") == 1
    assert texts.count("languages") == texts.count("mAP") == 2  # an axis a panel
    assert "The title" in texts


def test_a_series_is_a_line_a_band_and_points_of_one_colour() -> None:
    text = svg(curves(CURVES, "t", x="x", y="y"))
    for colour in RUNS[:2]:
        assert text.count(f'stroke="{colour}"') >= 2  # a line a panel
        assert text.count(f'fill="{colour}"') >= 2 * (1 + 3)  # a band and three points a panel
    assert RUNS[2] not in text
    assert "stroke-dasharray" in text  # lines differ in more than their colour
    few = CURVES[CURVES["panel"] == "multilingual"].drop(columns=["low", "high"]).assign(panel="")
    assert (
        svg(curves(few, "t", x="x", scale="distance")).count(f'fill="{RUNS[0]}"') == 0
    )  # neither band nor points


def test_a_logarithmic_axis_names_what_was_tried() -> None:
    one = CURVES[CURVES["panel"] == "multilingual"]
    logarithmic = texts_of(curves(one, "t", x="languages", scale="log"))
    assert [text for text in logarithmic if text in ("1", "3", "12")][:3] == ["1", "3", "12"]
    assert "3" not in texts_of(curves(one, "t", x="languages"))


def test_dots_are_in_lines_in_order_and_no_difference_is_marked() -> None:
    spec = dots(DOTS, "The title", value="gain", names=NAMES)
    assert [row for row in DOTS.to_dict("records") if row not in values_of(spec)] == []
    texts = texts_of(spec)
    assert [text for text in texts if text in NAMES] == NAMES
    assert [text for text in texts if text in SERIES] == SERIES
    assert "p" in texts
    (grid,) = re.findall(r'<g class="mark-rule role-axis-grid[^>]*>(.*?)</g>', svg(spec))
    assert [grid.count(f'stroke="{colour}"') for colour in (AXIS, GRID)] == [1, 4]  # 0, and the others
    assert "stroke-dasharray" not in svg(spec)


def test_panels_share_their_names_and_have_a_line_at_0_where_it_is_asked_for() -> None:
    rows = pd.concat([DOTS.assign(panel=panel) for panel in ("one", "two", "three")])
    spec = dots(rows, "t", value="gain", names=NAMES, zero=True)
    texts = texts_of(spec)
    assert [text for text in texts if text in NAMES] == NAMES
    assert [text for text in texts if text in ("one", "two", "three")] == ["one", "two", "three"]
    assert svg(spec).count("stroke-dasharray") == 3


def test_dots_take_quartiles_or_no_interval_at_all() -> None:
    quartiles = DOTS.assign(inner_low=DOTS["low"] + 0.25, inner_high=DOTS["high"] - 0.25, panel="")
    assert svg(dots(quartiles, "t", value="x")).count('stroke-width="6"') == len(DOTS)
    drawn = [svg(dots(rows, "t", value="x")) for rows in (DOTS, DOTS.drop(columns=["low", "high"]))]
    assert [text.count('roledescription="rule mark"') for text in drawn] == [len(DOTS), 0]
    assert [text.count('roledescription="point"') for text in drawn] == [len(DOTS)] * 2


@pytest.mark.parametrize("draw", [curves, dots])
def test_a_single_series_needs_no_legend(draw: Any) -> None:
    rows = CURVES if draw is curves else DOTS
    axis = {"x": "x"} if draw is curves else {"value": "gain"}
    assert "hybrid" not in texts_of(draw(rows[rows["series"] == "hybrid"], "t", **axis))


def test_a_frontier_is_drawn_with_its_points_named() -> None:
    rows = DOTS.assign(x=[1.0, 2.0, 3.0, 4.0], label=list("abcd"), frontier=[True, False, True, False])
    assert [text for text in texts_of(pareto(rows, "t")) if text in "abcd"] == list("abcd")


def test_a_heat_map_shows_every_text_in_its_colour_and_escapes_names() -> None:
    shown = pd.DataFrame({"": ["a&b", "<i>"], "a&b": ["12 [3, 14]", "99 [1, 120] ▲"], "<i>": ["−5", ""]})
    fills = pd.DataFrame([[0, -100], [100, np.nan]])
    spec = heatmap(Table("t", 'title "<x>" نموذج', shown, shown, fills=fills))
    assert {"12", "−5", "99 ▲", "a&b", "<i>", 'title "<x>" نموذج'} <= set(texts_of(spec))
    drawn = svg(spec)
    for colour in (BLUE, ORANGE):
        channels = ", ".join(str(int(colour[k : k + 2], 16)) for k in (1, 3, 5))
        assert drawn.count(f'fill="rgb({channels})"') == 1


def test_pictures_are_images_of_a_sensible_size() -> None:
    image = Image.open(io.BytesIO(png(curves(CURVES.assign(panel=""), "t", x="x"))))
    assert image.format == "PNG"
    assert 400 < image.width < 1200
    assert len(image.convert("RGB").getcolors(1 << 20) or []) > 10  # something is drawn


def test_a_picture_in_a_page_has_a_name_own_ids_no_links_and_the_colours_of_the_page() -> None:
    whole = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="30" '
        'height="20" onload="x()"><script>y()</script><clipPath id="c1"/><a xlink:href="http://e.example">'
        f'<g clip-path="url(#c1)" role="graphics-object" fill="{DARK}" stroke="{RUNS[1]}" font-family="X"/>'
        "</a></svg>"
    )
    text = inline_svg(whole, "pic", "what <it> shows")
    for unwanted in ("script", "onload", "e.example", "graphics-object", 'id="c1"', "<it>", "font-family"):
        assert unwanted not in text
    root = ElementTree.fromstring(text)
    assert (root.get("role"), root.get("viewBox"), root[0].text) == ("img", "0 0 30 20", "what <it> shows")
    assert root.get("aria-labelledby") == root[0].get("id")
    for wanted in ('id="pic-c1"', "url(#pic-c1)", 'fill="currentColor"', 'stroke="var(--run-2)"'):
        assert wanted in text


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours, from 1 to 21, by the formula of WCAG 2.2."""

    def luminance(colour: str) -> float:
        full = "".join(2 * c for c in colour[1:]) if len(colour) == 4 else colour[1:]
        channels = [int(full[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_texts_and_lines_can_be_seen_on_their_ground_in_light_and_dark() -> None:
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # WCAG's well-known grey
    style = files("panglot.report").joinpath("page.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w+)", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.S)[:2]
    )
    assert {name.removeprefix("var(--").rstrip(")") for name in VARIABLES.values() if "var" in name} <= set(
        light
    )
    assert set(light) == set(dark)
    for colours in (light, dark):
        for text in ("ink", "faint", "link", "better", "worse"):
            assert contrast(colours[text], colours["paper"]) > 4.5
            assert text == "link" or contrast(colours[text], colours["band"]) > 4.5
        # text on heat maps, whose colours lie between these and the paper
        assert all(contrast(colours["ink"], colours[fill]) > 4.5 for fill in ("blue", "orange", "answer"))
        assert all(contrast(colours[f"run-{k}"], colours["paper"]) > 2 for k in range(1, len(RUNS) + 1))
    assert [light[f"run-{k}"].ljust(7, "0") for k in range(1, len(RUNS) + 1)] == list(RUNS)
