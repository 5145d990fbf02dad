"""Draws of items and languages: all different, from the candidates only, and each as likely as the next."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.batches.draws import distinct_items, one_language_each, two_languages_each
from panglot.data import IntArray, PairIndex, build_index

DRAWS = 2000


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def index_of(groups: list[int] | None, items: int) -> PairIndex:
    """Return an index of items in one language."""
    zeros = np.zeros(items, np.int64)
    group = None if groups is None else np.array(groups)
    return build_index(["en"], np.arange(items), zeros, items=items, item_group=group)


def check_even(counts: IntArray, draws: int, probability: float) -> None:
    """Every count lies within five standard deviations of a binomial one."""
    spread = 5 * np.sqrt(draws * probability * (1 - probability))
    assert np.abs(counts - draws * probability).max() < spread, counts


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=120), st.integers(0, 999), st.data())
def test_items_are_candidates_of_different_groups(groups: list[int], seed: int, data: st.DataObject) -> None:
    mask = data.draw(st.none() | st.lists(st.booleans(), min_size=len(groups), max_size=len(groups)))
    candidates = None if mask is None else np.flatnonzero(mask).astype(np.uint8)
    allowed = set(range(len(groups))) if candidates is None else set(candidates.tolist())
    most = len({groups[item] for item in allowed})
    size = data.draw(st.integers(0, most))
    items = distinct_items(index_of(groups, len(groups)), candidates, size, rng(seed)).tolist()
    assert len(items) == size
    assert set(items) <= allowed
    assert len({groups[item] for item in items}) == size
    with pytest.raises(ValueError, match=f"only {most} of {most + 1} items have passages of their own"):
        distinct_items(index_of(groups, len(groups)), candidates, most + 1, rng(seed))


@pytest.mark.parametrize("size", [2, 8, 30])  # a few of many, and most of all
def test_every_item_is_drawn_as_often(size: int) -> None:
    index, source = index_of(None, 40), rng()
    drawn = np.concatenate([distinct_items(index, None, size, source) for _ in range(DRAWS)])
    check_even(np.bincount(drawn, minlength=40), DRAWS, size / 40)


def test_items_are_drawn_when_nearly_all_share_one_group() -> None:
    # 200 of 203 items in group 0: rounds of drawing find few groups, a shuffle finds all four
    groups = [0] * 200 + [1, 2, 3]
    items = distinct_items(index_of(groups, 203), None, 4, rng()).tolist()
    assert sorted(groups[item] for item in items) == [0, 1, 2, 3]


def uneven() -> PairIndex:
    """Item 0 in de, en, sw; item 1 in en, sw; item 2 in el only."""
    item, language = np.array([(0, 0), (0, 2), (0, 3), (1, 2), (1, 3), (2, 1)]).T
    return build_index(["de", "el", "en", "sw"], item, language, items=3)


def test_one_language_is_any_that_the_item_has() -> None:
    items = np.repeat(np.arange(3), DRAWS)
    languages = one_language_each(uneven(), items, rng())
    counts = np.stack([np.bincount(languages[items == i], minlength=4) for i in range(3)])
    assert (counts > 0).tolist() == [[1, 0, 1, 1], [0, 0, 1, 1], [0, 1, 0, 0]]
    check_even(counts[0, [0, 2, 3]], DRAWS, 1 / 3)
    check_even(counts[1, [2, 3]], DRAWS, 1 / 2)


def test_two_languages_are_any_two_different_ones_that_the_item_has() -> None:
    items = np.repeat([0, 1], DRAWS)
    query, passage = two_languages_each(uneven(), items, rng())
    assert (query != passage).all()
    of_first = np.bincount(4 * query[:DRAWS] + passage[:DRAWS], minlength=16)
    ordered = [4 * a + b for a in (0, 2, 3) for b in (0, 2, 3) if a != b]
    assert of_first.sum() == of_first[ordered].sum()
    check_even(of_first[ordered], DRAWS, 1 / 6)
    of_second = np.bincount(4 * query[DRAWS:] + passage[DRAWS:], minlength=16)
    assert of_second.sum() == of_second[[4 * 2 + 3, 4 * 3 + 2]].sum()
    check_even(of_second[[4 * 2 + 3, 4 * 3 + 2]], DRAWS, 1 / 2)
