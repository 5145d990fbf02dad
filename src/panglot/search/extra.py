"""What is said where a library of the extra ``search`` is missing."""

from panglot.errors import PanglotError


def missing_extra(what: str, library: str) -> PanglotError:
    """Return the error that says how to install a library."""
    return PanglotError(f"{library} is not installed; {what} run pip install 'panglot[search]'.")
