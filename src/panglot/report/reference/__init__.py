"""Published figures that a report can show beside its own, with their sources."""

from panglot.report.reference.published import Published, Reference, reference_for

__all__ = ["Published", "Reference", "reference_for"]
