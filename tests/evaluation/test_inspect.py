"""Failure analysis: which queries are chosen, and what is said of them, by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, FloatArray, sample_benchmark
from panglot.errors import PanglotError
from panglot.evaluation import evaluate, evaluate_embeddings, exact_ranks, per_query
from panglot.evaluation.inspect import (
    Worst,
    as_json,
    check_same,
    embed_for,
    inspect_failures,
    parse_pairs,
    worst_queries,
)

MakeBenchmark = Callable[..., Benchmark]
Small = tuple[Benchmark, FloatArray, FloatArray]


@pytest.fixture
def small(make_benchmark: MakeBenchmark) -> Small:
    benchmark = make_benchmark(
        {"q1": "en", "q2": "en", "q3": "de"},
        {"a": "en", "b": "en", "c": "de", "d": "de"},
        [("q1", "a", 1), ("q1", "c", 2), ("q2", "b", 1), ("q3", "c", 1), ("q3", "d", 0)],
    )
    # q1: b d c a, q2: b first, q3: a d (tied, d by its id) c b
    scores = np.array([[0.1, 0.9, 0.2, 0.3], [0.1, 0.9, 0.2, 0.3], [0.8, 0.1, 0.7, 0.8]], np.float32)
    return benchmark, np.eye(3, dtype=np.float32), np.ascontiguousarray(scores.T)


def test_the_worst_queries_of_each_pair(small: Small) -> None:
    benchmark, queries, passages = small
    table = per_query(benchmark, exact_ranks(benchmark, queries, passages))
    # q1: best rank 3 (c), AP (1/3 + 2/4) / 2; q2: 1; q3: 1/3
    worst = worst_queries(benchmark, table, "AP", count=1)
    assert [(w.row, w.pool, w.best_rank) for w in worst] == [(2, "*", 3), (0, "*", 3)]
    assert [w.value for w in worst] == pytest.approx([1 / 3, 5 / 12])
    pair = worst_queries(benchmark, table, "AP", [("en", "en")], count=5)
    assert pair == [Worst(0, "en", 0.5, 2), Worst(1, "en", 1.0, 1)]
    with pytest.raises(PanglotError, match="no 'P@5'; use one of AP, nDCG@10"):
        worst_queries(benchmark, table, "P@5")
    with pytest.raises(PanglotError, match="no 'item'"):
        worst_queries(benchmark, table, "item")


@pytest.mark.parametrize("measure", ["rank_distance", "max@r", "AP"])
def test_the_worst_has_the_highest_figure_where_less_is_better(
    tiny_encoder: SentenceTransformer, measure: str
) -> None:
    benchmark = sample_benchmark().restrict(["de", "en"])
    table = evaluate(tiny_encoder, benchmark).per_query
    every = worst_queries(benchmark, table, measure, [("en", "*")], count=10**6)
    values = [one.value for one in every]
    assert values == sorted(values, reverse=measure != "AP") and values[0] != values[-1]


def test_what_ranked_above_the_answer(small: Small) -> None:
    benchmark, queries, passages = small
    worst = [Worst(2, "*", 0.0, 3), Worst(0, "en", 0.5, 2), Worst(1, "*", 1.0, 1)]
    of_worst = queries[[2, 0, 1]]
    first, second, third = inspect_failures(benchmark, worst, of_worst, passages, "AP", depth=5)
    assert [(p.rank, p.id, p.language, p.relevance) for p in first.above] == [
        (1, "d", "de", 0),
        (2, "a", "en", 0),
    ]
    assert (first.answer.rank, first.answer.id, first.answer.relevance) == (3, "c", 1)
    assert first.answer.score == pytest.approx(0.7) and first.query == "the text of q3"
    # in the English pool q1 has b above a; c is relevant but not in the pool
    assert [p.id for p in second.above] == ["b"] and second.answer.id == "a" and second.pool == "en"
    assert third.above == () and third.answer.rank == 1
    plain = as_json([first])[0]
    assert plain["answer"]["text"] == "the text of c" and plain["above"][0]["language"] == "de"


def test_the_list_above_is_cut(small: Small) -> None:
    benchmark, queries, passages = small
    (found,) = inspect_failures(benchmark, [Worst(2, "*", 0.0, 3)], queries[[2]], passages, "AP", depth=1)
    assert [p.id for p in found.above] == ["d"] and found.answer.rank == 3


def test_a_passage_that_is_left_out_of_the_pool_is_not_shown(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"q1": "en", "q2": "en"},
        {"a": "en", "b": "en", "c": "en"},
        [("q1", "a", -1), ("q1", "c", 1), ("q2", "b", 1)],
    )
    # q1: a is the query itself; then come b and c
    passages = np.array([[0.9, 0.1], [0.8, 0.9], [0.7, 0.2]], np.float32)
    queries = np.eye(2, dtype=np.float32)
    table = evaluate_embeddings(benchmark, queries, passages).per_query
    worst = worst_queries(benchmark, table, "AP", [("en", "en")], count=1)
    assert worst == [Worst(0, "en", 0.5, 2)]
    (found,) = inspect_failures(benchmark, worst, queries[[0]], passages, "AP")
    assert [(p.rank, p.id) for p in found.above] == [(1, "b")]
    assert (found.answer.rank, found.answer.id) == (2, "c")


def test_pairs_are_read(small: Small) -> None:
    benchmark, _, _ = small
    assert parse_pairs("en-de, de-all,en-de", benchmark) == [("en", "de"), ("de", "*")]
    assert len(parse_pairs("all-all", benchmark)) == 2 * 3
    with pytest.raises(PanglotError, match="'en-fr' is not a language pair of handmade"):
        parse_pairs("en-fr", benchmark)


def test_codes_with_a_hyphen_are_found(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "zh-Hant"}, {"a": "zh-Hant", "b": "pt-BR"}, [("q", "a", 1)])
    assert parse_pairs("zh-Hant-pt-BR", benchmark) == [("zh-Hant", "pt-BR")]


@pytest.mark.parametrize("centre", [None, "corpus"])
def test_a_real_evaluation_is_repeated(tiny_encoder: SentenceTransformer, centre: Any) -> None:
    benchmark = sample_benchmark().restrict(["ar", "de", "en"])
    evaluation = evaluate(tiny_encoder, benchmark, centre=centre)
    check_same(evaluation.results, tiny_encoder, benchmark)
    worst = worst_queries(benchmark, evaluation.per_query, "AP", parse_pairs("all-all", benchmark), count=2)
    queries, passages = embed_for(tiny_encoder, benchmark, worst, evaluation.results)
    assert len(queries) == len(worst) == 2 * 12 and len(passages) == len(benchmark.passages)
    failures = inspect_failures(benchmark, worst, queries, passages, "AP", depth=1000)
    assert any(failure.above for failure in failures)
    for failure in failures:
        # everything above the answer is shown, and nothing else scores higher
        assert len(failure.above) == failure.answer.rank - 1
        assert all(p.score >= failure.answer.score - 1e-6 for p in failure.above)
        assert not any(p.relevance for p in failure.above)


def test_passages_are_rounded_as_in_the_store_that_was_evaluated(tiny_encoder: SentenceTransformer) -> None:
    benchmark = sample_benchmark().restrict(["de", "en"])
    evaluation = evaluate(tiny_encoder, benchmark)
    worst = worst_queries(benchmark, evaluation.per_query, "AP", count=1)
    of_store = {**evaluation.results, "model": {**evaluation.results["model"], "store": "int8"}}
    _, whole = embed_for(tiny_encoder, benchmark, worst, evaluation.results)
    _, rounded = embed_for(tiny_encoder, benchmark, worst, of_store)
    steps = np.abs(whole).max(axis=1, keepdims=True) / 127
    assert np.abs(rounded / steps - np.rint(rounded / steps)).max() < 1e-3
    assert 0 < np.abs(rounded - whole).max() <= steps.max() / 2 + 1e-6


def test_other_data_models_and_means_are_refused(tiny_encoder: SentenceTransformer) -> None:
    benchmark = sample_benchmark().restrict(["de", "en"])
    results = evaluate(tiny_encoder, benchmark).results
    with pytest.raises(PanglotError, match="of another sample"):
        check_same(results, tiny_encoder, benchmark.restrict(["de"]))
    titled = {**results["benchmark"], "candidate_text": "title+passage"}
    with pytest.raises(PanglotError, match="of another sample"):
        check_same({**results, "benchmark": titled}, tiny_encoder, benchmark)
    model = {**results["model"], "sha256": "0"}
    with pytest.raises(PanglotError, match="of other weights"):
        check_same({**results, "model": model}, tiny_encoder, benchmark)
    model = {**results["model"], "centring": {"means": "pairs"}}
    with pytest.raises(PanglotError, match="cannot be repeated"):
        check_same({**results, "model": model}, tiny_encoder, benchmark)
