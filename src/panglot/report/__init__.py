"""Report: tables of results, and a page that holds all that runs show."""

from panglot.report.failures import read_failures
from panglot.report.figures import reference_for
from panglot.report.sections import Contents, gather, write_report

__all__ = ["Contents", "gather", "read_failures", "reference_for", "write_report"]
