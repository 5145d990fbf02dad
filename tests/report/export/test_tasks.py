"""A benchmark as mteb's tasks: mteb's figures of a model are panglot's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot import evaluate, mteb_tasks, sample_benchmark
from panglot.data import Benchmark
from panglot.errors import PanglotError

mteb = pytest.importorskip("mteb")
SAME = {"nDCG@10": "ndcg_at_10", "R@100": "recall_at_100", "RR@10": "mrr_at_10", "Success@1": "hit_rate_at_1"}


def test_the_figures_of_mteb_are_those_of_panglot(encoder: SentenceTransformer) -> None:
    benchmark = sample_benchmark().restrict(["ar", "en", "sw"])
    ours = evaluate(encoder, benchmark, measures=["AP", *SAME]).results
    tasks = mteb_tasks(benchmark)
    assert [task.metadata.name for task in tasks] == [
        "sample-monolingual",
        "sample-crosslingual",
        "sample-multilingual",
    ]
    result = mteb.evaluate(encoder, tasks, cache=None, show_progress_bar=False)
    for found in result.task_results:
        setting = found.task_name.removeprefix("sample-")
        scores = found.scores["test"]
        assert len(scores) == (6 if setting == "crosslingual" else 3)
        # the pool has fewer than 1,000 passages
        for name, theirs in {**SAME, "AP": "map_at_1000"}.items():
            mean = np.mean([score[theirs] for score in scores])
            assert mean == pytest.approx(ours["settings"][setting][name], abs=2e-5), (setting, name)
        for score in scores:
            if setting == "multilingual":
                figure = ours["by_language"][score["hf_subset"]][setting]["nDCG@10"]
                assert score["main_score"] == pytest.approx(figure, abs=2e-5)


def test_subsets_have_the_queries_pools_and_languages_of_their_setting() -> None:
    benchmark = sample_benchmark().restrict(["en", "sw"])
    (pairs,) = mteb_tasks(benchmark, ["crosslingual"])
    assert pairs.metadata.eval_langs == {"en-sw": ["eng-Latn", "swa-Latn"], "sw-en": ["swa-Latn", "eng-Latn"]}
    pairs.load_data()
    data: Any = pairs.dataset["en-sw"]["test"]
    asked = np.flatnonzero(benchmark.queries.languages == 0).tolist()
    assert list(data["queries"]["id"]) == [benchmark.queries.ids[k] for k in asked]
    assert len(data["corpus"]) == 24 and len(data["relevant_docs"]) == 24
    (every,) = mteb_tasks(benchmark, ["multilingual"])
    every.load_data()
    whole: Any = every.dataset["en"]["test"]
    assert len(whole["corpus"]) == 48 and len(whole["queries"]) == 24
    assert all(len(judged) == 2 for judged in whole["relevant_docs"].values())


def test_a_benchmark_of_one_language_has_one_task() -> None:
    assert [task.metadata.name for task in mteb_tasks(sample_benchmark().restrict(["en"]))] == [
        "sample-monolingual"
    ]


def test_what_mteb_cannot_measure_is_refused(make_benchmark: Callable[..., Benchmark]) -> None:
    with pytest.raises(PanglotError, match="'bilingual' is not a setting"):
        mteb_tasks(sample_benchmark(), ["bilingual"])
    left_out = make_benchmark({"q": "en"}, {"a": "en", "b": "en"}, [("q", "a", 1), ("q", "b", -1)])
    with pytest.raises(PanglotError, match="leave passages out"):
        mteb_tasks(left_out)
