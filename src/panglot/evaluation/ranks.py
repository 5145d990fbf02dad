"""Exact ranks of the relevant passages, by counting what scores higher; no sorting, no top-k."""

from dataclasses import dataclass

import numpy as np
import torch

from panglot.data import Benchmark, IntArray
from panglot.encoders import FloatArray
from panglot.evaluation.scores import (
    COLUMNS,
    column_blocks,
    language_order,
    row_blocks,
    score,
    tie_order,
    work_order,
)

COUNT_ROWS = 16  # rows counted together: their scores stay in the processor's cache


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
    benchmark: Benchmark, queries: FloatArray, passages: FloatArray, columns: int = COLUMNS
) -> Ranks:
    """Rank every relevant passage of a benchmark.

    The scores of the relevant passages are taken first; then the pool streams by in blocks, and what
    scores higher is counted. A pool of one block is scored once, a larger one twice (so that a score and
    what it is compared with come out of the same product); memory does not grow with the pool. Ties go
    by passage id, descending, as in trec_eval.

    Args:
        benchmark: with Q queries and P passages.
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors.
        columns: passages in a block.
    """
    relevant = np.flatnonzero(benchmark.gains > 0)
    relevant = relevant[np.argsort(benchmark.judged_query[relevant], kind="stable")]
    query, passage = benchmark.judged_query[relevant], benchmark.judged_passage[relevant]
    by_language, bounds = language_order(benchmark)
    if (by_language[1:] < by_language[:-1]).any():
        passages = passages[by_language]
    column_of = np.empty(len(by_language), np.int64)
    column_of[by_language] = np.arange(len(by_language))
    counter = _Counter(
        queries=queries,
        passages=passages,
        language_bounds=bounds,
        tie_place=tie_order(benchmark.passages.ids)[by_language],
        columns=columns,
    )
    in_language = np.zeros(len(query), np.int64)
    in_all = np.zeros(len(query), np.int64)
    start = np.searchsorted(query, np.arange(len(benchmark.queries) + 1))
    order = work_order(query, len(benchmark.queries))
    for rows in row_blocks(order[np.diff(start)[order] > 0]):
        counts = np.diff(start)[rows]
        pairs = np.concatenate([np.arange(start[row], start[row + 1]) for row in rows])
        row = np.repeat(np.arange(len(rows)), counts)
        round_ = np.concatenate([np.arange(count) for count in counts])
        own, every = counter.count(rows, row, round_, column_of[passage[pairs]])
        in_language[pairs], in_all[pairs] = own + 1, every + 1
    return Ranks(query, passage, benchmark.gains[relevant], in_language, in_all)


@dataclass(frozen=True)
class _Counter:
    """Counts, for (query, passage) pairs, the passages that outrank the passage."""

    queries: FloatArray
    passages: FloatArray
    language_bounds: IntArray
    tie_place: IntArray
    columns: int

    def count(
        self, rows: IntArray, row: IntArray, round_: IntArray, column: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Return how many passages outrank each pair's, in its language and in all.

        Args:
            rows: query rows of this block, those with most pairs first.
            row: ``(n,)`` position in ``rows`` of each pair.
            round_: ``(n,)`` number of the pair within its row: no row stands twice in a round.
            column: ``(n,)`` passage of each pair, in order of language.
        """
        vectors = np.ascontiguousarray(self.queries[rows])
        blocks = column_blocks(len(self.passages), self.columns)
        threshold = np.empty(len(row), np.float32)
        scores = torch.empty(0)
        for block in blocks:
            inside = np.flatnonzero((column >= block.start) & (column < block.stop))
            if len(inside) or len(blocks) == 1:
                scores = score(vectors, self.passages[block])
                threshold[inside] = scores[row[inside], column[inside] - block.start].numpy()
        own, every = np.zeros(len(row), np.int64), np.zeros(len(row), np.int64)
        language = np.searchsorted(self.language_bounds, column, side="right") - 1
        everything = np.arange(len(row))
        for block in blocks:
            if len(blocks) > 1:
                scores = score(vectors, self.passages[block])
            every += self._above(scores, block.start, everything, row, round_, column, threshold)
            for code in np.unique(language):
                low = max(int(self.language_bounds[code]), block.start)
                high = min(int(self.language_bounds[code + 1]), block.stop)
                if low < high:
                    part = scores[:, low - block.start : high - block.start]
                    chosen = np.flatnonzero(language == code)
                    # number the pairs of a row anew: they were numbered over all languages
                    firsts = np.searchsorted(row[chosen], row[chosen])
                    turn = np.arange(len(chosen)) - firsts
                    own[chosen] += self._above(
                        part, low, chosen, row[chosen], turn, column[chosen], threshold[chosen]
                    )
        return own, every

    def _above(
        self,
        scores: torch.Tensor,
        offset: int,
        pairs: IntArray,
        row: IntArray,
        round_: IntArray,
        column: IntArray,
        threshold: FloatArray,
    ) -> IntArray:
        """Count, for each pair, the columns of its row that score higher or tie with a greater id."""
        above, reached = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.int64)
        hits = torch.empty(COUNT_ROWS, scores.shape[1])
        limits = torch.from_numpy(threshold)[:, None]
        by_turn = np.lexsort((row, round_, row // COUNT_ROWS))
        turn = (row // COUNT_ROWS) * (int(round_.max(initial=0)) + 1) + round_
        for group in np.split(by_turn, np.flatnonzero(np.diff(turn[by_turn])) + 1):
            lines = row[group]
            first, last = int(lines[0]), int(lines[-1]) + 1
            part = scores[first:last] if last - first == len(lines) else scores[lines]
            limit, hit = limits[group], hits[: len(lines)]
            # a comparison written as float32 and summed is the fastest count that torch has
            above[group] = torch.gt(part, limit, out=hit).sum(1).long().numpy()
            reached[group] = torch.ge(part, limit, out=hit).sum(1).long().numpy()
        inside = (column >= offset) & (column < offset + scores.shape[1])
        for k in np.flatnonzero(reached - above > inside):
            tied = np.flatnonzero((scores[row[k]] == float(threshold[k])).numpy()) + offset
            above[k] += int((self.tie_place[tied] < self.tie_place[column[k]]).sum())
        return above
