"""Batches: seven strategies, drawn without state."""

from panglot.batches.sampler import (
    ALPHAS,
    KINDS,
    MEANINGS,
    STRATEGIES,
    Batch,
    Kind,
    Sampler,
    Strategy,
    make_sampler,
    possible_strategies,
    usual_alpha,
)
from panglot.batches.stream import hybrid_dataset

__all__ = [
    "ALPHAS",
    "KINDS",
    "MEANINGS",
    "STRATEGIES",
    "Batch",
    "Kind",
    "Sampler",
    "Strategy",
    "hybrid_dataset",
    "make_sampler",
    "possible_strategies",
    "usual_alpha",
]
