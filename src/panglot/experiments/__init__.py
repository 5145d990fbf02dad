"""Experiments, made of the parts."""

from panglot.experiments.quickstart import Quickstart, quickstart
from panglot.experiments.strategies import Budget, compare_strategies

__all__ = ["Budget", "Quickstart", "compare_strategies", "quickstart"]
