"""Exact ranks, by hand and against sorting; and counting in a tile, against comparing everything."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from panglot.data import Benchmark, FloatArray
from panglot.evaluation import Ranks, exact_ranks, ranks
from panglot.evaluation.ranks import CHUNK, Pairs, count_above
from panglot.evaluation.scores import COLUMNS

MakeBenchmark = Callable[..., Benchmark]
Found = dict[tuple[str, str], tuple[int, int]]  # by query and passage id: rank in its language, rank in all


def found(benchmark: Benchmark, ranks: Ranks) -> Found:
    pairs = zip(ranks.query, ranks.passage, ranks.in_language, ranks.in_all, strict=True)
    return {
        (benchmark.queries.ids[q], benchmark.passages.ids[p]): (int(own), int(every))
        for q, p, own, every in pairs
    }


def slow_ranks(benchmark: Benchmark, scores: npt.NDArray[np.float64]) -> Found:
    ids = np.array(benchmark.passages.ids)
    language = benchmark.passages.languages
    slow: Found = {}
    for q, p, gain in zip(benchmark.judged_query, benchmark.judged_passage, benchmark.gains, strict=True):
        if gain > 0:
            by_id = np.argsort(ids)[::-1]
            ranking = by_id[np.argsort(-scores[q, by_id], kind="stable")]
            own = ranking[language[ranking] == language[p]]
            key = (benchmark.queries.ids[q], benchmark.passages.ids[p])
            slow[key] = (int(np.flatnonzero(own == p)[0]) + 1, int(np.flatnonzero(ranking == p)[0]) + 1)
    return slow


def scored(scores: list[list[float]]) -> tuple[FloatArray, FloatArray]:
    """Vectors of queries and passages whose dot products are the given scores, to the bit."""
    table = np.array(scores, np.float32)
    return np.eye(len(table), dtype=np.float32), np.ascontiguousarray(table.T)


@pytest.mark.parametrize("columns", [1, 2, 3, COLUMNS])
def test_ranks_by_hand_with_ties_by_id_descending(make_benchmark: MakeBenchmark, columns: int) -> None:
    benchmark = make_benchmark(
        {"q": "en"},
        {"a": "en", "b": "de", "c": "en", "d": "de", "e": "en"},
        [("q", "b", 1), ("q", "c", 1), ("q", "e", 1), ("q", "a", 0)],
    )
    # all: a .9, then d, c, b at .5, then e .1; German: d, b; English: a, c, e
    queries, passages = scored([[0.9, 0.5, 0.5, 0.5, 0.1]])
    ranks = exact_ranks(benchmark, queries, passages, columns=columns)
    assert found(benchmark, ranks) == {("q", "b"): (2, 4), ("q", "c"): (2, 3), ("q", "e"): (3, 5)}


def test_ranks_are_sorted_by_query_and_keep_gains(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"x": "en", "none": "en", "y": "en"},
        {"a": "en", "b": "en"},
        [("y", "a", 3), ("x", "b", 2), ("none", "a", 0), ("y", "b", 1)],
    )
    queries, passages = scored([[0.1, 0.2], [0.5, 0.6], [0.8, 0.7]])
    ranks = exact_ranks(benchmark, queries, passages)
    assert ranks.query.tolist() == [0, 2, 2]
    assert ranks.passage.tolist() == [1, 0, 1]
    assert ranks.gain.tolist() == [2, 3, 1]
    assert ranks.in_all.tolist() == [1, 1, 2]


def test_negative_scores_and_zeros_of_either_sign_are_ordered(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "en"}, dict.fromkeys("abcd", "en"), [("q", name, 1) for name in "abcd"])
    queries, passages = scored([[-0.5, 0.0, -0.0, -0.25]])
    ranks = exact_ranks(benchmark, queries, passages)
    order = sorted((rank, passage) for (_, passage), (_, rank) in found(benchmark, ranks).items())
    assert order == [(1, "c"), (2, "b"), (3, "d"), (4, "a")]


@dataclass(frozen=True)
class Case:
    query_languages: list[str]
    passages: list[tuple[int, str]]
    gains: npt.NDArray[np.int64]
    queries: FloatArray
    vectors: FloatArray
    columns: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    language = st.sampled_from(["ar", "de", "en", "ja"])
    query_languages = draw(st.lists(language, min_size=1, max_size=40))
    passages = draw(
        st.lists(st.tuples(st.integers(0, 120), language), min_size=1, max_size=40, unique_by=lambda p: p[0])
    )
    shape = (len(query_languages), len(passages))
    gains = draw(hnp.arrays(np.int64, shape, elements=st.integers(-1, 3), fill=st.just(-1)))
    gains[draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))] = 1
    coordinates = st.integers(-2, 2)
    kinds = draw(hnp.arrays(np.float32, (5, 3), elements=coordinates))
    repeated = draw(hnp.arrays(np.int64, shape[1], elements=st.integers(0, 4)))
    queries = draw(hnp.arrays(np.float32, (shape[0], 3), elements=coordinates))
    columns = draw(st.sampled_from([1, 3, 7, COLUMNS]))
    return Case(query_languages, passages, gains, queries, kinds[repeated], columns)


@settings(deadline=None, max_examples=80)
@given(case=cases())
def test_ranks_equal_those_of_a_slow_sort(make_benchmark: MakeBenchmark, case: Case) -> None:
    benchmark = make_benchmark(
        {f"q{k}": language for k, language in enumerate(case.query_languages)},
        {f"p{number}": language for number, language in case.passages},
        [
            (f"q{q}", f"p{case.passages[p][0]}", int(case.gains[q, p]))
            for q, p in np.argwhere(case.gains >= 0)
        ],
    )
    ranks = exact_ranks(benchmark, case.queries, case.vectors, columns=case.columns)
    exact_scores = case.queries.astype(float) @ case.vectors.astype(float).T
    assert found(benchmark, ranks) == slow_ranks(benchmark, exact_scores)


@pytest.mark.parametrize("columns", [16, COLUMNS])
def test_more_queries_than_a_block_are_ranked_alike(
    random_benchmark: Callable[..., tuple[Benchmark, FloatArray, FloatArray]], columns: int
) -> None:
    benchmark, queries, passages = random_benchmark(seed=5, queries=600, passages=50)
    ranks = exact_ranks(benchmark, queries, passages, columns=columns)
    exact_scores = queries.astype(float) @ passages.astype(float).T
    assert found(benchmark, ranks) == slow_ranks(benchmark, exact_scores)


def test_ranks_leave_vectors_and_benchmark_as_they_were(
    random_benchmark: Callable[..., tuple[Benchmark, FloatArray, FloatArray]],
) -> None:
    benchmark, queries, passages = random_benchmark(seed=1)
    before = queries.copy(), passages.copy(), benchmark.judged_query.copy()
    exact_ranks(benchmark, queries, passages, columns=8)
    assert all(
        np.array_equal(a, b) for a, b in zip(before, (queries, passages, benchmark.judged_query), strict=True)
    )


def slow(
    tile: np.ndarray, row: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[list[int], list[tuple[int, int]]]:
    above = [int((tile[r] > limit).sum()) for r, limit in zip(row, high, strict=True)]
    near = [
        (k, c) for k, r in enumerate(row) for c in range(tile.shape[1]) if low[k] <= tile[r, c] <= high[k]
    ]
    return above, near


def test_by_hand() -> None:
    tile = torch.full((2, CHUNK), -torch.inf)
    tile[0, :4] = torch.tensor([0.9, 0.5, 0.4, 0.1])
    tile[1, :4] = torch.tensor([-0.0, 0.0, -0.2, 0.3])
    pairs = Pairs(np.array([0, 0, 1]), np.array([2, 1]))
    low, high = np.array([0.4, 0.95, 0.0], np.float32), np.array([0.45, 0.96, 0.0], np.float32)
    above, near = count_above(tile, pairs, low, high)
    found = [(int(k), int(c)) for ks, cs in near for k, c in zip(ks, cs, strict=True)]
    assert above.tolist() == [2, 0, 1]
    assert sorted(found) == [(0, 2), (2, 0), (2, 1)]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    chunks=st.integers(1, 3),
    levels=st.sampled_from([2, 6, 1000]),
    many=st.sampled_from([0, 3, 64]),
    cached=st.sampled_from([1, 2 * CHUNK, 1 << 18]),
    expanded=st.sampled_from([1, 50, 1 << 20]),
)
def test_counts_and_near_columns_equal_those_of_comparing_everything(
    seed: int, counts: list[int], chunks: int, levels: int, many: int, cached: int, expanded: int
) -> None:
    rng = np.random.default_rng(seed)
    counts = sorted(counts, reverse=True)
    width = chunks * CHUNK
    tile = (rng.integers(-levels, levels + 1, (len(counts), width)) / levels).astype(np.float32)
    tile[:, rng.integers(1, width + 1) :] = -np.inf
    row = np.repeat(np.arange(len(counts)), counts)
    low = (rng.integers(-levels, levels + 1, len(row)) / levels).astype(np.float32)
    high = low + rng.choice(np.array([0, 0.25, 1], np.float32), len(row))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "MANY", many)
        patch.setattr(ranks, "CACHED", cached)
        patch.setattr(ranks, "EXPANDED", expanded)
        patch.setattr(ranks, "FOUND", expanded)
        above, near = count_above(torch.from_numpy(tile), Pairs(row, np.array(counts)), low, high)
        found = [(int(k), int(c)) for ks, cs in near for k, c in zip(ks, cs, strict=True)]
    assert (above.tolist(), sorted(found)) == slow(tile, row, low, high)


def test_sorting_keeps_the_widest_tiles_apart() -> None:
    # the greatest row, score and column of a tile must fit one integer beside each other
    rows, width = 2, 1 << ranks.COLUMN_BITS
    tile = torch.zeros(rows, width)
    tile[1, -1] = torch.finfo(torch.float32).max
    above, near = ranks._by_sorting(
        tile, np.array([0, 1]), np.array([0.5, 0.5], np.float32), np.array([0.6, 0.6], np.float32)
    )
    assert above.tolist() == [0, 1]
    assert [len(k) for k, _ in near] == [0]
    assert 13 + ranks.COLUMN_BITS + ranks.SCORE_BITS <= 63
