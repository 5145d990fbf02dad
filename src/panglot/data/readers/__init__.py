"""Readers: one a format, from the official files of a benchmark to a ``Benchmark``."""
