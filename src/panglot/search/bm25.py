"""BM25, the baseline without a neural network, measured in the same settings and written to the same file.

Robertson and Zaragoza 2009 in Lucene's variant, by the library ``bm25s`` (Lù 2024, arXiv 2407.03618). Each
pool is an index of its own, as it would be in use: how rare a word is and how long passages are is counted
in the pool that is searched.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
import regex

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.errors import PanglotError
from panglot.evaluation import (
    DEFAULT_MEASURES,
    Evaluation,
    Ranks,
    describe_run,
    intervals,
    per_query,
    summarise,
)
from panglot.evaluation.exclude_self import without_left_out
from panglot.evaluation.groups import group_figures
from panglot.evaluation.measures import parse_measure
from panglot.evaluation.results import describe_benchmark
from panglot.evaluation.scores import language_order, tie_order
from panglot.languages import matching

BM25 = "bm25"
K1, B = 0.9, 0.4  # Anserini's, which published figures on BEIR and MIRACL use
TOKENS = "words (letters, marks, digits; NFKC_Casefold), and character bigrams of scripts without spaces"
# Lucene's CJKAnalyzer makes bigrams of the first four. The others put no spaces between words either.
BIGRAM_SCRIPTS = ("Han", "Hiragana", "Katakana", "Hangul", "Thai", "Lao", "Khmer", "Myanmar")
_BIGRAM = "".join(rf"\p{{{name}}}" for name in BIGRAM_SCRIPTS)
WORD = regex.compile(
    rf"(?P<dense>[{_BIGRAM}&&[\p{{L}}\p{{M}}]][[{_BIGRAM}&&[\p{{L}}]]\p{{M}}ー々]*)"
    rf"|[[\p{{L}}\p{{M}}\p{{N}}]--[{_BIGRAM}&&\p{{L}}]]+",
    regex.V1,
)
CHARACTER = regex.compile(r"\X")
# What is not to be seen: soft hyphens, joiners. A zero-width space divides words where no other spaces do.
INVISIBLE = regex.compile(
    rf"[\p{{Default_Ignorable_Code_Point}}--\u200b]|(?<![{_BIGRAM}])\u200b(?![{_BIGRAM}])", regex.V1
)
# In SpecialCasing.txt (tr, az), and in the other alphabets with both letters, I is the capital of ı, İ of i.
DOTLESS = ("tr", "az", "azj", "crh", "gag", "kk-Latn", "tt-Latn")
CAPITALS = str.maketrans({"I": "ı", "İ": "i"})


def bm25_tokens(text: str, language: str = "") -> list[str]:
    """Cut a text into what BM25 counts, by the script of its characters.

    Words are runs of letters, marks and digits, folded as Unicode's NFKC_Casefold does: compatibility forms,
    case and what is invisible make no difference. Nothing is stemmed and no stop words are taken out, so that
    all languages are treated alike. A run of characters of a script without spaces between words gives its
    overlapping bigrams (a run of one: itself).

    Args:
        text: any.
        language: matters to one letter. In Turkish and Azerbaijani the small letter of I is ı; but texts have
            names such as Intel, so that a word with a capital I is counted in both forms.
    """
    text = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    tokens = _folded_tokens(text)
    if "I" in text and matching(DOTLESS, [language]):
        tokens += (Counter(_folded_tokens(text.translate(CAPITALS))) - Counter(tokens)).elements()
    return tokens


def query_tokens(text: str) -> list[str]:
    """Cut a question whose language is not known: it may be Turkish."""
    return bm25_tokens(text, DOTLESS[0])


def _folded_tokens(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text.casefold()).replace("i\u0307", "i")
    tokens: list[str] = []
    for match in WORD.finditer(folded):
        if match["dense"] is None:
            tokens.append(match[0])
            continue
        characters = CHARACTER.findall(match[0])
        pairs = [a + b for a, b in pairwise(characters)]
        tokens += pairs or characters
    return tokens


class Bm25Pool:
    """The passages of one pool, indexed."""

    def __init__(self, passages: Sequence[list[str]], k1: float = K1, b: float = B) -> None:
        import bm25s

        self.size = len(passages)
        self._number: dict[str, int] = {}
        ids = [[self._number.setdefault(t, len(self._number)) for t in tokens] for tokens in passages]
        self._index: Any = None
        if self._number:
            self._index = bm25s.BM25(method="lucene", k1=k1, b=b)
            self._index.index((ids, self._number), show_progress=False, create_empty_token=False)

    def scores(self, query: Sequence[str]) -> FloatArray:
        """Return the score of every passage for a query's tokens, ``(P,)``; a repeated one counts again."""
        known = [self._number[token] for token in query if token in self._number]
        if not known:
            return np.zeros(self.size, np.float32)
        return np.asarray(self._index.get_scores_from_ids(known), np.float32)


def bm25_ranks(
    benchmark: Benchmark, *, k1: float = K1, b: float = B, progress: Callable[[int], None] | None = None
) -> Ranks:
    """Rank every relevant passage of a benchmark, in the pool of its language and in that of all.

    Every passage of a pool is scored, so pools should have at most some millions of passages. Ties go by
    passage id, descending, as in trec_eval; all passages that share no token with a query tie at 0.

    Args:
        benchmark: with Q queries and P passages.
        k1: how slowly a word's repetitions lose weight.
        b: how much long passages are held back, from 0 to 1.
        progress: called with the number of texts just tokenised, then of queries just ranked in a pool.
    """
    if k1 < 0 or not 0 <= b <= 1:
        raise PanglotError(f"k1 is {k1} and b is {b}; use a k1 of 0 or more and a b from 0 to 1.")
    tell = progress or (lambda count: None)
    relevant = np.flatnonzero(benchmark.gains > 0)
    relevant = relevant[np.argsort(benchmark.judged_query[relevant], kind="stable")]
    query, passage = benchmark.judged_query[relevant], benchmark.judged_passage[relevant]
    texts = _tokens(benchmark.passages.titled(), benchmark.passages.languages, benchmark)
    tell(len(texts))
    rows = np.unique(query)
    asked = _tokens(
        [benchmark.queries.texts[row] for row in rows], benchmark.queries.languages[rows], benchmark
    )
    wanted = dict(zip(rows.tolist(), asked, strict=True))
    tell(len(benchmark.queries))
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
            for judged in _by_query(query, chosen):
                scores = pool.scores(wanted[int(query[judged[0]])])
                ranks[judged] = _ranks(scores, place[rows], column[passage[judged]])
                tell(1)
    return Ranks(query, passage, benchmark.gains[relevant], in_language, in_all if every else in_language)


def bm25_evaluation(
    benchmark: Benchmark,
    *,
    measures: Sequence[str] = DEFAULT_MEASURES,
    k1: float = K1,
    b: float = B,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Measure BM25 monolingually, cross-lingually and in one multilingual pool; see ``evaluation.evaluate``.

    Args:
        benchmark: what to measure on.
        measures: ``AP``, ``nDCG@k``, ``R@k``, ``RR@k``, ``Success@k``.
        k1: see ``bm25_ranks``.
        b: see ``bm25_ranks``.
        progress: see ``bm25_ranks``; ``bm25_work`` says what it adds up to.

    Passages judged below 0 are left out of their query's pool; see ``evaluation.left_out``.

    Raises:
        PanglotError: an unknown measure, or parameters out of bounds.
    """
    for measure in measures:
        parse_measure(measure)
    ranks = without_left_out(benchmark, partial(bm25_ranks, k1=k1, b=b, progress=progress))
    table = per_query(benchmark, ranks, measures)
    results = {
        **describe_run(),
        "model": {
            "name": BM25,
            "sha256": None,
            "prompts": {"query": "", "passage": ""},
            "max_length": None,
            "training": None,
            "precision": "float32",
            "centring": None,
            "bm25": {"method": "lucene", "k1": k1, "b": b, "tokens": TOKENS, "bm25s": version("bm25s")},
        },
        "benchmark": describe_benchmark(benchmark),
        **summarise(benchmark, table, measures),
    }
    results["intervals"] = intervals(table, measures, passages=len(benchmark.passages))
    results["groups"] = group_figures(results, table)
    return Evaluation(results, table)


def bm25_work(benchmark: Benchmark) -> int:
    """Return what the progress of ``bm25_evaluation`` adds up to."""
    relevant = benchmark.gains != 0
    query, passage = benchmark.judged_query[relevant], benchmark.judged_passage[relevant]
    cells = len(np.unique(query * len(benchmark.languages) + benchmark.passages.languages[passage]))
    every = len(np.unique(query)) if len(benchmark.languages) > 1 else 0
    return len(benchmark.passages) + len(benchmark.queries) + cells + every


def _tokens(texts: Sequence[str], languages: IntArray, benchmark: Benchmark) -> list[list[str]]:
    codes = benchmark.languages
    return [bm25_tokens(text, codes[at]) for text, at in zip(texts, languages.tolist(), strict=True)]


def _by_query(query: IntArray, chosen: IntArray) -> Iterator[IntArray]:
    """Cut judgements, sorted by query, into those of one query each."""
    yield from np.split(chosen, np.flatnonzero(np.diff(query[chosen])) + 1)


def _ranks(scores: FloatArray, place: IntArray, columns: IntArray) -> IntArray:
    """Count what scores higher than each of some columns, or ties with it and is before it."""
    above = [
        int((scores > scores[at]).sum() + ((scores == scores[at]) & (place < place[at])).sum())
        for at in columns
    ]
    return np.array(above, np.int64) + 1
