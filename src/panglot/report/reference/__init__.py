"""Published figures that a report can stand beside, with their sources."""

from panglot.report.reference.published import Published, Reference, reference_for

__all__ = ["Published", "Reference", "reference_for"]
