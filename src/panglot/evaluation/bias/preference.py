"""Own-language preference: a passage in the query's language against equally relevant ones in others."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panglot.data import IntArray

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Preference:
    """Own-language preference of each query; NaN where it has no two passages to compare.

    Attributes:
        wins: ``(queries,)`` share of the pairs (own language, another) in which the own one ranks higher.
        doublings: ``(queries,)`` mean log2 of the other's rank over the own one's.
    """

    wins: Values
    doublings: Values


def own_language_preference(
    query: IntArray, gain: IntArray, own: npt.NDArray[np.bool_], rank: IntArray, queries: int
) -> Preference:
    """Compare, for each query, passages of equal gain in its own language with those in other languages.

    Wins are the probability of superiority, U / (n m) of Mann and Whitney (1947); Vargha and Delaney (2000)
    call it A. Doublings are mean log2(rank of the other) - mean log2(rank of the own), over the same pairs.
    Levels of relevance count by their number of pairs.

    Args:
        query: ``(n,)`` number of the query that each relevant passage is for, from 0.
        gain: ``(n,)`` its relevance level.
        own: ``(n,)`` whether the passage is in the query's language.
        rank: ``(n,)`` its rank in the pool of all languages.
        queries: how many queries there are.
    """
    levels, level = np.unique(gain, return_inverse=True)
    sample = query * len(levels) + level
    order = np.lexsort((rank, sample))
    sample, own, rank = sample[order], own[order], rank[order]
    samples = queries * len(levels)
    size = np.bincount(sample, minlength=samples)
    place = np.arange(1, len(sample) + 1) - np.repeat(np.cumsum(size) - size, size)

    def total(values: npt.NDArray[np.generic], chosen: npt.NDArray[np.bool_]) -> Values:
        return np.asarray(np.bincount(sample[chosen], values[chosen], samples), np.float64)

    one = np.ones(len(sample))
    n, m = total(one, own), total(one, ~own)
    # the sum of the own ones' places counts the others above them, and themselves
    lost = total(place, own) - n * (n + 1) / 2
    log = np.log2(rank)
    doublings = n * total(log, ~own) - m * total(log, own)

    def per_query(values: Values) -> Values:
        return np.asarray(values.reshape(queries, len(levels)).sum(1))

    pairs = per_query(n * m)
    with np.errstate(invalid="ignore"):
        return Preference(per_query(n * m - lost) / pairs, per_query(doublings) / pairs)
