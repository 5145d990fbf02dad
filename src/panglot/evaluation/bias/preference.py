"""The query's language against others: among relevant passages, at the first place, and in recall.

Functions take ``(n,)`` of each relevant passage: the number of its ``query`` from 0, its relevance level
``gain``, whether it is in the query's ``own`` language, and its ``rank`` in the pool of all languages.
"""

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


@dataclass(frozen=True)
class Parallel:
    """What a query makes of its relevant passages in its own and in other languages; NaN if it lacks either.

    Attributes:
        prefers_own: ``(queries,)`` 1 if the first of its relevant passages is in its own language, else 0.
            The mean is the language preference rate.
        first: by outcome, ``(queries,)`` 1 if the first passage of all is so, else 0: ``right_own``,
            ``right_other``, ``wrong_own`` and ``wrong_other``. Right is a relevant passage, own the query's
            language; one of the four is 1.
    """

    prefers_own: Values
    first: dict[str, Values]


def parallel_preference(
    query: IntArray,
    own: npt.NDArray[np.bool_],
    rank: IntArray,
    first_is_own: npt.NDArray[np.bool_],
    queries: int,
) -> Parallel:
    """Split the first passage by relevance and language, for queries with relevant passages in both.

    After Jang, Hong, Moon and Lim 2026 (MLAIRE, arXiv 2605.07249), who have one relevant passage in every
    language. Here a query counts that has at least one in its own language and one in another, of any level
    of relevance.

    Args:
        first_is_own: ``(queries,)`` whether the passage at rank 1 is in the query's language.
    """
    best = np.full((2, queries), np.inf)  # of other languages, of the own
    np.minimum.at(best, (own.astype(np.int64), query), rank)
    others, mine = best
    known = np.isfinite(best).all(0)
    right = best.min(0) == 1

    def column(chosen: npt.NDArray[np.bool_]) -> Values:
        return np.where(known, chosen.astype(np.float64), np.nan)

    first = {
        "right_own": column(mine == 1),
        "right_other": column(others == 1),
        "wrong_own": column(~right & first_is_own),
        "wrong_other": column(~right & ~first_is_own),
    }
    return Parallel(column(mine < others), first)


def target_language_recall(
    query: IntArray, own: npt.NDArray[np.bool_], rank: IntArray, cutoff: int, queries: int
) -> Values:
    """TLR@k: the share of a query's relevant passages in other languages that are among the first k of all.

    After Jang et al. 2026 (Shift, arXiv 2606.18801). NaN for queries without such passages, ``(queries,)``.
    """
    others = np.bincount(query[~own], minlength=queries)
    found = np.bincount(query[~own], rank[~own] <= cutoff, queries)
    with np.errstate(invalid="ignore"):
        return np.asarray(found / others, np.float64)
