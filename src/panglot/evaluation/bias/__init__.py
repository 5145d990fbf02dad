"""Language bias in the pool of all languages: one measure, one small function."""

from panglot.evaluation.bias.figures import bias_figures, with_columns
from panglot.evaluation.bias.peer import kruskal_wallis, peer
from panglot.evaluation.bias.preference import Preference, own_language_preference
from panglot.evaluation.bias.readings import READINGS, Reading
from panglot.evaluation.bias.shares import (
    exposure,
    relevant_shares,
    target_exposure,
    top_shares,
    total_variation,
)

__all__ = [
    "READINGS",
    "Preference",
    "Reading",
    "bias_figures",
    "exposure",
    "kruskal_wallis",
    "own_language_preference",
    "peer",
    "relevant_shares",
    "target_exposure",
    "top_shares",
    "total_variation",
    "with_columns",
]
