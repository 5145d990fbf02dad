"""Questions to an index: dense, hybrid, filtered, balanced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from panglot import encoders
from panglot.data import FloatArray
from panglot.errors import PanglotError
from panglot.languages import chosen_languages, primary_language
from panglot.search.balanced import SAMPLE, calibrated, chance_scores, check_balance, in_turns
from panglot.search.documents import Passage, detect_languages
from panglot.search.documents.document import is_text
from panglot.search.engines import Filter, Found
from panglot.search.facts import check_same, facts_of
from panglot.search.fusion import reciprocal_ranks
from panglot.search.index import Index

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from panglot.encoders import LanguageMeans

DEPTH = 100  # passages of each list that is fused
MOST = 1000  # results
SNIPPET = 200  # characters


@dataclass(frozen=True)
class Result:
    """One passage that was found.

    Attributes:
        id: of the passage.
        document: that it is from.
        score: cosine similarity; above chance in standard deviations for results balanced by scores; the
            sum of reciprocal ranks for hybrid ones.
        language: of the passage.
        title: of the document.
        text: the passage.
        source: the file that it came from.
        metadata: of the document.
    """

    id: str
    document: str
    score: float
    language: str
    title: str
    text: str
    source: str
    metadata: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return everything, and a snippet."""
        return {**asdict(self), "snippet": snippet(self.text)}


def check_model(index: Index, model: SentenceTransformer, means: LanguageMeans | None = None) -> None:
    """Raise a ``PanglotError`` where a model's queries cannot be looked up in an index."""
    check_same(index.facts, facts_of(model, "the given one", index.facts.length, means), index.place)


def embed_questions(
    index: Index,
    model: SentenceTransformer,
    questions: Sequence[str],
    *,
    means: LanguageMeans | None = None,
    languages: Sequence[str] | None = None,
) -> FloatArray:
    """Encode questions as an index wants them, ``(n, d)``.

    Args:
        index: see ``open_index``.
        model: that made it; see ``check_model``.
        questions: in any language.
        means: those that the index was centred by.
        languages: of the questions; detected where they are needed and not given.
    """
    if not all(is_text(question) for question in questions):
        raise PanglotError("a question holds half a character (a lone surrogate); write it otherwise.")
    vectors = encoders.encode(model, questions, index.facts.prompts["query"])
    if index.facts.centring is None:
        return vectors
    if means is None:
        raise PanglotError(f"{index.place}: is centred; give the language means that it was made with.")
    of_question = list(languages) if languages else detect_languages(questions)
    codes = sorted(set(of_question))
    return encoders.centre(vectors, np.array([codes.index(code) for code in of_question]), codes, means.query)


def search_index(
    index: Index,
    questions: Sequence[str],
    vectors: FloatArray,
    k: int = 10,
    *,
    languages: Sequence[str] | None = None,
    where: Mapping[str, str] | None = None,
    balanced: str | None = None,
    hybrid: bool = False,
) -> list[list[Result]]:
    """Look questions up.

    Args:
        index: see ``open_index``.
        questions: n texts; BM25 reads them.
        vectors: ``(n, d)`` their vectors; see ``embed_questions``.
        k: results, at most.
        languages: only passages in these; ``de`` includes ``de-AT``.
        where: only passages with these values in their metadata, by name.
        balanced: ``scores`` (calibrated by language) or ``turns`` (languages take turns); None: neither.
            Regions and scripts of a language count as one.
        hybrid: fuse with BM25 by reciprocal rank.

    Returns:
        for each question its results, best first.

    Raises:
        PanglotError: an option is out of range, or the index lacks a language.
    """
    check_balance(balanced)
    if not 1 <= k <= MOST:
        raise PanglotError(f"{k} results cannot be given; ask for 1 to {MOST}.")
    found = chosen_languages(languages or (), index.facts.languages, index.place)
    for text in (text for condition in (where or {}).items() for text in condition):
        if not is_text(text):
            raise PanglotError("a filter holds half a character (a lone surrogate); write it otherwise.")
    chosen = Filter(tuple(found) if languages else None, dict(where or {}))
    if not len(questions):
        return []
    if balanced is not None and len(found or index.facts.languages) > 1:
        lists = _balanced(index, questions, vectors, k, chosen, balanced, hybrid)
    else:
        depth = max(k, DEPTH) if hybrid else k
        lists = index.engine.dense(vectors, depth, chosen)
        if hybrid:
            words = index.engine.lexical(questions, depth, chosen)
            lists = [fused(*pair) for pair in zip(lists, words, strict=True)]
    return [[_result(found) for found in ranked[:k]] for ranked in lists]


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
    index: Index,
    questions: Sequence[str],
    vectors: FloatArray,
    k: int,
    chosen: Filter,
    kind: str,
    hybrid: bool,
) -> list[list[Found]]:
    depth = max(k, DEPTH) if hybrid else k
    members: dict[str, list[str]] = {}  # German has one turn, in however many countries
    for code in chosen.languages or index.facts.languages:
        members.setdefault(primary_language(code), []).append(code)
    codes = tuple(members)
    own = {name: Filter(tuple(own), chosen.where) for name, own in members.items()}
    dense = {code: index.engine.dense(vectors, depth, only) for code, only in own.items()}
    if kind == "turns":
        if hybrid:
            for code, only in own.items():
                words = index.engine.lexical(questions, depth, only)
                dense[code] = [fused(*pair) for pair in zip(dense[code], words, strict=True)]
        return [
            _merged({code: lists[n] for code, lists in dense.items()}, None) for n in range(len(questions))
        ]
    sampled = {code: index.engine.sample(Filter(tuple(members[code])), SAMPLE) for code in codes}
    codes = tuple(code for code in codes if len(sampled[code]))
    language = np.repeat(np.arange(len(codes)), [len(sampled[code]) for code in codes])
    scores = vectors @ np.concatenate([sampled[code] for code in codes]).T if codes else vectors[:, :0]
    merged = [
        _merged({code: dense[code][n] for code in codes}, chance_scores(scores[n], language, codes))
        for n in range(len(questions))
    ]
    if not hybrid:
        return merged
    words = index.engine.lexical(questions, depth, chosen)
    return [fused(ranked[:depth], of_words) for ranked, of_words in zip(merged, words, strict=True)]


def _merged(lists: Mapping[str, Sequence[Found]], chance: Any) -> list[Found]:
    passages = {found.passage.id: found.passage for ranked in lists.values() for found in ranked}
    plain = {
        code: [(found.passage.id, found.score) for found in ranked]
        for code, ranked in lists.items()
        if ranked
    }
    ranked = in_turns(plain) if chance is None else calibrated(plain, chance)
    return [Found(passages[name], score) for name, score in ranked]


def _result(found: Found) -> Result:
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
    )
