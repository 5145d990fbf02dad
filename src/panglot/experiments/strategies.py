"""Batch strategies under one budget, with variants of the recipe and language centring."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from panglot.batches import KINDS
from panglot.errors import PanglotError
from panglot.evaluation import compare
from panglot.experiments.display import WHOLE, targets_compared
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run, Target
from panglot.report.figures import figure_table, legend
from panglot.report.page import Section
from panglot.training.config import Part

TITLE = "Batch strategies under one budget"
STRATEGIES = ("monolingual", "crosslingual", "mixed", "hybrid")
HYBRID = "hybrid"
CENTRED = ", centred"


class Grid(Part):
    """What is compared.

    Attributes:
        strategies: by name; each is the recipe with this strategy.
        variants: more runs, by name: settings to lay over the recipe, such as ``{"loss.pull": 10}``.
        centred: measure every model a second time with language centring, means from the benchmark's texts.
        languages: trained on these only; None: all.
    """

    strategies: Annotated[list[str], Field(min_length=1)]
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    centred: bool = False
    languages: list[str] | None = None


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder, and a run for every strategy, variant and seed."""
    for strategy in grid.strategies:
        if strategy not in KINDS or strategy == "specific":
            raise PanglotError(f"'{strategy}' cannot be compared; use {', '.join(STRATEGIES)} or english.")
    targets = [Target(name) for name in experiment.benchmarks]
    if grid.centred:
        targets += [
            Target(name, remedy="centred", label=f"{name}{CENTRED}") for name in experiment.benchmarks
        ]
    found = [Run(ZERO_SHOT, experiment.recipe, tuple(targets), trained=False)]
    named = {strategy: {"batches.strategy": strategy} for strategy in grid.strategies}
    for name, settings in {**named, **grid.variants}.items():
        found += experiment.seeded(name, targets, {"data.languages": grid.languages, **settings})
    return found


def answer(experiment: Experiment, grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show every strategy in every setting, and hybrid and each variant minus all others."""
    sections = []
    names = list(dict.fromkeys(run.name for run in findings.runs))
    references = [name for name in names if name == HYBRID or name in grid.variants]
    for benchmark in experiment.benchmarks:
        baseline = HYBRID if HYBRID in names else ZERO_SHOT
        aligned, title, blocks = targets_compared(findings, benchmark, baseline, f"strategies-{benchmark}")
        if references:
            pairs = [(one, other) for one in references for other in aligned.runs if other != one]
            minus = compare(aligned, {"settings": WHOLE["settings"]}, pairs)
            minus = minus[minus["baseline"].notna()]
            heads, note = {"run": "", "baseline": "minus"}, legend("the other", "all rows and settings")
            name, heading = f"differences-{benchmark}", f"{title}: differences"
            blocks.append(figure_table(name, heading, minus, heads, value="difference", note=note))
        sections.append(Section(benchmark, benchmark, blocks))
    return sections
