"""Lists balanced by language, measured as all others are."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from panglot import PanglotError
from panglot.data import Benchmark, FloatArray
from panglot.evaluation import evaluate_embeddings
from panglot.search.balanced_lists import balanced_lists

MakeBenchmark = Callable[..., Benchmark]


def test_a_language_that_scores_lower_is_lifted(make_benchmark: MakeBenchmark) -> None:
    """Two relevant passages; Swahili ones score 0.5 less. Balanced, both are in the first two places."""
    ids = {f"{code}{k:02}": code for code in ("en", "sw") for k in range(12)}
    judged = [("q", "en00", 1), ("q", "sw00", 1)]
    benchmark = make_benchmark({"q": "en"}, ids, judged)
    scores = [0.9, *np.linspace(0.7, 0.6, 11), 0.4, *np.linspace(0.2, 0.1, 11)]
    passages = np.array([[score, np.sqrt(1 - score**2)] for score in scores], np.float32)
    query = np.array([[1, 0]], np.float32)
    plain = evaluate_embeddings(benchmark, query, passages).results
    assert plain["settings"]["multilingual"]["AP"] == pytest.approx((1 + 2 / 13) / 2)  # ranks 1 and 13
    assert plain["bias"]["rank_distance"] == 12
    for kind in ("scores", "turns"):
        found = evaluate_embeddings(
            benchmark, query, passages, rerank=partial(balanced_lists, kind=kind)
        ).results
        assert found["settings"]["multilingual"]["AP"] == 1
        assert found["bias"]["rank_distance"] == 1
        assert found["bias"]["first_right_own"] == 1
        assert found["settings"]["monolingual"] == plain["settings"]["monolingual"]
        assert found["settings"]["crosslingual"] == plain["settings"]["crosslingual"]


def test_turns_take_the_best_of_each_language_first(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"q": "en"}, {"a": "en", "b": "en", "c": "de", "d": "de"}, [("q", "b", 1), ("q", "c", 1)]
    )
    passages = np.array([[0.9], [0.8], [0.2], [0.1]], np.float32)  # a, c, then b, d
    found = evaluate_embeddings(
        benchmark, np.ones((1, 1), np.float32), passages, rerank=partial(balanced_lists, kind="turns")
    )
    assert found.results["settings"]["multilingual"]["AP"] == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize("kind", ["turns", "fair"])
def test_what_cannot_be_balanced_is_refused(kind: str, make_benchmark: MakeBenchmark) -> None:
    one: FloatArray = np.ones((1, 1), np.float32)
    languages = {"p": "en"} if kind == "turns" else {"p": "en", "r": "de"}
    benchmark = make_benchmark({"q": "en"}, languages, [("q", "p", 1)])
    passages = np.ones((len(languages), 1), np.float32)
    with pytest.raises(PanglotError):
        evaluate_embeddings(benchmark, one, passages, rerank=partial(balanced_lists, kind=kind))
