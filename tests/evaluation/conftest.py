"""Random benchmarks with many ties, for comparisons with references."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from panglot.data import Benchmark, FloatArray

RandomBenchmark = Callable[..., tuple[Benchmark, FloatArray, FloatArray]]


@pytest.fixture(scope="session")
def random_benchmark(make_benchmark: Callable[..., Benchmark]) -> RandomBenchmark:
    """Draw a benchmark with graded judgements, repeated vectors, languages in no order, and its vectors."""

    def draw(
        seed: int, queries: int = 25, passages: int = 60, languages: str = "ar de en ja", unit: bool = False
    ) -> tuple[Benchmark, FloatArray, FloatArray]:
        rng = np.random.default_rng(seed)
        codes = languages.split()
        query_ids = [f"q{k}" for k in rng.permutation(queries)]
        passage_ids = [f"p{k}" for k in rng.permutation(passages)]
        gains = rng.choice([-1, 0, 1, 2, 3], (queries, passages), p=[0.88, 0.04, 0.04, 0.02, 0.02])
        gains[0, 0] = 1
        benchmark = make_benchmark(
            {name: str(rng.choice(codes)) for name in query_ids},
            {name: str(rng.choice(codes)) for name in passage_ids},
            [(query_ids[q], passage_ids[p], int(gains[q, p])) for q, p in np.argwhere(gains >= 0)],
        )
        kinds = rng.integers(-2, 3, (passages // 3, 4)).astype(np.float32)  # each vector about three times
        of_query = rng.integers(-2, 3, (queries, 4)).astype(np.float32)
        of_passage = kinds[rng.integers(0, len(kinds), passages)]
        return benchmark, _unit(of_query) if unit else of_query, _unit(of_passage) if unit else of_passage

    return draw


def _unit(vectors: FloatArray) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1), np.float32)
