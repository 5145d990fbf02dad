"""The plots of a report, as Vega-Lite specifications that carry their data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from panglot.evaluation.aggregate import ALL, Array, values_of
from panglot.evaluation.bias.readings import TOP
from panglot.languages import language_name
from panglot.report.blocks import Cell, Grid, Picture, figure
from panglot.report.charts import finished, heatmap, intervals_by_language, lines, shares_by_language
from panglot.report.colours import DIVERGING, SEQUENTIAL
from panglot.report.contents import Contents, Run
from panglot.report.heat import change_reach, scale_of
from panglot.report.words import listed, measure_title

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
POINTS = 101  # of a curve


def matrix_picture(contents: Contents, run: Run) -> Picture:
    """Draw a language matrix, for the folder of assets: the page has it as a table."""
    matrix = run.results["matrix"][contents.measure]
    rows = [
        {"query": x, "passages": y, "value": 100 * matrix[x][y]}
        for x in contents.languages
        for y in contents.languages
        if y in matrix.get(x, {})
    ]
    low, high = scale_of(contents)
    title = f"{measure_title(contents.measure)} × 100: {run.name}"
    chart = heatmap(rows, contents.languages, 100 * low, 100 * high, SEQUENTIAL, ".0f")
    number = list(contents.runs).index(run) + 1
    return Picture(f"matrix-{number}", title, title, finished(chart, title), in_page=False)


def change_picture(compared: Mapping[str, Any], run: str) -> Picture:
    """Draw the difference of two language matrices, for the folder of assets."""
    matrix, languages = compared["compared"][run]["matrix"], compared["benchmark"]["languages"]
    rows = [
        {"query": x, "passages": y, "value": 100 * found["difference"]}
        for x, row in matrix.items()
        for y, found in row.items()
    ]
    reach = 100 * change_reach(matrix)
    title = f"{measure_title(compared['measure'])} × 100: {run} minus {compared['baseline']}"
    chart = heatmap(rows, languages, -reach, reach, DIVERGING, "+.0f")
    number = compared["runs"].index(run) + 1
    return Picture(f"change-{number}", title, title, finished(chart, title), in_page=False)


def distances_of(run: Run) -> tuple[Array, Any]:
    """Return the rank distances of a run's queries, ``(n,)``, and the languages of these queries."""
    table = run.table
    values = values_of(table, "rank_distance")
    known = (np.array(table.column("pool").to_pylist()) == ALL) & ~np.isnan(values)
    return values[known], np.array(table.column("query_language").to_pylist())[known]


def distance_picture(contents: Contents, runs: Sequence[Run]) -> Picture:
    """Draw how many queries stay within a rank distance: a cumulative curve of each run."""
    rows, halves = [], []
    shares = np.linspace(0, 1, POINTS)
    for run in runs:
        values, _ = distances_of(run)
        reached = np.quantile(values, shares)
        rows += [
            {"run": run.name, "distance": float(d), "share": float(100 * s)}
            for d, s in zip(reached, shares, strict=True)
        ]
        halves.append(f"{reached[POINTS // 2]:,.0f} with {run.name}")
    chart = lines(rows, [run.name for run in runs], int(contents.benchmark["passages"]))
    title = "Share of queries within a rank distance"
    alt = f"Cumulative curves. Half of the queries have a rank distance of at most {listed(halves)}."
    return Picture("rank-distance", title, alt, finished(chart, title))


def spread_picture(contents: Contents, runs: Sequence[Run]) -> tuple[Picture, Grid]:
    """Draw five quantiles of the rank distances of each query language; and give the numbers."""
    data, rows = [], []
    for code in contents.languages:
        for run in runs:
            values, languages = distances_of(run)
            values = values[languages == code]
            if not len(values):
                continue
            found = [float(q) for q in np.quantile(values, QUANTILES)]
            name = f"{language_name(code)} ({code})"
            data.append({"language": name, "run": run.name, **{f"q{k}": q for k, q in enumerate(found)}})
            rows.append([Cell(name), Cell(run.name), *(figure(q, None, ",.0f") for q in found)])
    title = "Rank distance by query language: median, quartiles, 5 % and 95 %"
    chart = intervals_by_language(
        data,
        [f"{language_name(code)} ({code})" for code in contents.languages],
        [run.name for run in runs],
        int(contents.benchmark["passages"]),
    )
    alt = "Each language and model: median, quartiles, and 5 % to 95 %; the numbers are in the table below."
    columns = ["query language", "model", *(f"{100 * q:.0f} %" for q in QUANTILES)]
    grid = Grid("rank-distance-quantiles", "Quantiles of rank distance", columns, rows, 2, folded=True)
    return Picture("rank-distance-by-language", title, alt, finished(chart, title)), grid


def share_picture(contents: Contents, runs: Sequence[Run]) -> tuple[Picture, Grid]:
    """Draw the share of each language among the first passages against its share of the relevant ones."""
    data, fair_data, rows = [], [], []
    for code in contents.languages:
        name = f"{language_name(code)} ({code})"
        cells = [Cell(name)]
        fair = None
        for run in runs:
            found = next(v for key, v in run.results["bias"].items() if key.startswith("top_shares@"))
            share, fair = (
                float(np.mean([row.get(code, 0.0) for row in found[part].values()]))
                for part in ("share", "fair")
            )
            data.append({"language": name, "run": run.name, "share": 100 * share})
            cells.append(figure(share, None, ".1f", times=100))
        if fair is not None:
            fair_data.append({"language": name, "share": 100 * fair})
        rows.append([*cells, figure(fair, None, ".1f", times=100)])
    title = f"Languages among the first {TOP} passages; black: of the relevant ones"
    chart = shares_by_language(data, fair_data, [row[0].text for row in rows], [run.name for run in runs])
    alt = (
        f"Bars: share of each passage language among the first {TOP}; a black line: its share of the "
        "relevant passages. The numbers are in the table below."
    )
    columns = ["passage language", *(run.name for run in runs), "of the relevant passages"]
    grid = Grid("shares", "Shares of languages, %", columns, rows, folded=True)
    return Picture("shares", title, alt, finished(chart, title)), grid
