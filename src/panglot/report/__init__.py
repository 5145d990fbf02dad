"""Report: tables of results."""

from panglot.report.tables import (
    change_table,
    comparison_table,
    languages_table,
    matrix_table,
    perturbed_table,
    settings_table,
)

__all__ = [
    "change_table",
    "comparison_table",
    "languages_table",
    "matrix_table",
    "perturbed_table",
    "settings_table",
]
