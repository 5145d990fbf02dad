"""The bundled sample: 72 questions and answers in 12 languages, written for panglot (CC BY 4.0)."""

from panglot.data.benchmark import Benchmark, benchmark_from_pairs
from panglot.data.pairs import ParallelPairs, load_pairs
from panglot.data.pairs_files.read import SAMPLE, SAMPLE_FOLDER

FOLDER = SAMPLE_FOLDER


def sample_pairs() -> ParallelPairs:
    """Return the training part: 48 items on 8 topics."""
    return load_pairs(FOLDER / "train.jsonl", SAMPLE)


def sample_benchmark() -> Benchmark:
    """Return the held-out part as a benchmark: 24 items on 4 other topics."""
    return benchmark_from_pairs(load_pairs(FOLDER / "held-out.jsonl", SAMPLE))
