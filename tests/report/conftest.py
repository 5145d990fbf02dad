"""Two runs on the sample in three languages, of random vectors: the second has more meaning in them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from panglot.data import Benchmark, sample_benchmark
from panglot.evaluation import Evaluation, describe_run
from panglot.evaluation.aggregate import per_query, summarise
from panglot.evaluation.bias import bias_figures, with_columns
from panglot.evaluation.inspect import inspect_failures, worst_queries
from panglot.evaluation.ranks import exact_ranks
from panglot.evaluation.results import describe_benchmark
from panglot.evaluation.top import top_passages

HOSTILE = "<script>alert('x')</script> & \"نموذج\""
NAMES = ("models/plain", HOSTILE)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """``evaluations``, the ``paths`` of their files, their ``failures``, and a ``hostile`` name."""
    folder = tmp_path_factory.mktemp("runs")
    benchmark = sample_benchmark().restrict(["en", "ar", "sw"])
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(int(benchmark.query_items.max()) + 1, 32))
    item_of = np.zeros(len(benchmark.passages), np.int64)
    item_of[benchmark.judged_passage] = benchmark.query_items[benchmark.judged_query]
    found = SimpleNamespace(evaluations=[], paths=[], failures=[], hostile=HOSTILE)
    for k, (name, share) in enumerate(zip(NAMES, (0.2, 2.0), strict=True)):
        vectors = [
            share * meaning[items] + rng.normal(size=(len(items), 32))
            for items in (benchmark.query_items, item_of)
        ]
        queries, passages = (
            (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in vectors
        )
        evaluation = _evaluation(benchmark, name, queries, passages, k)
        worst = worst_queries(benchmark, evaluation.per_query, "AP", None, 1)
        listed = inspect_failures(benchmark, worst, queries[[w.row for w in worst]], passages, "AP", 3)
        found.evaluations.append(evaluation)
        found.failures.append(list(listed))
        found.paths.append(folder / f"run-{k}.json")
        evaluation.save(found.paths[-1])
    return found


def _evaluation(benchmark: Benchmark, name: str, queries: Any, passages: Any, number: int) -> Evaluation:
    ranks = exact_ranks(benchmark, queries, passages)
    table = per_query(benchmark, ranks)
    figures = summarise(benchmark, table)
    bias, columns = bias_figures(benchmark, ranks, top_passages(benchmark, queries, passages, 100))
    fresh = {key: values for key, values in columns.items() if key not in table.column_names}
    training = {"data": [{"languages": ["en"]}]} if number else None
    results = {
        **describe_run(seed=7, command=f"panglot evaluate {name}"),
        "model": {
            "name": name,
            "sha256": str(number) * 64,
            "prompts": {"query": "Q: "},
            "training": training,
        },
        "benchmark": describe_benchmark(benchmark),
        **figures,
        "bias": bias,
    }
    return Evaluation(results, with_columns(table, fresh))
