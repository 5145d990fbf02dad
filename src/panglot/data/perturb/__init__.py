"""Perturbation: queries as people type them, to see what a model makes of them."""

from panglot.data.perturb.changes import Lexicon, read_lexicon
from panglot.data.perturb.perturb import (
    CODE_SWITCH,
    KINDS,
    TITLES,
    Kind,
    check_kinds,
    parse_kinds,
    perturb,
    share_changed,
)

__all__ = [
    "CODE_SWITCH",
    "KINDS",
    "TITLES",
    "Kind",
    "Lexicon",
    "check_kinds",
    "parse_kinds",
    "perturb",
    "read_lexicon",
    "share_changed",
]
