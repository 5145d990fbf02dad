"""Batches: seven strategies, drawn without state."""

from panglot.batches.sampler import (
    KINDS,
    STRATEGIES,
    WITH_ALPHA,
    Batch,
    Kind,
    Sampler,
    Strategy,
    make_sampler,
    possible_strategies,
)
from panglot.batches.stream import hybrid_dataset

__all__ = [
    "KINDS",
    "STRATEGIES",
    "WITH_ALPHA",
    "Batch",
    "Kind",
    "Sampler",
    "Strategy",
    "hybrid_dataset",
    "make_sampler",
    "possible_strategies",
]
