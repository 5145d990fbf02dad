"""One model for all languages, or one model a language: which keeps more of its gain outside its domain?"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from panglot.data.catalogue import entry_named
from panglot.data.perturb import parse_kinds
from panglot.errors import PanglotError
from panglot.experiments.answer import Answer
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import Findings, by_seed, compare_groups
from panglot.experiments.questions.domain_shift.figures import (
    AGNOSTIC,
    AGNOSTIC_MONOLINGUAL,
    CROSSLINGUAL,
    PERTURBED,
    line_up,
    losses,
    setting_of,
    shifts,
    specific,
)
from panglot.experiments.questions.domain_shift.page import sections
from panglot.experiments.questions.domain_shift.words import said
from panglot.experiments.runs import HELD_OUT, ZERO_SHOT, Measured, Places, Run, benchmark_of
from panglot.training import Recipe, override
from panglot.training.settings import Part, checked

TITLE = "One model for all languages, or one a language: which keeps more outside its domain?"
Budget = Literal["pairs", "steps"]


class Grid(Part):
    """What is compared.

    Attributes:
        languages: trained and measured on; specific models are one a language.
        budgets: of a specific model. ``pairs``: as many pairs of its language as the one model sees of it on
            average (its steps over the number of languages); ``steps``: as many steps as the one model.
        perturb: kinds of change of the held-out queries; see ``panglot.data.perturb``.
    """

    languages: Annotated[list[str], Field(min_length=2)]
    budgets: Annotated[list[Budget], Field(min_length=1)]
    perturb: list[str] = Field(default_factory=list)


def plan(experiment: Experiment, places: Places) -> list[Run]:
    """Return the encoder as it comes, specific models by language, budget and seed, and the agnostic ones."""
    grid = checked(Grid, experiment.grid, "grid")
    if grid.perturb:
        parse_kinds(",".join(grid.perturb))
    if places.pairs:
        _check_held_out(grid, places)
    whole = _measured(experiment, grid, places)
    recipe = override(experiment.recipe, {"batches.strategy": "hybrid", "data.languages": grid.languages})
    found = [Run(ZERO_SHOT, recipe, whole, trained=False)]
    seeds = range(experiment.seeds)
    for budget in grid.budgets:
        steps = recipe.training.steps
        steps = max(1, round(steps / len(grid.languages))) if budget == "pairs" else steps
        for language in grid.languages:
            own = _measured(experiment, grid, places, language)
            chosen = override(
                recipe,
                {
                    "batches.strategy": "specific",
                    "batches.language": language,
                    "data.languages": [language],
                    "training.steps": steps,
                },
            )
            found += [Run(specific(budget, language), _seeded(chosen, seed), own) for seed in seeds]
    monolingual = override(recipe, {"batches.strategy": "monolingual"})
    for group, chosen in ((AGNOSTIC, recipe), (AGNOSTIC_MONOLINGUAL, monolingual)):
        found += [Run(group, _seeded(chosen, seed), whole) for seed in seeds]
    return found


def _seeded(recipe: Recipe, seed: int) -> Recipe:
    return override(recipe, {"training.seed": seed})


def _check_held_out(grid: Grid, places: Places) -> None:
    """Refuse to go on without held-out documents in all languages."""
    if not places.held_out:
        raise PanglotError(
            "domain-shift measures inside its domain on documents that nothing is trained on; "
            "hold some out with --held-out 0.1."
        )
    having = benchmark_of(places, HELD_OUT).languages
    if missing := [language for language in grid.languages if language not in having]:
        raise PanglotError(
            f"no held-out document is in '{missing[0]}'; leave it out of grid.languages, or raise --held-out."
        )


def _measured(
    experiment: Experiment, grid: Grid, places: Places, own: str | None = None
) -> tuple[Measured, ...]:
    """Return what a model is measured on: in all languages, or for a specific model in its ``own``.

    A specific model is measured in its own language, so that pool and queries are those of the same cell of
    the agnostic model's matrix. It sees the other languages' passages where there is no monolingual setting
    (captions), and on the held-out documents, so that these have that setting too.
    """
    languages = tuple(sorted(grid.languages))
    alone = languages if own is None else (own,)
    found = [Measured(HELD_OUT, languages)]
    if grid.perturb:
        found.append(Measured(HELD_OUT, alone, tuple(grid.perturb), label=PERTURBED))
    for name in experiment.benchmarks:
        if name == HELD_OUT:
            continue
        entry = entry_named(name)
        having = entry.languages or benchmark_of(places, name).languages
        shared = tuple(language for language in languages if language in having)
        if not shared:
            raise PanglotError(f"'{name}' has none of grid.languages; leave it out of benchmarks.")
        if own is None:
            found.append(Measured(name, shared))
        elif own in shared:
            found.append(Measured(name, (own,) if "monolingual" in entry.settings else shared))
    return tuple(found)


def answer(experiment: Experiment, runs: Sequence[Run], findings: Findings) -> Answer:
    """Say what one model and one a language reach inside the domain and outside, and what each loses."""
    grid = checked(Grid, experiment.grid, "grid")
    lined = {}
    lost = losses(shifts(findings, grid.budgets, experiment.measure))
    for title, groups in findings.items():
        if title == PERTURBED:
            continue
        settings = [setting_of(groups)]
        if title == HELD_OUT and any(shift["setting"] == CROSSLINGUAL for shift in lost):
            settings.append(CROSSLINGUAL)
        for setting in settings:
            lined[title, setting] = line_up(groups, grid.budgets, setting, experiment.measure)
    compared = {key: compare_groups(groups, AGNOSTIC, experiment.measure) for key, groups in lined.items()}
    seeds = {
        key: {g: by_seed(e, experiment.measure)[key[1]] for g, e in of.items()} for key, of in lined.items()
    }
    steps = {run.group: run.recipe.training.steps for run in runs if run.trained}
    sentences = said(compared, seeds, lost, grid.budgets)
    figures = {
        "steps": steps,
        "levels": [
            {"benchmark": title, "setting": setting, "compared": found, "by_seed": seeds[title, setting]}
            for (title, setting), found in compared.items()
        ],
        "shifts": lost,
    }
    return Answer(sentences, sections(sentences, compared, lost), figures)
