"""Models of mteb's registry, where mteb is installed; the random one needs no network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from panglot import Benchmark
from panglot.errors import PanglotError
from panglot.evaluation import exact_ranks
from panglot.evaluation.mteb_models import mteb_evaluation

mteb = pytest.importorskip("mteb", reason="mteb is not installed")


def test_a_model_of_the_registry_is_measured(make_benchmark: Callable[..., Benchmark]) -> None:
    passages = {f"{code}{k}": code for k in range(6) for code in ("en", "de")}
    judged = [(f"q-{code}", f"{other}0", 1) for code in ("en", "de") for other in ("en", "de")]
    benchmark = make_benchmark({"q-en": "en", "q-de": "de"}, passages, judged, items=[0, 0])
    found = mteb_evaluation("mteb:mteb/baseline-random-encoder", benchmark, progress=False)
    assert found.results["model"]["name"] == "mteb:mteb/baseline-random-encoder"
    # the same vectors, taken from mteb by hand
    from datasets import Dataset
    from mteb.types import PromptType
    from torch.utils.data import DataLoader

    model = mteb.get_model("mteb/baseline-random-encoder")

    def encoded(texts: Any, role: str) -> Any:
        rows = DataLoader(Dataset.from_dict({"text": list(texts)}), batch_size=4)
        task = mteb.get_task("NFCorpus").metadata
        vectors = model.encode(
            rows, task_metadata=task, hf_split="test", hf_subset="default", prompt_type=PromptType(role)
        )
        return np.asarray(vectors, np.float32)

    queries = encoded(benchmark.queries.texts, "query")
    pool = encoded(benchmark.passages.titled(), "document")
    ranks = exact_ranks(
        benchmark,
        queries / np.linalg.norm(queries, axis=1, keepdims=True),
        pool / np.linalg.norm(pool, axis=1, keepdims=True),
    )
    best = [1 / ranks.in_all[ranks.query == q].min() for q in (0, 1)]
    assert found.results["settings"]["multilingual"]["RR@10"] == pytest.approx(
        np.mean([value if value >= 0.1 else 0 for value in best])
    )


@pytest.mark.parametrize("name", ["mteb:none/such", "mteb:mteb/baseline-bm25s", "mteb:"])
def test_what_mteb_cannot_give_is_one_sentence(name: str, make_benchmark: Callable[..., Benchmark]) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en"}, [("q", "a", 1)])
    with pytest.raises(PanglotError):
        mteb_evaluation(name, benchmark, progress=False)
