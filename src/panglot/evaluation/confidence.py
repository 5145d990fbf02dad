"""How sure a figure is: a bootstrap over items, since translations of one item are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.evaluation.cells import (
    ROW_COLUMNS,
    Array,
    Cells,
    Mask,
    averages,
    cells_of,
    item_sums,
    language_masks,
    matrix_places,
    setting_masks,
    stack,
    values_of,
)

RESAMPLES = 1000
SHARE = 0.95
BLOCK = 1 << 24  # weights or means held at once, so that memory does not grow with the benchmark


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds that a share of its resamples lies between."""

    value: float
    low: float
    high: float


def resampled_settings(
    tables: Sequence[pa.Table], column: str, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Array]:
    """Compute a column's mean in each setting, again and again over resampled items (Efron 1979).

    Items are drawn with replacement; all rows of an item, in all languages and pools, go with it. Means are
    taken as in ``settings.summarise``: over queries in each (query language, pool), then over those. Several
    tables (one a seed, of the same benchmark) are averaged query by query first.

    Returns:
        by setting, ``(resamples + 1,)``: first the figure itself, then one a resample. The same seed draws
        the same items, so that two results may be subtracted.
    """
    first = tables[0]
    for table in tables[1:]:
        if not (
            table.column("query_id").equals(first.column("query_id"))
            and table.column("pool").equals(first.column("pool"))
        ):
            raise ValueError("the tables are not of the same queries and pools")
    cells = cells_of(first)
    values = np.mean([values_of(table, column) for table in tables], axis=0)
    masks = setting_masks(cells)
    found, _ = resample(cells, values, stack(masks, cells), resamples, seed)
    return {name: found[:, k] for k, name in enumerate(masks) if not np.isnan(found[0, k])}


def resample(
    cells: Cells,
    values: Array,
    chosen: Mask,
    resamples: int = RESAMPLES,
    seed: int = 0,
    *,
    keep_cells: bool = False,
) -> tuple[Array, Array | None]:
    """Compute figures of a column over resampled items.

    Args:
        cells: where the rows stand: I items, C cells.
        values: ``(n,)`` one a row; NaN does not count.
        chosen: ``(F, C)`` the cells that each figure averages.
        resamples: how many.
        seed: of the items drawn.
        keep_cells: also return the mean of each cell.

    Returns:
        ``(resamples + 1, F)`` and, or None, ``(resamples + 1, C)``: the figures themselves first. NaN where a
        resample has no value for a figure.
    """
    sums, counts = item_sums(cells, values)
    rng = np.random.default_rng(seed)
    at_once = max(1, BLOCK // max(1, len(cells.items), len(cells)))
    figures, of_cells = [], []
    for start in range(0, resamples + 1, at_once):
        weights = _weights(len(cells.items), min(at_once, resamples + 1 - start), rng, first=not start)
        with np.errstate(invalid="ignore"):
            means = (weights @ sums) / (weights @ counts)
        figures.append(averages(means, chosen))
        if keep_cells:
            of_cells.append(means)
    return np.concatenate(figures), np.concatenate(of_cells) if keep_cells else None


def _weights(items: int, rows: int, rng: np.random.Generator, *, first: bool) -> Array:
    """Count how often each item is drawn, ``(rows, items)``; the first row of all has each item once."""
    drawn = rng.integers(0, items, (rows - first, items))
    flat = drawn + np.arange(rows - first)[:, None] * items
    counts = np.bincount(flat.reshape(-1), minlength=flat.size).reshape(flat.shape).astype(np.float64)
    return np.concatenate([np.ones((1, items)), counts]) if first else counts


def interval(resampled: Array, share: float = SHARE) -> Interval:
    """Return the figure with its percentile interval."""
    low, high = bounds(resampled, share)
    return Interval(float(resampled[0]), float(low), float(high))


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


def intervals(
    table: pa.Table,
    measures: Sequence[str],
    *,
    passages: int | None = None,
    resamples: int = RESAMPLES,
    share: float = SHARE,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the bounds of every figure of a results file, in the same places.

    Args:
        table: a ``per_query`` table.
        measures: names of its columns that ``settings``, ``by_language`` and ``matrix`` show. Every other
            column of numbers (rank distance, say) is a bias: it is averaged in the multilingual pool, over
            the queries of a language and then over languages.
        passages: size of the pool, for ``rank_distance_normalised``.
        resamples: how many.
        share: of the resamples that lie between the bounds.
        seed: of the items drawn.

    Returns:
        ``share``, ``resamples``, ``seed``, ``unit`` (item), ``settings``, ``bias``, ``by_language`` and
        ``matrix``; where the results have a figure, this has ``[low, high]``.
    """
    cells = cells_of(table)
    masks: dict[Any, Mask] = {**setting_masks(cells), **language_masks(cells)}
    chosen = stack(masks, cells)
    settings: dict[str, Any] = {}
    by_language: dict[str, Any] = {}
    matrix: dict[str, Any] = {}
    bias: dict[str, list[float]] = {}
    for column in [*measures, *bias_columns(table, measures)]:
        is_measure = column in measures
        figures, of_cells = resample(
            cells, values_of(table, column), chosen, resamples, seed, keep_cells=is_measure
        )
        found = dict(zip(masks, bounds(figures, share).T.tolist(), strict=True))
        for key in (key for key, value in zip(masks, figures[0], strict=True) if not np.isnan(value)):
            if is_measure and isinstance(key, str):
                settings.setdefault(key, {})[column] = found[key]
            elif is_measure:
                by_language.setdefault(key[0], {}).setdefault(key[1], {})[column] = found[key]
            elif key == "multilingual":
                bias[column] = found[key]
            elif key[1] == "multilingual":
                by_language.setdefault(key[0], {})[column] = found[key]
        if of_cells is not None:
            matrix[column] = _by_pair(cells, of_cells, share)
    if passages and "rank_distance" in bias:
        bias["rank_distance_normalised"] = [end / passages for end in bias["rank_distance"]]
    return {
        "share": share,
        "resamples": resamples,
        "seed": seed,
        "unit": "item",
        "settings": settings,
        "bias": bias,
        "by_language": by_language,
        "matrix": matrix,
    }


def _by_pair(cells: Cells, of_cells: Array, share: float) -> dict[str, dict[str, list[float]]]:
    ends = bounds(of_cells, share)
    found: dict[str, dict[str, list[float]]] = {}
    for (x, y), place in matrix_places(cells).items():
        if not np.isnan(of_cells[0, place]):
            found.setdefault(x, {})[y] = ends[:, place].tolist()
    return found


def bias_columns(table: pa.Table, measures: Sequence[str]) -> list[str]:
    """Return the columns of a ``per_query`` table that are numbers, but neither ranks nor measures."""
    return [
        field.name
        for field in table.schema
        if field.name not in (*ROW_COLUMNS, *measures)
        and (pa.types.is_floating(field.type) or pa.types.is_integer(field.type))
    ]
