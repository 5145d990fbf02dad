"""Charts in the Vega-Lite grammar (by Altair), drawn in this process: no network, no browser."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from xml.etree import ElementTree

import lazy_loader
import numpy as np
import pandas as pd

from panglot.errors import needs
from panglot.report.tables import Table, cell_of

# of the extra ``report``; each is imported when something is drawn
alt: Any = lazy_loader.load("altair")
vl_convert: Any = lazy_loader.load("vl_convert")

Spec = dict[str, Any]
Chart = Any  # one of Altair's, which has a class for each way of putting charts together
Scale = Literal["linear", "log", "distance"]
# the page has the same fonts, with letters of the same widths, so that texts fit the charts
FONTS = "Liberation Sans, Arial, Helvetica, Noto Sans, DejaVu Sans, sans-serif"
# of Okabe and Ito (2008), without the yellow that is hard to see on white
RUNS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3), (12, 4), (4, 4, 1, 4), (1, 3))
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")
# of heat maps: dark text can be read on all of them, and colour-blind people see which is which
ORANGE, LIGHT, BLUE = "#f0a04b", "#ffffff", "#5aa5dc"
DARK, AXIS, GRID = "#1a1a1a", "#6a6a6a", "#e2e2e2"
# what charts in a page have in place of these, so that they follow its dark mode
VARIABLES = {
    **{colour: f"var(--run-{k})" for k, colour in enumerate(RUNS, 1)},
    **{DARK: "currentColor", AXIS: "var(--faint)", GRID: "var(--line)", LIGHT: "none"},
}
PANEL = 230  # pixels of width
# the line of no difference is darker than the grid
ZERO = {"condition": {"test": "datum.value === 0", "value": AXIS}, "value": GRID}
DRAWN = (
    *("x", "name", "value", "low", "high", "inner_low", "inner_high"),
    *("series", "panel", "label", "frontier"),
)
SVG = "http://www.w3.org/2000/svg"


def check_installed() -> None:
    """Raise a ``PanglotError`` where what draws is not installed."""
    needs("report", "altair", "jinja2", "vl_convert")


def curves(
    rows: pd.DataFrame, title: str, *, x: str, y: str = "", scale: Scale = "linear", width: int = PANEL
) -> Spec:
    """Draw ``value`` over ``x``, with a band from ``low`` to ``high`` where rows have these.

    Args:
        rows: with ``x``, ``value``, ``series`` and ``panel``.
        scale: of the horizontal axis: to the base 2 (``log``), or logarithmic with a zero (``distance``);
            on the latter, lines have no points.

    Series and panels go in order of appearance; each panel has a scale of its own.
    """
    series, panels = (list(dict.fromkeys(rows[column])) for column in ("series", "panel"))
    horizontal, colour = _across("x", x, scale, rows["x"]), _by_series(alt.Color, series, RUNS)
    vertical = [
        alt.Y(f"{end}:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(gridColor=ZERO, tickCount=6))
        for end in ("value", "low")
    ]
    base = alt.Chart(_data(rows)).encode(x=horizontal, color=colour)
    dash = _by_series(alt.StrokeDash, series, [list(dash) for dash in DASHES])
    layers = [base.mark_line(strokeWidth=2).encode(y=vertical[0], strokeDash=dash)]
    if "low" in rows:
        band = base.mark_area(opacity=0.18 if len(series) < 3 else 0.1)
        layers.insert(0, band.encode(y=vertical[1], y2="high:Q"))
    if scale != "distance":
        points = base.mark_point(filled=True, size=40, opacity=1)
        layers.append(points.encode(y=vertical[0], shape=_by_series(alt.Shape, series, SHAPES)))
    return _finished(_panels(alt.layer(*layers).properties(width=width, height=210), panels), title)


def dots(
    rows: pd.DataFrame,
    title: str,
    *,
    value: str,
    names: Sequence[str] | None = None,
    zero: bool = False,
    scale: Scale = "linear",
    width: int = PANEL,
) -> Spec:
    """Draw ``value``, a line a ``name``, with its interval from ``low`` to ``high`` where rows have these.

    Args:
        rows: with ``name``, ``value``, ``series`` and ``panel``, perhaps with ``inner_low`` and
            ``inner_high``, the ends of a thicker line.
        names: in order, from the top; None: sorted.
        zero: draw a line at 0, what differences are seen against.
        scale: of the horizontal axes: linear, or logarithmic with a zero (``distance``).

    Series and panels go in order of appearance; each panel has a scale of its own.
    """
    names = sorted(set(rows["name"])) if names is None else names
    series, panels = (list(dict.fromkeys(rows[column])) for column in ("series", "panel"))
    ends = [end for end in ("low", "high") if end in rows]
    seen = rows[["value", *ends]].stack()

    def at(column: str) -> Any:
        return _across(column, value, scale, seen)

    base = alt.Chart().encode(
        y=alt.Y("name:N", sort=list(names), title=None, scale=alt.Scale(paddingInner=0.3)),
        color=_by_series(alt.Color, series, RUNS),
    )
    height = alt.Step(24)
    if ends:  # intervals of several series lie one below the other
        base = base.encode(yOffset=alt.YOffset("series:N", sort=series))
        height = alt.Step(16 if len(series) < 3 else 11, **{"for": "offset"})
    layers = []
    if zero:
        once = alt.Chart().transform_aggregate(rows="count()")  # not a line for each row
        layers.append(once.mark_rule(color=AXIS, strokeDash=[3, 3]).encode(x=alt.datum(0)))
    if ends:
        layers.append(base.mark_rule(strokeWidth=2).encode(x=at("low"), x2="high:Q"))
    if "inner_low" in rows:
        thick = base.mark_rule(strokeWidth=6, opacity=0.55)
        layers.append(thick.encode(x=at("inner_low"), x2="inner_high:Q"))
    points = base.mark_point(filled=True, size=55, opacity=1)
    layers.append(points.encode(x=at("value"), shape=_by_series(alt.Shape, series, SHAPES)))
    chart = alt.layer(*layers, data=_data(rows)).properties(width=width, height=height)
    return _finished(_panels(chart, panels, y="shared"), title)


def pareto(rows: pd.DataFrame, title: str) -> Spec:
    """Draw ``value`` over a cost ``x``, an interval and a ``label`` a point, and a line through the frontier.

    Args:
        rows: with ``x``, ``value``, ``low``, ``high``, ``label``, ``panel`` and, where a point is on the
            frontier (nothing is as good for less), a true ``frontier``.

    Panels go in order of appearance; each names its cost, and has a scale of its own.
    """
    panels = list(dict.fromkeys(rows["panel"]))
    chosen = ["on the frontier", "not on it"]
    named = rows.assign(series=np.where(rows["frontier"], *chosen))
    axis = alt.Axis(tickCount=5, labelFlush=False)
    across = alt.X("x:Q", title=None, scale=alt.Scale(zero=False, padding=24), axis=axis)
    up, low = (alt.Y(f"{end}:Q", title="", scale=alt.Scale(zero=False)) for end in ("value", "low"))
    colour, shape = _by_series(alt.Color, chosen, RUNS), _by_series(alt.Shape, chosen, SHAPES)
    base = alt.Chart(_data(named)).encode(x=across)
    layers = [
        base.transform_filter("datum.frontier")
        .mark_line(strokeWidth=2, interpolate="step-after", color=RUNS[0])
        .encode(y=up),
        base.mark_rule(strokeWidth=1, opacity=0.6).encode(y=low, y2="high:Q", color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(y=up, color=colour, shape=shape),
        base.mark_text(align="left", dx=7, dy=-7, fontSize=12, color=DARK).encode(y=up, text="label:N"),
    ]
    return _finished(_panels(alt.layer(*layers).properties(width=320, height=260), panels), title)


def heatmap(table: Table) -> Spec:
    """Draw a table with ``fills``: its figures without intervals, in cells of their colours."""

    def label(text: str) -> str:
        return f"{cell_of(text).text} {cell_of(text).mark}".strip()

    assert table.fills is not None
    columns = list(table.shown)[1:]
    rows = [
        {"query": row[0], "passages": column, "label": label(text), "fill": None if np.isnan(fill) else fill}
        for row, of_row in zip(table.rows(), table.fills.to_numpy(float), strict=True)
        for column, text, fill in zip(columns, row[1:], of_row, strict=True)
    ]
    top, left = (alt.Axis(orient=o, labelAngle=0, domain=False, ticks=False) for o in ("top", "left"))
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("passages:N", sort=columns, title="language of the passages", axis=top),
        y=alt.Y("query:N", sort=list(table.shown.iloc[:, 0]), title="language of the query", axis=left),
    )
    colours = alt.Scale(domain=[-100, 0, 100], range=[ORANGE, LIGHT, BLUE], interpolate="rgb")
    cells = base.mark_rect(stroke=LIGHT).encode(color=alt.Color("fill:Q", scale=colours, legend=None))
    size = {"width": 38 * len(columns), "height": 32 * len(table.shown)}
    text = base.mark_text(fontSize=11, color=DARK).encode(text="label:N")
    return _finished(alt.layer(cells, text).properties(**size), table.title)


def _across(field: str, title: str, scale: Scale, values: pd.Series) -> Any:
    """Return a horizontal axis."""
    if scale == "distance":
        start, ticks = distance_axis(float(values.min()), int(values.max()))
        found = alt.Scale(type="symlog", constant=1, domain=[start, max(values.max(), start + 1)], nice=False)
        return alt.X(f"{field}:Q", title=title, scale=found, axis=alt.Axis(values=ticks, format=",d"))
    if scale == "log":
        ticks = sorted(values.unique().tolist())
        logarithmic = alt.Scale(type="log", base=2, nice=False)
        axis = alt.Axis(labelFlush=False, values=ticks)
        return alt.X(f"{field}:Q", title=title, scale=logarithmic, axis=axis)
    linear = alt.Scale(zero=False, nice=field != "x")
    axis = alt.Axis(
        gridColor=ZERO, tickCount=6 if field == "x" else 4, labelFlush=False, labelOverlap="greedy"
    )
    return alt.X(f"{field}:Q", title=title, scale=linear, axis=axis)


def distance_axis(least: float, most: int) -> tuple[int, list[int]]:
    """Return where a logarithmic axis of distances begins, and its ticks: decades, or 1-2-5 where few fit."""
    steps = [0, *(m * 10**k for k in range(len(str(most))) for m in (1, 2, 5) if m * 10**k <= most)]
    start = max(step for step in steps if step <= max(least, 0))
    ticks = [step for step in steps if step >= start]
    if len(ticks) > 9:
        ticks = [step for step in ticks if step == start or str(step)[0] in "01"]
    return start, ticks


def _data(rows: pd.DataFrame) -> Any:
    kept = rows[[name for name in DRAWN if name in rows]].to_dict("records")
    return alt.Data(values=kept)


def _panels(chart: Chart, panels: Sequence[str], y: str = "independent") -> Chart:
    """Put a chart's rows into panels side by side, in rows of two where there are many.

    Where ``y`` is shared, its labels are at the left only. A single panel without a name needs no frame.
    """
    if list(panels) == [""]:
        return chart
    faceted = chart.facet(
        facet=alt.Facet("panel:N", sort=list(panels), title=None, header=alt.Header(labelFontSize=13)),
        columns=2 if len(panels) in (2, 4) else 3,
    )
    return faceted.resolve_scale(x="independent", y=y)


def _by_series(channel: Any, series: Sequence[str], values: Sequence[Any]) -> Any:
    """Return a channel (colour, shape, dash) that distinguishes series, with a legend for several."""
    scale = alt.Scale(domain=list(series), range=[values[k % len(values)] for k in range(len(series))])
    legend = None
    if len(series) > 1:
        legend = alt.Legend(title=None, orient="top", columns=4, symbolOpacity=1)
    return channel("series:N", scale=scale, legend=legend)


def _finished(chart: Chart, title: str) -> Spec:
    """Return a chart as a Vega-Lite specification with a title, large type and quiet axes."""
    done = (
        chart.properties(title=alt.Title(title, anchor="start", fontSize=14, offset=12), background=LIGHT)
        .configure(font=FONTS)
        .configure_axis(
            labelFontSize=13,
            titleFontSize=13,
            titleFontWeight="normal",
            labelLimit=240,
            gridColor=GRID,
            domainColor=AXIS,
            tickColor=AXIS,
            labelColor=DARK,
            titleColor=DARK,
        )
        .configure_header(labelColor=DARK)
        .configure_legend(labelFontSize=13, labelLimit=420, symbolStrokeWidth=3, labelColor=DARK)
        .configure_view(stroke=None)
    )
    found: Spec = done.to_dict(validate=False)
    return found


def svg(spec: Mapping[str, Any]) -> str:
    """Return a picture as a whole SVG file."""
    text: str = vl_convert.vegalite_to_svg(json.dumps(spec), allowed_base_urls=[])
    return text


def png(spec: Mapping[str, Any]) -> bytes:
    """Return a picture as PNG, in twice its size."""
    content: bytes = vl_convert.vegalite_to_png(json.dumps(spec), scale=2.0, allowed_base_urls=[])
    return content


def inline_svg(text: str, name: str, alt: str) -> str:
    """Return an SVG file as a part of a page: with a description, ids of its own, and the page's colours.

    It takes the width that there is, and the page's font. Links and scripts, which charts do not have, are
    dropped.
    """
    ElementTree.register_namespace("", SVG)
    root = ElementTree.fromstring(text)
    width, height = root.get("width", "600"), root.get("height", "400")
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}script", f"{{{SVG}}}foreignObject"):
                parent.remove(child)
    for element in root.iter():
        kept = {
            key: re.sub(r"url\(#", f"url(#{name}-", VARIABLES.get(value, value))
            for key, value in element.attrib.items()
            if not key.endswith(("href", "font-family")) and not key.startswith(("aria", "role", "on"))
        }
        element.attrib.clear()
        element.attrib |= kept | ({"id": f"{name}-{kept['id']}"} if "id" in kept else {})
    described = ElementTree.Element(f"{{{SVG}}}title", {"id": f"{name}-title"})
    described.text = alt
    root.insert(0, described)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{name}-title",
        "viewBox": root.get("viewBox", f"0 0 {width} {height}"),
        "style": f"--width:{width}px",
    }
    for key in ("width", "height", "class", "version"):
        root.attrib.pop(key, None)
    return ElementTree.tostring(root, encoding="unicode")
