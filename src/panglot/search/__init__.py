"""Search: put a trained encoder to work."""

from panglot.search.bm25 import bm25_evaluation
from panglot.search.exact import Hit, search
from panglot.search.mine import mine_negatives
from panglot.search.mined import Mined

__all__ = ["Hit", "Mined", "bm25_evaluation", "mine_negatives", "search"]
