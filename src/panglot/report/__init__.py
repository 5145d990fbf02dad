"""Report: tables of results, and a page that holds all that runs show."""

from panglot.report.contents import Contents, gather, read_failures
from panglot.report.reference import reference_for
from panglot.report.tables import (
    languages_table,
    matrix_table,
    perturbed_languages_table,
    perturbed_table,
    settings_table,
)
from panglot.report.write import write_report

__all__ = [
    "Contents",
    "gather",
    "languages_table",
    "matrix_table",
    "perturbed_languages_table",
    "perturbed_table",
    "read_failures",
    "reference_for",
    "settings_table",
    "write_report",
]
