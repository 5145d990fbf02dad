"""Checks of training data: each a function from rows to findings; ``check_source`` runs all of them."""

from panglot.data.checks.check import check_source
from panglot.data.checks.overlap import RUN, Shared, Unseen, find_overlap, normalised, shared_runs, texts_of
from panglot.data.checks.rows import SEVERITIES, CheckedRows, Example, Finding, Severity, read_for_checks

__all__ = [
    "RUN",
    "SEVERITIES",
    "CheckedRows",
    "Example",
    "Finding",
    "Severity",
    "Shared",
    "Unseen",
    "check_source",
    "find_overlap",
    "normalised",
    "read_for_checks",
    "shared_runs",
    "texts_of",
]
