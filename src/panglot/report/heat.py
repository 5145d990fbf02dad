"""Language by language: grids whose cells are coloured by their figure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from panglot.evaluation.bias.readings import TOP
from panglot.report.blocks import EMPTY, Cell, Grid, figure
from panglot.report.colours import DIVERGING, between
from panglot.report.contents import Contents, Run
from panglot.report.words import measure_title

ACROSS = "Rows: language of the query; columns: language of the passages."


def matrix_grids(contents: Contents) -> Iterator[Grid]:
    """Show the measure, times 100, for each pair of languages; one colour scale for all runs."""
    low, high = scale_of(contents)
    for k, run in enumerate(contents.runs, 1):
        matrix, rows = run.results["matrix"][contents.measure], []
        for x in contents.languages:
            row = [Cell(x)]
            for y in contents.languages:
                value = matrix.get(x, {}).get(y)
                fill = None if value is None else between(value, low, high)
                ends = run.bounds["matrix"][contents.measure].get(x, {}).get(y)
                row.append(figure(value, ends, ".0f", times=100, fill=fill))
            rows.append(row)
        title = f"{measure_title(contents.measure)} × 100: {run.name}"
        note = f"{ACROSS} Light: {100 * low:.0f}, dark: {100 * high:.0f}."
        yield Grid(f"matrix-{k}", title, ["", *contents.languages], rows, note=note, heat=True)


def scale_of(contents: Contents) -> tuple[float, float]:
    """Return the lowest and highest entry of all runs' matrices: the ends of one scale."""
    values = [
        value
        for run in contents.runs
        for row in run.results["matrix"][contents.measure].values()
        for value in row.values()
    ]
    return (min(values), max(values)) if values else (0.0, 1.0)


def change_grid(compared: Mapping[str, Any], run: str) -> Grid:
    """Show what a run gains and loses against the baseline, times 100, for each pair of languages."""
    matrix, languages = compared["compared"][run]["matrix"], compared["benchmark"]["languages"]
    reach = change_reach(matrix)
    rows = []
    for x in languages:
        row = [Cell(x)]
        for y in languages:
            found = matrix.get(x, {}).get(y)
            if found is None:
                row.append(EMPTY)
                continue
            fill = between(found["difference"], -reach, reach, DIVERGING)
            ends = (found["difference_low"], found["difference_high"])
            row.append(
                figure(found["difference"], ends, "+.0f", times=100, fill=fill, verdict=found["verdict"])
            )
        rows.append(row)
    title = f"{measure_title(compared['measure'])} × 100: {run} minus {compared['baseline']}"
    note = (
        f"{ACROSS} Blue: gains, orange: losses. ▲ ▼: significant, p < {compared['method']['alpha']:g} after "
        "Holm's correction over all pairs."
    )
    number = compared["runs"].index(run) + 1
    return Grid(f"change-{number}", title, ["", *languages], rows, note=note, heat=True)


def change_reach(matrix: Mapping[str, Mapping[str, Mapping[str, float]]]) -> float:
    """Return the largest change, either way, so that the scale's middle is not a change."""
    return max((abs(found["difference"]) for row in matrix.values() for found in row.values()), default=0.0)


def share_grids(contents: Contents, runs: Sequence[Run]) -> Iterator[Grid]:
    """Show by how many percentage points languages are above their share of what is relevant."""
    tables = {run.name: excess(run) for run in runs}
    reach = max(
        (abs(v) for of_run in tables.values() for row in of_run.values() for v in row.values()), default=0.0
    )
    for k, run in enumerate(contents.runs, 1):
        if run.name not in tables:
            continue
        table, rows = tables[run.name], []
        for x in contents.languages:
            found = table.get(x, {})
            row = [Cell(x)]
            for y in contents.languages:
                value = found.get(y)
                fill = None if value is None else between(value, -reach, reach, DIVERGING[::-1])
                row.append(figure(value, None, "+.0f", times=100, fill=fill))
            rows.append(row)
        title = f"Share among the first {TOP} minus share of the relevant passages, in points: {run.name}"
        note = f"{ACROSS} Orange: shown more often than it is relevant; blue: less often."
        yield Grid(f"excess-{k}", title, ["", *contents.languages], rows, note=note, heat=True)


def excess(run: Run) -> dict[str, dict[str, float]]:
    """Return share minus fair share of passages in each language, by query language."""
    shares = next(v for name, v in run.results["bias"].items() if name.startswith("top_shares@"))
    return {
        x: {y: value - shares["fair"][x][y] for y, value in row.items()}
        for x, row in shares["share"].items()
        if x in shares["fair"]
    }
