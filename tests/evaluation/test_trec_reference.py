"""Our figures against trec_eval's, by ir_measures' pytrec_eval provider, on exported runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ir_measures
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import Benchmark, FloatArray
from panglot.evaluation import ALL, evaluate_embeddings, write_runs

reader: Any = ir_measures  # it has no types
RandomBenchmark = Callable[..., tuple[Benchmark, FloatArray, FloatArray]]
CUTOFFS = (1, 3, 5, 10, 100)
REFERENCED = [
    "AP",
    "nDCG",
    "RR",
    *(f"{name}@{k}" for name in ("AP", "nDCG", "R", "Success") for k in CUTOFFS),
]
MEASURES = [*REFERENCED, *(f"RR@{k}" for k in CUTOFFS)]


def reference(folder: Path, run: Path) -> dict[str, dict[str, float]]:
    """trec_eval's figures by query. It has no RR with a cut-off: that is its RR, or 0 beyond the cut-off."""
    qrels = list(reader.read_trec_qrels(str(run.with_suffix(".qrels"))))
    measures = [reader.parse_measure(name) for name in REFERENCED]
    figures: dict[str, dict[str, float]] = {}
    for metric in reader.pytrec_eval.iter_calc(measures, qrels, reader.read_trec_run(str(run))):
        figures.setdefault(metric.query_id, {})[str(metric.measure)] = metric.value
    for values in figures.values():
        values.update({f"RR@{k}": values["RR"] * (values["RR"] > 1 / (k + 0.5)) for k in CUTOFFS})
    return figures


def rows_of(table: pa.Table, run: Path) -> dict[str, dict[str, float]]:
    language, pool = run.stem.split("-")
    pool = ALL if pool == "all" else pool
    chosen = [r for r in table.to_pylist() if (r["query_language"], r["pool"]) == (language, pool)]
    return {row["query_id"]: {name: row[name] for name in MEASURES} for row in chosen}


def mean_of(results: dict[str, Any], run: Path, name: str) -> float | None:
    language, pool = run.stem.split("-")
    if pool == "all":
        figures = results["by_language"][language]["multilingual"]
        return figures and float(figures[name])
    value = results["matrix"][name][language].get(pool)
    return value if value is None else float(value)


def assert_equal_to_trec_eval(folder: Path, drawn: tuple[Benchmark, FloatArray, FloatArray]) -> None:
    benchmark, queries, passages = drawn
    evaluation = evaluate_embeddings(benchmark, queries, passages, MEASURES)
    compared = 0
    for run in write_runs(folder, benchmark, queries, passages, depth=None):
        ours, theirs = rows_of(evaluation.per_query, run), reference(folder, run)
        assert ours.keys() == theirs.keys(), run.name
        for query, figures in theirs.items():
            assert ours[query] == pytest.approx(figures, abs=1e-6), (run.name, query)
        for name in MEASURES:
            mean = mean_of(evaluation.results, run, name)
            if theirs:
                expected = sum(figures[name] for figures in theirs.values()) / len(theirs)
                assert mean == pytest.approx(expected, abs=1e-6), (run.name, name)
            else:
                assert mean is None
        compared += len(theirs)
    assert compared == evaluation.per_query.num_rows


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 2**31),
    queries=st.integers(1, 30),
    passages=st.integers(3, 60),
    languages=st.sampled_from(["sw", "en zh", "ar de en ja"]),
    unit=st.booleans(),
)
def test_every_measure_equals_trec_eval_ties_included(
    tmp_path_factory: pytest.TempPathFactory,
    random_benchmark: RandomBenchmark,
    seed: int,
    queries: int,
    passages: int,
    languages: str,
    unit: bool,
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    drawn = random_benchmark(seed, queries=queries, passages=passages, languages=languages, unit=unit)
    assert_equal_to_trec_eval(folder, drawn)


@pytest.mark.parametrize("unit", [False, True], ids=["exact scores", "rounded scores"])
def test_every_measure_equals_trec_eval_over_several_blocks_of_queries(
    tmp_path: Path, random_benchmark: RandomBenchmark, unit: bool
) -> None:
    assert_equal_to_trec_eval(tmp_path, random_benchmark(11, queries=520, passages=40, unit=unit))


def test_ids_beyond_ascii_tie_as_in_trec_eval(
    tmp_path: Path, make_benchmark: Callable[..., Benchmark], random_benchmark: RandomBenchmark
) -> None:
    # trec_eval compares bytes of UTF-8; U+FF5E is below U+1F600 there, but above it in UTF-16
    names = ["a", "Z", "é", "e\u0301", "語", "\uff5e", "\U0001f600", "p9", "p10"]
    _, _, passages = random_benchmark(0, passages=9)
    benchmark = make_benchmark(
        dict.fromkeys(names, "en"), dict.fromkeys(names, "en"), [(n, n, 1) for n in names]
    )
    passages[:] = 1
    assert_equal_to_trec_eval(tmp_path, (benchmark, passages, passages))
