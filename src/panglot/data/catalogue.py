"""Benchmarks by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

from panglot.data.benchmark import Benchmark, benchmark_from_pairs
from panglot.data.pairs import load_pairs
from panglot.data.readers import CandidateText, read_lareqa
from panglot.data.sample import sample_benchmark
from panglot.errors import PanglotError

Reader = Callable[..., Benchmark]
LAREQA = ("xquad-r", "mlqa-r")
READERS: dict[str, Reader] = {
    **{name: partial(read_lareqa, name=name) for name in LAREQA},
    "pairs": lambda path: benchmark_from_pairs(load_pairs(path)),
}


def load_benchmark(name: str, data: str | Path | None = None, candidate_text: str | None = None) -> Benchmark:
    """Load a benchmark by name.

    Args:
        name: ``sample`` (bundled), ``xquad-r``, ``mlqa-r`` (folders of LAReQA), or ``pairs``
            (any file of parallel pairs: each query looks for its passage).
        data: the folder or file; not needed for ``sample``.
        candidate_text: LAReQA only: ``sentence`` (the default) or ``sentence+context``.

    Raises:
        PanglotError: an unknown name, or data that is missing or broken.
    """
    if name != "sample" and name not in READERS:
        known = ", ".join(["sample", *READERS])
        raise PanglotError(f"'{name}' is no benchmark that panglot knows; choose one of {known}.")
    if candidate_text is not None and name not in LAREQA:
        raise PanglotError(f"benchmark '{name}' has one kind of candidate; leave --candidate-text out.")
    if candidate_text is not None and candidate_text not in get_args(CandidateText):
        kinds = " or ".join(get_args(CandidateText))
        raise PanglotError(f"'{candidate_text}' is no candidate text; use {kinds}.")
    if name == "sample":
        return sample_benchmark()
    if data is None:
        raise PanglotError(f"benchmark '{name}' needs its data; name the folder or file with --data.")
    if not Path(data).exists():
        raise PanglotError(f"{data}: no such file or folder; check --data.")
    if candidate_text is None:
        return READERS[name](data)
    return READERS[name](data, candidate_text=candidate_text)
