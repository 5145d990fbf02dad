"""PEER and its test, against scipy and by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kruskal

from panglot.evaluation.bias import kruskal_wallis, peer


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=14),
        min_size=1,
        max_size=4,
    )
)
def test_kruskal_wallis_is_that_of_scipy(samples: list[list[tuple[int, int]]]) -> None:
    rows = [(s, g, v) for s, sample in enumerate(samples) for g, v in sample]
    sample, group, value = (np.array(column) for column in zip(*rows, strict=True))
    p, tested = kruskal_wallis(sample, group, value, len(samples), 4)
    for k, pairs in enumerate(samples):
        groups = [[v for g, v in pairs if g == name] for name in {g for g, _ in pairs}]
        if len(groups) < 2 or len({v for _, v in pairs}) < 2:
            assert p[k] == 1 and not tested[k]
        else:
            assert p[k] == pytest.approx(kruskal(*groups).pvalue, abs=1e-12)
            assert tested[k] == any(len(values) > 1 for values in groups)


def test_a_sample_without_values_is_fair() -> None:
    p, tested = kruskal_wallis(np.array([1, 1]), np.array([0, 1]), np.array([3, 4]), 3, 2)
    # H = (2 - 1) * (.25 + .25) / (.25 + .25) = 1; one degree of freedom: p = erfc(sqrt(1 / 2))
    assert p.tolist() == pytest.approx([1, math.erfc(math.sqrt(0.5)), 1])
    assert not tested.any()


def test_peer_by_hand() -> None:
    # level 1: English at ranks 1 and 2, German at 3 and 4. Mean ranks 1.5 and 3.5 about 2.5:
    # H = 3 * (2 * 1 + 2 * 1) / (2.25 + .25 + .25 + 2.25) = 2.4; p = erfc(sqrt(1.2))
    # level 2: English only: p = 1
    query = np.zeros(5, int)
    gain = np.array([1, 1, 1, 1, 2])
    language = np.array([0, 0, 1, 1, 0])
    rank = np.array([1, 2, 3, 4, 9])
    p = math.erfc(math.sqrt(1.2))
    value, tested = peer(query, gain, language, rank, 100, 1)
    assert value.tolist() == pytest.approx([(p + 1) / 2]) and tested.tolist() == [True]


def test_passages_below_the_cutoff_are_tied() -> None:
    # beyond rank 2 everything is tied at 3.5: ranks 1, 3.5 against 2, 3.5; means 2.25 and 2.75 about 2.5
    # H = 3 * (2 * .0625 * 2) / (2.25 + 1 + .25 + 1) = .75 / 4.5 = 1 / 6
    value, _ = peer(np.zeros(4, int), np.ones(4, int), np.array([0, 1, 0, 1]), np.array([1, 2, 50, 7]), 2, 1)
    assert value[0] == pytest.approx(math.erfc(math.sqrt(1 / 12)))


def test_a_query_without_passages_has_no_value() -> None:
    value, tested = peer(np.array([1]), np.array([1]), np.array([0]), np.array([1]), 10, 2)
    assert np.isnan(value[0]) and value[1] == 1 and not tested.any()


def test_one_passage_a_language_tests_nothing() -> None:
    for ranks in ([1, 2, 3], [10, 5, 800]):
        value, tested = peer(np.zeros(3, int), np.ones(3, int), np.arange(3), np.array(ranks), 1000, 1)
        assert value[0] == pytest.approx(math.exp(-1)) and not tested[0]  # H = 2, two degrees of freedom
