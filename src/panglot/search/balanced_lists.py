"""What balancing costs and buys: the lists of a benchmark, balanced as an index would balance them."""

from dataclasses import replace

import numpy as np

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.errors import PanglotError
from panglot.evaluation import Ranks
from panglot.evaluation.scores import Vectors
from panglot.evaluation.top import Top
from panglot.search.balanced import SAMPLE, chance_scores, check_balance
from panglot.search.engines.engine import draw

SCORES = 1 << 28  # pairs of a query and a passage, at most: about a minute


def balanced_lists(
    benchmark: Benchmark, queries: FloatArray, passages: Vectors, ranks: Ranks, top: Top, *, kind: str
) -> tuple[Ranks, Top]:
    """Order the pool of all languages anew for every query; lists of one language stay as they are.

    For ``evaluate_embeddings``: ``rerank=partial(balanced_lists, kind="scores")``. Whole lists are ordered.

    Raises:
        PanglotError: an unknown kind, one language alone, too many passages, or queries that leave passages
            out of their pool.
    """
    check_balance(kind)
    if len(benchmark.languages) < 2 or len(queries) * len(passages) > SCORES or (benchmark.gains < 0).any():
        raise PanglotError(
            f"{benchmark.name}: balancing is measured on two or more languages, on at most {SCORES:,} pairs "
            "of a query and a passage, and where no query leaves passages out; choose another benchmark, or "
            "some of its languages."
        )
    pool = np.asarray(passages[:])
    sampled = _sampled(benchmark)
    in_all, listed = ranks.in_all.copy(), top.passage.copy()
    for place, row in enumerate(top.query.tolist()):
        order = _order(queries[row] @ pool.T, benchmark, kind, sampled)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(1, len(order) + 1)
        judged = slice(*np.searchsorted(ranks.query, [row, row + 1]))
        in_all[judged] = rank[ranks.passage[judged]]
        listed[place] = order[: listed.shape[1]]
    return replace(ranks, in_all=in_all), replace(top, passage=listed)


def _sampled(benchmark: Benchmark) -> IntArray:
    """Return the rows of the passages that say what chance is, as an index would draw them."""
    number = np.array([draw(name) for name in benchmark.passages.ids])
    languages = benchmark.passages.languages
    of_each = [np.flatnonzero(languages == k) for k in range(len(benchmark.languages))]
    return np.concatenate([rows[np.argsort(number[rows], kind="stable")[:SAMPLE]] for rows in of_each])


def _order(scores: FloatArray, benchmark: Benchmark, kind: str, sampled: IntArray) -> IntArray:
    """Return the passages of one query, best first."""
    languages, codes = benchmark.passages.languages, benchmark.languages
    if kind == "scores":
        chance = chance_scores(scores[sampled], languages[sampled], codes)
        mean = np.array([chance.mean[code] for code in codes])[languages]
        spread = np.array([chance.spread[code] for code in codes])[languages]
        return np.argsort(-(scores - mean) / spread, kind="stable")
    by_language = np.lexsort((-scores, languages))
    turn = np.empty(len(scores), np.int64)
    starts = np.searchsorted(languages[by_language], np.arange(len(codes)))
    turn[by_language] = np.arange(len(scores)) - starts[languages[by_language]]
    return np.lexsort((-scores, turn))
