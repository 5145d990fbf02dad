"""The best passages of each query: exact, in one pass over the pool; and what a reranker makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.encoders.reranker import Reranker
from panglot.evaluation.ranks import Ranks
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
from panglot.progress import Shown, shown

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
    ids, some = benchmark.passages.ids, passages
    if pool is not None:
        ids, some = [ids[row] for row in pool.tolist()], passages[pool]
    most = most_left_out(benchmark, pool)
    passage, value = top_of_pool(ids, queries[rows], some, k + most, columns)
    if pool is not None:
        passage = pool[passage]
    if not most:
        return Top(rows, passage, value)
    gone = left_out(benchmark, rows, passage)
    kept = np.argsort(gone, axis=1, kind="stable")[:, : min(k, len(ids) - most)]
    return Top(rows, np.take_along_axis(passage, kept, 1), np.take_along_axis(value, kept, 1))


def most_left_out(benchmark: Benchmark, pool: IntArray | None = None) -> int:
    """Return how many passages of a pool (None: of all languages) a single query leaves out at most."""
    out = benchmark.gains < 0
    if pool is not None:
        out &= np.isin(benchmark.judged_passage, pool)
    return int(np.bincount(benchmark.judged_query[out]).max(initial=0))


def left_out(benchmark: Benchmark, rows: IntArray, passage: IntArray) -> npt.NDArray[np.bool_]:
    """Say which passages ``(N, k)`` of some queries ``(N,)`` are not in those queries' pools, ``(N, k)``."""
    out = benchmark.gains < 0
    size = len(benchmark.passages)
    pairs = benchmark.judged_query[out] * size + benchmark.judged_passage[out]
    return np.isin(rows[:, None] * size + passage, pairs)


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


def reranked(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: Vectors,
    ranks: Ranks,
    top: Top,
    reranker: Reranker,
    depth: int,
    progress: Shown = None,
) -> tuple[Ranks, Top]:
    """Rerank the first passages of every list, in each language's pool and in that of all languages.

    A list keeps its order behind its first ``depth`` passages, so that every relevant passage has a rank. Two
    passages with one score are ordered by id, descending, as in trec_eval. A query and a passage that are
    together in several lists are scored once. Where a query's own passages are left out of lists, all lists
    of a pool are cut to the shortest.

    Args:
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors, or a store of these; those of one language are in memory at a time.
        ranks: of the relevant passages, by these vectors.
        top: the first passages in the pool of all languages, by these vectors.
        depth: passages of each list that are reranked.
    """
    of_passage = benchmark.passages.languages
    language = of_passage[ranks.passage]
    lists = [top_passages(benchmark, queries, passages, depth, top.query)]
    for code in np.unique(language):
        asked = np.unique(ranks.query[language == code])
        pool = np.flatnonzero(of_passage == code)
        lists.append(top_passages(benchmark, queries, passages, depth, asked, pool=pool))
    size = len(benchmark.passages)
    listed = [found.query[:, None] * size + found.passage for found in lists]  # a number for each pair
    pairs = np.unique(np.concatenate([keys.ravel() for keys in listed]))
    texts, titled = benchmark.queries.texts, benchmark.passages.titled()
    asked, read = (pairs // size).tolist(), (pairs % size).tolist()
    with shown(progress, "reranking", len(pairs)) as advance:
        scores = reranker.score([texts[k] for k in asked], [titled[k] for k in read], advance)
    place = tie_order(benchmark.passages.ids)
    heads = []
    for found, keys in zip(lists, listed, strict=True):
        of_list = scores[np.searchsorted(pairs, keys)]
        order = np.lexsort((place[found.passage], -of_list), axis=1)  # highest first
        heads.append(replace(found, passage=np.take_along_axis(found.passage, order, 1)))
    wanted = ranks.query * size + ranks.passage
    in_all = _ranks(heads[:1], wanted, ranks.in_all, size)
    in_language = _ranks(heads[1:], wanted, ranks.in_language, size)
    width = min(heads[0].passage.shape[1], top.passage.shape[1])
    passage = top.passage.copy()
    passage[:, :width] = heads[0].passage[:, :width]
    return replace(ranks, in_language=in_language, in_all=in_all), replace(top, passage=passage)


def _ranks(heads: list[Top], wanted: IntArray, rank: IntArray, size: int) -> IntArray:
    """Return the ranks of some pairs in reranked lists; a pair that is in none keeps its rank."""
    keys = np.concatenate([(head.query[:, None] * size + head.passage).ravel() for head in heads])
    ranks = [np.broadcast_to(np.arange(1, head.passage.shape[1] + 1), head.passage.shape) for head in heads]
    place = np.concatenate([of_list.ravel() for of_list in ranks])
    order = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = keys[order][at] == wanted
    return np.where(found, place[order][at], rank)
