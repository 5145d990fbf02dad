"""Exact ranks of the relevant passages, by counting what scores higher; no sorting of the pool, no top-k.

The pool is read once, block by block, however many queries there are and however large it is. The scores of
the relevant passages are taken first. Then each block is multiplied with all queries in float32; what is
above a relevant passage's score by more than the product can be off is counted, and the few passages
nearer than that are scored exactly. Before, a fixed vector (the mean of some passages) is taken
away from the block, which shifts all scores of a query alike: vectors get shorter, hence errors smaller.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import torch

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.encoders import Store
from panglot.errors import PanglotError
from panglot.evaluation.scores import (
    COLUMNS,
    PAIRS,
    SMALLEST,
    UNIT,
    Rows,
    Vectors,
    gathered_scores,
    language_blocks,
    pair_scores,
    product_error,
    row_blocks,
    tie_order,
    work_order,
)

Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Outranks = Callable[[IntArray, IntArray], Flags]  # rows of passages, and others that they tie with

SAMPLE = 4096  # passages whose mean is taken away
ORDERED = 1 << 21  # passages: a pool up to this size is ordered by id at the first tie
CHUNK = 128  # columns counted together: only chunks with something near a limit are looked at again
CACHED = 1 << 18  # scores counted together, so that they stay in the processor's cache
MANY = 40  # limits a row from which on sorting the row is faster
FOUND = 1 << 14  # chunks looked at together
EXPANDED = 1 << 20  # pairs and columns returned together, about
COLUMN_BITS, SCORE_BITS = 18, 32

Near = tuple[IntArray, IntArray]  # pairs, and a column of each


@dataclass(frozen=True)
class Ranks:
    """The rank of every relevant passage, from 1, in two pools. Sorted by query; J' relevant judgements.

    Attributes:
        query: ``(J',)`` query row.
        passage: ``(J',)`` passage row.
        gain: ``(J',)`` relevance, above 0.
        in_language: ``(J',)`` rank among the passages in its own language.
        in_all: ``(J',)`` rank among the passages in all languages.
    """

    query: IntArray
    passage: IntArray
    gain: IntArray
    in_language: IntArray
    in_all: IntArray


def exact_ranks(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: Vectors,
    columns: int = COLUMNS,
    progress: Callable[[int], None] | None = None,
) -> Ranks:
    """Rank every relevant passage of a benchmark, in one pass over the pool; see ``without_left_out``.

    A score is a dot product, summed in float64 and rounded to float32 (``pair_scores``); ties go by passage
    id, descending, as in trec_eval. Memory does not grow with the pool, but for its ids and languages.

    Args:
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors, or a store of them.
        columns: passages in a block, at most 2^18.
        progress: called with the number of passages just finished, P in all.

    Raises:
        PanglotError: a vector that is not finite (a broken model or store).
    """
    ranked = partial(_exact_ranks, queries=queries, passages=passages, columns=columns, progress=progress)
    return without_left_out(benchmark, ranked)


def without_left_out(benchmark: Benchmark, ranks_of: Callable[[Benchmark], Ranks]) -> Ranks:
    """Rank every relevant passage as if the passages judged below 0 for its query were not in the pool.

    A query that is in the pool itself (parallel utterances, captions) would find itself first. So a gain
    below 0 takes a passage out of that query's pool. Its rank is found along with those of the relevant
    ones, which move up by one for each passage left out above them.

    Args:
        ranks_of: ranks the passages of a benchmark that are judged above 0.
    """
    if not (benchmark.gains < 0).any():
        return ranks_of(benchmark)
    mark = int(benchmark.gains.max()) + 1
    marked = replace(benchmark, gains=np.where(benchmark.gains < 0, mark, benchmark.gains))
    ranks = ranks_of(marked)
    out, kept = ranks.gain == mark, ranks.gain != mark
    language = benchmark.passages.languages[ranks.passage]
    in_list = ranks.query * len(benchmark.languages) + language
    return Ranks(
        query=ranks.query[kept],
        passage=ranks.passage[kept],
        gain=ranks.gain[kept],
        in_language=_moved_up(in_list, ranks.in_language, out)[kept],
        in_all=_moved_up(ranks.query, ranks.in_all, out)[kept],
    )


def _moved_up(list_of: IntArray, rank: IntArray, out: Flags) -> IntArray:
    """Take from each rank the number of passages left out above it in its list."""
    order = np.lexsort((rank, list_of))
    lists, counted = list_of[order], np.cumsum(out[order])
    starts = np.flatnonzero(np.diff(lists, prepend=-1))
    before = np.concatenate([[0], counted])[starts]
    above = counted - np.repeat(before, np.diff(starts, append=len(lists)))
    moved = np.empty_like(rank)
    moved[order] = rank[order] - above
    return moved


def relevant_judgements(benchmark: Benchmark) -> tuple[IntArray, IntArray, IntArray]:
    """Return query, passage and gain of the judgements above 0, sorted by query: ``(J',)`` each."""
    relevant = np.flatnonzero(benchmark.gains > 0)
    relevant = relevant[np.argsort(benchmark.judged_query[relevant], kind="stable")]
    return benchmark.judged_query[relevant], benchmark.judged_passage[relevant], benchmark.gains[relevant]


def _exact_ranks(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: Vectors,
    columns: int,
    progress: Callable[[int], None] | None,
) -> Ranks:
    query, passage, gain = relevant_judgements(benchmark)
    threshold = gathered_scores(queries, query, passages, passage)
    _check(bool(np.isfinite(threshold).all()), benchmark)
    centre = passages[:SAMPLE].mean(axis=0)
    work = list(_work(queries, query, passage, threshold, centre))
    outranks = _by_id(benchmark.passages.ids)
    languages = benchmark.passages.languages
    in_language, in_all = np.ones(len(query), np.int64), np.ones(len(query), np.int64)
    block = _Block(passages, columns, centre)
    for language, rows in language_blocks(languages, columns):
        block.read(rows)
        _check(np.isfinite(block.longest), benchmark)
        for part in work:
            above = _outranking(part, block, outranks)
            in_all[part.pairs] += above
            own = languages[part.passage] == language
            in_language[part.pairs[own]] += above[own]
        if progress is not None:
            progress(len(block.vectors))
    return Ranks(query, passage, gain, in_language, in_all)


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


@dataclass(frozen=True)
class _Part:
    """Some queries, those with most relevant passages first, and their pairs with these: n pairs.

    ``pairs`` are numbers among all J', ``shift`` is the score of each pair's query with the centre.
    """

    vectors: FloatArray
    lengths: Values
    of_row: Pairs
    pairs: IntArray
    passage: IntArray
    threshold: FloatArray
    shift: Values


def _work(
    queries: FloatArray, query: IntArray, passage: IntArray, threshold: FloatArray, centre: FloatArray
) -> Iterator[_Part]:
    """Cut the queries that have a relevant passage into parts with about as much work a row."""
    start = np.searchsorted(query, np.arange(len(queries) + 1))
    order = work_order(query, len(queries))
    for rows in row_blocks(order[np.diff(start)[order] > 0]):
        counts = np.diff(start)[rows]
        of_row = Pairs(np.repeat(np.arange(len(rows)), counts), counts)
        pairs = np.repeat(start[rows] - of_row.begin, counts) + np.arange(counts.sum())
        vectors = np.ascontiguousarray(queries[rows], np.float32)
        exact = vectors.astype(np.float64)
        shift = (exact @ centre.astype(np.float64))[of_row.row]
        lengths = np.linalg.norm(exact, axis=1)[of_row.row]
        yield _Part(vectors, lengths, of_row, pairs, passage[pairs], threshold[pairs], shift)


class _Block:
    """Some passages: as they are, and shifted, padded to whole chunks, with the length of the longest.

    One object reads all blocks in turn: fresh memory for each would cost more than the arithmetic.
    """

    def __init__(self, passages: Vectors, columns: int, centre: FloatArray) -> None:
        self._passages, self._centre = passages, centre
        self._shifted = torch.empty(-(-columns // CHUNK) * CHUNK, len(centre))
        self._stored = np.empty((columns, len(centre)), np.float32)

    def read(self, rows: Rows) -> None:
        """Read some rows, at most as many as the memory has."""
        self.rows = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        if isinstance(self._passages, Store) and isinstance(rows, slice):
            self.vectors = self._passages.block(rows, self._stored)
        else:
            self.vectors = np.asarray(self._passages[rows], np.float32)
        count, dimension = self.vectors.shape
        self.shifted = self._shifted[: -(-count // CHUNK) * CHUNK]
        self.shifted[count:] = 0
        shifted = self.shifted[:count]
        torch.sub(torch.from_numpy(self.vectors), torch.from_numpy(self._centre), out=shifted)
        self.longest = float(torch.linalg.vector_norm(shifted, dim=1).max())
        # how far a score from the shifted vectors may be off, for a query of length 1
        whole = self.longest + float(np.linalg.norm(self._centre.astype(np.float64)))
        self.error = 1.001 * (product_error(dimension) * self.longest + 1.01 * UNIT * whole)
        self.underflow = 2 * dimension * SMALLEST


def _outranking(part: _Part, block: _Block, outranks: Outranks) -> IntArray:
    """Count the passages of a block that outrank the passage of each pair, ``(n,)``."""
    tile = torch.from_numpy(part.vectors) @ block.shifted.t()
    tile[:, len(block.vectors) :] = -torch.inf
    limit, error = part.threshold - part.shift, block.error * part.lengths + block.underflow
    low = np.nextafter((limit - error).astype(np.float32), np.float32(-np.inf))
    high = np.nextafter((limit + error).astype(np.float32), np.float32(np.inf))
    above, near = count_above(tile, part.of_row, low, high)
    for pair, column in near:
        others = block.rows[column] != part.passage[pair]
        pair, column = pair[others], column[others]
        for start in range(0, len(pair), PAIRS):
            k, c = pair[start : start + PAIRS], column[start : start + PAIRS]
            scores = pair_scores(part.vectors[part.of_row.row[k]], block.vectors[c])
            higher = scores > part.threshold[k]
            tied = np.flatnonzero(scores == part.threshold[k])
            higher[tied] = outranks(block.rows[c[tied]], part.passage[k[tied]])
            np.add.at(above, k[higher], 1)
    return above


def _by_id(ids: Sequence[str]) -> Outranks:
    """Return what says which of two passages with one score is first: the one with the greater id."""
    place = cache(lambda: tie_order(ids))  # at the first tie

    def before(rows: IntArray, than: IntArray) -> Flags:
        if not len(rows):
            return np.zeros(0, bool)
        if len(ids) > ORDERED:
            return np.array([ids[a] > ids[b] for a, b in zip(rows.tolist(), than.tolist(), strict=True)])
        return np.asarray(place()[rows] < place()[than])

    return before


def _check(finite: bool, benchmark: Benchmark) -> None:
    if not finite:
        raise PanglotError(
            f"{benchmark.name}: an embedding holds a number that is not finite; "
            "check that the model's training did not diverge, and encode again."
        )


# Counting, in a tile of scores, what lies above each of many limits, and finding what is too near to one.
# Each pair (a row of the tile, a relevant passage) has two limits: what is above ``high`` counts, what is
# below ``low`` does not, and the columns between are returned, to be settled by other means. Few limits a row
# are compared with one after the other, in the processor's cache; many are looked up in the sorted row.


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
