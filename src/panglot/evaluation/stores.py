"""Stores of a benchmark's passages: made, and made sure to be of the right model and passages."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, IntArray, load_data
from panglot.data.suite import as_benchmark
from panglot.encoders.load import max_length_of, model_sha256, passage_prompt
from panglot.encoders.store import DTYPES, Store, StoreFacts
from panglot.encoders.store_write import (
    SHARD,
    Read,
    Written,
    begin_store,
    missing_shards,
    write_shards,
)
from panglot.errors import PanglotError

SLICE = 1 << 14  # texts in memory at a time


def store_facts(
    model: SentenceTransformer,
    benchmark: Benchmark,
    *,
    name: str = "model",
    dtype: str = "float16",
    shard_size: int = SHARD,
    bf16: bool = False,
) -> StoreFacts:
    """Describe the store of a model's embeddings of a benchmark's passages.

    Args:
        dtype: ``float32``, ``float16`` (half the space) or ``int8`` (a quarter).
        shard_size: rows in a shard: what is lost, at most, when a process is stopped.
    """
    if dtype not in DTYPES:
        raise PanglotError(f"'{dtype}' is not a type that a store can keep; use one of {', '.join(DTYPES)}.")
    if shard_size < 1:
        raise PanglotError(f"the shard size is {shard_size} rows; use 1 or more.")
    dimension = model.get_embedding_dimension()
    assert dimension is not None
    described = {
        "name": name,
        "sha256": model_sha256(model),
        "prompt": passage_prompt(model),
        "max_length": max_length_of(model),
        "precision": "bfloat16" if bf16 else "float32",
    }
    rows = len(benchmark.passages)
    return StoreFacts(described, corpus_facts(benchmark), rows, dimension, dtype, shard_size)


def encode_passages(
    model: SentenceTransformer,
    benchmark: Benchmark,
    folder: str | Path,
    facts: StoreFacts | None = None,
    *,
    part: tuple[int, int] = (1, 1),
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Encode a benchmark's passages into a store, or what of it is missing. Memory stays flat.

    Raises:
        PanglotError: the folder holds another store, or cannot be written.
    """
    folder = Path(folder)
    facts = facts or store_facts(model, benchmark)
    begin_store(folder, facts)
    shards = missing_shards(folder, facts, part)
    return write_shards(model, reader_of(benchmark), folder, facts, shards, progress)


def load_reader(
    name: str, data: Path | None = None, candidate_text: str | None = None, languages: str | None = None
) -> Read:
    """Load a benchmark by name and return what gives the texts of its passages (in another process)."""
    chosen = load_data(name, data, candidate_text, languages.split(",") if languages else None)
    return reader_of(as_benchmark(chosen))


def reader_of(benchmark: Benchmark) -> Read:
    """Return what gives the texts of a slice of passages, titles in front, as they are encoded."""
    texts = benchmark.passages.titled()
    return lambda rows: texts[rows]


def corpus_facts(benchmark: Benchmark) -> dict[str, Any]:
    """Say which passages a benchmark has, so that others are noticed.

    Returns:
        ``name`` and ``sha256`` of the benchmark, what a candidate is made of, how many ``rows``, their
        ``languages`` as [first row, row after the last] (None where they are mixed), and ``rows_sha256``:
        the checksum of each row's language and, for a benchmark without a checksum, of all texts.
    """
    languages = benchmark.passages.languages
    present = np.bincount(languages) > 0
    number = np.cumsum(present).astype(np.int32)  # whatever languages the queries have beside these
    digest = hashlib.sha256(" ".join(benchmark.languages[k] for k in np.flatnonzero(present)).encode())
    read = reader_of(benchmark)
    for start in range(0, len(languages), SLICE):
        rows = slice(start, start + SLICE)
        digest.update(number[languages[rows]].tobytes())
        if not benchmark.sha256:
            for text in read(rows):
                encoded = text.encode("utf-8", "surrogatepass")
                digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return {
        "name": benchmark.name,
        "sha256": benchmark.sha256,
        "candidate_text": benchmark.candidate_text,
        "rows": len(languages),
        "languages": _bounds(languages, benchmark.languages),
        "rows_sha256": digest.hexdigest(),
    }


def check_store(store: Store, model: SentenceTransformer, benchmark: Benchmark) -> None:
    """Raise a ``PanglotError`` where a store is not of this model's embeddings of these passages."""
    facts = store.facts
    if facts.model["sha256"] != model_sha256(model) or facts.model["prompt"] != passage_prompt(model):
        raise PanglotError(
            f"{store.folder}: holds embeddings of another model ('{facts.model['name']}'), or with another "
            "prompt; use the store of this model, or make one with 'panglot encode'."
        )
    if facts.model["max_length"] != max_length_of(model):
        raise PanglotError(
            f"{store.folder}: its texts were cut at {facts.model['max_length']} tokens, the model now cuts "
            f"at {model.max_seq_length}; use the same --max-length."
        )
    if facts.dimension != model.get_embedding_dimension():
        raise PanglotError(
            f"{store.folder}: holds embeddings of {facts.dimension} dimensions, the model now gives "
            f"{model.get_embedding_dimension()}; use the same --truncate-dim."
        )
    if facts.corpus != corpus_facts(benchmark):
        raise PanglotError(
            f"{store.folder}: holds other passages ({facts.rows} of '{facts.corpus['name']}') than "
            f"'{benchmark.name}' has here ({len(benchmark.passages)}); use its own store, and the same "
            "--languages, or make one with 'panglot encode'."
        )


def _bounds(languages: IntArray, codes: Sequence[str]) -> dict[str, list[int]] | None:
    starts = [0, *(np.flatnonzero(np.diff(languages)) + 1).tolist(), len(languages)]
    if len(starts) - 1 > len(codes):
        return None
    bounds = {codes[languages[start]]: [start, stop] for start, stop in pairwise(starts)}
    return bounds if len(bounds) == len(starts) - 1 else None
