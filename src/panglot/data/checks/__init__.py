"""Checks of training data: each a function from rows to findings; ``check_source`` runs all of them."""

from panglot.data.checks.check import check_source
from panglot.data.checks.overlap import Unseen, texts_of

__all__ = ["Unseen", "check_source", "texts_of"]
