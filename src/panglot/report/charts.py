"""Charts in the Vega-Lite grammar (by Altair), and their rendering without a network or a browser."""

from collections.abc import Sequence
from typing import Any

from panglot.errors import PanglotError
from panglot.report.blocks import number
from panglot.report.colours import DARK, DASHES, LIGHT, RUNS, between, ink

Rows = Sequence[dict[str, Any]]
Chart = Any  # one of Altair's, which has a class for each way of putting charts together
# vl-convert brings the first one along; glyphs that it lacks come from any other font of the system
FONTS = "Liberation Sans, Arial, Noto Sans, DejaVu Sans, sans-serif"
MISSING = "a report needs Altair and vl-convert; install them with: pip install 'panglot[report]'."
WIDTH = 370
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")


def check_installed() -> None:
    """Raise a ``PanglotError`` where what draws is not installed."""
    try:
        import altair  # noqa: F401
        import jinja2  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise PanglotError(MISSING) from error


def heatmap(
    rows: Rows, languages: Sequence[str], low: float, high: float, colours: Sequence[str], form: str
) -> Chart:
    """Draw ``query``, ``passages``, ``value`` rows as a matrix with the values written in its cells."""
    import altair as alt

    rows = [
        {
            **row,
            "label": number(row["value"], form),
            "ink": ink(between(row["value"], low, high, colours)),
        }
        for row in rows
    ]
    ends = [low, high] if high > low else [low - 1, low + 1]
    domain = [ends[0] + (ends[1] - ends[0]) * k / (len(colours) - 1) for k in range(len(colours))]
    base = alt.Chart(data_of(rows)).encode(
        x=alt.X(
            "passages:N",
            sort=list(languages),
            title="language of the passages",
            axis=alt.Axis(orient="top", labelAngle=0),
        ),
        y=alt.Y("query:N", sort=list(languages), title="language of the query"),
    )
    cells = base.mark_rect(stroke=LIGHT).encode(
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(domain=domain, range=list(colours), interpolate="rgb", clamp=True),
            legend=alt.Legend(title=None, format=form, labelExpr="datum.value == 0 ? '0' : datum.label"),
        )
    )
    text = base.mark_text(fontSize=11).encode(text="label:N", color=alt.Color("ink:N", scale=None))
    size = 32 * len(languages)
    return alt.layer(cells, text).resolve_scale(color="independent").properties(width=size, height=size)


def lines(rows: Rows, runs: Sequence[str], most: int) -> Chart:
    """Draw cumulative curves over ``distance`` on a logarithmic axis that has a zero."""
    import altair as alt

    return (
        alt.Chart(data_of(rows))
        .mark_line(strokeWidth=2.5)
        .encode(
            x=_distance("distance", min(row["distance"] for row in rows), most),
            y=alt.Y("share:Q", title="% of queries", scale=alt.Scale(domain=[0, 100])),
            order=alt.Order("share:Q"),
            color=_colour(runs),
            strokeDash=alt.StrokeDash(
                "run:N",
                scale=alt.Scale(
                    domain=list(runs), range=[list(DASHES[k % len(DASHES)]) for k in range(len(runs))]
                ),
                legend=_legend(runs),
            ),
        )
        .properties(width=WIDTH, height=260)
    )


def intervals_by_language(rows: Rows, languages: Sequence[str], runs: Sequence[str], most: int) -> Chart:
    """Draw five quantiles ``q0`` to ``q4`` of each language and run: a line, a thicker one, a dot."""
    import altair as alt

    base = alt.Chart(data_of(rows)).encode(
        y=alt.Y("language:N", sort=list(languages), title=None, scale=alt.Scale(paddingInner=0.3)),
        yOffset=alt.YOffset("run:N", sort=list(runs)),
        color=_colour(runs),
    )
    least = min(row["q0"] for row in rows)
    outer = base.mark_rule(strokeWidth=1.5).encode(x=_distance("q0", least, most), x2="q4:Q")
    inner = base.mark_rule(strokeWidth=6, opacity=0.55).encode(x=_distance("q1", least, most), x2="q3:Q")
    middle = base.mark_point(filled=True, size=55, opacity=1).encode(
        x=_distance("q2", least, most), shape=shape_of("run", runs, _legend(runs))
    )
    return alt.layer(outer, inner, middle).properties(
        width=WIDTH, height=alt.Step(16 if len(runs) < 4 else 12, **{"for": "offset"})
    )


def shares_by_language(rows: Rows, fair: Rows, languages: Sequence[str], runs: Sequence[str]) -> Chart:
    """Draw ``share`` of each language, a bar a run, and a tick at its fair share."""
    import altair as alt

    y = alt.Y("language:N", sort=list(languages), title=None, scale=alt.Scale(paddingInner=0.25))
    bars = (
        alt.Chart(data_of(rows))
        .mark_bar()
        .encode(
            x=alt.X("share:Q", title="%"),
            y=y,
            yOffset=alt.YOffset("run:N", sort=list(runs)),
            color=_colour(runs),
        )
    )
    ticks = alt.Chart(data_of(fair)).mark_tick(color=DARK, thickness=2.5).encode(x="share:Q", y=y)
    return alt.layer(bars, ticks).properties(
        width=WIDTH, height=alt.Step(14 if len(runs) < 4 else 10, **{"for": "offset"})
    )


def finished(chart: Chart, title: str) -> dict[str, Any]:
    """Return a chart as a Vega-Lite specification with a title, large type and quiet axes."""
    import altair as alt

    done = (
        chart.properties(title=alt.Title(title, anchor="start", fontSize=14, offset=12), background=LIGHT)
        .configure(font=FONTS)
        .configure_axis(
            labelFontSize=13,
            titleFontSize=13,
            titleFontWeight="normal",
            labelLimit=240,
            gridColor="#e2e2e2",
            labelColor=DARK,
            titleColor=DARK,
        )
        .configure_legend(labelFontSize=13, labelLimit=420, symbolStrokeWidth=3, labelColor=DARK)
        .configure_view(stroke=None)
    )
    specification: dict[str, Any] = done.to_dict(validate=False)
    return specification


def data_of(rows: Rows) -> Any:
    """Return rows as a chart takes them."""
    import altair as alt

    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]


def colour_of(field: str, names: Sequence[str], legend: Any) -> Any:
    """Give each name of a field its colour."""
    import altair as alt

    colours = [RUNS[k % len(RUNS)] for k in range(len(names))]
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=list(names), range=colours), legend=legend)


def shape_of(field: str, names: Sequence[str], legend: Any) -> Any:
    """Give each name of a field its shape."""
    import altair as alt

    shapes = [SHAPES[k % len(SHAPES)] for k in range(len(names))]
    return alt.Shape(f"{field}:N", scale=alt.Scale(domain=list(names), range=shapes), legend=legend)


def _colour(runs: Sequence[str]) -> Any:
    return colour_of("run", runs, _legend(runs))


def _legend(runs: Sequence[str]) -> Any:
    import altair as alt

    if len(runs) < 2:
        return None
    return alt.Legend(title=None, orient="top", direction="vertical", columns=1, symbolOpacity=1)


def distance_axis(least: float, most: int) -> tuple[int, list[int]]:
    """Return where a logarithmic axis of distances begins, and its ticks: decades, or 1-2-5 where few fit."""
    steps = [0, *(m * 10**k for k in range(len(str(most))) for m in (1, 2, 5) if m * 10**k <= most)]
    start = max(step for step in steps if step <= max(least, 0))
    ticks = [step for step in steps if step >= start]
    if len(ticks) > 9:
        ticks = [step for step in ticks if step == start or str(step)[0] in "01"]
    return start, ticks


def _distance(field: str, least: float, most: int) -> Any:
    import altair as alt

    start, ticks = distance_axis(least, most)
    return alt.X(
        f"{field}:Q",
        scale=alt.Scale(type="symlog", constant=1, domain=[start, most], nice=False, clamp=True),
        axis=alt.Axis(values=ticks, title="rank distance (logarithmic)", format=",d"),
    )
