"""Draws of items and languages for one batch: pure functions of an index and a random generator."""

import numpy as np

from panglot.data import IntArray, PairIndex

PATIENCE = 8  # rounds of drawing before all candidates are shuffled instead


def distinct_items(
    index: PairIndex,
    candidates: IntArray | None,
    size: int,
    rng: np.random.Generator,
    language: int | None = None,
) -> IntArray:
    """Draw ``size`` items at random, no two of one passage group.

    Args:
        index: the structure of the pairs.
        candidates: items to draw from; None for all.
        size: how many.
        rng: the only source of chance.
        language: that every item must exist in; None: in any.

    Returns:
        ``(size,)`` item numbers.
    """
    count = index.items if candidates is None else len(candidates)
    if size * 4 < count:
        chosen: IntArray = np.empty(0, np.int64)
        for _ in range(PATIENCE):
            missing = size - len(chosen)
            position = rng.integers(0, count, missing + missing // 8 + 8)
            more = position if candidates is None else candidates[position].astype(np.int64)
            chosen = np.concatenate([chosen, index.those_in(more, language)])
            chosen = _first_of_each(index.groups_of(chosen), chosen, size)
            if len(chosen) == size:
                return chosen
    order = rng.permutation(count)
    items = index.those_in(order if candidates is None else candidates[order].astype(np.int64), language)
    chosen = _first_of_each(index.groups_of(items), items, size)
    if len(chosen) < size:
        raise ValueError(f"only {len(chosen)} of {size} items have passages of their own")
    return chosen


def _first_of_each(groups: IntArray, items: IntArray, size: int) -> IntArray:
    """Keep the first item of each group, in order, at most ``size``."""
    _, first = np.unique(groups, return_index=True)
    if len(first) == len(items):
        return items[:size]
    first.sort()
    return items[first[:size]]


def one_language_each(index: PairIndex, items: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw for each item one of the languages that it exists in."""
    start = index.item_offsets[items]
    count = index.item_offsets[items + 1] - start
    return np.asarray(index.entry_language[start + _below(count, rng)], np.int64)


def two_languages_each(
    index: PairIndex, items: IntArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw for each item two different languages that it exists in, for its query and its passage."""
    start = index.item_offsets[items]
    count = index.item_offsets[items + 1] - start
    first = _below(count, rng)
    second = (first + 1 + _below(count - 1, rng)) % count
    languages = index.entry_language
    return languages[start + first].astype(np.int64), languages[start + second].astype(np.int64)


def _below(bounds: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw an integer in [0, bound) for each bound."""
    return (rng.random(len(bounds)) * bounds).astype(np.int64)
