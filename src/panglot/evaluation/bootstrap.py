"""How sure a figure is: a bootstrap over items (Efron 1979).

Translations of one item depend on each other. So items are drawn with replacement, and all rows of an item,
in all languages and pools, go with it. The same seed draws the same items, so that draws of two runs on the
same queries may be subtracted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from panglot.data.suite import SETTINGS
from panglot.errors import PanglotError
from panglot.evaluation.aggregate import (
    STANDARD,
    Aligned,
    Array,
    Cells,
    Grouping,
    all_cells,
    averages,
    by_language,
    cell_means,
    cells_of,
    figures_of,
    item_sums,
    nested,
    number_columns,
    values_of,
)
from panglot.evaluation.measures import DISTANCE

RESAMPLES = 1000
SHARE = 0.95
BLOCK = 1 << 24  # weights or means held at once, so that memory does not grow with the benchmark


def resample(
    cells: Cells,
    values: Array,
    weights: Array,
    resamples: int = RESAMPLES,
    seed: int = 0,
    drawn: Sequence[Array] | None = None,
) -> Array:
    """Compute figures of a column over resampled items.

    Args:
        cells: of the n rows: I items, C cells.
        values: ``(n,)`` one a row; NaN does not count.
        weights: ``(F, C)`` of the cells that each figure averages.
        drawn: how often each item is drawn, where that is at hand, in blocks of resamples.

    Returns:
        ``(resamples + 1, F)``: the figures themselves first. NaN where a resample has no value for a figure.
    """
    sums, counts = item_sums(cells, values)
    figures = []
    for times in _blocks(cells, resamples, seed) if drawn is None else drawn:
        with np.errstate(invalid="ignore"):
            means = (times @ sums) / (times @ counts)
        figures.append(averages(means, weights))
    return np.concatenate(figures)


def _blocks(cells: Cells, resamples: int, seed: int) -> Iterator[Array]:
    """Count how often each item is drawn, a block of resamples at a time; the first has each item once."""
    rng, items = np.random.default_rng(seed), len(cells.items)
    at_once = max(1, BLOCK // max(1, items, len(cells)))
    for start in range(0, resamples + 1, at_once):
        rows = min(at_once, resamples + 1 - start) - (not start)
        flat = rng.integers(0, items, (rows, items)) + np.arange(rows)[:, None] * items
        counts = np.bincount(flat.reshape(-1), minlength=flat.size).reshape(flat.shape).astype(np.float64)
        yield counts if start else np.concatenate([np.ones((1, items)), counts])


def bounds(resampled: Array, share: float = SHARE) -> Array:
    """Return the percentile bounds of figures ``(resamples + 1, ...)``: ``(2, ...)``.

    Resamples without a value do not count; bounds of nothing are NaN.
    """
    drawn = resampled[1:].reshape(len(resampled) - 1, -1)
    ends = [(1 - share) / 2, (1 + share) / 2]
    missing = np.isnan(drawn)
    whole, holed = ~missing.any(axis=0), missing.any(axis=0) & ~missing.all(axis=0)
    found = np.full((2, drawn.shape[1]), np.nan)
    found[:, whole] = np.quantile(drawn[:, whole], ends, axis=0)
    if holed.any():  # slower
        found[:, holed] = np.nanquantile(drawn[:, holed], ends, axis=0)
    return found.reshape(2, *resampled.shape[1:])


def interval(resampled: Array, share: float = SHARE) -> dict[str, float]:
    """Return ``value``, ``low`` and ``high`` of one figure, ``(resamples + 1,)``."""
    low, high = bounds(resampled, share)
    return {"value": float(resampled[0]), "low": float(low), "high": float(high)}


@dataclass(frozen=True)
class Draws:
    """F figures of R runs over resampled items.

    Attributes:
        figures: a row a figure: ``measure``, ``family``, ``group``, ``setting``.
        runs: names.
        values: ``(resamples + 1, R, F)``: the figures themselves first.
        weights: ``(F, C)`` of the cells that each figure averages.
    """

    figures: pd.DataFrame
    runs: Sequence[str]
    values: Array
    weights: Array

    def of(self, run: str, **figure: str) -> Array:
        """Return the draws ``(resamples + 1,)`` of one figure, named by columns of ``figures``, of a run."""
        known = np.logical_and.reduce([self.figures[name] == value for name, value in figure.items()])
        (place,) = np.flatnonzero(known)
        return np.asarray(self.values[:, list(self.runs).index(run), place], np.float64)


def draw(
    aligned: Aligned,
    groups: Mapping[str, Grouping],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Draws:
    """Compute every group's figures in every setting over resampled items, drawn alike for all runs.

    Seeds of a run are averaged query by query first. A figure that has no value is left out.
    """
    keys, of_cells = figures_of(aligned.cells, groups)
    frames, values, weights = [], [], []
    first = next(_blocks(aligned.cells, resamples, seed))
    drawn = [first] if len(first) == resamples + 1 else None  # kept for all runs where it is one block
    for measure, of_runs in aligned.means().items():
        found = np.array([resample(aligned.cells, run, of_cells, resamples, seed, drawn) for run in of_runs])
        known = ~np.isnan(found[0, 0])
        frames.append(keys[known].assign(measure=measure))
        values.append(found[:, :, known].transpose(1, 0, 2))
        weights.append(of_cells[known])
    figures = pd.concat(frames, ignore_index=True)[["measure", *keys.columns]]
    return Draws(figures, aligned.runs, np.concatenate(values, axis=2), np.concatenate(weights))


def estimates(
    table: pa.Table,
    columns: Sequence[str],
    groups: Mapping[str, Grouping],
    *,
    resamples: int = RESAMPLES,
    share: float = SHARE,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the figures of one ``per_query`` table with intervals.

    Returns:
        a row a figure: ``measure`` (a column of the table), ``family``, ``group``, ``setting``, ``value``,
        ``low``, ``high``.
    """
    values = {column: values_of(table, column)[None] for column in columns}
    only = Aligned(cells_of(table), [("", 0)], values)
    found = draw(only, groups, resamples=resamples, seed=seed)
    low, high = bounds(found.values[:, 0], share)
    return found.figures.assign(value=found.values[0, 0], low=low, high=high)


def intervals(
    table: pa.Table,
    measures: Sequence[str],
    *,
    passages: int | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the bounds of every figure of a results file, in the same places.

    Args:
        measures: names of its columns that ``settings``, ``by_language`` and ``matrix`` show. Every other
            column of numbers (rank distance, say) is a bias: it is averaged in the multilingual pool, over
            the queries of a language and then over languages.
        passages: size of the pool, for ``rank_distance_normalised``.

    Returns:
        ``share``, ``resamples``, ``seed``, ``unit`` (item), ``settings``, ``bias``, ``by_language`` and
        ``matrix``; where the results have a figure, this has ``[low, high]``.
    """
    columns = [*measures, *number_columns(table, measures)]
    found = estimates(table, columns, STANDARD, resamples=resamples, seed=seed)
    found = found[found["measure"].isin(measures) | (found["family"] != "matrix")]
    rows = found[["family", "group", "setting", "measure", "low", "high"]].itertuples(index=False, name=None)
    parts = nested(((*keys, [low, high]) for *keys, low, high in rows), measures)
    if passages and DISTANCE in parts["bias"]:
        parts["bias"][f"{DISTANCE}_normalised"] = [end / passages for end in parts["bias"][DISTANCE]]
    return {"share": SHARE, "resamples": resamples, "seed": seed, "unit": "item", **parts}


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
