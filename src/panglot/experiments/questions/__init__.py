"""The questions, by name: what each plans, and how it answers.

A question is a module with ``TITLE``, ``plan`` (its runs) and ``answer`` (what its findings say). Its
settings stand in the ``grid`` of the experiment. It may have ``prepare(experiment, places, folder)``: called
once all runs are finished, with the folder of the runs; ``answer`` gets what it returns as ``prepared``.
"""

from importlib import import_module
from types import ModuleType

from panglot.experiments.experiment import NAMES


def question(name: str) -> ModuleType:
    """Return the module of a question."""
    if name not in NAMES:
        raise KeyError(name)
    return import_module(f"panglot.experiments.questions.{name.replace('-', '_')}")
