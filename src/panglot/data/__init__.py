"""Data: parallel pairs to train on, benchmarks to measure on."""

from panglot.data.benchmark import (
    Benchmark,
    Texts,
    benchmark_from_pairs,
    pairs_from_benchmark,
    sample_benchmark,
    sample_pairs,
)
from panglot.data.catalogue import load_benchmark, load_data
from panglot.data.equality import NOBODY, NegativeItems, negative_items
from panglot.data.index import FloatArray, IntArray, PairIndex, build_index
from panglot.data.pairs import (
    ParallelPairs,
    Source,
    as_pairs,
    as_sources,
    join_pairs,
    load_pairs,
    pairs_from_rows,
)
from panglot.data.readers.questions import read_lareqa
from panglot.data.suite import Suite, merge

__all__ = [
    "NOBODY",
    "Benchmark",
    "FloatArray",
    "IntArray",
    "NegativeItems",
    "PairIndex",
    "ParallelPairs",
    "Source",
    "Suite",
    "Texts",
    "as_pairs",
    "as_sources",
    "benchmark_from_pairs",
    "build_index",
    "join_pairs",
    "load_benchmark",
    "load_data",
    "load_pairs",
    "merge",
    "negative_items",
    "pairs_from_benchmark",
    "pairs_from_rows",
    "read_lareqa",
    "sample_benchmark",
    "sample_pairs",
]
