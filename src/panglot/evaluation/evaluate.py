"""Evaluate an encoder on a benchmark, in every setting at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark
from panglot.encoders import FloatArray, encode, passage_prompt, query_prompt
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.ranks import exact_ranks
from panglot.evaluation.results import Evaluation, describe_benchmark, describe_model, describe_run
from panglot.evaluation.settings import per_query, summarise
from panglot.evaluation.trec import DEPTH, check_ids, write_runs

Progress = Callable[[int], None]


def evaluate(
    model: SentenceTransformer,
    benchmark: Benchmark,
    *,
    name: str = "model",
    measures: Sequence[str] = DEFAULT_MEASURES,
    training: dict[str, Any] | None = None,
    seed: int = 0,
    runs: str | Path | None = None,
    run_depth: int | None = DEPTH,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure an encoder monolingually, cross-lingually and in one multilingual pool.

    Texts are encoded once, however many settings use them.

    Args:
        model: any sentence-transformers encoder; its own prompts are used.
        benchmark: what to measure on.
        name: what the results call the model.
        measures: ``AP``, ``nDCG@k``, ``R@k``, ``RR@k``, ``Success@k``.
        training: how the model was trained, for the results file.
        seed: noted in the results; an evaluation draws nothing.
        runs: a folder for TREC runs and qrels.
        run_depth: passages per list in the runs; None for all.
        progress: called with the number of texts just encoded.
    """
    for measure in measures:
        parse_measure(measure)
    if runs is not None:
        check_ids(benchmark)
    queries = encode(model, benchmark.queries.texts, query_prompt(model), progress=progress)
    passages = encode(model, passage_texts(benchmark), passage_prompt(model), progress=progress)
    if runs is not None:
        write_runs(runs, benchmark, queries, passages, run_depth)
    evaluation = evaluate_embeddings(benchmark, queries, passages, measures)
    results = {
        **describe_run(seed),
        "model": describe_model(model, name, training),
        "benchmark": describe_benchmark(benchmark),
        **evaluation.results,
    }
    return Evaluation(results, evaluation.per_query)


def evaluate_embeddings(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: FloatArray,
    measures: Sequence[str] = DEFAULT_MEASURES,
) -> Evaluation:
    """Measure unit vectors of a benchmark's queries ``(Q, d)`` and passages ``(P, d)``.

    The results hold ``settings``, ``bias``, ``by_language`` and ``matrix`` only.
    """
    table = per_query(benchmark, exact_ranks(benchmark, queries, passages), measures)
    return Evaluation(summarise(benchmark, table, measures), table)


def passage_texts(benchmark: Benchmark) -> list[str]:
    """Return what is encoded of each passage: its title, where it has one, and its text."""
    titles = benchmark.passages.titles
    if titles is None:
        return benchmark.passages.texts
    return [
        f"{title} {text}" if title else text
        for title, text in zip(titles, benchmark.passages.texts, strict=True)
    ]
