"""What the runs of an experiment found: by benchmark and group, averaged over seeds, compared with tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.evaluation import Evaluation, compare
from panglot.evaluation.cells import values_of
from panglot.evaluation.comparable import aligned_tables
from panglot.experiments.runs import Places, Run, read_results
from panglot.report.blocks import EMPTY, Cell, Grid, figure
from panglot.report.tables import SETTING_NAMES

DISTANCE = "rank_distance"
AVERAGED = ("settings", "bias", "by_language", "matrix")  # of results: means of queries, so means of seeds
OF_ONE = ("intervals", "groups", "perturbed", "parts", "part_groups")  # of results: of one seed only
Groups = Mapping[str, Sequence[Evaluation]]  # by group, an evaluation a seed
Findings = Mapping[str, Groups]  # by title of a benchmark


def read_findings(
    runs: Sequence[Run], places: Places, folder: Path
) -> dict[str, dict[str, list[Evaluation]]]:
    """Read the results of finished runs: by title of the benchmark and by group, one a seed."""
    found: dict[str, dict[str, list[Evaluation]]] = {}
    for run in runs:
        for title, evaluation in read_results(run, places, folder).items():
            found.setdefault(title, {}).setdefault(run.group, []).append(evaluation)
    return found


def averaged(evaluations: Sequence[Evaluation], name: str) -> Evaluation:
    """Average evaluations of one benchmark, one a seed, query by query.

    Returns:
        what ``compare`` takes as one evaluation. Its results hold the means of ``settings``, ``bias``,
        ``by_language`` and ``matrix``; no intervals, and no groups: make those of the averaged table.

    Raises:
        PanglotError: they were measured on different queries.
    """
    first = evaluations[0]
    tables = aligned_tables(evaluations, [f"{name} ({k})" for k in range(1, len(evaluations) + 1)])
    table = first.per_query
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            values = np.mean([values_of(other, field.name) for other in tables], axis=0)
            column = pa.array(values, field.type, mask=np.isnan(values))
            table = table.set_column(place, field, column)
    results = {key: value for key, value in first.results.items() if key not in OF_ONE}
    results |= {key: _mean([e.results[key] for e in evaluations]) for key in AVERAGED if key in results}
    return Evaluation({**results, "model": {**first.results["model"], "name": name}}, table)


def _mean(values: Sequence[Any]) -> Any:
    """Average figures in their places; one that is missing in any is missing."""
    if isinstance(values[0], Mapping):
        return {key: _mean([value.get(key) for value in values]) for key in values[0]}
    if any(not isinstance(value, int | float) for value in values):
        return None
    return float(np.mean(values))


def compare_groups(groups: Groups, baseline: str, measure: str, **settings: Any) -> dict[str, Any]:
    """Compare groups with a baseline among them, each averaged over its seeds; see ``evaluation.compare``."""
    names = list(groups)
    means = [averaged(evaluations, name) for name, evaluations in groups.items()]
    return compare(means, names=names, measure=measure, baseline=names.index(baseline), **settings)


def by_seed(evaluations: Sequence[Evaluation], measure: str) -> dict[str, list[float]]:
    """Return a measure in each setting that there is, one a seed."""
    settings = evaluations[0].results["settings"]
    return {
        name: [float(e.results["settings"][name][measure]) for e in evaluations]
        for name, figures in settings.items()
        if figures
    }


def compared_grid(name: str, title: str, compared: Mapping[str, Any], note: str = "") -> Grid:
    """Show a measure in each setting, and rank distance, of every group; marks say what differs.

    Args:
        name: of the grid's files.
        title: of the grid.
        compared: what ``compare_groups`` returned.
        note: further words below it.
    """
    runs = compared["compared"]
    wanted = [*SETTING_NAMES, DISTANCE]
    shown = [s for s in wanted if any(figure_of(parts, s) is not None for parts in runs.values())]
    columns = ["", *(SETTING_NAMES.get(s, "rank distance") for s in shown)]
    rows = []
    for run, parts in runs.items():
        cells = [Cell(run)]
        for setting in shown:
            found = figure_of(parts, setting)
            form = ",.0f" if setting == DISTANCE else ".4f"
            cells.append(
                EMPTY
                if found is None
                else figure(found["value"], (found["low"], found["high"]), form, verdict=found.get("verdict"))
            )
        rows.append(cells)
    legend = (
        "In brackets 95 % intervals of a bootstrap over items. ▲ better and ▼ worse than "
        f"{compared['baseline']}, p < {compared['method']['alpha']} after Holm's correction over settings."
    )
    blind = [sentence for sentence in compared["notes"] if "settings" in sentence]
    return Grid(name, title, columns, rows, note=" ".join([legend, *blind, note]).strip())


def figure_of(parts: Mapping[str, Any], setting: str) -> Mapping[str, Any] | None:
    """Return a setting's figure, or rank distance, of one run of a comparison."""
    found: Mapping[str, Any] | None = (
        parts[DISTANCE] if setting == DISTANCE else parts["settings"].get(setting)
    )
    return found
