"""Own-language preference, by hand and against comparing all pairs."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from panglot.evaluation.bias import (
    own_language_preference,
    parallel_preference,
    target_language_recall,
)


def test_preference_by_hand() -> None:
    # own at rank 2; others at 1, 4 and 16: it wins 2 of 3; log2 of .5, 2 and 8 is -1, 1 and 3
    found = own_language_preference(
        np.zeros(4, int), np.ones(4, int), np.array([False, True, False, False]), np.array([1, 2, 4, 16]), 1
    )
    assert found.wins.tolist() == pytest.approx([2 / 3])
    assert found.doublings.tolist() == pytest.approx([1])


def test_only_equally_relevant_passages_are_compared() -> None:
    # the own passage is of gain 2, the others of 1: no pair; the second query has one pair, and loses it
    found = own_language_preference(
        np.array([0, 0, 0, 1, 1]),
        np.array([2, 1, 1, 1, 1]),
        np.array([True, False, False, True, False]),
        np.array([1, 2, 3, 8, 1]),
        3,
    )
    assert np.isnan(found.wins[[0, 2]]).all() and np.isnan(found.doublings[[0, 2]]).all()
    assert found.wins[1] == 0 and found.doublings[1] == pytest.approx(-3)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 2), st.booleans(), st.integers(1, 1000)),
        min_size=1,
        max_size=30,
        unique_by=lambda row: row[3],
    )
)
def test_preference_is_the_mean_over_all_pairs(rows: list[tuple[int, int, bool, int]]) -> None:
    query, gain, own, rank = (np.array(column) for column in zip(*rows, strict=True))
    found = own_language_preference(query, gain, own, rank, 3)
    for k in range(3):
        pairs = [
            (a[3], b[3])
            for a, b in product(rows, rows)
            if a[0] == b[0] == k and a[1] == b[1] and a[2] and not b[2]
        ]
        if not pairs:
            assert np.isnan(found.wins[k]) and np.isnan(found.doublings[k])
            continue
        assert found.wins[k] == pytest.approx(sum(a < b for a, b in pairs) / len(pairs))
        logs = [math.log2(b / a) for a, b in pairs]
        assert found.doublings[k] == pytest.approx(sum(logs) / len(logs), abs=1e-9)


def test_wins_are_u_over_n_times_m() -> None:
    own, others = [3, 7, 9], [1, 4, 8, 20]
    u = mannwhitneyu(others, own).statistic  # pairs in which the other's rank is greater
    found = own_language_preference(
        np.zeros(7, int), np.ones(7, int), np.array([True] * 3 + [False] * 4), np.array(own + others), 1
    )
    assert found.wins[0] == pytest.approx(u / 12)


def test_a_query_prefers_its_language_if_that_has_the_first_relevant_passage() -> None:
    # query 0: own at 3 and 9, another at 4; query 1: own at 5, another at 1; query 2: its own only; 3: none
    found = parallel_preference(
        np.array([0, 0, 0, 1, 1, 2]),
        np.array([True, True, False, True, False, True]),
        np.array([3, 9, 4, 5, 1, 1]),
        np.array([True, False, True, False]),
        4,
    )
    nothing = math.nan
    assert found.prefers_own.tolist() == pytest.approx([1, 0, nothing, nothing], nan_ok=True)
    assert found.first["right_own"].tolist() == pytest.approx([0, 0, nothing, nothing], nan_ok=True)
    assert found.first["right_other"].tolist() == pytest.approx([0, 1, nothing, nothing], nan_ok=True)
    assert found.first["wrong_own"].tolist() == pytest.approx([1, 0, nothing, nothing], nan_ok=True)
    assert found.first["wrong_other"].tolist() == pytest.approx([0, 0, nothing, nothing], nan_ok=True)


def test_target_language_recall_by_hand() -> None:
    # query 0: others at 2, 5 and 30; query 1: its own alone; query 2: another at 20, and one at 21
    query = np.array([0, 0, 0, 0, 1, 2, 2])
    own = np.array([True, False, False, False, True, False, False])
    rank = np.array([1, 2, 5, 30, 3, 20, 21])
    found = target_language_recall(query, own, rank, 20, 3)
    assert found.tolist() == pytest.approx([2 / 3, math.nan, 1 / 2], nan_ok=True)
    assert target_language_recall(query, own, rank, 2, 3)[0] == pytest.approx(1 / 3)
