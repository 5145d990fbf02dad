"""BM25, the baseline without a neural network, measured in the same settings and written to the same file.

Each pool is an index of its own, as it would be in use: how rare a word is and how long passages are is
counted in the pool that is searched.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from itertools import pairwise

import numpy as np

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.data.suite import Suite
from panglot.errors import PanglotError
from panglot.evaluation import DEFAULT_MEASURES, Evaluation, Ranks
from panglot.evaluation.measures import parse_measure
from panglot.evaluation.ranks import relevant_judgements, without_left_out
from panglot.evaluation.results import describe_other
from panglot.evaluation.run import assembled, evaluate_ranks, parts_of
from panglot.evaluation.scores import language_order, tie_order
from panglot.search.bm25 import BM25, K1, TOKENS, B, Bm25Pool, bm25_tokens


def bm25_ranks(
    benchmark: Benchmark, *, k1: float = K1, b: float = B, progress: Callable[[int], None] | None = None
) -> Ranks:
    """Rank every relevant passage of a benchmark, in the pool of its language and in that of all.

    Every passage of a pool is scored, so pools should have at most some millions of passages. Ties go by
    passage id, descending, as in trec_eval; all passages that share no token with a query tie at 0.

    Args:
        k1: how slowly a word's repetitions lose weight.
        b: how much long passages are held back, from 0 to 1.
        progress: called with the number of texts just tokenised, then of queries just ranked in a pool.
    """
    if k1 < 0 or not 0 <= b <= 1:
        raise PanglotError(f"k1 is {k1} and b is {b}; use a k1 of 0 or more and a b from 0 to 1.")
    advance = progress or (lambda count: None)
    query, passage, gain = relevant_judgements(benchmark)
    texts = _tokens(benchmark.passages.titled(), benchmark.passages.languages, benchmark)
    advance(len(texts))
    rows = np.unique(query)
    asked = _tokens(
        [benchmark.queries.texts[row] for row in rows], benchmark.queries.languages[rows], benchmark
    )
    wanted = dict(zip(rows.tolist(), asked, strict=True))
    advance(len(benchmark.queries))
    place = tie_order(benchmark.passages.ids)
    by_language, bounds = language_order(benchmark)
    in_language = np.zeros(len(query), np.int64)
    in_all = np.zeros(len(query), np.int64)
    pools = [by_language[start:end] for start, end in pairwise(bounds)]
    every = [(np.arange(len(texts)), in_all)] if len(pools) > 1 else []
    for rows, ranks in [*((rows, in_language) for rows in pools), *every]:
        column = np.full(len(texts), -1)
        column[rows] = np.arange(len(rows))
        chosen = np.flatnonzero(column[passage] >= 0)
        if len(chosen):
            pool = Bm25Pool([texts[row] for row in rows], k1, b)
            for judged in np.split(chosen, np.flatnonzero(np.diff(query[chosen])) + 1):  # of one query each
                scores = pool.scores(wanted[int(query[judged[0]])])
                ranks[judged] = _ranks(scores, place[rows], column[passage[judged]])
                advance(1)
    return Ranks(query, passage, gain, in_language, in_all if every else in_language)


def bm25_evaluation(
    chosen: Benchmark | Suite,
    *,
    measures: Sequence[str] = DEFAULT_MEASURES,
    k1: float = K1,
    b: float = B,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Measure BM25 monolingually, cross-lingually and in one multilingual pool; see ``evaluation.evaluate``.

    Passages judged below 0 are left out of their query's pool; see ``without_left_out``.

    Raises:
        PanglotError: an unknown measure, or parameters out of bounds.
    """
    for measure in measures:
        parse_measure(measure)
    ranks_of = partial(bm25_ranks, k1=k1, b=b, progress=progress)
    ranks = [without_left_out(part, ranks_of) for part in parts_of(chosen)]
    how = {"method": "lucene", "k1": k1, "b": b, "tokens": TOKENS, "bm25s": version("bm25s")}
    model = describe_other(BM25, {"query": "", "passage": ""}, bm25=how)
    return assembled(chosen, evaluate_ranks(chosen, ranks, measures), model)


def bm25_work(chosen: Benchmark | Suite) -> int:
    """Return what the progress of ``bm25_evaluation`` adds up to."""
    work = 0
    for part in parts_of(chosen):
        relevant = part.gains != 0
        query, passage = part.judged_query[relevant], part.judged_passage[relevant]
        cells = np.unique(query * len(part.languages) + part.passages.languages[passage])
        every = np.unique(query) if len(part.languages) > 1 else ()
        work += len(part.passages) + len(part.queries) + len(cells) + len(every)
    return work


def _tokens(texts: Sequence[str], languages: IntArray, benchmark: Benchmark) -> list[list[str]]:
    codes = benchmark.languages
    return [bm25_tokens(text, codes[at]) for text, at in zip(texts, languages.tolist(), strict=True)]


def _ranks(scores: FloatArray, place: IntArray, columns: IntArray) -> IntArray:
    """Count what scores higher than each of some columns, or ties with it and is before it."""
    above = [
        int((scores > scores[at]).sum() + ((scores == scores[at]) & (place < place[at])).sum())
        for at in columns
    ]
    return np.array(above, np.int64) + 1
