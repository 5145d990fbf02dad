"""Which share of monolingual batches is best: alpha from 0 to 1, constant or on a schedule?"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, model_validator

from panglot.batches import ALPHAS
from panglot.errors import PanglotError
from panglot.experiments.display import as_differences, compare_all, picture
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run
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
    strategy = experiment.recipe.batches.strategy
    if strategy not in ALPHAS:
        raise PanglotError(f"batches.strategy: {strategy} batches have no alpha; use {' or '.join(ALPHAS)}.")
    if experiment.recipe.batches.alpha is not None:
        raise PanglotError("batches.alpha has no effect here: each run has its own; use grid.alphas.")
    targets = experiment.targets(grid.languages)
    shares = {**{_name(alpha): alpha for alpha in grid.alphas}, **grid.schedules}
    shared = {"data.languages": grid.languages}
    runs = {name: {**shared, "batches.alpha": alpha} for name, alpha in shares.items()}
    return [experiment.untrained(targets), *experiment.seeded(targets, runs)]


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show each share's difference from 0.5: its interval is far narrower than that of the figure itself."""
    sections = []
    constant = {_name(alpha): alpha for alpha in grid.alphas}
    for benchmark, measure, aligned in findings.benchmarks():
        name, title = f"alpha-{benchmark}", f"{measure_title(measure)} on {benchmark}"
        heading = f"{title} by share of monolingual batches"
        found, tables = compare_all(name, heading, aligned, _name(BASELINE))
        chosen = found[found["run"].isin(constant) & (found["family"] == "settings")]
        rows = with_panels(as_differences(chosen))
        rows = rows.assign(x=rows["run"].map(constant), series="constant")
        heading, x = f"{title}: difference from alpha 0.5", "alpha, the share of monolingual batches"
        drawn = picture(f"{name}-curve", heading, curves, rows, x=x)
        sections.append(Section(benchmark, benchmark, [drawn, *tables]))
    return sections


def _name(alpha: float) -> str:
    return f"alpha {alpha:g}"
