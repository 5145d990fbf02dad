"""Questions to an index: dense, hybrid, filtered, balanced, reranked."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from typing_extensions import TypedDict, Unpack

from panglot import encoders
from panglot.data import FloatArray
from panglot.errors import PanglotError
from panglot.languages import chosen_languages, primary_language
from panglot.search.balanced import SAMPLE, Chance, calibrated, chance_scores, check_balance, in_turns
from panglot.search.documents.document import is_text
from panglot.search.engines import Engine, Filter, Found

Id = TypeVar("Id", bound=Hashable)
DEPTH = 100  # passages of each list that is fused
MOST = 1000  # results
RERANKED = 50  # passages that a reranker reads for a question
SMOOTHING = 60  # of reciprocal ranks, as in the paper
SNIPPET = 200  # characters
ENOUGH = 50  # passages, of which some can be said to be near by chance
# of each engine: its state, and random passages of languages as they then were
_SAMPLES: WeakKeyDictionary[Engine, tuple[Hashable, dict[tuple[str, ...], FloatArray]]] = WeakKeyDictionary()


class Options(TypedDict, total=False):
    """What a search may be asked for.

    Attributes:
        languages: only passages in these; ``de`` includes ``de-AT``. None or empty: all.
        where: only passages with these values in their metadata, by name.
        balanced: ``scores`` (calibrated by language) or ``turns`` (languages take turns); None: neither.
            Regions and scripts of a language count as one.
        hybrid: fuse with BM25 by reciprocal rank.
    """

    languages: Sequence[str] | None
    where: Mapping[str, str | float] | None
    balanced: str | None
    hybrid: bool


@dataclass(frozen=True)
class Result:
    """One passage that was found.

    Attributes:
        id: of the passage.
        document: that it is from.
        score: cosine similarity; above chance in standard deviations for results balanced by scores; the
            sum of reciprocal ranks for hybrid ones; a reranker's for reranked ones.
        language: of the passage.
        title: of the document.
        text: the passage.
        source: the file that it came from.
        metadata: of the document.
        weak: no nearer to the question than the best of as many random passages; see ``weak_matches``.
    """

    id: str
    document: str
    score: float
    language: str
    title: str
    text: str
    source: str
    metadata: dict[str, Any]
    weak: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return everything, and a snippet."""
        return {**asdict(self), "snippet": snippet(self.text)}


def check_count(k: int) -> None:
    """Raise a ``PanglotError`` where so many results cannot be given."""
    if not 1 <= k <= MOST:
        raise PanglotError(f"{k} results cannot be given; ask for 1 to {MOST}.")


def look_up(
    engine: Engine,
    codes: Sequence[str],
    place: str,
    questions: Sequence[str],
    vectors: FloatArray,
    k: int = 10,
    **options: Unpack[Options],
) -> list[list[Result]]:
    """Find passages for n questions with vectors ``(n, d)``; see ``Index.search``."""
    balanced, hybrid = options.get("balanced"), options.get("hybrid", False)
    languages = options.get("languages") or ()
    where = {name: _spelled(name, value) for name, value in (options.get("where") or {}).items()}
    check_balance(balanced)
    check_count(k)
    found = chosen_languages(languages, codes, place)
    for text in (text for condition in where.items() for text in condition):
        if not is_text(text):
            raise PanglotError("a filter holds half a character (a lone surrogate); write it otherwise.")
    chosen = Filter(tuple(found) if languages else None, where)
    if not len(questions):
        return []
    members: dict[str, list[str]] = {}  # German has one turn, in however many countries
    for code in found or codes:
        members.setdefault(primary_language(code), []).append(code)
    if len(found or codes) < 2:
        balanced = None
    total, state = engine.state()
    searched = total if chosen == Filter() else engine.count(chosen)
    marking = searched >= ENOUGH
    chances = _chances(engine, state, members, vectors) if marking or balanced == "scores" else []
    asked = _Asked(engine, questions, vectors, max(k, DEPTH) if hybrid else k)
    parts = {code: Filter(tuple(own), where) for code, own in members.items()}
    if balanced == "turns":
        lists = asked.in_turns(parts, hybrid)
    else:
        lists = asked.calibrated(parts, chances) if balanced == "scores" else asked.dense(chosen)
        lists = asked.with_words(lists, chosen) if hybrid else lists
    lists = [ranked[:k] for ranked in lists]
    weak: list[set[str]] = [set() for _ in lists]
    if marking:
        of_id = None  # scores are cosines
        if hybrid or balanced == "scores":
            of_id = engine.vectors(sorted({one.passage.id for ranked in lists for one in ranked}))
        weak = weak_matches(vectors, lists, chances, searched, of_id)
    return [
        [Result(**vars(passage), score=float(score), weak=passage.id in of) for passage, score in ranked]
        for ranked, of in zip(lists, weak, strict=True)
    ]


@dataclass(frozen=True)
class _Asked:
    """Questions to an engine: n texts, their vectors ``(n, d)``, and how many passages a list has at most."""

    engine: Engine
    questions: Sequence[str]
    vectors: FloatArray
    depth: int

    def dense(self, part: Filter) -> list[list[Found]]:
        return self.engine.dense(self.vectors, self.depth, part)

    def with_words(self, lists: Sequence[Sequence[Found]], part: Filter) -> list[list[Found]]:
        words = self.engine.lexical(self.questions, self.depth, part)
        return [fused(ranked[: self.depth], found) for ranked, found in zip(lists, words, strict=True)]

    def in_turns(self, parts: Mapping[str, Filter], hybrid: bool) -> list[list[Found]]:
        of_code = {code: self.dense(part) for code, part in parts.items()}
        if hybrid:
            of_code = {code: self.with_words(lists, parts[code]) for code, lists in of_code.items()}
        merged = [in_turns({code: of_code[code][n] for code in parts}) for n in range(len(self.questions))]
        return [[Found(*pair) for pair in ranked] for ranked in merged]

    def calibrated(self, parts: Mapping[str, Filter], chances: Sequence[Chance]) -> list[list[Found]]:
        of_code = {code: self.dense(part) for code, part in parts.items()}
        merged = [
            calibrated({code: of_code[code][n] for code in chance.mean}, chance)
            for n, chance in enumerate(chances)
        ]
        return [[Found(*pair) for pair in ranked] for ranked in merged]


def weak_matches(
    vectors: FloatArray,
    lists: Sequence[Sequence[Found]],
    chances: Sequence[Chance],
    searched: int,
    of_id: Mapping[str, FloatArray] | None,
) -> list[set[str]]:
    """Return the ids of each list's weak matches: passages as near to the question as chance would have them.

    The best of n draws from a normal distribution lies about sqrt(2 ln n) standard deviations above its mean.
    Mean and deviation are those of the question's cosines with 200 passages of a language taken at random. In
    a language of fewer than fifty no match is weak: the answers are a large part of what is random.

    Args:
        vectors: ``(n, d)`` of the questions.
        searched: passages that were searched; in fewer than fifty a few of one kind would pass for chance.
        of_id: vectors of what was found; None: the scores are the cosines.
    """
    bound = math.sqrt(2 * math.log(searched))
    weak = []
    for vector, ranked, chance in zip(vectors, lists, chances, strict=True):
        many = [code for code, size in chance.size.items() if size >= ENOUGH]
        low = {code: chance.mean[code] + bound * chance.spread[code] for code in many}
        near = [
            (one.passage, one.score if of_id is None else float(vector @ of_id[one.passage.id]))
            for one in ranked
            if of_id is None or one.passage.id in of_id
        ]
        weak.append({p.id for p, cosine in near if cosine < low.get(primary_language(p.language), -1)})
    return weak


def _chances(
    engine: Engine, state: Hashable, members: Mapping[str, Sequence[str]], vectors: FloatArray
) -> list[Chance]:
    """Describe each question's scores with random passages of each language that has some.

    The samples are kept as long as the engine's state is the same: drawing them takes longer than a search.
    """
    before, kept = _SAMPLES.get(engine, (None, {}))
    if before != state:
        kept = {}
        _SAMPLES[engine] = state, kept
    for own in map(tuple, members.values()):
        if own not in kept:
            kept[own] = engine.sample(Filter(own), SAMPLE)
    sampled = {code: kept[tuple(own)] for code, own in members.items()}
    codes = tuple(code for code in members if len(sampled[code]))
    language = np.repeat(np.arange(len(codes)), [len(sampled[code]) for code in codes])
    scores = np.hstack([vectors[:, :0], *(vectors @ sampled[code].T for code in codes)])
    return [chance_scores(of_question, language, codes) for of_question in scores]


def reciprocal_ranks(lists: Sequence[Sequence[Id]]) -> list[tuple[Id, float]]:
    """Fuse ranked lists; return each id with its score, best first.

    An id scores the sum, over the lists that it is in, of 1 / (60 + rank), ranks from 1 (Cormack,
    Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods"). Only ranks count, so that scores of different kinds can be fused. Ties keep the order in
    which ids first are in the lists.

    Args:
        lists: of ids, best first; in each, an id occurs once.
    """
    scores: dict[Id, float] = {}
    for ranked in lists:
        for rank, name in enumerate(ranked, 1):
            scores[name] = scores.get(name, 0.0) + 1 / (SMOOTHING + rank)
    return sorted(scores.items(), key=lambda pair: -pair[1])


def fused(*lists: Sequence[Found]) -> list[Found]:
    """Fuse lists of one question by reciprocal rank."""
    passages = {found.passage.id: found.passage for ranked in reversed(lists) for found in ranked}
    ids = [[found.passage.id for found in ranked] for ranked in lists]
    return [Found(passages[name], score) for name, score in reciprocal_ranks(ids)]


def depth_before(reranker: encoders.Reranker | None, k: int, rerank_depth: int) -> int:
    """Return how many results are looked up, so that a reranker (None: nobody) may choose k of them."""
    if rerank_depth < 1:
        raise PanglotError(f"the rerank depth is {rerank_depth}; use 1 or more.")
    return k if reranker is None else min(max(k, rerank_depth), MOST)


def reranked(
    reranker: encoders.Reranker | None, questions: Sequence[str], lists: list[list[Result]], k: int
) -> list[list[Result]]:
    """Order each question's results by a reranker's scores, which take the place of their own; keep k."""
    if reranker is None:
        return lists
    asked = [question for question, found in zip(questions, lists, strict=True) for _ in found]
    read = [f"{r.title} {r.text}" if r.title else r.text for found in lists for r in found]
    scores = iter(reranker.score(asked, read).tolist())
    scored = [[replace(result, score=next(scores)) for result in found] for found in lists]
    return [sorted(found, key=lambda result: -result.score)[:k] for found in scored]


def snippet(text: str, width: int = SNIPPET) -> str:
    """Return the beginning of a text on one line, cut at a space where there is one near."""
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    head = line[: width - 1]
    space = head.rfind(" ")
    return (head[:space] if space > width // 2 else head).rstrip() + "…"


def _spelled(name: str, value: object) -> str:
    """Return a filter's value as the text that spells it: 1991 as ``1991``, True as ``true``."""
    if not isinstance(value, str | int | float):
        raise PanglotError(f"where: the value of '{name}' is {value!r}; use a text, a number, true or false.")
    return value if isinstance(value, str) else json.dumps(value)
