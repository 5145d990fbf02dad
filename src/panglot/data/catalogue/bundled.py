"""Readers of what needs no official files: the bundled sample, and a person's own pairs."""

from collections.abc import Mapping
from pathlib import Path

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
    return benchmark_from_pairs(load_pairs(path, columns=columns), every_item=every_item)
