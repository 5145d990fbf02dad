"""The lists of the best passages, against sorting everything and against the exported runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import Benchmark, FloatArray
from panglot.evaluation.top import SPARE, top_passages
from panglot.evaluation.trec import write_runs

MakeBenchmark = Callable[..., Benchmark]
RandomBenchmark = Callable[..., tuple[Benchmark, FloatArray, FloatArray]]


def slow_top(benchmark: Benchmark, queries: FloatArray, passages: FloatArray, row: int, k: int) -> list[int]:
    """Sort the whole pool by exact score, then by id, both descending."""
    scores = (queries[row].astype(np.float64) * passages).sum(1).astype(np.float32)
    by_id = sorted(range(len(passages)), key=lambda p: benchmark.passages.ids[p], reverse=True)
    return sorted(by_id, key=lambda p: -float(scores[p]))[:k]


def test_top_by_hand_with_ties_by_id_descending(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"none": "en", "q": "en"}, {"a": "en", "b": "de", "c": "en", "d": "de", "e": "en"}, [("q", "b", 1)]
    )
    # q: a .9, then d, c, b at .5, then e .1
    passages = np.array([[0.9], [0.5], [0.5], [0.5], [0.1]], np.float32)
    top = top_passages(benchmark, np.array([[-1.0], [1.0]], np.float32), passages, 3)
    assert top.query.tolist() == [1]  # only the query with a relevant passage
    assert [benchmark.passages.ids[p] for p in top.passage[0]] == ["a", "d", "c"]
    assert top.score[0].tolist() == pytest.approx([0.9, 0.5, 0.5])


@pytest.mark.parametrize("columns", [1, 7, 60])
@pytest.mark.parametrize("k", [1, 5, 59, 60, 100])
def test_top_equals_sorting_the_whole_pool(random_benchmark: RandomBenchmark, k: int, columns: int) -> None:
    benchmark, queries, passages = random_benchmark(k, unit=True)
    rows = np.arange(len(queries))
    top = top_passages(benchmark, queries, passages, k, rows, columns=columns)
    assert top.passage.shape == (25, min(k, 60))
    for row in rows:
        assert top.passage[row].tolist() == slow_top(benchmark, queries, passages, int(row), k)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from([5, 50, 1000]))
def test_near_ties_are_settled_exactly(
    make_benchmark: MakeBenchmark, seed: int, k: int, columns: int
) -> None:
    rng = np.random.default_rng(seed)
    names = [f"p{n}" for n in rng.permutation(90)]
    benchmark = make_benchmark({"q": "en"}, dict.fromkeys(names, "en"), [("q", "p0", 1)])
    # far more than SPARE passages within a few bits of one another, some of them equal
    passages = rng.normal(size=(1, 64)) + rng.integers(0, 3, (90, 1)) * 1e-7 * rng.normal(size=(90, 64))
    passages = (passages / np.linalg.norm(passages, axis=1, keepdims=True)).astype(np.float32)
    query = passages[:1] + np.float32(0.01)
    top = top_passages(benchmark, query, passages, k, columns=columns)
    assert top.passage[0].tolist() == slow_top(benchmark, query, passages, 0, k)


def test_a_crowd_of_equal_passages_is_cut_by_id(make_benchmark: MakeBenchmark) -> None:
    names = [f"{n:03}" for n in range(4 * SPARE)]
    benchmark = make_benchmark({"q": "en"}, dict.fromkeys(names, "en"), [("q", "000", 1)])
    ones = np.ones((len(names), 1), np.float32)
    top = top_passages(benchmark, ones[:1], ones, 3, columns=2 * SPARE)
    assert [benchmark.passages.ids[p] for p in top.passage[0]] == ["127", "126", "125"]


def test_top_is_what_the_exported_runs_list(random_benchmark: RandomBenchmark, tmp_path: Path) -> None:
    benchmark, queries, passages = random_benchmark(7)
    write_runs(tmp_path, benchmark, queries, passages, depth=8)
    runs: dict[str, list[str]] = {}
    for path in tmp_path.glob("*-all.run"):
        for line in path.read_text().splitlines():
            query, _, passage, *_ = line.split()
            runs.setdefault(query, []).append(passage)
    top = top_passages(benchmark, queries, passages, 8)
    lists = {
        benchmark.queries.ids[q]: [benchmark.passages.ids[p] for p in line]
        for q, line in zip(top.query, top.passage, strict=True)
    }
    assert len(lists) > 10 and lists == runs


def test_less_than_one_passage_is_refused(random_benchmark: RandomBenchmark) -> None:
    benchmark, queries, passages = random_benchmark(0)
    with pytest.raises(ValueError, match="1 or more"):
        top_passages(benchmark, queries, passages, 0)
