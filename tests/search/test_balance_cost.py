from collections.abc import Callable

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot import PanglotError
from panglot.data import Benchmark, sample_benchmark
from panglot.evaluation import embed_benchmark, evaluate_embeddings
from panglot.search.balance_cost import evaluate_balanced


def test_without_balancing_it_is_what_evaluate_says(encoder: SentenceTransformer) -> None:
    benchmark = sample_benchmark().restrict(["en", "sw", "th"])
    queries, passages = embed_benchmark(encoder, benchmark)
    found = evaluate_balanced(benchmark, queries, passages)
    expected = evaluate_embeddings(benchmark, queries, passages, ["AP", "nDCG@10", "R@10"]).results
    for name, value in expected["settings"]["multilingual"].items():
        assert found["none"][name] == pytest.approx(value)
    for name in ("rank_distance", "share_distance@10"):
        assert found["none"][name] == pytest.approx(expected["bias"][name])
    assert set(found) == {"none", "scores", "turns"}


def test_a_language_that_scores_lower_is_lifted(make_benchmark: Callable[..., Benchmark]) -> None:
    """Two relevant passages; Swahili ones score 0.5 less. Balanced, both are in the first two places."""
    ids = {f"{code}{k:02}": code for code in ("en", "sw") for k in range(12)}
    judged = [("q", "en00", 1), ("q", "sw00", 1)]
    benchmark = make_benchmark({"q": "en"}, ids, judged)
    scores = [0.9, *np.linspace(0.7, 0.6, 11), 0.4, *np.linspace(0.2, 0.1, 11)]
    passages = np.array([[score, np.sqrt(1 - score**2)] for score in scores], np.float32)
    found = evaluate_balanced(benchmark, np.array([[1, 0]], np.float32), passages)
    assert found["none"]["AP"] == pytest.approx((1 + 2 / 13) / 2)  # ranks 1 and 13
    assert found["none"]["rank_distance"] == 12
    for kind in ("scores", "turns"):
        assert found[kind]["AP"] == 1
        assert found[kind]["rank_distance"] == 1


def test_one_language_cannot_be_balanced(make_benchmark: Callable[..., Benchmark]) -> None:
    benchmark = make_benchmark({"q": "en"}, {"p": "en"}, [("q", "p", 1)])
    with pytest.raises(PanglotError, match="two or more languages"):
        evaluate_balanced(benchmark, np.ones((1, 1), np.float32), np.ones((1, 1), np.float32))
