"""Language bias: each measure by hand, against references, and all of them together."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kruskal, mannwhitneyu

from panglot.data import Benchmark, FloatArray
from panglot.evaluation import exact_ranks, per_query
from panglot.evaluation.bias import (
    READINGS,
    bias_figures,
    exposure,
    kruskal_wallis,
    own_language_preference,
    parallel_preference,
    peer,
    relevant_shares,
    target_exposure,
    target_language_recall,
    top_shares,
    total_variation,
    with_columns,
)
from panglot.evaluation.top import top_passages

WINS, DOUBLINGS = "own_language_wins", "own_language_doublings"
OUTCOMES = ("right_own", "right_other", "wrong_own", "wrong_other")
MakeBenchmark = Callable[..., Benchmark]
RandomBenchmark = Callable[..., tuple[Benchmark, FloatArray, FloatArray]]


@pytest.fixture
def small(make_benchmark: MakeBenchmark) -> tuple[Benchmark, FloatArray, FloatArray]:
    """One question in English and German, the answers in both, and two other passages in each."""
    benchmark = make_benchmark(
        {"q-en": "en", "q-de": "de"},
        {"a-en": "en", "a-de": "de", "x-en": "en", "y-en": "en", "x-de": "de", "y-de": "de"},
        [(q, a, 1) for q in ("q-en", "q-de") for a in ("a-en", "a-de")],
        items=[0, 0],
    )
    # q-en: a-en, x-en, y-en, a-de, x-de, y-de (by language); q-de: a-en, a-de, then x-de, x-en, y-de, y-en
    scores = np.array([[0.9, 0.6, 0.8, 0.7, 0.5, 0.4], [0.9, 0.8, 0.6, 0.4, 0.7, 0.5]], np.float32)
    return benchmark, np.eye(2, dtype=np.float32), np.ascontiguousarray(scores.T)


def figures_of(benchmark: Benchmark, queries: FloatArray, passages: FloatArray) -> tuple[Any, Any]:
    """Measure the bias of two sets of vectors."""
    ranks = exact_ranks(benchmark, queries, passages)
    return bias_figures(benchmark, ranks, top_passages(benchmark, queries, passages, 100))


def test_figures_by_hand(small: tuple[Benchmark, FloatArray, FloatArray]) -> None:
    benchmark, queries, passages = small
    bias, columns = figures_of(benchmark, queries, passages)
    # ranks: q-en 1 and 4, q-de (own second) 1 and 2
    assert bias["rank_distance"] == pytest.approx((3 + 1) / 2)
    assert bias["rank_distance_normalised"] == pytest.approx(2 / 6)
    assert bias["by_language"]["en"]["rank_distance_normalised"] == pytest.approx(0.5)
    assert columns["max@r"].tolist() == [4, 2] and bias["max@r"] == 3
    assert columns["tlr@20"].tolist() == [1, 1]
    assert columns["language_preference_rate"].tolist() == [1, 0]
    assert bias["language_preference_rate"] == 0.5
    # the first passage is a-en for both
    assert [bias[f"first_{outcome}"] for outcome in OUTCOMES] == [0.5, 0.5, 0, 0]
    assert columns["own_language_wins"].tolist() == [1, 0]
    assert bias["own_language_wins"] == 0.5
    assert columns["own_language_doublings"].tolist() == pytest.approx([2, -1])
    assert bias["own_language_doublings"] == pytest.approx(0.5)
    # all six passages are in the first ten: half of each language, as among the relevant ones
    assert bias["top_shares@10"]["share"]["en"] == {"de": 0.5, "en": 0.5}
    assert bias["share_distance@10"] == 0 and bias["own_language_excess@10"] == 0
    # attention: g = .8, places of English for q-en 1, 2, 3; for q-de 1, 4, 6; the target is half and half
    total = sum(0.8**k for k in range(6))
    first, second = (1 + 0.8 + 0.64) / total, (1 + 0.8**3 + 0.8**5) / total
    assert bias["exposure"]["share"]["en"]["en"] == pytest.approx(first)
    assert bias["exposure"]["fair"]["de"] == pytest.approx({"de": 0.5, "en": 0.5})
    assert columns["own_language_exposure"].tolist() == pytest.approx([first - 0.5, 0.5 - second])
    assert bias["exposure_distance"] == pytest.approx((abs(first - 0.5) + abs(second - 0.5)) / 2)
    # one relevant passage a language: PEER says nothing of those
    assert bias["peer@100"] is None and bias["peer_tested@100"] == 0
    # not relevant: q-en has English, English, German, German: H = 2.4; q-de de, en, de, en: means 2 and 3,
    # H = 3 * (2 * .25 * 2) / 5 = .6
    assert columns["peer_nonrelevant@100"].tolist() == pytest.approx(
        [math.erfc(math.sqrt(1.2)), math.erfc(math.sqrt(0.3))]
    )


def test_the_first_passage_is_split_by_relevance_and_language(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {f"q{k}": "en" for k in range(5)} | {"alone": "en"},
        {"a": "en", "b": "de", "x": "en", "y": "de"},
        [(f"q{k}", name, 1) for k in range(5) for name in ("a", "b")] + [("alone", "a", 1)],
    )
    orders = ["abxy", "baxy", "xbay", "yabx", "xyab", "yxab"]  # of a query each, best first
    scores = np.array([[(4 - order.index(name)) / 5 for name in "abxy"] for order in orders], np.float32)
    queries, passages = np.eye(6, dtype=np.float32), np.ascontiguousarray(scores.T)
    bias, columns = figures_of(benchmark, queries, passages)
    firsts = np.array([columns[f"first_{outcome}"] for outcome in OUTCOMES])
    assert firsts[:, :5].T.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert np.isnan(firsts[:, 5]).all()  # no relevant passage in another language
    assert [bias[f"first_{outcome}"] for outcome in OUTCOMES] == pytest.approx([0.2, 0.2, 0.4, 0.2])
    assert columns["language_preference_rate"][:5].tolist() == [1, 0, 0, 1, 1]
    assert bias["language_preference_rate"] == pytest.approx(0.6)
    assert columns["max@r"][:5].tolist() == [2, 2, 3, 3, 4] and np.isnan(columns["max@r"][5])


def test_every_figure_has_a_reading(small: tuple[Benchmark, FloatArray, FloatArray]) -> None:
    benchmark, queries, passages = small
    bias, columns = figures_of(benchmark, queries, passages)
    assert set(READINGS) <= set(bias) and set(columns) <= set(READINGS)
    assert set(bias["by_language"]["en"]) == set(READINGS)
    assert all(
        reading.source and reading.formula and reading.sentence.endswith(".") for reading in READINGS.values()
    )


def test_columns_stand_in_the_rows_of_the_multilingual_pool(random_benchmark: RandomBenchmark) -> None:
    benchmark, queries, passages = random_benchmark(5)
    ranks = exact_ranks(benchmark, queries, passages)
    _, columns = figures_of(benchmark, queries, passages)
    table = per_query(benchmark, ranks)
    distance = table.column("rank_distance").to_pylist()
    added = with_columns(table.drop_columns("rank_distance"), columns)
    assert added.column("rank_distance").to_pylist() == distance  # the same figure, found another way
    pool = added.column("pool").to_pylist()
    wins = added.column("own_language_wins").to_pylist()
    assert any(value is not None for value in wins)
    assert all(value is None for value, name in zip(wins, pool, strict=True) if name != "*")


def test_means_are_over_the_queries_of_a_language_then_over_languages(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"q1": "en", "q2": "en", "q3": "de"},
        {"a": "en", "b": "de", "c": "de"},
        [("q1", "a", 1), ("q1", "b", 1), ("q2", "a", 1), ("q2", "c", 1), ("q3", "a", 1), ("q3", "b", 1)],
    )
    scores = np.array([[0.9, 0.8, 0.1], [0.9, 0.5, 0.1], [0.9, 0.1, 0.5]], np.float32)
    queries, passages = np.eye(3, dtype=np.float32), np.ascontiguousarray(scores.T)
    bias, columns = figures_of(benchmark, queries, passages)
    assert columns["rank_distance"].tolist() == [1, 2, 2]
    assert bias["rank_distance"] == pytest.approx((1.5 + 2) / 2)


def test_one_language_has_no_bias_figures(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en", "b": "en"}, [("q", "a", 1)])
    vectors = np.ones((2, 1), np.float32)
    bias, columns = figures_of(benchmark, vectors[:1], vectors)
    assert bias == {"rank_distance": None, "rank_distance_normalised": None} and columns == {}


def test_passages_sorted_by_language_are_unfair_and_mixed_ones_fair(make_benchmark: MakeBenchmark) -> None:
    names = {f"{language}{k:02}": language for k in range(20) for language in ("en", "de")}
    benchmark = make_benchmark({"q": "en"}, names, [("q", name, 1) for name in names])
    rng = np.random.default_rng(0)
    mixed = rng.uniform(size=(40, 1)).astype(np.float32)
    own = np.array([[language == "en"] for language in names.values()], np.float32)
    query = np.ones((1, 1), np.float32)
    found = {}
    for name, vectors in (("mixed", mixed), ("sorted", mixed + own)):
        found[name], _ = figures_of(benchmark, query, vectors)
    assert found["sorted"]["peer@100"] < 1e-6 < 0.05 < found["mixed"]["peer@100"]
    assert found["sorted"]["own_language_wins"] == 1
    assert found["sorted"]["own_language_excess@10"] == pytest.approx(0.5)
    assert abs(found["mixed"]["own_language_wins"] - 0.5) < 0.2


def test_preference_by_hand() -> None:
    # own at rank 2; others at 1, 4 and 16: it wins 2 of 3; log2 of .5, 2 and 8 is -1, 1 and 3
    found = own_language_preference(
        np.zeros(4, int), np.ones(4, int), np.array([False, True, False, False]), np.array([1, 2, 4, 16]), 1
    )
    assert found[WINS].tolist() == pytest.approx([2 / 3])
    assert found[DOUBLINGS].tolist() == pytest.approx([1])


def test_only_equally_relevant_passages_are_compared() -> None:
    # the own passage is of gain 2, the others of 1: no pair; the second query has one pair, and loses it
    found = own_language_preference(
        np.array([0, 0, 0, 1, 1]),
        np.array([2, 1, 1, 1, 1]),
        np.array([True, False, False, True, False]),
        np.array([1, 2, 3, 8, 1]),
        3,
    )
    assert np.isnan(found[WINS][[0, 2]]).all() and np.isnan(found[DOUBLINGS][[0, 2]]).all()
    assert found[WINS][1] == 0 and found[DOUBLINGS][1] == pytest.approx(-3)


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
            assert np.isnan(found[WINS][k]) and np.isnan(found[DOUBLINGS][k])
            continue
        assert found[WINS][k] == pytest.approx(sum(a < b for a, b in pairs) / len(pairs))
        logs = [math.log2(b / a) for a, b in pairs]
        assert found[DOUBLINGS][k] == pytest.approx(sum(logs) / len(logs), abs=1e-9)


def test_wins_are_u_over_n_times_m() -> None:
    own, others = [3, 7, 9], [1, 4, 8, 20]
    u = mannwhitneyu(others, own).statistic  # pairs in which the other's rank is greater
    found = own_language_preference(
        np.zeros(7, int), np.ones(7, int), np.array([True] * 3 + [False] * 4), np.array(own + others), 1
    )
    assert found[WINS][0] == pytest.approx(u / 12)


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
    assert found["language_preference_rate"].tolist() == pytest.approx([1, 0, nothing, nothing], nan_ok=True)
    assert found["first_right_own"].tolist() == pytest.approx([0, 0, nothing, nothing], nan_ok=True)
    assert found["first_right_other"].tolist() == pytest.approx([0, 1, nothing, nothing], nan_ok=True)
    assert found["first_wrong_own"].tolist() == pytest.approx([1, 0, nothing, nothing], nan_ok=True)
    assert found["first_wrong_other"].tolist() == pytest.approx([0, 0, nothing, nothing], nan_ok=True)


def test_target_language_recall_by_hand() -> None:
    # query 0: others at 2, 5 and 30; query 1: its own alone; query 2: another at 20, and one at 21
    query = np.array([0, 0, 0, 0, 1, 2, 2])
    own = np.array([True, False, False, False, True, False, False])
    rank = np.array([1, 2, 5, 30, 3, 20, 21])
    found = target_language_recall(query, own, rank, 20, 3)
    assert found.tolist() == pytest.approx([2 / 3, math.nan, 1 / 2], nan_ok=True)
    assert target_language_recall(query, own, rank, 2, 3)[0] == pytest.approx(1 / 3)


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
