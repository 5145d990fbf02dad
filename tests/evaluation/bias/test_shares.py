"""Shares of languages by count and by attention, by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.evaluation.bias import exposure, relevant_shares, target_exposure, top_shares, total_variation


def test_top_shares_by_hand() -> None:
    lists = np.array([[0, 0, 1, 2], [1, 1, 1, 0]])
    assert top_shares(lists, 3, 4).tolist() == pytest.approx(np.array([[2, 1, 0, 0], [0, 3, 0, 0]]) / 3)
    assert top_shares(lists, 10, 3)[0].tolist() == [0.5, 0.25, 0.25]  # a pool of four


def test_relevant_shares_by_hand() -> None:
    shares = relevant_shares(np.array([0, 0, 0, 1]), np.array([0, 1, 1, 2]), 2, 3)
    assert shares.tolist() == pytest.approx(np.array([[1 / 3, 2 / 3, 0], [0, 0, 1]]))


def test_exposure_by_hand() -> None:
    # weights 1, 1/2, 1/4 of 7/4
    assert exposure(np.array([[0, 1, 0], [1, 1, 0]]), 0.5, 2).tolist() == pytest.approx(
        np.array([[5 / 7, 2 / 7], [1 / 7, 6 / 7]])
    )


def test_target_exposure_by_hand() -> None:
    # Four passages, weights 1, 1/2, 1/4, 1/8 of 15/8. The first query's relevant ones are English and German:
    # they share 1 + 1/2, so 3/4 each; the other two (English, German) share 3/8, so 3/16 each.
    # The second's best is German (1), then English of gain 1 (1/2); the rest as before.
    shares = target_exposure(
        np.array([0, 0, 1, 1]), np.array([1, 1, 1, 2]), np.array([0, 1, 0, 1]), np.array([2, 2]), 0.5, 2
    )
    english = (1 / 2 + 3 / 16) / (15 / 8)
    assert shares.tolist() == pytest.approx(np.array([[0.5, 0.5], [english, 1 - english]]))


def test_target_exposure_of_what_is_not_relevant_goes_by_the_pool() -> None:
    # one relevant English passage gets 1; three more English and six German ones share the rest
    shares = target_exposure(np.array([0]), np.array([1]), np.array([0]), np.array([4, 6]), 0.5, 1)
    total = 2 * (1 - 2**-10)
    assert shares[0].tolist() == pytest.approx([(1 + (total - 1) / 3) / total, (total - 1) * 2 / 3 / total])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000))
def test_a_random_order_within_levels_has_the_target_on_average(seed: int) -> None:
    # equal expected exposure is what a ranking by level, in random order within it, gives: all orders of
    # a small pool are tried
    from itertools import permutations

    rng = np.random.default_rng(seed)
    language, gain = rng.integers(0, 2, 5), np.array([2, 1, 1, 0, 0])
    orders = [(0, *a, *b) for a in permutations([1, 2]) for b in permutations([3, 4])]
    mean = exposure(language[np.array(orders)], 0.7, 2).mean(0)
    target = target_exposure(
        np.zeros(3, int), gain[:3], language[:3], np.bincount(language, minlength=2), 0.7, 1
    )
    assert target[0].tolist() == pytest.approx(mean.tolist())


def test_total_variation_by_hand() -> None:
    assert total_variation(np.array([0.5, 0.5, 0]), np.array([0.25, 0.25, 0.5])) == pytest.approx(0.5)
    assert total_variation(np.array([1.0, 0]), np.array([0, 1.0])) == 1
