"""Which share of monolingual batches is best: alpha from 0 to 1, constant or on a schedule?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from panglot.experiments.answer import Answer
from panglot.experiments.charts import PANELS, curves
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import DISTANCE, Findings, by_seed, compare_groups, compared_grid, figure_of
from panglot.experiments.runs import ZERO_SHOT, Measured, Places, Run
from panglot.report.blocks import Picture, Section, Sentences, number
from panglot.report.words import listed, measure_title, p_text
from panglot.training import override
from panglot.training.settings import Part, checked

TITLE = "Which share of monolingual batches is best?"
BASELINE = 0.5
FLAT = (0.4, 0.6)  # published (arXiv 2408.10536): between these it does not matter
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


def plan(experiment: Experiment, places: Places) -> list[Run]:
    """Return the encoder as it comes, and a run for every share, schedule and seed."""
    grid = checked(Grid, experiment.grid, "grid")
    languages = None if grid.languages is None else tuple(grid.languages)
    benchmarks = tuple(Measured(name, languages) for name in experiment.benchmarks)
    recipe = override(experiment.recipe, {"batches.strategy": "hybrid", "data.languages": grid.languages})
    found = [Run(ZERO_SHOT, recipe, benchmarks, trained=False)]
    for name, alpha in _shares(grid).items():
        for seed in range(experiment.seeds):
            chosen = override(recipe, {"batches.alpha": alpha, "training.seed": seed})
            found.append(Run(name, chosen, benchmarks))
    return found


def answer(experiment: Experiment, runs: Sequence[Run], findings: Findings) -> Answer:
    """Say which share is best in each setting, whether 0.5 is, and whether it is flat around it."""
    grid = checked(Grid, experiment.grid, "grid")
    measure = experiment.measure
    sections, sentences, figures = [], [], {}
    for benchmark, groups in findings.items():
        compared = compare_groups(groups, _name(BASELINE), measure)
        said = list(_sentences(benchmark, compared, grid, measure))
        sentences += said
        picture = _picture(benchmark, compared, grid, measure)
        title = f"{measure_title(measure)} on {benchmark} by share of monolingual batches"
        table = compared_grid(f"alpha-{benchmark}", title, compared)
        sections.append(Section(benchmark, benchmark, [Sentences(said, listed=True), picture, table]))
        figures[benchmark] = {
            "compared": compared,
            "by_seed": {name: by_seed(found, measure) for name, found in groups.items()},
        }
    return Answer(sentences, sections, figures)


def _shares(grid: Grid) -> dict[str, float | list[float]]:
    return {**{_name(alpha): alpha for alpha in grid.alphas}, **grid.schedules}


def _name(alpha: float) -> str:
    return f"alpha {alpha:g}"


def _sentences(benchmark: str, compared: Mapping[str, Any], grid: Grid, measure: str) -> Iterator[str]:
    """Say per setting which constant share is best and how 0.5 differs from it, and what others do."""
    runs = compared["compared"]
    for setting, title in PANELS.items():
        if figure_of(runs[_name(BASELINE)], setting) is None:
            continue
        values = {alpha: figure_of(runs[_name(alpha)], setting) for alpha in grid.alphas}
        sign = -1 if setting == DISTANCE else 1
        best = max(
            values,
            key=lambda alpha: (sign * values[alpha]["value"], alpha == BASELINE),  # type: ignore[index]
        )
        form = ",.0f" if setting == DISTANCE else ".4f"
        found = values[best]
        assert found is not None
        what = title if setting == DISTANCE else f"{title} {measure_title(measure)}"
        said = f"{benchmark}, {what}: {best:g} is the best constant share ({number(found['value'], form)})"
        if best != BASELINE:
            gain = number(found["difference"], f"+{form}")
            said += f"; that is {gain} against 0.5 ({p_text(found['p_holm'])} after Holm's correction)"
        yield f"{said}."
    yield from _others(benchmark, runs, grid)


def _others(benchmark: str, runs: Mapping[str, Any], grid: Grid) -> Iterator[str]:
    """Say whether shares near 0.5, and schedules, do as a constant 0.5 does."""
    near = [alpha for alpha in grid.alphas if FLAT[0] <= alpha <= FLAT[1] and alpha != BASELINE]
    named = {f"{alpha:g}": _name(alpha) for alpha in near}
    for said, name in [*named.items(), *((f"the schedule '{name}'", name) for name in grid.schedules)]:
        found = {title: figure_of(runs[name], setting) for setting, title in PANELS.items()}
        where = {
            verdict: listed(
                [title for title, f in found.items() if f is not None and f["verdict"] == verdict]
            )
            for verdict in ("better", "worse")
        }
        differs = [f"significantly {verdict} in {titles}" for verdict, titles in where.items() if titles]
        if differs:
            yield f"{benchmark}: {said} against 0.5: {'; '.join(differs)}."
        else:
            yield f"{benchmark}: {said} does not differ significantly from 0.5 in any setting."


def _picture(benchmark: str, compared: Mapping[str, Any], grid: Grid, measure: str) -> Picture:
    """Draw each share's difference from 0.5: its interval is far narrower than that of the figure itself."""
    rows = []
    panels: list[str] = []
    for setting, title in PANELS.items():
        for alpha in grid.alphas:
            found = figure_of(compared["compared"][_name(alpha)], setting)
            if found is not None:
                panels = panels if title in panels else [*panels, title]
                rows.append({"x": alpha, "series": "constant", "panel": title, **_change(found)})
    title = f"{measure_title(measure)} on {benchmark}: difference from alpha 0.5"
    x = "alpha, the share of monolingual batches"
    spec = curves(rows, title, x=x, y="", series=["constant"], panels=panels)
    alt = f"{title}: a curve a setting, with 95 % intervals over items; the figures are in the table."
    return Picture(f"alpha-{benchmark}-curve", title, alt, spec)


def _change(found: Mapping[str, Any]) -> dict[str, float]:
    """Return a difference with its interval; the baseline's own is 0."""
    keys = {"value": "difference", "low": "difference_low", "high": "difference_high"}
    return {name: float(found.get(key, 0)) for name, key in keys.items()}
