"""Whose passages are at the top: the share of each language, by count and by attention.

``query``, ``gain`` and ``language`` are ``(n,)``, of each relevant passage; the first and last are numbers.
"""

import numpy as np
import numpy.typing as npt

from panglot.data import IntArray

Values = npt.NDArray[np.float64]


def top_shares(language: IntArray, k: int, languages: int) -> Values:
    """Return the share of each language among the first k passages, ``(N, languages)``.

    Args:
        language: ``(N, depth)`` language of the passages of each list, best first.
        k: how many of them count; all, where there are fewer.
    """
    top = language[:, :k]
    cell = np.arange(len(top))[:, None] * languages + top
    counts = np.bincount(cell.ravel(), minlength=len(top) * languages)
    return np.asarray(counts.reshape(-1, languages) / top.shape[1])


def relevant_shares(query: IntArray, language: IntArray, queries: int, languages: int) -> Values:
    """Return the share of each language among the relevant passages, ``(queries, languages)``."""
    counts = np.bincount(query * languages + language, minlength=queries * languages)
    counts = counts.reshape(queries, languages)
    return np.asarray(counts / counts.sum(1, keepdims=True))


def exposure(language: IntArray, patience: float, languages: int) -> Values:
    """Return the share of a reader's attention that goes to each language, ``(N, languages)``.

    The reader of rank-biased precision (Moffat and Zobel 2008) looks at the first passage and goes on to the
    next with probability ``patience``: rank r gets patience^(r - 1). Summed by language as Diaz et al. 2020
    do by group ("Evaluating Stochastic Rankings with Expected Exposure", arXiv 2004.13157), and divided by
    the sum over the list, so that shares add up to 1.

    Args:
        language: ``(N, depth)`` language of the passages of each list, best first; what is deeper would
            get patience^depth of all attention.
        patience: between 0 and 1.
    """
    weight = patience ** np.arange(language.shape[1])
    weight /= weight.sum()
    cell = np.arange(len(language))[:, None] * languages + language
    weights = np.broadcast_to(weight, language.shape)
    shares = np.bincount(cell.ravel(), weights.ravel(), len(language) * languages)
    return np.asarray(shares.reshape(-1, languages))


def target_exposure(
    query: IntArray,
    gain: IntArray,
    language: IntArray,
    pool: IntArray,
    patience: float,
    queries: int,
) -> Values:
    """Return the shares of attention under equal expected exposure, ``(queries, languages)``.

    The ideal of Diaz et al. 2020: passages are in order of relevance, and those of one level share the
    attention that its places get, equally. Passages that are not relevant are the last level.

    Args:
        pool: ``(languages,)`` how many passages each language has.
    """
    languages, everything = len(pool), int(pool.sum())
    levels = np.unique(gain)[::-1]
    shares = np.zeros((queries, languages))
    rest = np.tile(pool.astype(float), (queries, 1))
    before = np.zeros(queries)
    for level in levels:
        chosen = gain == level
        cell = query[chosen] * languages + language[chosen]
        count = np.bincount(cell, minlength=queries * languages).reshape(queries, languages)
        shares += _shared(count, before, patience)
        before += count.sum(1)
        rest -= count
    shares += _shared(rest, before, patience)
    return shares / (1 - patience**everything)


def _shared(count: npt.NDArray[np.generic], before: Values, patience: float) -> Values:
    """Share out the attention to a level's places, as a part of an endless list's, by number of passages."""
    size = count.sum(1, keepdims=True).astype(float)
    places = patience ** before[:, None] * (1 - patience**size)
    return np.asarray(count * places / np.maximum(size, 1))


def total_variation(a: Values, b: Values) -> Values:
    """Return half the sum of absolute differences along the last axis: 0 for equal shares, 1 for disjoint."""
    return np.asarray(np.abs(a - b).sum(-1) / 2)
