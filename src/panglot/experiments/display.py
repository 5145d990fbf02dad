"""What experiments show: tables of comparisons, curves, dots with intervals, and frontiers of cost."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from panglot.evaluation.aggregate import Aligned, Grouping, all_cells, by_language
from panglot.evaluation.comparison import power_notes
from panglot.report.blocks import Picture
from panglot.report.charts import Chart, colour_of, data_of, finished, shape_of
from panglot.report.colours import RUNS
from panglot.report.compare_tables import figure_table, legend
from panglot.report.frames import Table

PANEL = 230  # pixels of width
# the line of no difference stands out from the grid
ZERO = {"condition": {"test": "datum.value === 0", "value": "#6a6a6a"}, "value": "#e2e2e2"}
WHOLE: dict[str, Grouping] = {"settings": all_cells, "by_language": by_language}
DRAWN = ("x", "name", "value", "low", "high", "series", "panel", "label", "frontier")


def as_differences(found: pd.DataFrame) -> pd.DataFrame:
    """Put differences in the place of values; that of the baseline itself is 0."""
    names = {"value": "difference", "low": "difference_low", "high": "difference_high"}
    return found.assign(**{name: found[column].fillna(0) for name, column in names.items()})


def comparison_tables(
    name: str, title: str, found: pd.DataFrame, aligned: Aligned, baseline: str
) -> list[Table]:
    """Show a comparison with one baseline: all settings, and folded by query language and by seed.

    Args:
        name: of the files.
        title: of the first table.
        found: what ``compare`` returned of the families ``WHOLE``.
        aligned: what was compared.
        baseline: the run that the others are compared with.
    """
    settings, languages = (found[found["family"] == family] for family in WHOLE)
    sizes = {"settings": int(settings["p"].notna().sum())}
    note = " ".join([legend(baseline, "settings"), *power_notes(sizes, len(aligned.cells.items))])
    tables = [figure_table(name, title, settings, {"run": ""}, note=note)]
    if languages["group"].nunique() > 1:
        heads, note = {"run": "", "group": "query language"}, legend(baseline, "languages and settings")
        of, heading = f"{name}-languages", f"{title}, by query language"
        tables.append(figure_table(of, heading, languages, heads, note=note, folded=True))
    return [*tables, *seed_tables(name, title, aligned)]


def seed_tables(name: str, title: str, aligned: Aligned) -> list[Table]:
    """Show the figures of every seed, folded; nothing where no run has two."""
    if len(aligned.columns) == len(aligned.runs):
        return []
    seeds = aligned.by_seed({"settings": all_cells})
    heads = {"run": "", "seed": "seed"}
    return [figure_table(f"{name}-seeds", f"{title}, by seed", seeds, heads, folded=True)]


def picture(name: str, title: str, spec: dict[str, Any]) -> Picture:
    """Return a plot that a table says in numbers."""
    return Picture(name, title, f"{title}; the table has the numbers.", spec)


def curves(
    rows: pd.DataFrame,
    title: str,
    *,
    x: str,
    y: str = "",
    logarithmic: bool = False,
) -> dict[str, Any]:
    """Draw ``value`` over ``x`` with a band from ``low`` to ``high``.

    Args:
        rows: with ``x``, ``value``, ``low``, ``high``, ``series`` and ``panel``.
        title: of the picture.
        x: title of the horizontal axis.
        y: title of the vertical axes.
        logarithmic: the horizontal axis, to the base 2.

    Series and panels go in order of appearance; each panel has a scale of its own.
    """
    import altair as alt

    series, panels = (list(dict.fromkeys(rows[column])) for column in ("series", "panel"))
    scale = alt.Scale(type="log", base=2, nice=False) if logarithmic else alt.Scale(nice=False, zero=False)
    ticks = {"values": sorted(rows["x"].unique().tolist())} if logarithmic else {"tickCount": 6}
    horizontal = alt.X("x:Q", title=x, scale=scale, axis=alt.Axis(labelFlush=False, **ticks))
    colour = _colour(series)
    vertical, lowest = (
        alt.Y(f"{end}:Q", title=y, scale=alt.Scale(zero=False), axis=alt.Axis(gridColor=ZERO, tickCount=6))
        for end in ("value", "low")
    )
    base = alt.Chart(_data(rows))
    band = base.mark_area(opacity=0.18 if len(series) < 3 else 0.1).encode(
        x=horizontal, y=lowest, y2="high:Q", color=colour
    )
    line = base.mark_line(strokeWidth=2).encode(x=horizontal, y=vertical, color=colour)
    dots = base.mark_point(filled=True, size=40, opacity=1).encode(
        x=horizontal, y=vertical, color=colour, shape=_shape(series)
    )
    return finished(_panels(alt.layer(band, line, dots).properties(width=PANEL, height=210), panels), title)


def dots(
    rows: pd.DataFrame,
    title: str,
    *,
    value: str,
    names: Sequence[str] | None = None,
    zero: bool = False,
) -> dict[str, Any]:
    """Draw ``value`` with its interval from ``low`` to ``high``, a line a ``name``.

    Args:
        rows: with ``name``, ``value``, ``low``, ``high``, ``series`` and ``panel``.
        title: of the picture.
        value: title of the horizontal axes.
        names: in order, from the top; None: sorted.
        zero: draw a line at 0, what differences are seen against.

    Series and panels go in order of appearance; each panel has a scale of its own.
    """
    import altair as alt

    names = sorted(set(rows["name"])) if names is None else names
    series, panels = (list(dict.fromkeys(rows[column])) for column in ("series", "panel"))
    lines = alt.Y("name:N", sort=list(names), title=None, scale=alt.Scale(paddingInner=0.3))
    beside = alt.YOffset("series:N", sort=list(series))
    base = alt.Chart().encode(y=lines, yOffset=beside, color=_colour(series))
    axis = alt.Axis(gridColor=ZERO, tickCount=4, labelOverlap="greedy", labelSeparation=4)
    middle, lowest = (
        alt.X(f"{end}:Q", title=value, scale=alt.Scale(zero=False), axis=axis) for end in ("value", "low")
    )
    ends = base.mark_rule(strokeWidth=2).encode(x=lowest, x2="high:Q")
    points = base.mark_point(filled=True, size=55, opacity=1).encode(x=middle, shape=_shape(series))
    height = alt.Step(16 if len(series) < 4 else 11, **{"for": "offset"})
    layers = [ends, points]
    if zero:
        once = alt.Chart().transform_aggregate(rows="count()")  # not a line for each row
        layers = [once.mark_rule(color="#999999", strokeDash=[3, 3]).encode(x=alt.datum(0)), *layers]
    chart = alt.layer(*layers, data=_data(rows)).properties(width=PANEL, height=height)
    return finished(_panels(chart, panels, y="shared"), title)


def _data(rows: pd.DataFrame) -> Any:
    return data_of(rows[[name for name in DRAWN if name in rows]].to_dict("records"))


def _panels(chart: Chart, panels: Sequence[str], y: str = "independent") -> Chart:
    """Put a chart's rows into panels side by side, in rows of two where there are many.

    Where ``y`` is shared, its labels are at the left only.
    """
    import altair as alt

    faceted = chart.facet(
        facet=alt.Facet("panel:N", sort=list(panels), title=None, header=alt.Header(labelFontSize=13)),
        columns=2 if len(panels) in (2, 4) else 3,
    )
    return faceted.resolve_scale(x="independent", y=y)


def _colour(series: Sequence[str]) -> Any:
    return colour_of("series", series, _legend(series))


def _shape(series: Sequence[str]) -> Any:
    return shape_of("series", series, _legend(series))


def _legend(series: Sequence[str]) -> Any:
    import altair as alt

    return None if len(series) < 2 else alt.Legend(title=None, orient="top", columns=4, symbolOpacity=1)


def pareto(rows: pd.DataFrame, title: str) -> dict[str, Any]:
    """Draw ``value`` over a cost ``x``, an interval and a ``label`` a point, and a line through the frontier.

    Args:
        rows: with ``x``, ``value``, ``low``, ``high``, ``label``, ``panel`` and, where a point is on the
            frontier (nothing is as good for less), a true ``frontier``.
        title: of the picture.

    Panels go in order of appearance; each names its cost, and has a scale of its own.
    """
    import altair as alt

    panels = list(dict.fromkeys(rows["panel"]))
    chosen = ["on the frontier", "not on it"]
    named = rows.assign(series=np.where(rows["frontier"], *chosen))
    axis = alt.Axis(tickCount=5, labelFlush=False)
    across = alt.X("x:Q", title=None, scale=alt.Scale(zero=False, padding=24), axis=axis)
    up = alt.Y("value:Q", title="", scale=alt.Scale(zero=False))
    base = alt.Chart(_data(named)).encode(x=across)
    frontier = (
        base.transform_filter("datum.frontier")
        .mark_line(strokeWidth=2, interpolate="step-after", color=RUNS[0])
        .encode(y=up)
    )
    ends = base.mark_rule(strokeWidth=1, opacity=0.6).encode(
        y=alt.Y("low:Q", title="", scale=alt.Scale(zero=False)), y2="high:Q", color=_colour(chosen)
    )
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        y=up, color=_colour(chosen), shape=_shape(chosen)
    )
    text = base.mark_text(align="left", dx=7, dy=-7, fontSize=12).encode(y=up, text="label:N")
    layers = alt.layer(frontier, ends, dots, text).properties(width=320, height=260)
    return finished(_panels(layers, panels), title)
