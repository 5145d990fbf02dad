"""Experiments: a sweep of runs, one comparison of their results, tables and plots."""

from panglot.experiments.experiment import Answer, Experiment, read_experiment, run_experiment
from panglot.experiments.runs import Data

__all__ = ["Answer", "Data", "Experiment", "read_experiment", "run_experiment"]
