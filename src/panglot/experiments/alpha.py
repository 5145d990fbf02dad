"""Which share of monolingual batches is best: alpha from 0 to 1, constant or on a schedule?"""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from panglot.evaluation import compare
from panglot.experiments.display import WHOLE, as_differences, comparison_tables, picture
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run, Target
from panglot.report.charts import curves
from panglot.report.figures import measure_title, with_panels
from panglot.report.page import Section
from panglot.training.config import Part

TITLE = "Which share of monolingual batches is best?"
BASELINE = 0.5
Share = Annotated[float, Field(ge=0, le=1)]


class Grid(Part):
    """What is compared.

    Attributes:
        alphas: constant shares; 0.5 must be among them.
        schedules: by name, shares that alpha goes through over the steps.
        languages: trained and measured on these only; None: all.
    """

    alphas: list[Share]
    schedules: dict[str, list[Share]] = Field(default_factory=dict)
    languages: list[str] | None = None

    @model_validator(mode="after")
    def _comparable(self) -> "Grid":
        constant = [_name(alpha) for alpha in self.alphas]
        if _name(BASELINE) not in constant:
            raise ValueError(f"alphas must hold {BASELINE}, with which the others are compared")
        if taken := sorted({ZERO_SHOT, *constant} & set(self.schedules)):
            raise ValueError(f"a schedule cannot be called '{taken[0]}'; choose another name")
        return self


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder, and a run for every share, schedule and seed."""
    languages = None if grid.languages is None else tuple(grid.languages)
    targets = tuple(Target(name, languages) for name in experiment.benchmarks)
    found = [Run(ZERO_SHOT, experiment.recipe, targets, trained=False)]
    shares: dict[str, Any] = {**{_name(alpha): alpha for alpha in grid.alphas}, **grid.schedules}
    for name, alpha in shares.items():
        settings = {"batches.strategy": "hybrid", "batches.alpha": alpha, "data.languages": grid.languages}
        found += experiment.seeded(name, targets, settings)
    return found


def answer(experiment: Experiment, grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show each share's difference from 0.5: its interval is far narrower than that of the figure itself."""
    sections = []
    constant = {_name(alpha): alpha for alpha in grid.alphas}
    for benchmark, measure, aligned in findings.benchmarks():
        found = compare(aligned, WHOLE, _name(BASELINE))
        chosen = with_panels(
            as_differences(found[found["run"].isin(constant) & (found["family"] == "settings")])
        )
        rows = chosen.assign(x=chosen["run"].map(constant), series="constant")
        title = f"{measure_title(measure)} on {benchmark}: difference from alpha 0.5"
        spec = curves(rows, title, x="alpha, the share of monolingual batches")
        heading = f"{measure_title(measure)} on {benchmark} by share of monolingual batches"
        tables = comparison_tables(f"alpha-{benchmark}", heading, found, aligned, _name(BASELINE))
        drawn = picture(f"alpha-{benchmark}-curve", title, spec)
        sections.append(Section(benchmark, benchmark, [drawn, *tables]))
    return sections


def _name(alpha: float) -> str:
    return f"alpha {alpha:g}"
