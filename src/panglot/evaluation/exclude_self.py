"""Ranks in pools from which a query's own text is left out."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from panglot.data import Benchmark, FloatArray
from panglot.evaluation.ranks import Ranks, exact_ranks
from panglot.evaluation.scores import Vectors


def ranks_without_left_out(benchmark: Benchmark, queries: FloatArray, passages: Vectors) -> Ranks:
    """Rank every relevant passage by unit vectors, as ``without_left_out`` does.

    Args:
        benchmark: with Q queries and P passages.
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors, or a store of these.
    """
    return without_left_out(benchmark, partial(exact_ranks, queries=queries, passages=passages))


def without_left_out(benchmark: Benchmark, ranks_of: Callable[[Benchmark], Ranks]) -> Ranks:
    """Rank every relevant passage as if the passages judged below 0 for its query were not in the pool.

    A query that is in the pool itself (parallel utterances, captions) would find itself first. So a gain
    below 0 takes a passage out of that query's pool. Its rank is found along with those of the relevant
    ones, which move up by one for each passage left out above them.

    Args:
        benchmark: what to rank.
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


def _moved_up(list_of: np.ndarray, rank: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Take from each rank the number of passages left out above it in its list."""
    order = np.lexsort((rank, list_of))
    lists, counted = list_of[order], np.cumsum(out[order])
    starts = np.flatnonzero(np.diff(lists, prepend=-1))
    before = np.concatenate([[0], counted])[starts]
    above = counted - np.repeat(before, np.diff(starts, append=len(lists)))
    moved = np.empty_like(rank)
    moved[order] = rank[order] - above
    return moved
