"""Cells of a per-query table: a query language and a pool each, of which every figure is an average.

A suite has them for each of its parts.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from panglot.data import IntArray

ALL = "*"  # the pool of all languages, among language codes
ROW_COLUMNS = ("query_id", "item", "query_language", "pool", "relevant", "best_rank", "worst_rank")
SETTINGS = ("monolingual", "crosslingual", "multilingual")
Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cells:
    """Where the n rows of a per-query table stand: in one of C cells, about one of I items.

    Attributes:
        query_language: ``(C,)`` code of each cell's queries.
        pool: ``(C,)`` code of its passages, or ``*`` for all.
        items: ``(I,)`` numbers of the items, ascending.
        row_cell: ``(n,)`` cell of each row.
        row_item: ``(n,)`` position of each row's item in ``items``.
    """

    query_language: npt.NDArray[np.str_]
    pool: npt.NDArray[np.str_]
    items: IntArray
    row_cell: IntArray
    row_item: IntArray

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.pool)


def cells_of(table: pa.Table) -> Cells:
    """Sort the rows of a ``per_query`` table, of a benchmark or of a suite, into cells."""
    x, x_codes = _codes(table, "query_language")
    y, y_codes = _codes(table, "pool")
    pair = x * max(1, len(y_codes)) + y
    pairs = max(1, len(x_codes) * len(y_codes))
    part = _codes(table, "part")[0] if "part" in table.column_names else np.zeros_like(pair)
    cells, row_cell = np.unique(pair + part * pairs, return_inverse=True)
    of_x, of_y = np.divmod(cells % pairs, max(1, len(y_codes)))
    items, row_item = np.unique(table.column("item").to_numpy(), return_inverse=True)
    return Cells(x_codes[of_x], y_codes[of_y], items, row_cell.reshape(-1), row_item.reshape(-1))


def _codes(table: pa.Table, column: str) -> tuple[IntArray, npt.NDArray[np.str_]]:
    """Return the position of each row's code among the codes of a column, sorted, and those codes."""
    encoded = table.column(column).combine_chunks().dictionary_encode()
    codes = np.array(encoded.dictionary.to_pylist(), str)
    order = np.argsort(codes)
    return np.argsort(order)[encoded.indices.to_numpy()], codes[order]


def values_of(table: pa.Table, column: str) -> Array:
    """Return a column's values, ``(n,)``; NaN where there is none."""
    return np.asarray(table.column(column).to_numpy(zero_copy_only=False), np.float64)


def item_sums(cells: Cells, values: Array) -> tuple[Array, Array]:
    """Add up values (NaN does not count) by item and cell, and count them: two arrays, ``(I, C)``."""
    known = ~np.isnan(values)
    shape = (len(cells.items), len(cells))
    flat = cells.row_item[known] * shape[1] + cells.row_cell[known]
    size = shape[0] * shape[1]
    sums = np.bincount(flat, values[known], size).reshape(shape)
    counts = np.bincount(flat, minlength=size).reshape(shape)
    return np.asarray(sums, np.float64), np.asarray(counts, np.float64)


def cell_means(cells: Cells, values: Array) -> Array:
    """Average values over the queries of each cell, ``(C,)``; NaN for a cell without values."""
    known = ~np.isnan(values)
    total = np.bincount(cells.row_cell[known], values[known], len(cells))
    count = np.bincount(cells.row_cell[known], minlength=len(cells))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count, np.float64)


def averages(means: Array, chosen: Mask) -> Array:
    """Average cells into figures: ``(..., C)`` means by ``(F, C)`` masks give ``(..., F)``.

    A cell that is NaN does not count; a figure without cells is NaN.
    """
    known = ~np.isnan(means)
    weights = chosen.astype(np.float64).T
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, means, 0.0) @ weights / (known.astype(np.float64) @ weights))


def setting_masks(cells: Cells) -> dict[str, Mask]:
    """Say which cells each setting averages, ``(C,)``: the diagonal, the rest of the matrix, the one pool."""
    own, every = cells.query_language == cells.pool, cells.pool == ALL
    return dict(zip(SETTINGS, (own, ~own & ~every, every), strict=True))


def language_masks(cells: Cells) -> dict[tuple[str, str], Mask]:
    """Say which cells a query language's figure in a setting averages: by (language, setting), ``(C,)``."""
    return {
        (str(language), setting): mask & (cells.query_language == language)
        for language in np.unique(cells.query_language)
        for setting, mask in setting_masks(cells).items()
    }


def matrix_places(cells: Cells) -> dict[tuple[str, str], int]:
    """Say in which cell each entry of the language matrix stands: by (query language, pool language).

    What several parts of a suite have stands in several cells and is left out.
    """
    pairs = list(zip(cells.query_language.tolist(), cells.pool.tolist(), strict=True))
    once = Counter(pairs)
    return {pair: place for place, pair in enumerate(pairs) if pair[1] != ALL and once[pair] == 1}


def stack(masks: Mapping[Any, Mask], cells: Cells) -> Mask:
    """Put the masks of F figures into one array, ``(F, C)``."""
    return np.array(list(masks.values()), bool).reshape(len(masks), len(cells))
