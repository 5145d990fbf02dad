"""Perturbation: queries as people type them, to see what a model makes of them."""

from panglot.data.perturb.changes import Lexicon, read_lexicon
from panglot.data.perturb.perturb import KINDS, TITLES, Kind, parse_kinds, perturb, share_changed

__all__ = [
    "KINDS",
    "TITLES",
    "Kind",
    "Lexicon",
    "parse_kinds",
    "perturb",
    "read_lexicon",
    "share_changed",
]
