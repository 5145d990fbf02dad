"""Checks of training data: each a function from rows to findings; ``check_source`` runs all of them."""

from panglot.data.checks.check import check_source
from panglot.data.checks.findings import SEVERITIES, Example, Finding, Severity
from panglot.data.checks.overlap import RUN, Unseen, find_overlap, normalised, texts_of
from panglot.data.checks.rows import CheckedRows, read_for_checks
from panglot.data.checks.runs import Shared, shared_runs

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
