"""Questions to an index: dense, hybrid, filtered, balanced."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from typing_extensions import TypedDict, Unpack

from panglot.data import FloatArray
from panglot.errors import PanglotError
from panglot.languages import chosen_languages, primary_language
from panglot.search.balanced import (
    SAMPLE,
    Chance,
    Id,
    calibrated,
    chance_scores,
    check_balance,
    in_turns,
)
from panglot.search.documents import Passage
from panglot.search.documents.document import is_text
from panglot.search.engines import Engine, Filter, Found

DEPTH = 100  # passages of each list that is fused
MOST = 1000  # results
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
    where: Mapping[str, str] | None
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
    languages, where = options.get("languages") or (), dict(options.get("where") or {})
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
    if balanced is not None:
        lists = _balanced(engine, members, questions, vectors, k, chosen, balanced, hybrid, chances)
    else:
        depth = max(k, DEPTH) if hybrid else k
        lists = engine.dense(vectors, depth, chosen)
        if hybrid:
            words = engine.lexical(questions, depth, chosen)
            lists = [fused(*pair) for pair in zip(lists, words, strict=True)]
    lists = [ranked[:k] for ranked in lists]
    if not marking:
        return [[_result(one, False) for one in ranked] for ranked in lists]
    of_id = None  # scores are cosines
    if hybrid or balanced == "scores":
        of_id = engine.vectors(sorted({one.passage.id for ranked in lists for one in ranked}))
    weak = weak_matches(vectors, lists, chances, searched, of_id)
    return [
        [_result(one, one.passage.id in of) for one in ranked] for ranked, of in zip(lists, weak, strict=True)
    ]


def weak_matches(
    vectors: FloatArray,
    lists: Sequence[Sequence[Found]],
    chances: Sequence[Chance],
    searched: int,
    of_id: Mapping[str, FloatArray] | None,
) -> list[set[str]]:
    """Return the ids of each list's weak matches: passages as near to the question as chance would have them.

    The best of n draws from a normal distribution lies about sqrt(2 ln n) standard deviations above its mean.
    Mean and deviation are those of the question's cosines with 200 passages of a language taken at random.

    Args:
        vectors: ``(n, d)`` of the questions.
        searched: passages that were searched; in fewer than fifty a few of one kind would pass for chance.
        of_id: vectors of what was found; None: the scores are the cosines.
    """
    bound = math.sqrt(2 * math.log(searched))
    weak = []
    for vector, ranked, chance in zip(vectors, lists, chances, strict=True):
        low = {code: chance.mean[code] + bound * chance.spread[code] for code in chance.mean}
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
    scores = vectors @ np.concatenate([sampled[code] for code in codes]).T if codes else vectors[:, :0]
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
    passages: dict[str, Passage] = {}
    for ranked in lists:
        for found in ranked:
            passages.setdefault(found.passage.id, found.passage)
    ids = [[found.passage.id for found in ranked] for ranked in lists]
    return [Found(passages[name], score) for name, score in reciprocal_ranks(ids)]


def snippet(text: str, width: int = SNIPPET) -> str:
    """Return the beginning of a text on one line, cut at a space where there is one near."""
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    head = line[: width - 1]
    space = head.rfind(" ")
    return (head[:space] if space > width // 2 else head).rstrip() + "…"


def _balanced(
    engine: Engine,
    members: Mapping[str, Sequence[str]],
    questions: Sequence[str],
    vectors: FloatArray,
    k: int,
    chosen: Filter,
    kind: str,
    hybrid: bool,
    chances: Sequence[Chance],
) -> list[list[Found]]:
    depth = max(k, DEPTH) if hybrid else k
    own = {name: Filter(tuple(codes), chosen.where) for name, codes in members.items()}
    dense = {code: engine.dense(vectors, depth, only) for code, only in own.items()}
    if kind == "turns":
        if hybrid:
            for code, only in own.items():
                words = engine.lexical(questions, depth, only)
                dense[code] = [fused(*pair) for pair in zip(dense[code], words, strict=True)]
        return [
            _merged({code: lists[n] for code, lists in dense.items()}, None) for n in range(len(questions))
        ]
    merged = [
        _merged({code: dense[code][n] for code in chance.mean}, chance) for n, chance in enumerate(chances)
    ]
    if not hybrid:
        return merged
    words = engine.lexical(questions, depth, chosen)
    return [fused(ranked[:depth], of_words) for ranked, of_words in zip(merged, words, strict=True)]


def _merged(lists: Mapping[str, Sequence[Found]], chance: Chance | None) -> list[Found]:
    passages = {found.passage.id: found.passage for ranked in lists.values() for found in ranked}
    plain = {
        code: [(found.passage.id, found.score) for found in ranked]
        for code, ranked in lists.items()
        if ranked
    }
    ranked = in_turns(plain) if chance is None else calibrated(plain, chance)
    return [Found(passages[name], score) for name, score in ranked]


def _result(found: Found, weak: bool) -> Result:
    passage = found.passage
    return Result(
        passage.id,
        passage.document,
        float(found.score),
        passage.language,
        passage.title,
        passage.text,
        passage.source,
        passage.metadata,
        weak,
    )
