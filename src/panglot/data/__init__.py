"""Data: parallel pairs to train on, benchmarks to measure on."""

from panglot.data.benchmark import Benchmark, Texts, benchmark_from_pairs, pairs_from_benchmark
from panglot.data.catalogue import load_benchmark
from panglot.data.index import IntArray, PairIndex, build_index
from panglot.data.lareqa import read_lareqa
from panglot.data.pairs import ParallelPairs, load_pairs, pairs_from_rows
from panglot.data.sample import sample_benchmark, sample_pairs

__all__ = [
    "Benchmark",
    "IntArray",
    "PairIndex",
    "ParallelPairs",
    "Texts",
    "benchmark_from_pairs",
    "build_index",
    "load_benchmark",
    "load_pairs",
    "pairs_from_benchmark",
    "pairs_from_rows",
    "read_lareqa",
    "sample_benchmark",
    "sample_pairs",
]
