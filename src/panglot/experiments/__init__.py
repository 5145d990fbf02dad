"""Experiments: a sweep of runs, one comparison of their results, tables and plots."""

from panglot.experiments.experiment import Answer, Experiment, read_experiment, run_experiment
from panglot.experiments.quickstart import Quickstart, quickstart
from panglot.experiments.sweep import Data

__all__ = [
    "Answer",
    "Data",
    "Experiment",
    "Quickstart",
    "quickstart",
    "read_experiment",
    "run_experiment",
]
