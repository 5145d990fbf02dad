"""The lists of the best passages, also reranked: by hand, against sorting, against exported runs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot import Benchmark, evaluate, load_encoder
from panglot.data import FloatArray
from panglot.encoders.reranker import Reranker, load_reranker
from panglot.errors import PanglotError
from panglot.evaluation import exact_ranks
from panglot.evaluation.ranks import Ranks
from panglot.evaluation.top import SPARE, Top, reranked, top_passages
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


Score = Callable[[str, str], float]


class Stub:
    """Scores pairs of texts by a function, and remembers them."""

    def __init__(self, score: Score) -> None:
        self.of, self.seen = score, []  # type: ignore[var-annotated]

    def score(self, queries: Sequence[str], passages: Sequence[str], progress: Any = None) -> FloatArray:
        self.seen += list(zip(queries, passages, strict=True))
        return np.array([self.of(q, p) for q, p in zip(queries, passages, strict=True)], np.float32)


def rerank(
    benchmark: Benchmark, queries: FloatArray, passages: FloatArray, score: Score, depth: int
) -> tuple[Ranks, Top, Stub]:
    """Rerank a benchmark's lists by a function of two texts."""
    ranks = exact_ranks(benchmark, queries, passages)
    stub = Stub(score)
    top = top_passages(benchmark, queries, passages, 100)
    found = reranked(benchmark, queries, passages, ranks, top, cast(Reranker, stub), depth, False)
    return *found, stub


def test_by_hand(make_benchmark: MakeBenchmark) -> None:
    passages = {"a": "en", "b": "de", "c": "en", "d": "de", "e": "en"}
    benchmark = make_benchmark({"q": "en"}, passages, [("q", "a", 1), ("q", "d", 1), ("q", "e", 1)])
    # before: a, b, c, d, e; in English a, c, e; in German b, d
    vectors = np.array([[0.9], [0.8], [0.7], [0.6], [0.5]], np.float32)
    best_last = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0}
    ranks, top, stub = rerank(
        benchmark, np.ones((1, 1), np.float32), vectors, lambda _, p: best_last[p[-1]], 2
    )
    # the first two of each list change places: b, a, c, d, e; c, a, e; d, b
    assert ranks.passage.tolist() == [0, 3, 4]
    assert ranks.in_all.tolist() == [2, 4, 5]
    assert ranks.in_language.tolist() == [2, 1, 3]
    assert [benchmark.passages.ids[p] for p in top.passage[0]] == ["b", "a", "c", "d", "e"]
    assert len(stub.seen) == len(set(stub.seen)) == 4  # each pair once: a, b (all), c (English), d (German)


def test_equal_scores_are_ordered_by_id_descending(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en", "b": "en", "c": "de"}, [("q", "a", 1)])
    vectors = np.array([[0.9], [0.8], [0.7]], np.float32)
    ranks, top, _ = rerank(benchmark, np.ones((1, 1), np.float32), vectors, lambda *_: 0.0, 3)
    assert [benchmark.passages.ids[p] for p in top.passage[0]] == ["c", "b", "a"]
    assert ranks.in_all.tolist() == [3] and ranks.in_language.tolist() == [2]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 70), st.booleans())
def test_ranks_equal_sorting_each_list(random_benchmark: Any, seed: int, depth: int, out: bool) -> None:
    benchmark, queries, passages = random_benchmark(seed, unit=True)
    if out:
        benchmark.gains[::3] = -1
    rng = np.random.default_rng(seed)
    scores = {text: float(rng.integers(0, 9)) for text in benchmark.passages.texts}
    ranks, _, _ = rerank(benchmark, queries, passages, lambda _, p: scores[p], depth)
    language = benchmark.passages.languages
    left_out = benchmark.gains < 0
    out_query, out_passage = benchmark.judged_query[left_out], benchmark.judged_passage[left_out]
    gone = set(zip(out_query, out_passage, strict=True))
    ids = benchmark.passages.ids
    for k, (query, passage) in enumerate(zip(ranks.query, ranks.passage, strict=True)):
        first = (queries[query].astype(np.float64) * passages).sum(1).astype(np.float32)
        pools = {"all": range(len(ids)), "own": np.flatnonzero(language == language[passage])}
        for found, pool in zip((ranks.in_all, ranks.in_language), pools.values(), strict=True):
            rows = sorted(pool, key=lambda p: ids[p], reverse=True)
            rows = [p for p in sorted(rows, key=lambda p: -first[p]) if (query, p) not in gone]
            most = np.bincount(out_query[np.isin(out_passage, list(pool))], minlength=1).max()
            first_few = min(depth, len(pool) - most)  # lists are as long as the shortest
            head = sorted(rows[:first_few], key=lambda p: ids[p], reverse=True)
            head = sorted(head, key=lambda p: -scores[benchmark.passages.texts[p]])
            assert found[k] == [*head, *rows[first_few:]].index(passage) + 1


def test_a_random_reranker_through_evaluate(
    make_benchmark: MakeBenchmark, tiny_checkpoint: Path, tiny_reranker: Path, tmp_path: Path
) -> None:
    passages = {f"{code}{k}": code for k in range(8) for code in ("en", "de")}
    judged = [(f"q-{code}", f"{other}0", 1) for code in ("en", "de") for other in ("en", "de")]
    benchmark = make_benchmark({"q-en": "en", "q-de": "de"}, passages, judged, items=[0, 0])
    model, reranker = load_encoder(str(tiny_checkpoint)), load_reranker(str(tiny_reranker))
    before = evaluate(model, benchmark, progress=False)
    found = evaluate(model, benchmark, reranker=reranker, rerank_depth=16, progress=False)
    described = found.results["model"]["reranker"]
    assert described["depth"] == 16 and len(described["sha256"]) == 64
    assert before.results["settings"] != found.results["settings"]
    # every list is reranked whole, so that the encoder's order does not count
    texts = benchmark.passages.titled()
    scores = reranker.score([benchmark.queries.texts[0]] * 16, texts)
    order = [benchmark.passages.ids[k] for k in np.argsort(-scores)]
    best = min(order.index("en0"), order.index("de0")) + 1
    rows = found.per_query.to_pylist()
    (row,) = [r for r in rows if r["query_id"] == "q-en" and r["pool"] == "*"]
    assert row["RR@10"] == pytest.approx(1 / best if best <= 10 else 0)
    found.save(tmp_path / "r.json")
    for wrong in ({"rerank_depth": 0}, {"perturb": ["typos"]}, {"runs": tmp_path / "runs"}):
        with pytest.raises(PanglotError):
            evaluate(model, benchmark, reranker=reranker, progress=False, **wrong)


def test_scores_are_those_of_the_library_before_the_sigmoid(tiny_reranker: Path) -> None:
    reranker = load_reranker(str(tiny_reranker))
    queries, passages = ["one", "a longer question", "one"], ["two", "x", "two"]
    found = reranker.score(queries, passages)
    pairs = list(zip(queries, passages, strict=True))
    sigmoid = reranker.model.predict(pairs, show_progress_bar=False)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), sigmoid, atol=1e-6)
    assert found[0] == found[2]


def test_what_is_no_reranker_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    for name in (str(tiny_checkpoint), str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(PanglotError, match="reranker"):
            load_reranker(name)


def test_ranks_without_a_reranker_stay(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en", "b": "de"}, [("q", "b", 1)])
    queries, passages = np.ones((1, 1), np.float32), np.array([[0.2], [0.9]], np.float32)
    ranks, _, _ = rerank(benchmark, queries, passages, lambda *_: 1.0, 1)
    assert ranks.in_all.tolist() == exact_ranks(benchmark, queries, passages).in_all.tolist()
