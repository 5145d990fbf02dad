"""What balancing costs and buys: the measures and bias figures of a benchmark, with and without it."""

from collections.abc import Sequence

import numpy as np

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.errors import PanglotError
from panglot.evaluation import Ranks, per_query, summarise
from panglot.evaluation.bias.readings import TOP
from panglot.evaluation.bias.shares import relevant_shares, top_shares, total_variation
from panglot.search.balanced import KINDS, SAMPLE, chance_scores
from panglot.search.engines.engine import draw

MEASURES = ("AP", "nDCG@10", "R@10")
SCORES = 1 << 28  # scores held at a time: 1 GiB


def evaluate_balanced(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: FloatArray,
    measures: Sequence[str] = MEASURES,
    kinds: Sequence[str | None] = (None, *KINDS),
) -> dict[str, dict[str, float | None]]:
    """Measure every kind of balancing in the pool of all languages.

    Whole lists are ordered, so that queries times passages should be some hundred million at most.

    Args:
        benchmark: with Q queries and P passages in two or more languages.
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors.
        measures: such as ``nDCG@10``.
        kinds: of balancing; None for none.

    Returns:
        by kind (``none``, ``scores``, ``turns``): the multilingual measures, ``rank_distance``, and
        ``share_distance@k``: how far the languages' shares of the first k places are from their shares of
        the relevant passages. All are means over query languages.
    """
    if len(benchmark.languages) < 2 or len(queries) * len(passages) > SCORES:
        raise PanglotError(
            f"{benchmark.name}: balancing is measured on two or more languages, and on at most {SCORES:,} "
            "pairs of a query and a passage; choose another benchmark, or some of its languages."
        )
    relevant = np.flatnonzero(benchmark.gains > 0)
    query, passage = benchmark.judged_query[relevant], benchmark.judged_passage[relevant]
    rows = np.unique(query)
    sampled = _sampled(benchmark)
    found: dict[str, dict[str, float | None]] = {}
    for kind in kinds:
        in_all = np.empty(len(query), np.int64)
        top = np.empty((len(rows), min(TOP, len(passages))), np.int64)
        for place, row in enumerate(rows):
            order = _order(queries[row] @ passages.T, benchmark, kind, sampled)
            rank = np.empty(len(order), np.int64)
            rank[order] = np.arange(1, len(order) + 1)
            judged = query == row
            in_all[judged] = rank[passage[judged]]
            top[place] = benchmark.passages.languages[order[: top.shape[1]]]
        ranks = Ranks(query, passage, benchmark.gains[relevant], in_all, in_all)
        figures = summarise(benchmark, per_query(benchmark, ranks, measures), measures)
        found[kind or "none"] = {
            **figures["settings"]["multilingual"],
            "rank_distance": figures["bias"]["rank_distance"],
            f"share_distance@{TOP}": _share_distance(benchmark, query, passage, rows, top),
        }
    return found


def _sampled(benchmark: Benchmark) -> IntArray:
    """Return the rows of the passages that stand for chance, as an index would draw them."""
    number = np.array([draw(name) for name in benchmark.passages.ids])
    languages = benchmark.passages.languages
    of_each = [np.flatnonzero(languages == k) for k in range(len(benchmark.languages))]
    return np.concatenate([rows[np.argsort(number[rows], kind="stable")[:SAMPLE]] for rows in of_each])


def _order(scores: FloatArray, benchmark: Benchmark, kind: str | None, sampled: IntArray) -> IntArray:
    """Return the passages of one query, best first."""
    languages, codes = benchmark.passages.languages, benchmark.languages
    if kind is None:
        return np.argsort(-scores, kind="stable")
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


def _share_distance(
    benchmark: Benchmark, query: IntArray, passage: IntArray, rows: IntArray, top: IntArray
) -> float:
    """As ``share_distance`` of the bias figures."""
    count = len(benchmark.languages)
    shares = top_shares(top, TOP, count)
    of_query = np.searchsorted(rows, query)
    fair = relevant_shares(of_query, benchmark.passages.languages[passage], len(rows), count)
    language = benchmark.queries.languages[rows]
    return float(
        np.mean(
            [
                total_variation(shares[language == k].mean(0), fair[language == k].mean(0))
                for k in np.unique(language)
            ]
        )
    )
