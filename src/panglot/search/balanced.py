"""Lists in which every language has its chance: scores calibrated by language, or languages taking turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np

from panglot.data import Benchmark, FloatArray, IntArray, Suite
from panglot.errors import PanglotError
from panglot.search.engines.engine import draw

if TYPE_CHECKING:
    from panglot.evaluation import Ranks
    from panglot.evaluation.scores import Vectors
    from panglot.evaluation.top import Top

Id = TypeVar("Id")
Ranked = Sequence[tuple[Id, float]]  # ids (or passages) with scores, best first
Balance = Literal["scores", "turns"]
KINDS: tuple[str, ...] = get_args(Balance)
SAMPLE = 200  # passages of a language that say what chance is in it
FEWEST = 10  # a language with fewer borrows from the others
FLAT = 1e-6  # a spread that is rounding error
SCORES = 1 << 28  # pairs of a query and a passage, at most: about a minute


@dataclass(frozen=True)
class Chance:
    """What a query scores with passages taken at random, by language: mean and standard deviation."""

    mean: Mapping[str, float]
    spread: Mapping[str, float]
    size: Mapping[str, int]  # number of these passages


def check_balance(kind: str | None) -> None:
    """Raise a ``PanglotError`` unless this is a kind of balancing, or None."""
    if kind is not None and kind not in KINDS:
        raise PanglotError(f"'{kind}' is not a kind of balancing; use {' or '.join(KINDS)}.")


def chance_scores(scores: FloatArray, languages: IntArray, codes: Sequence[str]) -> Chance:
    """Describe a query's scores with a sample of passages, language by language.

    A language of fewer than 10 passages in the sample is filled up to ten with the figures of all languages
    together, which all languages alike then share.

    Args:
        scores: ``(n,)`` of the query with the sampled passages.
        languages: ``(n,)`` position of each passage's language in ``codes``.
    """
    scores, among = scores.astype(np.float64), len(codes)
    sizes = np.bincount(languages, minlength=among)
    means = np.bincount(languages, scores, among) / np.maximum(sizes, 1)
    squares = np.bincount(languages, (scores - means[languages]) ** 2, among)
    variances = squares / np.maximum(sizes - 1, 1)
    weights = np.minimum(sizes, FEWEST) / FEWEST
    shares = weights / (weights.sum() or 1.0)
    means = weights * means + (1 - weights) * (shares @ means)
    spreads = np.sqrt(weights * variances + (1 - weights) * (shares @ variances))
    spreads[spreads <= FLAT] = 1.0
    return Chance(*(dict(zip(codes, of.tolist(), strict=True)) for of in (means, spreads, sizes)))


def calibrated(lists: Mapping[str, Ranked[Id]], chance: Chance) -> list[tuple[Id, float]]:
    """Merge each language's list by how many standard deviations a score lies above chance in it."""
    merged = [
        (name, (score - chance.mean[code]) / chance.spread[code])
        for code, ranked in lists.items()
        for name, score in ranked
    ]
    return sorted(merged, key=lambda pair: -pair[1])


def in_turns(lists: Mapping[str, Ranked[Id]]) -> list[tuple[Id, float]]:
    """Merge each language's list so that languages take turns: all first places, then all second ones.

    This is reciprocal rank fusion of lists that share nothing. Within a turn, the raw scores decide; scores
    are kept as they were.
    """
    turns = zip_longest(*lists.values())
    merged: list[tuple[Id, float]] = []
    for turn in turns:
        merged += sorted((place for place in turn if place is not None), key=lambda pair: -pair[1])
    return merged


def check_balanced(chosen: Benchmark | Suite, kind: str) -> None:
    """Refuse an unknown kind, one language alone, too many passages, and queries that leave passages out."""
    check_balance(kind)
    for part in chosen.parts if isinstance(chosen, Suite) else (chosen,):
        pairs = len(part.queries) * len(part.passages)
        if len(part.languages) < 2 or pairs > SCORES or (part.gains < 0).any():
            raise PanglotError(
                f"{part.name}: balancing is measured on two or more languages, on at most {SCORES:,} pairs "
                "of a query and a passage, and where no query leaves passages out; choose another benchmark, "
                "or some of its languages."
            )


def balanced_lists(
    benchmark: Benchmark, queries: FloatArray, passages: Vectors, ranks: Ranks, top: Top, *, kind: str
) -> tuple[Ranks, Top]:
    """Order the pool of all languages anew for every query; lists of one language stay as they are.

    For ``evaluate_embeddings``: ``rerank=partial(balanced_lists, kind="scores")``. Whole lists are ordered.

    Raises:
        PanglotError: see ``check_balanced``.
    """
    check_balanced(benchmark, kind)
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
