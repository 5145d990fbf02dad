"""Readers: one a format, from the official files of a benchmark to a ``Benchmark``."""

from panglot.data.readers.questions import CandidateText, read_lareqa

__all__ = ["CandidateText", "read_lareqa"]
