"""Experiments, made of the parts."""

from panglot.experiments.asking import Asked, ask
from panglot.experiments.experiment import Experiment, read_experiment
from panglot.experiments.runs import Places
from panglot.experiments.strategies import compare_strategies

__all__ = [
    "Asked",
    "Experiment",
    "Places",
    "ask",
    "compare_strategies",
    "read_experiment",
]
