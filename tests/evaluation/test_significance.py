"""Tests of differences against enumeration by hand, scipy, and worked numbers."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from panglot.evaluation.aggregate import all_cells, by_language, cells_of, figures_of, values_of
from panglot.evaluation.significance import (
    Contributions,
    contributions,
    holm,
    is_exact,
    sign_flip_test,
    standardised,
)

Floats = npt.NDArray[np.float64]


def table_of(rows: Sequence[tuple[int, str, str, float | None]]) -> pa.Table:
    item, language, pool, value = zip(*rows, strict=True)
    return pa.table(
        {
            "query_id": [f"{x}:{k}" for k, x in zip(item, language, strict=True)],
            "item": pa.array(item, pa.int64()),
            "query_language": language,
            "pool": pool,
            "AP": pa.array(value, pa.float64()),
        }
    )


def monolingual(table: pa.Table, grouping: Any = all_cells) -> Contributions:
    """What items add to the values of a table, taken for differences, in each group."""
    cells = cells_of(table)
    return contributions(cells, values_of(table, "AP"), figures_of(cells, {"": grouping})[1])


def enumerated(values: Floats) -> Floats:
    """Go through all assignments of signs as one would on paper."""
    found = abs(values.sum(axis=0))
    sums = [abs((np.array(signs)[:, None] * values).sum(axis=0)) for signs in _signs(len(values))]
    return np.asarray(np.mean([total >= found - 1e-9 for total in sums], axis=0), np.float64)


def _signs(count: int) -> list[tuple[int, ...]]:
    return list(itertools.product((-1, 1), repeat=count))


def test_a_small_test_is_exact_by_hand() -> None:
    # sums of ±1 ±2 ±3 are as far from zero as 6 only with all signs alike: 2 of 8
    assert sign_flip_test(np.array([[1.0], [2.0], [3.0]])).tolist() == [0.25]
    # 1 + 2 - 3 = 0: any sum is as far
    assert sign_flip_test(np.array([[1.0], [2.0], [-3.0]])).tolist() == [1.0]
    # |±1 ±1 ±1 ±1| >= 2 in all but the 6 of 16 assignments with sum 0
    assert sign_flip_test(np.array([[1.0], [1.0], [1.0], [-1.0]])).tolist() == [10 / 16]


def test_items_that_add_nothing_change_nothing() -> None:
    few = np.array([[0.1], [0.2], [0.3]])
    assert sign_flip_test(np.concatenate([few, np.zeros((500, 1))])).tolist() == [0.25]


def test_several_figures_are_tested_with_the_same_signs() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0.3, 1, (9, 5))
    np.testing.assert_allclose(sign_flip_test(values), enumerated(values))


def test_drawn_signs_agree_with_scipy_on_the_same_statistic() -> None:
    rng = np.random.default_rng(8)
    differences = rng.normal(0.35, 1, 60)
    found = sign_flip_test(differences[:, None], flips=20_000)[0]
    theirs = stats.permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(1),
    ).pvalue
    assert 0.001 < theirs < 0.2
    # both are shares of 20,000 draws
    assert found == pytest.approx(theirs, abs=5 * np.sqrt(theirs * (1 - theirs) * 2 / 20_000))


def test_exact_agrees_with_scipy() -> None:
    differences = np.random.default_rng(5).normal(0.4, 1, 11)
    theirs = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=True
    ).pvalue
    assert sign_flip_test(differences[:, None])[0] == pytest.approx(theirs)


def test_false_alarms_are_as_rare_as_alpha_says() -> None:
    rng = np.random.default_rng(0)
    p = sign_flip_test(rng.standard_t(3, (150, 400)), flips=999)
    assert (p < 0.05).mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 400))


def test_no_p_of_drawn_signs_is_zero() -> None:
    assert sign_flip_test(np.ones((100, 1)), flips=199).tolist() == [1 / 200]


@given(
    st.lists(st.integers(-4, 4), min_size=1, max_size=40),
    st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_p_is_a_probability_symmetric_and_one_for_equal_runs(numbers: list[int], seed: int) -> None:
    values = np.array(numbers, float)[:, None] / 7
    found = sign_flip_test(values, flips=300, seed=seed)
    assert 0 < found[0] <= 1
    assert found.tolist() == sign_flip_test(-values, flips=300, seed=seed).tolist()
    assert sign_flip_test(0 * values, flips=300, seed=seed).tolist() == [1.0]
    if is_exact(len(numbers), 300):
        assert found[0] == pytest.approx(enumerated(values)[0])


def test_holm_by_hand() -> None:
    # 4 x .01 = .04, 3 x .02 = .06, 2 x .03 = .06, 1 x .04 = .04 but not below .06
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.9, 0.6])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_holm_leaves_out_what_was_not_tested() -> None:
    found = holm(np.array([np.nan, 0.01, 0.5, np.nan]))
    np.testing.assert_allclose(found, [np.nan, 0.02, 0.5, np.nan])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(deadline=None)
def test_holm_keeps_order_and_never_lowers_p(given_p: list[float]) -> None:
    p = np.array(given_p)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= 1).all()
    assert (corrected <= np.minimum(p * len(p), 1) + 1e-15).sum() >= 1
    order = np.argsort(p, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()


def rows_of_two_languages() -> list[tuple[int, str, str, float | None]]:
    """Differences: German of items 0 to 3, English of items 0 and 1, one unknown."""
    return [
        *((0, "de", "de", 0.1), (1, "de", "de", 0.3), (2, "de", "de", -0.2), (3, "de", "de", 0.6)),
        *((0, "en", "en", 0.4), (1, "en", "en", 0.0), (2, "en", "en", None)),
    ]


def test_contributions_add_up_to_the_difference_of_macro_means() -> None:
    table = table_of(rows_of_two_languages())
    found = monolingual(table)
    # German (0.1 + 0.3 - 0.2 + 0.6) / 4 = 0.2, English 0.4 / 2 = 0.2; an item adds d/4/2 and d/2/2
    assert found.difference == pytest.approx([0.2])
    assert found.values[:, 0] == pytest.approx([0.0125 + 0.1, 0.0375, -0.025, 0.075])
    assert found.present[:, 0].tolist() == [True, True, True, True]
    each = monolingual(table, by_language)
    assert each.difference == pytest.approx([0.2, 0.2])
    assert each.present[:, 1].tolist() == [True, True, False, False]


def test_translations_are_flipped_together() -> None:
    # one language or three that say the same: the same p
    one = table_of([(k, "de", "de", value) for k, value in enumerate((1.0, 2.0, 3.0))])
    three = table_of([(k, x, x, v) for k, v in enumerate((1.0, 2.0, 3.0)) for x in ("de", "en", "sw")])
    for table in (one, three):
        assert sign_flip_test(monolingual(table).values).tolist() == [0.25]


def test_the_effect_is_the_mean_over_the_deviation_of_items() -> None:
    differences = [0.1, 0.3, -0.2, 0.6, 0.2]
    table = table_of([(k, "de", "de", value) for k, value in enumerate(differences)])
    found = standardised(monolingual(table))
    # d times the root of the number of items is the paired t
    theirs = stats.ttest_1samp(differences, 0).statistic
    assert found * np.sqrt(5) == pytest.approx([theirs])


def test_an_effect_without_spread_is_none() -> None:
    same = table_of([(k, "de", "de", 0.2) for k in range(4)])
    single = table_of([(0, "de", "de", 0.2)])
    for table in (same, single):
        assert np.isnan(standardised(monolingual(table))).all()
