"""Search: put a trained encoder to work."""

from panglot.search.exact import Hit, search

__all__ = ["Hit", "search"]
