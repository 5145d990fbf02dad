"""Batches: six strategies, drawn without state."""

from panglot.batches.sampler import KINDS, STRATEGIES, Batch, Kind, Sampler, Strategy, make_sampler

__all__ = ["KINDS", "STRATEGIES", "Batch", "Kind", "Sampler", "Strategy", "make_sampler"]
