"""Batch strategies under one budget, with variants of the recipe and language centring."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from panglot.batches import KINDS
from panglot.errors import PanglotError
from panglot.evaluation import compare
from panglot.experiments.display import SETTINGS, compare_targets
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run
from panglot.report.figures import figure_table, legend
from panglot.report.page import Section
from panglot.training.config import Part

TITLE = "Batch strategies under one budget"
STRATEGIES = ("monolingual", "crosslingual", "mixed", "hybrid")


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

    @model_validator(mode="after")
    def _named_apart(self) -> "Grid":
        if taken := sorted({ZERO_SHOT, *self.strategies} & set(self.variants)):
            raise ValueError(f"a variant cannot be called '{taken[0]}'; choose another name")
        return self


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder, and a run for every strategy, variant and seed."""
    for strategy in grid.strategies:
        if strategy not in KINDS or strategy == "specific":
            raise PanglotError(f"'{strategy}' cannot be compared; use {', '.join(STRATEGIES)} or english.")
    targets = experiment.targets()
    if grid.centred:
        targets += experiment.targets(remedy="centred", added="centred")
    named = {strategy: {"batches.strategy": strategy} for strategy in grid.strategies} | grid.variants
    runs = {name: {"data.languages": grid.languages, **settings} for name, settings in named.items()}
    return [experiment.untrained(targets), *experiment.seeded(targets, runs)]


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show every strategy in every setting, and the recipe's (or the last) and each variant minus others."""
    sections = []
    own = findings.experiment.strategy
    baseline = own if own in grid.strategies else grid.strategies[-1]
    for benchmark in findings.experiment.benchmarks:
        aligned, title, blocks = compare_targets(findings, benchmark, baseline, f"strategies-{benchmark}")
        pairs = [(one, other) for one in (baseline, *grid.variants) for other in aligned.runs if other != one]
        minus = compare(aligned, SETTINGS, pairs)
        minus = minus[minus["baseline"].notna()]
        heads, note = {"run": "", "baseline": "minus"}, legend("the other", "all rows and settings")
        name, heading = f"differences-{benchmark}", f"{title}: differences"
        blocks.append(figure_table(name, heading, minus, heads, value="difference", note=note))
        sections.append(Section(benchmark, benchmark, blocks))
    return sections
