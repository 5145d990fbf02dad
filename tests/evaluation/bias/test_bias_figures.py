"""All bias figures of a small benchmark, worked by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from panglot.data import Benchmark, FloatArray
from panglot.evaluation import exact_ranks, per_query
from panglot.evaluation.bias import READINGS, bias_figures, with_columns
from panglot.evaluation.top import top_passages

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
