"""Robustness: the same evaluation with the queries as people also type them, and what that costs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data import Benchmark
from panglot.data.perturb import CODE_SWITCH, Lexicon, perturb, share_changed
from panglot.data.suite import SETTINGS
from panglot.errors import PanglotError
from panglot.evaluation.aggregate import (
    all_cells,
    averages,
    by_language,
    cell_means,
    cells_of,
    figures_of,
    values_of,
)
from panglot.evaluation.bootstrap import RESAMPLES, bounds, resample
from panglot.evaluation.results import PERTURBATION


def perturbed_figures(
    benchmark: Benchmark,
    table_of: Callable[[Benchmark], pa.Table],
    table: pa.Table,
    kinds: Sequence[str],
    measure: str,
    *,
    lexicon: Lexicon | None = None,
    seed: int = 0,
) -> tuple[dict[str, Any], pa.Table]:
    """Measure a model again on changed queries; the passages are not encoded again.

    Args:
        table_of: gives the ``per_query`` table of a benchmark with changed queries and the same passages.
        table: of the queries as they are.

    Returns:
        by kind, what ``perturbed_drops`` says; and rows of ``per_query`` of all kinds, with ``perturbation``.
    """
    found, rows = {}, []
    for kind in kinds:
        changed = perturb(benchmark, kind, seed, lexicon if kind == CODE_SWITCH else None)
        after = table_of(changed)
        found[kind] = perturbed_drops(table, after, measure, share_changed(benchmark, changed))
        rows.append(after.add_column(0, PERTURBATION, pa.array([kind] * len(after), pa.string())))
    return found, pa.concat_tables(rows)


def perturbed_drops(
    before: pa.Table,
    after: pa.Table,
    measure: str,
    changed: Mapping[str, float] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare one model's figures on a benchmark and on its perturbed self.

    Both have the same queries in the same order, so that the bootstrap over items is paired: each resample
    takes the differences of the same items. Queries that the change left alone differ by 0 and count.

    Args:
        changed: share of the queries of each language that read otherwise (``share_changed``).

    Returns:
        ``measure``; ``settings``: by setting ``before``, ``after``, ``change`` (after minus before; below 0
        is a drop), and its 95 % interval ``low`` to ``high``; ``by_language``: by query language the same,
        and ``changed``.

    Raises:
        PanglotError: tables of other queries, or without the measure.
    """
    if any(not before[key].equals(after[key]) for key in ("query_id", "query_language", "pool")):
        raise PanglotError("the two evaluations are not of the same queries; perturb the same benchmark.")
    for table in (before, after):
        if measure not in table.column_names:
            raise PanglotError(
                f"the per-query figures have no '{measure}'; evaluate with --measures {measure}."
            )
    cells = cells_of(before)
    keys, weights = figures_of(cells, {"settings": all_cells, "by_language": by_language})
    a, b = values_of(before, measure), values_of(after, measure)
    differences = resample(cells, b - a, weights, resamples, seed)
    first, then = (averages(cell_means(cells, values), weights) for values in (a, b))
    figures = np.stack([first, then, differences[0], *bounds(differences)], axis=1).tolist()
    settings: dict[str, Any] = dict.fromkeys(SETTINGS)
    languages: dict[str, dict[str, Any]] = {}
    for key, values in zip(keys.itertuples(), figures, strict=True):
        if not np.isnan(values[:3]).any():
            figure = dict(zip(("before", "after", "change", "low", "high"), values, strict=True))
            if key.family == "settings":
                settings[key.setting] = figure
            else:
                languages.setdefault(key.group, dict.fromkeys(SETTINGS))[key.setting] = figure
    for language, share in (changed or {}).items():
        languages.setdefault(language, {})["changed"] = share
    return {"measure": measure, "settings": settings, "by_language": languages}
