"""Language centring of a benchmark's embeddings; see ``panglot.encoders.centring``."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark
from panglot.encoders import (
    FloatArray,
    LanguageMeans,
    centre,
    centring_notes,
    check_means,
    language_means,
    model_sha256,
    prompts_of,
)
from panglot.errors import PanglotError

Centre = LanguageMeans | Literal["corpus"] | None


def check_centre(wanted: Centre, model: SentenceTransformer) -> None:
    """Refuse an unknown kind of centring, and means of another model."""
    if isinstance(wanted, LanguageMeans):
        check_means(wanted, model)
    elif wanted not in (None, "corpus"):
        raise PanglotError(f"'{wanted}' is no kind of centring; use corpus, or language means.")


def chosen_means(
    wanted: LanguageMeans | Literal["corpus"],
    model: SentenceTransformer,
    benchmark: Benchmark,
    queries: FloatArray,
    passages: FloatArray,
    note: Callable[[str], None] | None,
) -> tuple[LanguageMeans, dict[str, Any]]:
    """Return what is to be taken away from a benchmark's embeddings, and what the results file says of it.

    A sentence for each language whose mean rests on little goes to ``note``.
    """
    kind = "corpus" if wanted == "corpus" else "pairs"
    means = corpus_means(model, benchmark, queries, passages) if wanted == "corpus" else wanted
    for sentence in notes_on_centring(benchmark, means):
        if note is not None:
            note(sentence)
    return means, describe_centring(means, kind, benchmark)


def corpus_means(
    model: SentenceTransformer, benchmark: Benchmark, queries: FloatArray, passages: FloatArray
) -> LanguageMeans:
    """Average a benchmark's own embeddings: all its queries and all its passages, judged or not.

    Args:
        model: whose embeddings they are.
        benchmark: with Q queries and P passages.
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors.
    """
    return LanguageMeans(
        query=language_means(queries, benchmark.queries.languages, benchmark.languages),
        passage=language_means(passages, benchmark.passages.languages, benchmark.languages),
        model_sha256=model_sha256(model),
        prompts=prompts_of(model),
        sources=({"name": benchmark.name, "sha256": benchmark.sha256},),
    )


def centre_benchmark(
    benchmark: Benchmark, queries: FloatArray, passages: FloatArray, means: LanguageMeans
) -> tuple[FloatArray, FloatArray]:
    """Return a benchmark's embeddings, ``(Q, d)`` and ``(P, d)``, without their languages' means."""
    return (
        centre(queries, benchmark.queries.languages, benchmark.languages, means.query),
        centre(passages, benchmark.passages.languages, benchmark.languages, means.passage),
    )


def notes_on_centring(benchmark: Benchmark, means: LanguageMeans) -> list[str]:
    """Say in which languages a benchmark has texts, but means rest on too few texts or on none."""
    notes = []
    for role, texts, of_role in (
        ("queries", benchmark.queries, means.query),
        ("passages", benchmark.passages, means.passage),
    ):
        codes = [benchmark.languages[k] for k in np.unique(texts.languages)]
        notes += centring_notes(of_role, codes, role)
    return notes


def describe_centring(means: LanguageMeans, kind: str, benchmark: Benchmark) -> dict[str, Any]:
    """Return what the results file says of centring: kind, sources, and texts behind each mean."""
    return {
        "means": kind,
        "sources": list(means.sources),
        "texts": {
            "query": means.query.counts(benchmark.languages),
            "passage": means.passage.counts(benchmark.languages),
        },
    }
