"""Evaluate an encoder on a benchmark, in every setting at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, FloatArray, load_benchmark
from panglot.data.perturb import Lexicon
from panglot.encoders import encode, passage_prompt, query_prompt
from panglot.encoders.language_means import Centre, centre_benchmark, check_centre, chosen_means
from panglot.encoders.store import Store
from panglot.errors import PanglotError
from panglot.evaluation.aggregate import per_query, summarise
from panglot.evaluation.bias import bias_figures, with_columns
from panglot.evaluation.bootstrap import intervals
from panglot.evaluation.exclude_self import ranks_without_left_out
from panglot.evaluation.groups import group_figures
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.results import Evaluation, describe_benchmark, describe_model, describe_run
from panglot.evaluation.robustness import perturbed_figures
from panglot.evaluation.scores import Vectors
from panglot.evaluation.stores import check_store
from panglot.evaluation.trec import DEPTH, check_ids, write_runs

Progress = Callable[[int], None]
SOME = 1000  # passages that are looked at


def evaluate(
    model: SentenceTransformer,
    benchmark: Benchmark | str,
    *,
    name: str = "model",
    measures: Sequence[str] = DEFAULT_MEASURES,
    training: dict[str, Any] | None = None,
    seed: int = 0,
    runs: str | Path | None = None,
    run_depth: int | None = DEPTH,
    centre: Centre = None,
    bf16: bool = False,
    embeddings: tuple[FloatArray, Vectors] | None = None,
    perturb: Sequence[str] = (),
    lexicon: Lexicon | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure an encoder monolingually, cross-lingually and in one multilingual pool.

    Texts are encoded once, however many settings use them.

    Args:
        model: any sentence-transformers encoder; its own prompts are used.
        benchmark: what to measure on: a benchmark, or the name of one whose data is at hand.
        name: what the results call the model.
        measures: ``AP``, ``nDCG@k``, ``R@k``, ``RR@k``, ``Success@k``.
        training: how the model was trained, for the results file.
        seed: noted in the results; only ``perturb`` draws something.
        runs: a folder for TREC runs and qrels.
        run_depth: passages per list in the runs; None for all.
        centre: take the mean embedding of its language away from each text and normalise again: means of
            the benchmark's own texts (``corpus``; judgements are not looked at), or others of this model.
        bf16: encode in bfloat16 (or: the given embeddings were).
        embeddings: the model's own, of the benchmark's queries and passages, where they are at hand. The
            passages may be a store on disk: the pool is then read once, block by block. Not with ``centre``.
        perturb: kinds of change (``panglot.data.perturb.KINDS``): the queries are also measured so changed,
            by the first measure.
        lexicon: word pairs, for the kind ``code-switch``.
        progress: called with the number of texts just encoded; each kind of change encodes the queries again.
        note: called with sentences that a person should read.

    Raises:
        PanglotError: an unknown measure, kind of change or kind of centring, means or a store of another
            model, a store of other passages, or an id that runs cannot hold.
    """
    if isinstance(benchmark, str):
        benchmark = load_benchmark(benchmark)
    for measure in measures:
        parse_measure(measure)
    if runs is not None:
        check_ids(benchmark)
    check_centre(centre, model)
    queries, passages = embeddings or embed_benchmark(model, benchmark, bf16=bf16, progress=progress)
    _check_ranking(passages)
    described = describe_model(model, name, training)
    described |= {"precision": "bfloat16" if bf16 else "float32", "centring": None}
    if isinstance(passages, Store):
        check_store(passages, model, benchmark)
        described["store"] = passages.facts.dtype
    means = None
    if centre is not None:
        if isinstance(passages, Store):
            raise PanglotError(
                "embeddings in a store cannot be centred; leave the store or the centring out."
            )
        given = np.asarray(passages)
        means, described["centring"] = chosen_means(centre, model, benchmark, queries, given, note)
        queries, passages = centre_benchmark(benchmark, queries, given, means)
    if runs is not None:
        write_runs(runs, benchmark, queries, passages, run_depth)
    evaluation = evaluate_embeddings(benchmark, queries, passages, measures)
    results = {
        **describe_run(seed),
        "model": described,
        "benchmark": describe_benchmark(benchmark),
        **evaluation.results,
    }
    results["intervals"] = intervals(evaluation.per_query, measures, passages=len(benchmark.passages))
    results["groups"] = group_figures(results, evaluation.per_query)
    perturbed = None
    if perturb:
        results["perturbed"], perturbed = perturbed_figures(
            model,
            benchmark,
            passages,
            evaluation.per_query,
            perturb,
            measures[0],
            means=means,
            lexicon=lexicon,
            seed=seed,
            bf16=bf16,
            progress=progress,
        )
    return Evaluation(results, evaluation.per_query, perturbed)


def _check_ranking(passages: Vectors) -> None:
    """Refuse embeddings that are all the same, as those of a model of zeros: ties are not a ranking."""
    some = np.asarray(passages[:SOME])
    if len(some) > 1 and not np.ptp(some, axis=0).any():
        raise PanglotError(
            "The model gives all passages the same embedding, so nothing is ranked. Check its weights."
        )


def embed_benchmark(
    model: SentenceTransformer,
    benchmark: Benchmark,
    *,
    bf16: bool = False,
    progress: Progress | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Encode a benchmark's queries and passages into unit vectors, ``(Q, d)`` and ``(P, d)``."""
    return (
        embed_queries(model, benchmark, bf16=bf16, progress=progress),
        encode(model, benchmark.passages.titled(), passage_prompt(model), bf16=bf16, progress=progress),
    )


def embed_queries(
    model: SentenceTransformer,
    benchmark: Benchmark,
    *,
    bf16: bool = False,
    progress: Progress | None = None,
) -> FloatArray:
    """Encode a benchmark's queries into unit vectors, ``(Q, d)``."""
    return encode(model, benchmark.queries.texts, query_prompt(model), bf16=bf16, progress=progress)


def evaluate_embeddings(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: Vectors,
    measures: Sequence[str] = DEFAULT_MEASURES,
) -> Evaluation:
    """Measure unit vectors of a benchmark's queries ``(Q, d)`` and passages ``(P, d)``, or a store of these.

    The results hold ``settings``, ``bias``, ``by_language`` and ``matrix`` only.
    """
    ranks = ranks_without_left_out(benchmark, queries, passages)
    table = per_query(benchmark, ranks, measures)
    figures = summarise(benchmark, table, measures)
    bias, columns = bias_figures(benchmark, queries, passages, ranks)
    if columns:
        table = with_columns(table.drop_columns("rank_distance"), columns)
    return Evaluation({**figures, "bias": bias}, table)
