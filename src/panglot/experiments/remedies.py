"""What helps against language bias, and what does it cost inside languages?"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from panglot.experiments.display import targets_compared
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run, Target
from panglot.report.page import Section
from panglot.training.config import Part

TITLE = "What helps against language bias, and what does it cost?"
NAMES = {  # of the remedies that need no training
    "centred": "language means subtracted",
    "shift": "passages shifted",
    "scores": "lists balanced by scores",
    "turns": "lists balanced by turns",
}


class Grid(Part):
    """What is compared with the zero-shot encoder.

    Attributes:
        runs: trained models, by name: settings to lay over the recipe, such as
            ``{"batches.strategy": "mixed"}``; ``merge`` merges several.
        untrained: remedies that change embeddings or lists; see ``Target``.
        both: runs that are also measured with each of these remedies.
        languages: trained on these only; None: all.
        measured: queries and passages in these only; None: all.
    """

    runs: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    untrained: list[Literal["centred", "shift", "scores", "turns"]] = Field(default_factory=list)
    both: list[str] = Field(default_factory=list)
    languages: list[str] | None = None
    measured: list[str] | None = None


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder with every remedy, and a run for every trained model and seed."""
    measured = None if grid.measured is None else tuple(grid.measured)
    plain = [Target(name, measured) for name in experiment.benchmarks]
    remedied = plain + [
        Target(name, measured, remedy=remedy, label=f"{name}, {NAMES[remedy]}")
        for name in experiment.benchmarks
        for remedy in grid.untrained
    ]
    found = [Run(ZERO_SHOT, experiment.recipe, tuple(remedied), trained=False)]
    for name, settings in grid.runs.items():
        targets = remedied if name in grid.both else plain
        found += experiment.seeded(name, targets, {"data.languages": grid.languages, **settings})
    return found


def answer(experiment: Experiment, grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show every remedy in every setting, compared with the zero-shot encoder."""
    sections = []
    for benchmark in experiment.benchmarks:
        _, _, blocks = targets_compared(findings, benchmark, ZERO_SHOT, f"remedies-{benchmark}")
        sections.append(Section(benchmark, benchmark, blocks))
    return sections
