"""Readers of what needs no official files: the bundled sample, and a person's own pairs."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from panglot.data.benchmark import Benchmark, benchmark_from_pairs
from panglot.data.pairs import load_pairs
from panglot.data.sample import sample_benchmark


def read_sample() -> Benchmark:
    """Return the held-out part of the bundled sample."""
    return sample_benchmark()


def read_pairs_file(
    path: str | Path, *, columns: Mapping[str, str] | None = None, every_item: bool = False
) -> Benchmark:
    """Return a file of parallel pairs as a benchmark: each query looks for its passage.

    Args:
        path: of the file.
        columns: see ``panglot.data.load_pairs``.
        every_item: see ``benchmark_from_pairs``.
    """
    pairs = load_pairs(path, columns=columns)
    benchmark = benchmark_from_pairs(pairs, every_item=every_item)
    kept = len(np.unique(benchmark.query_items))
    if kept < len(pairs):
        logging.getLogger("panglot").warning(
            "%s: %s of %s items share a passage id with another one and are left out; "
            "--every-item keeps them.",
            path,
            f"{len(pairs) - kept:,}",
            f"{len(pairs):,}",
        )
    return benchmark
