"""Evaluate an encoder on a benchmark, in every setting at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark
from panglot.encoders import (
    FloatArray,
    LanguageMeans,
    check_means,
    encode,
    passage_prompt,
    query_prompt,
)
from panglot.errors import PanglotError
from panglot.evaluation.centring import (
    centre_benchmark,
    corpus_means,
    describe_centring,
    notes_on_centring,
)
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
    centre: LanguageMeans | Literal["corpus"] | None = None,
    bf16: bool = False,
    embeddings: tuple[FloatArray, FloatArray] | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
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
        centre: take the mean embedding of its language away from each text and normalise again: means of
            the benchmark's own texts (``corpus``; judgements are not looked at), or others of this model.
        bf16: encode in bfloat16 (or: the given embeddings were).
        embeddings: the model's own, of the benchmark's queries and passages, where they are at hand.
        progress: called with the number of texts just encoded.
        note: called with sentences that a person should read.

    Raises:
        PanglotError: an unknown measure or kind of centring, means of another model, or an id that runs
            cannot hold.
    """
    for measure in measures:
        parse_measure(measure)
    if runs is not None:
        check_ids(benchmark)
    if isinstance(centre, LanguageMeans):
        check_means(centre, model)
    elif centre not in (None, "corpus"):
        raise PanglotError(f"'{centre}' is no kind of centring; use corpus, or language means.")
    queries, passages = embeddings or embed_benchmark(model, benchmark, bf16=bf16, progress=progress)
    means = corpus_means(model, benchmark, queries, passages) if centre == "corpus" else centre
    centring = None
    if means is not None:
        queries, passages = centre_benchmark(benchmark, queries, passages, means)
        centring = describe_centring(means, "corpus" if centre == "corpus" else "pairs", benchmark)
        for sentence in notes_on_centring(benchmark, means):
            if note is not None:
                note(sentence)
    if runs is not None:
        write_runs(runs, benchmark, queries, passages, run_depth)
    evaluation = evaluate_embeddings(benchmark, queries, passages, measures)
    results = {
        **describe_run(seed),
        "model": {
            **describe_model(model, name, training),
            "precision": "bfloat16" if bf16 else "float32",
            "centring": centring,
        },
        "benchmark": describe_benchmark(benchmark),
        **evaluation.results,
    }
    return Evaluation(results, evaluation.per_query)


def embed_benchmark(
    model: SentenceTransformer,
    benchmark: Benchmark,
    *,
    bf16: bool = False,
    progress: Progress | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Encode a benchmark's queries and passages into unit vectors, ``(Q, d)`` and ``(P, d)``."""
    return (
        encode(model, benchmark.queries.texts, query_prompt(model), bf16=bf16, progress=progress),
        encode(model, passage_texts(benchmark), passage_prompt(model), bf16=bf16, progress=progress),
    )


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
