"""The best passages of each query in the pool of all languages: exact, in one pass over the pool."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.evaluation.scores import (
    COLUMNS,
    SMALLEST,
    Vectors,
    column_blocks,
    gathered_scores,
    product_error,
    row_blocks,
    score,
    tie_order,
)

SPARE = 32  # passages looked at beyond the k-th, for those whose products are too near its own


@dataclass(frozen=True)
class Top:
    """The first k passages of N queries, best first; k is the pool's size where that is smaller.

    Attributes:
        query: ``(N,)`` query rows, ascending.
        passage: ``(N, k)`` passage rows.
        score: ``(N, k)`` their scores, as exact as a float32 product is; their order is exact.
    """

    query: IntArray
    passage: IntArray
    score: FloatArray


def top_passages(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: Vectors,
    k: int,
    rows: IntArray | None = None,
    columns: int = COLUMNS,
    pool: IntArray | None = None,
) -> Top:
    """Find the k best passages of a pool for each query, as exported runs have them.

    The pool streams by once, in blocks; memory depends on k, not on the pool. What a float32 product leaves
    open is settled by exact scores (``pair_scores``), and ties by passage id, descending, as in trec_eval.

    Args:
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors, or a store of them.
        rows: query rows; None for those with a relevant passage.
        pool: passage rows; None for the passages of all languages.
    """
    rows = np.unique(benchmark.judged_query[benchmark.gains > 0] if rows is None else rows)
    out = benchmark.gains < 0  # not in that query's pool
    ids, some = benchmark.passages.ids, passages
    if pool is not None:
        out &= np.isin(benchmark.judged_passage, pool)
        ids, some = [ids[row] for row in pool.tolist()], passages[pool]
    most = int(np.bincount(benchmark.judged_query[out]).max(initial=0))
    passage, value = top_of_pool(ids, queries[rows], some, k + most, columns)
    if pool is not None:
        passage = pool[passage]
    if not most:
        return Top(rows, passage, value)
    pairs = benchmark.judged_query[out] * len(passages) + benchmark.judged_passage[out]
    gone = np.isin(rows[:, None] * len(passages) + passage, pairs)
    kept = np.argsort(gone, axis=1, kind="stable")[:, : min(k, len(ids) - most)]
    return Top(rows, np.take_along_axis(passage, kept, 1), np.take_along_axis(value, kept, 1))


def top_of_pool(
    ids: Sequence[str],
    queries: FloatArray,
    passages: Vectors,
    k: int,
    columns: int = COLUMNS,
) -> tuple[IntArray, FloatArray]:
    """Find the k best passages ``(P, d)`` for queries ``(q, d)``: rows and scores ``(q, k)``, best first."""
    if k < 1:
        raise ValueError(f"k is {k}; it must be 1 or more")
    k = min(k, len(passages))
    parts = [
        _Part(np.ascontiguousarray(queries[rows], np.float32), k)
        for rows in row_blocks(np.arange(len(queries)))
    ]
    for block in column_blocks(len(passages), columns):
        vectors = passages[block]
        longest = float(np.linalg.norm(vectors, axis=1).max())
        for part in parts:
            part.add(vectors, block.start, longest)
    found = [part.settle(passages, ids) for part in parts]
    return (
        np.concatenate([passage for passage, _ in found] or [np.empty((0, k), np.int64)]),
        np.concatenate([value for _, value in found] or [np.empty((0, k), np.float32)]),
    )


class _Part:
    """A few queries and what may be among their k best, so far.

    Attributes:
        edge: ``(q,)`` the k-th best product, so far.
        error: ``(q,)`` how far a product may be off.
        row, column, value: ``(n,)`` the candidates: query, passage, product.
    """

    def __init__(self, vectors: FloatArray, k: int) -> None:
        self.vectors, self.k = vectors, k
        self.lengths = np.linalg.norm(vectors, axis=1)
        self.best = torch.full((len(vectors), k), -torch.inf)
        self.error = np.zeros(len(vectors), np.float32)
        self.row, self.column = np.empty(0, np.int64), np.empty(0, np.int64)
        self.value = np.empty(0, np.float32)

    def add(self, passages: FloatArray, offset: int, longest: float) -> None:
        """Take in a block of passages, of which the first has row ``offset``."""
        scores = score(self.vectors, passages)
        width = min(self.k + SPARE, scores.shape[1])
        values, columns = torch.topk(scores, width, dim=1)
        bound = 1.01 * (product_error(passages.shape[1]) * self.lengths * longest + SMALLEST)
        self.error = np.maximum(self.error, bound.astype(np.float32))
        self.best = torch.topk(torch.cat([self.best, values[:, : self.k]], 1), self.k, dim=1).values
        low = self._low()
        near = values.numpy() >= low[:, None]
        # where all that were looked at come near, there may be more of them
        crowded = np.flatnonzero(near[:, -1]) if width < scores.shape[1] else np.empty(0, np.int64)
        near[crowded] = False
        row, place = np.nonzero(near)
        found = [(row, columns.numpy()[row, place], values.numpy()[row, place])]
        for line in crowded.tolist():
            reached = np.flatnonzero(scores[line].numpy() >= low[line])
            found.append((np.full(len(reached), line), reached, scores[line].numpy()[reached]))
        kept = self.value >= low[self.row]
        self.row = np.concatenate([self.row[kept], *(rows for rows, _, _ in found)])
        self.column = np.concatenate([self.column[kept], *(c + offset for _, c, _ in found)])
        self.value = np.concatenate([self.value[kept], *(v for _, _, v in found)])

    def _low(self) -> FloatArray:
        """Return the least product that may still belong to one of the k best."""
        return np.nextafter(self.best[:, -1].numpy() - 2 * self.error, np.float32(-np.inf))

    def settle(self, passages: Vectors, ids: Sequence[str]) -> tuple[IntArray, FloatArray]:
        """Return the k best passages and their scores, ``(q, k)`` each, best first."""
        order = np.lexsort((-self.value, self.row))
        row, column, value = self.row[order], self.column[order], self.value[order]
        together = (row[1:] == row[:-1]) & (value[:-1] - value[1:] <= 2 * self.error[row[1:]])
        close = np.flatnonzero(np.append(together, False) | np.insert(together, 0, False))
        value[close] = gathered_scores(self.vectors, row[close], passages, column[close])
        tied, which = np.unique(column[close], return_inverse=True)
        place = np.zeros(len(row), np.int64)
        place[close] = tie_order([ids[k] for k in tied.tolist()])[which]
        order = np.lexsort((place, -value, row))
        first = np.searchsorted(row, np.arange(len(self.vectors)))
        chosen = order[first[:, None] + np.arange(self.k)]
        return column[chosen], value[chosen]
