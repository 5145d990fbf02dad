"""Batches: six strategies, drawn without state."""

from panglot.batches.sampler import STRATEGIES, Batch, Kind, Sampler, Strategy, make_sampler

__all__ = ["STRATEGIES", "Batch", "Kind", "Sampler", "Strategy", "make_sampler"]
