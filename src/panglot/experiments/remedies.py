"""What helps against language bias, and what does it cost inside languages?"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from panglot.experiments.display import compare_targets
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run
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
    plain = remedied = experiment.targets(grid.measured)
    for remedy in grid.untrained:
        remedied += experiment.targets(grid.measured, remedy=remedy, added=NAMES[remedy])
    found = [experiment.untrained(remedied)]
    for name, settings in grid.runs.items():
        targets = remedied if name in grid.both else plain
        found += experiment.seeded(targets, {name: {"data.languages": grid.languages, **settings}})
    return found


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show every remedy in every setting, compared with the zero-shot encoder."""
    sections = []
    for benchmark in findings.experiment.benchmarks:
        _, _, blocks = compare_targets(findings, benchmark, ZERO_SHOT, f"remedies-{benchmark}")
        sections.append(Section(benchmark, benchmark, blocks))
    return sections
