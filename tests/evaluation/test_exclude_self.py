"""Passages that are left out of a query's pool."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import Benchmark, FloatArray, Texts
from panglot.evaluation.ranks import Ranks, exact_ranks


def by_name(benchmark: Benchmark, ranks: Ranks) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (benchmark.queries.ids[q], benchmark.passages.ids[p]): (int(own), int(every))
        for q, p, own, every in zip(ranks.query, ranks.passage, ranks.in_language, ranks.in_all, strict=True)
    }


def unit(*rows: list[float]) -> FloatArray:
    vectors = np.array(rows, np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_a_query_does_not_find_itself(make_benchmark: Callable[..., Benchmark]) -> None:
    # q finds a itself first, then b (en), then c (de), then d (de)
    benchmark = make_benchmark(
        {"q": "en", "r": "en"},
        {"a": "en", "b": "en", "c": "de", "d": "de"},
        [("q", "a", -1), ("q", "b", 1), ("q", "d", 1), ("r", "c", 2)],
    )
    queries = unit([1, 0], [1, 0])
    passages = unit([1, 0], [1, 0.1], [1, 0.2], [1, 0.3])
    ranks = exact_ranks(benchmark, queries, passages)
    assert by_name(benchmark, ranks) == {
        ("q", "b"): (1, 1),  # 2 with a
        ("q", "d"): (2, 3),  # 4 with a; c is before it in its language
        ("r", "c"): (1, 3),  # nothing is left out of another query's pool
    }
    assert ranks.gain.tolist() == [1, 1, 2]


def test_what_is_left_out_below_changes_nothing(make_benchmark: Callable[..., Benchmark]) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en", "b": "en"}, [("q", "a", -1), ("q", "b", 1)])
    ranks = exact_ranks(benchmark, unit([0, 1]), unit([1, 0], [0, 1]))
    assert by_name(benchmark, ranks) == {("q", "b"): (1, 1)}


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_ranks_equal_those_in_a_pool_without_them(data: Any) -> None:
    """Each query by itself, against a benchmark from which what it leaves out was taken away."""
    n_queries, n_passages = data.draw(st.integers(1, 3)), data.draw(st.integers(2, 8))
    corners = unit([1, 0], [0, 1], [-1, 0], [1, 1])  # few directions, so that scores tie

    def draw(values: st.SearchStrategy[int], size: int) -> np.ndarray:
        return np.array(data.draw(st.lists(values, min_size=size, max_size=size)), np.int64)

    q_codes, p_codes = draw(st.integers(0, 1), n_queries), draw(st.integers(0, 1), n_passages)
    queries = corners[draw(st.integers(0, 3), n_queries)]
    passages = corners[draw(st.integers(0, 3), n_passages)]
    gains = draw(st.integers(-1, 2), n_queries * n_passages).reshape(n_queries, n_passages)
    gains[0, 0] = 1
    ids = [f"p{k}" for k in range(n_passages)]

    def benchmark(rows: np.ndarray, columns: np.ndarray) -> Benchmark:
        judged = np.argwhere(np.ones((len(rows), len(columns))))
        return Benchmark(
            name="drawn",
            languages=("de", "en"),
            queries=Texts([f"q{k}" for k in rows], q_codes[rows], ["-"] * len(rows)),
            passages=Texts([ids[k] for k in columns], p_codes[columns], ["-"] * len(columns)),
            query_items=rows,
            judged_query=judged[:, 0],
            judged_passage=judged[:, 1],
            gains=gains[np.ix_(rows, columns)].reshape(-1),
        )

    whole = benchmark(np.arange(n_queries), np.arange(n_passages))
    found = by_name(whole, exact_ranks(whole, queries, passages))
    expected: dict[tuple[str, str], tuple[int, int]] = {}
    for row in range(n_queries):
        pool = np.flatnonzero(gains[row] >= 0)
        if (gains[row] > 0).any():
            alone = benchmark(np.array([row]), pool)
            expected |= by_name(alone, exact_ranks(alone, queries[[row]], passages[pool]))
    assert found == expected
