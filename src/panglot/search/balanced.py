"""Lists in which every language has its chance: scores calibrated by language, or languages taking turns.

An encoder may score all passages of one language higher than equally good ones of another. Both ways here
even that out after the search; neither touches the model. Plain functions over ranked lists and scores.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal, TypeVar, get_args

import numpy as np

from panglot.data import FloatArray, IntArray
from panglot.errors import PanglotError

Id = TypeVar("Id", bound=Hashable)
Ranked = Sequence[tuple[Id, float]]  # ids with scores, best first
Balance = Literal["scores", "turns"]
KINDS: tuple[str, ...] = get_args(Balance)
SAMPLE = 200  # passages of a language that say what chance is in it
FEWEST = 10  # a language with fewer borrows from the others
FLAT = 1e-6  # a spread that is rounding error


@dataclass(frozen=True)
class Chance:
    """What a query scores with passages taken at random, by language: mean and standard deviation."""

    mean: Mapping[str, float]
    spread: Mapping[str, float]


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
    means, variances, weights = {}, {}, {}
    for k, code in enumerate(codes):
        own = scores[languages == k].astype(np.float64)
        weights[code] = min(len(own), FEWEST) / FEWEST
        means[code] = float(own.mean()) if len(own) else 0.0
        variances[code] = float(own.var(ddof=1)) if len(own) > 1 else 0.0
    total = sum(weights.values()) or 1.0
    mean = sum(weights[code] * means[code] for code in codes) / total
    variance = sum(weights[code] * variances[code] for code in codes) / total
    spread = {
        code: float(np.sqrt(weights[code] * variances[code] + (1 - weights[code]) * variance))
        for code in codes
    }
    return Chance(
        {code: weights[code] * means[code] + (1 - weights[code]) * mean for code in codes},
        {code: value if value > FLAT else 1.0 for code, value in spread.items()},
    )


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
