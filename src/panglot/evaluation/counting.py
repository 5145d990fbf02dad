"""Counting, in a tile of scores, what lies above each of many limits, and finding what is too near to one.

Each pair (a row of the tile, a relevant passage) has two limits: what is above ``high`` is counted, what is
below ``low`` is not, and the columns between are returned, to be settled by other means. Few limits a row are
compared with one after the other, in the processor's cache; many are looked up in the sorted row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from panglot.data import FloatArray, IntArray

CHUNK = 128  # columns counted together: only chunks with something near a limit are looked at again
CACHED = 1 << 18  # scores counted together, so that they stay in the processor's cache
MANY = 40  # limits a row from which on sorting the row is faster
FOUND = 1 << 14  # chunks looked at together
EXPANDED = 1 << 20  # pairs and columns returned together, about
COLUMN_BITS, SCORE_BITS = 18, 32

Near = tuple[IntArray, IntArray]  # pairs, and a column of each


@dataclass(frozen=True)
class Pairs:
    """The pairs of a tile's rows: n pairs, row by row.

    Attributes:
        row: ``(n,)`` row in the tile of each pair, ascending.
        counts: ``(r,)`` pairs of each row, descending, 1 or more.
    """

    row: IntArray
    counts: IntArray

    @property
    def begin(self) -> IntArray:
        """First pair of each row, ``(r,)``."""
        return np.cumsum(self.counts) - self.counts


def count_above(
    tile: torch.Tensor, pairs: Pairs, low: FloatArray, high: FloatArray
) -> tuple[IntArray, Iterator[Near]]:
    """Count, for each pair, the columns of its row above ``high``; give those from ``low`` to ``high``.

    Args:
        tile: ``(r, w)`` float32 scores; w is a multiple of ``CHUNK``, at most 2^18; r is at most 2^13.
        pairs: n pairs of its rows.
        low: ``(n,)`` limits.
        high: ``(n,)`` limits, at least ``low``.

    Returns:
        ``(n,)`` counts, and an iterator that must be used up before the tile changes.
    """
    many = int((pairs.counts > MANY).sum())  # rows have ever fewer pairs
    split = int(pairs.counts[:many].sum())
    above = np.zeros(len(low), np.int64)
    near = []
    if many:
        found = _by_sorting(tile[:many], pairs.row[:split], low[:split], high[:split])
        above[:split] = found[0]
        near.append((found[1], 0))
    if many < len(pairs.counts):
        rest = Pairs(pairs.row[split:] - many, pairs.counts[many:])
        found = _by_comparing(tile[many:], rest, low[split:], high[split:])
        above[split:] = found[0]
        near.append((found[1], split))
    return above, ((pair + offset, column) for some, offset in near for pair, column in some)


def _by_comparing(
    tile: torch.Tensor, pairs: Pairs, low: FloatArray, high: FloatArray
) -> tuple[IntArray, Iterator[Near]]:
    width = tile.shape[1]
    group = min(len(tile), max(1, CACHED // width))
    above = np.zeros(len(low), np.int64)
    lows, highs = torch.from_numpy(low)[:, None], torch.from_numpy(high)[:, None]
    hits = torch.empty(group, width)
    begin = pairs.begin
    near_pairs, near_chunks = [], []
    for first in range(0, len(tile), group):
        counts = pairs.counts[first : first + group]
        for turn in range(int(counts[0])):
            rows = int((counts > turn).sum())  # the first ones, since rows have ever fewer pairs
            part, hit = tile[first : first + rows], hits[:rows]
            chunks = hit.view(rows, -1, CHUNK)
            pair = begin[first : first + rows] + turn
            # a comparison written as float32 and summed is the fastest count that torch has
            torch.gt(part, highs[pair], out=hit)
            over = chunks.sum(2)
            torch.ge(part, lows[pair], out=hit)
            row, chunk = torch.nonzero(chunks.sum(2) - over, as_tuple=True)
            above[pair] = over.sum(1, dtype=torch.float64).long().numpy()
            near_pairs.append(pair[row.numpy()])
            near_chunks.append(chunk.numpy())
    found = np.concatenate(near_pairs), np.concatenate(near_chunks)
    return above, _in_chunks(tile, pairs, low, high, *found)


def _in_chunks(
    tile: torch.Tensor, pairs: Pairs, low: FloatArray, high: FloatArray, pair: IntArray, chunk: IntArray
) -> Iterator[Near]:
    """Find the columns between the limits of each pair in its chunk."""
    chunks = tile.numpy().reshape(len(tile), -1, CHUNK)
    for start in range(0, len(pair), FOUND):
        some, where = pair[start : start + FOUND], chunk[start : start + FOUND]
        values = chunks[pairs.row[some], where]
        k, column = np.nonzero((values >= low[some, None]) & (values <= high[some, None]))
        yield some[k], where[k] * CHUNK + column


def _by_sorting(
    tile: torch.Tensor, row: IntArray, low: FloatArray, high: FloatArray
) -> tuple[IntArray, Iterator[Near]]:
    """Sort each row, as integers that hold row, score and column, and look the limits up in all of them."""
    rows, width = tile.shape
    keys = _ordered(tile.numpy())
    keys += (np.arange(rows, dtype=np.int64) << (SCORE_BITS + COLUMN_BITS))[:, None]
    keys += np.arange(width)
    keys.sort(axis=1)
    flat = keys.reshape(-1)
    of_row = row << (SCORE_BITS + COLUMN_BITS)
    column = (1 << COLUMN_BITS) - 1
    # looked up in ascending order, the searches find the same keys in the processor's cache
    order = np.lexsort((low, row))
    first, last = np.empty(len(row), np.int64), np.empty(len(row), np.int64)
    first[order] = np.searchsorted(flat, (_ordered(low) + of_row)[order])
    last[order] = np.searchsorted(flat, (_ordered(high) + of_row + column)[order], side="right")

    def near() -> Iterator[Near]:
        lengths = last - first
        before = np.cumsum(lengths) - lengths
        for some in np.split(np.arange(len(row)), np.flatnonzero(np.diff(before // EXPANDED)) + 1):
            length = lengths[some]
            within = np.arange(length.sum()) - np.repeat(before[some] - before[some[0]], length)
            yield np.repeat(some, length), flat[np.repeat(first[some], length) + within] & column

    return (row + 1) * width - last, near()


def _ordered(values: FloatArray) -> npt.NDArray[np.int64]:
    """Turn float32 numbers into integers in the same order, with room for a column below them."""
    bits = values.view(np.int32)
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return (ordered.astype(np.int64) + (1 << 31)) << COLUMN_BITS
