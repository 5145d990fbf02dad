"""Figures on real data against a slow computation: sorted lists in numpy, and trec_eval."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import pytrec_eval
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, FloatArray, Texts, load_benchmark
from panglot.encoders import encode
from panglot.evaluation import ALL, Evaluation, evaluate_embeddings

Data = tuple[Benchmark, FloatArray, FloatArray]
pytestmark = [pytest.mark.shared, pytest.mark.slow]


def part_of(benchmark: Benchmark, items: int) -> Benchmark:
    """The first items with the passages that answer them."""
    queries = np.flatnonzero(benchmark.query_items < items)
    judged = np.isin(benchmark.judged_query, queries)
    passages = np.unique(benchmark.judged_passage[judged])

    def rows(texts: Texts, kept: npt.NDArray[Any]) -> Texts:
        return Texts([texts.ids[k] for k in kept], texts.languages[kept], [texts.texts[k] for k in kept])

    return replace(
        benchmark,
        queries=rows(benchmark.queries, queries),
        passages=rows(benchmark.passages, passages),
        query_items=benchmark.query_items[queries],
        judged_query=np.searchsorted(queries, benchmark.judged_query[judged]),
        judged_passage=np.searchsorted(passages, benchmark.judged_passage[judged]),
        gains=benchmark.gains[judged],
    )


@pytest.fixture(scope="module")
def data(shared_data: Path, encoder: SentenceTransformer) -> Data:
    """A fifth of XQuAD-R in English and Thai, and its vectors."""
    whole = load_benchmark("xquad-r", shared_data / "lareqa" / "xquad-r").restrict(["en", "th"])
    benchmark = part_of(whole, 240)
    queries = encode(encoder, benchmark.queries.texts)
    return benchmark, queries, encode(encoder, benchmark.passages.texts)


@pytest.fixture(scope="module")
def evaluation(data: Data) -> Evaluation:
    return evaluate_embeddings(*data)


def sorted_relevance(data: Data, query_language: int, pool: int | None) -> npt.NDArray[np.bool_]:
    """For each query of a language that has a relevant passage, the pool sorted: what is relevant."""
    benchmark, queries, passages = data
    inside = (
        np.flatnonzero(benchmark.passages.languages == pool) if pool is not None else np.arange(len(passages))
    )
    inside = inside[np.argsort(np.array(benchmark.passages.ids)[inside])[::-1]]
    rows = np.flatnonzero(benchmark.queries.languages == query_language)
    relevant = np.zeros((len(queries), len(passages)), bool)
    relevant[benchmark.judged_query, benchmark.judged_passage] = True
    best = np.argsort(-(queries[rows] @ passages[inside].T), axis=1, kind="stable")
    lists = np.take_along_axis(relevant[np.ix_(rows, inside)], best, axis=1)
    return lists[lists.any(axis=1)]


def slow_figures(data: Data, query_language: int, pool: int | None) -> tuple[float, float, float]:
    """Mean AP, RR@10 and rank distance of sorted lists."""
    lists = sorted_relevance(data, query_language, pool)
    rank = np.arange(1, lists.shape[1] + 1)
    precision = np.cumsum(lists, axis=1) / rank
    ap = (precision * lists).sum(axis=1) / lists.sum(axis=1)
    first = lists.argmax(axis=1) + 1
    last = lists.shape[1] - lists[:, ::-1].argmax(axis=1)
    return float(ap.mean()), float(((first <= 10) / first).mean()), float((last - first).mean())


def test_settings_and_rank_distance_equal_those_of_sorted_lists(data: Data, evaluation: Evaluation) -> None:
    found = {(x, y): slow_figures(data, x, y) for x in (0, 1) for y in (0, 1, None)}
    cells = {
        "monolingual": [found[0, 0], found[1, 1]],
        "crosslingual": [found[0, 1], found[1, 0]],
        "multilingual": [found[0, None], found[1, None]],
    }
    for setting, expected in cells.items():
        figures = evaluation.results["settings"][setting]
        ap, rr, distance = np.mean(expected, axis=0)
        # two products may round differently and so swap neighbours: hence no more digits
        assert figures["AP"] == pytest.approx(ap, abs=1e-5)
        assert figures["RR@10"] == pytest.approx(rr, abs=1e-4)
        if setting == "multilingual":
            assert evaluation.results["bias"]["rank_distance"] == pytest.approx(distance, abs=0.01)


def test_every_setting_has_all_queries(data: Data, evaluation: Evaluation) -> None:
    assert evaluation.per_query.num_rows == 240 * 2 * 3


def test_single_queries_equal_trec_eval(data: Data, evaluation: Evaluation) -> None:
    benchmark, queries, passages = data
    rows = np.arange(0, len(queries), 8)
    scores = queries[rows] @ passages.T
    ids = benchmark.passages.ids
    qrels: dict[str, dict[str, int]] = {}
    for q, p in zip(benchmark.judged_query.tolist(), benchmark.judged_passage.tolist(), strict=True):
        qrels.setdefault(benchmark.queries.ids[q], {})[ids[p]] = 1
    run = {
        benchmark.queries.ids[row]: dict(zip(ids, map(float, line), strict=True))
        for row, line in zip(rows.tolist(), scores, strict=True)
    }
    names = {"map": "AP", "ndcg_cut_10": "nDCG@10", "recall_100": "R@100", "success_1": "Success@1"}
    reference = pytrec_eval.RelevanceEvaluator(
        {query: qrels[query] for query in run}, {"map", "ndcg_cut.10", "recall.100", "success.1"}
    ).evaluate(run)
    ours = {row["query_id"]: row for row in evaluation.per_query.to_pylist() if row["pool"] == ALL}
    assert len(reference) == len(rows)
    for query, figures in reference.items():
        for theirs, name in names.items():
            assert ours[query][name] == pytest.approx(figures[theirs], abs=1e-4), (query, name)
