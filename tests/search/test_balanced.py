"""Lists in which languages are balanced, by hand; and what balancing does to a benchmark's."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from panglot import PanglotError
from panglot.data import Benchmark, FloatArray
from panglot.evaluation import evaluate_embeddings
from panglot.search.balanced import (
    Chance,
    balanced_lists,
    calibrated,
    chance_scores,
    check_balance,
    in_turns,
)

LISTS = {"en": [("e1", 0.9), ("e2", 0.8), ("e3", 0.7)], "sw": [("s1", 0.5), ("s2", 0.45)]}


def test_calibrated_scores_by_hand() -> None:
    chance = Chance({"en": 0.6, "sw": 0.2}, {"en": 0.1, "sw": 0.1}, {"en": 9, "sw": 9})
    found = calibrated(LISTS, chance)
    assert [name for name, _ in found[:2]] == ["e1", "s1"]
    # (0.9 - 0.6) / 0.1 and (0.5 - 0.2) / 0.1, then 2.5, 2 and 1
    assert [score for _, score in found] == pytest.approx([3, 3, 2.5, 2, 1])
    assert [name for name, _ in found[2:]] == ["s2", "e2", "e3"]


def test_languages_take_turns_and_the_score_decides_within_one() -> None:
    assert [name for name, _ in in_turns(LISTS)] == ["e1", "s1", "e2", "s2", "e3"]
    assert in_turns({"sw": LISTS["sw"], "en": LISTS["en"]}) == in_turns(LISTS)


def test_chance_is_mean_and_deviation_of_each_language() -> None:
    scores = np.array([0.1, 0.3] * 10 + [0.5, 0.7] * 10, np.float32)
    found = chance_scores(scores, np.repeat([0, 1], 20), ["en", "sw"])
    assert found.mean == pytest.approx({"en": 0.2, "sw": 0.6}, abs=1e-6)
    # 20 values at a distance of 0.1 from their mean: sqrt(20 * 0.01 / 19)
    assert found.spread == pytest.approx({"en": 0.102598, "sw": 0.102598}, abs=1e-5)


def test_a_language_with_few_passages_borrows_from_all() -> None:
    scores = np.array([0.0] * 10 + [1.0] * 5, np.float32)
    found = chance_scores(scores, np.repeat([0, 1], [10, 5]), ["en", "sw"])
    # en weighs 1, sw one half: together a mean of 1/3; sw is then half its own mean, half that
    assert found.mean == pytest.approx({"en": 0.0, "sw": 0.5 + 1 / 6})
    assert found.spread == {"en": 1.0, "sw": 1.0}  # nothing varies: nothing is divided by 0
    assert found.size == {"en": 10, "sw": 5}


def test_an_unknown_kind_is_refused() -> None:
    check_balance(None)
    check_balance("turns")
    with pytest.raises(PanglotError, match="'fair' is not a kind of balancing"):
        check_balance("fair")


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
