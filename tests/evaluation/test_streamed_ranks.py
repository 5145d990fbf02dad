"""Ranks in one pass over large pools: against exact arithmetic, whatever the blocks, near ties and stores."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import Benchmark, FloatArray
from panglot.encoders.store import Store, StoreFacts, open_store, scale_path, shard_path
from panglot.encoders.store_write import begin_store, pack
from panglot.errors import PanglotError
from panglot.evaluation import Ranks, exact_ranks, ranks
from panglot.evaluation.scores import (
    COLUMNS,
    gathered_scores,
    pair_scores,
    product_error,
    score,
)

MakeBenchmark = Callable[..., Benchmark]


def kept(folder: Path, vectors: FloatArray, dtype: str, shard_size: int) -> Store:
    """A store of some vectors."""
    model = {"name": "m", "sha256": "", "prompt": "", "max_length": None, "precision": "float32"}
    corpus = {"name": "c", "sha256": ""}
    facts = StoreFacts(model, corpus, len(vectors), vectors.shape[1], dtype, shard_size)
    begin_store(folder, facts)
    for shard in range(facts.shards):
        values, scale = pack(vectors[facts.span(shard)], dtype)
        np.save(shard_path(folder, shard), values)
        if scale is not None:
            np.save(scale_path(folder, shard), scale)
    return open_store(folder)


def brute_force(benchmark: Benchmark, queries: FloatArray, passages: FloatArray) -> list[tuple[int, int]]:
    """Rank by a plain loop: score in float64, rounded to float32, then id, both descending."""
    ids, language = benchmark.passages.ids, benchmark.passages.languages
    found = []
    for q, p, gain in zip(benchmark.judged_query, benchmark.judged_passage, benchmark.gains, strict=True):
        if gain > 0:
            scores = (queries[q].astype(np.float64) * passages).sum(1).astype(np.float32)
            before = [(scores[c], ids[c]) > (scores[p], ids[p]) for c in range(len(passages))]
            own = sum(b for b, code in zip(before, language, strict=True) if code == language[p])
            found.append((own + 1, sum(before) + 1))
    return found


def pairs(found: Ranks) -> list[tuple[int, int]]:
    return list(zip(found.in_language.tolist(), found.in_all.tolist(), strict=True))


def crowded(
    make_benchmark: MakeBenchmark, seed: int, spread: float, dimension: int, judged: float = 0.2
) -> tuple[Benchmark, FloatArray, FloatArray]:
    """A pool of equal and almost equal passages in three languages, in any order, and queries among them."""
    rng = np.random.default_rng(seed)
    names = [f"p{k}" for k in rng.permutation(70)]
    gains = rng.random((6, 70)) < judged
    gains[0, 0] = True
    benchmark = make_benchmark(
        {f"q{k}": "en" for k in range(6)},
        {name: str(rng.choice(["ar", "en", "zh"])) for name in names},
        [(f"q{q}", names[p], int(rng.integers(1, 3))) for q, p in np.argwhere(gains)],
    )
    near = rng.normal(size=(1, dimension)) + spread * rng.normal(size=(25, dimension))
    near = near[rng.integers(0, 25, 70)]
    passages = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    queries = passages[:6] + rng.normal(size=(6, dimension)) * rng.choice([0, 0.1])
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    return benchmark, queries.astype(np.float32), passages


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    spread=st.sampled_from([0.0, 1e-8, 1e-7, 1e-6, 1e-4, 1.0]),
    dimension=st.sampled_from([1, 3, 64, 400]),
    columns=st.sampled_from([1, 7, 70, COLUMNS]),
    many=st.sampled_from([0, 64]),
    dtype=st.sampled_from(["array", "float32", "float16", "int8"]),
    shard_size=st.sampled_from([9, 100]),
)
def test_ranks_equal_those_of_brute_force(
    make_benchmark: MakeBenchmark,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    spread: float,
    dimension: int,
    columns: int,
    many: int,
    dtype: str,
    shard_size: int,
) -> None:
    benchmark, queries, passages = crowded(make_benchmark, seed, spread, dimension)
    pool: FloatArray | Store = passages
    if dtype != "array":
        pool = kept(tmp_path_factory.mktemp("store"), passages, dtype, shard_size)
        passages = pool[:]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "MANY", many)
        patch.setattr(ranks, "ORDERED", int(seed) % 2 * 1000)  # ties by order of ids, or id by id
        found = exact_ranks(benchmark, queries, pool, columns=columns)
    assert pairs(found) == brute_force(benchmark, queries, passages)


def test_near_ties_by_hand(make_benchmark: MakeBenchmark) -> None:
    # 1 + 2^-20 + ... needs float64: in float32 sums "high" and "low" would both be 1
    step = np.float32(2.0**-23)
    passages = np.array([[1, step, 0], [1, 0, 0], [1, 0, step / 2]], np.float32)
    benchmark = make_benchmark({"q": "en"}, {"a": "en", "b": "en", "c": "en"}, [("q", "b", 1), ("q", "c", 1)])
    found = exact_ranks(benchmark, np.ones((1, 3), np.float32), passages)
    # scores: a 1 + 2^-23; b 1; c 1 + 2^-24, which rounds to the even 1: a tie with b that the greater id wins
    assert pairs(found) == [(3, 3), (2, 2)]


def test_many_relevant_passages_are_looked_up_in_sorted_rows(make_benchmark: MakeBenchmark) -> None:
    benchmark, queries, passages = crowded(make_benchmark, 4, 0.5, 16, judged=0.97)
    assert np.bincount(benchmark.judged_query).max() > ranks.MANY
    assert pairs(exact_ranks(benchmark, queries, passages)) == brute_force(benchmark, queries, passages)


def test_the_pool_is_read_once_and_in_order(make_benchmark: MakeBenchmark, tmp_path: Path) -> None:
    queries = 1100  # three blocks of them
    names = [f"p{k}" for k in range(50)]
    benchmark = make_benchmark(
        {f"q{k}": "en" for k in range(queries)},
        {name: "ar" if k < 20 else "en" for k, name in enumerate(names)},
        [(f"q{k}", names[k % 50], 1) for k in range(queries)],
    )
    rng = np.random.default_rng(0)
    store = kept(tmp_path, rng.normal(size=(50, 8)).astype(np.float32), "float16", 15)
    asked: list[slice] = []
    block = store.block

    def noted(rows: slice, buffer: FloatArray | None = None) -> FloatArray:
        asked.append(rows)
        return block(rows, buffer)

    store.block = noted  # type: ignore[method-assign]
    finished: list[int] = []
    drawn = rng.normal(size=(queries, 8)).astype(np.float32)
    found = exact_ranks(benchmark, drawn, store, columns=16, progress=finished.append)
    spans = [slice(0, 16), slice(16, 20), slice(20, 36), slice(36, 50)]
    assert asked == [slice(None, ranks.SAMPLE), *spans]  # first the few whose mean is taken away
    assert finished == [16, 4, 16, 14]
    assert pairs(found) == brute_force(benchmark, drawn, store[:])


def test_a_vector_that_is_not_finite_is_an_error(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en", "b": "en"}, [("q", "a", 1)])
    for row in (0, 1):
        passages = np.ones((2, 3), np.float32)
        passages[row, 1] = np.nan
        with pytest.raises(PanglotError, match="an embedding holds a number that is not finite"):
            exact_ranks(benchmark, np.ones((1, 3), np.float32), passages)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**31),
    dimension=st.sampled_from([1, 2, 100, 768]),
    scale=st.sampled_from([1.0, 30.0]),
)
def test_a_product_is_no_farther_off_than_its_bound(seed: int, dimension: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    queries = (rng.random((3, dimension)) * scale).astype(np.float32)  # all terms positive: the hardest case
    passages = rng.random((4, dimension)).astype(np.float32)
    product = score(queries, passages).numpy()
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(passages, axis=1)
    for q in range(3):
        for p in range(4):
            terms = zip(queries[q].tolist(), passages[p].tolist(), strict=True)
            exact = sum((Fraction(a) * Fraction(b) for a, b in terms), Fraction(0))
            assert abs(Fraction(float(product[q, p])) - exact) <= product_error(dimension) * lengths[q, p]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**31), pairs_=st.integers(1, 40), dimension=st.sampled_from([1, 7, 130, 384]))
def test_a_score_depends_on_its_two_vectors_only(seed: int, pairs_: int, dimension: int) -> None:
    rng = np.random.default_rng(seed)
    queries, passages = rng.normal(size=(2, pairs_, dimension)).astype(np.float32)
    together_ = pair_scores(queries, passages)
    alone = [pair_scores(queries[k : k + 1], passages[k : k + 1])[0] for k in range(pairs_)]
    assert together_.tolist() == alone
    order = rng.permutation(pairs_)
    rows = np.arange(pairs_)
    gathered = gathered_scores(queries, rows[order], passages, rows[order])
    assert gathered.tolist() == together_[order].tolist()
