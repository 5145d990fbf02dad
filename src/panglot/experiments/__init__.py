"""Experiments, made of the parts."""

from panglot.experiments.quickstart import Quickstart, quickstart
from panglot.experiments.strategies import compare_strategies

__all__ = ["Quickstart", "compare_strategies", "quickstart"]
