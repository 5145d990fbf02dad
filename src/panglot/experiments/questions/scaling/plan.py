"""The plan of the question of scale: nested sets of languages under two budgets, and batch sizes."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from panglot.errors import PanglotError
from panglot.experiments.experiment import Experiment
from panglot.experiments.runs import ZERO_SHOT, Measured, Places, Run, sources_of
from panglot.training import Recipe, override
from panglot.training.settings import Part, checked

ABOUT_SIZES = "batch sizes"
Count = Annotated[int, Field(ge=2)]


class Grid(Part):
    """What is compared.

    Attributes:
        languages: to train on, in the order in which they are added.
        counts: the first so many are trained on.
        all_languages: also train on all that the pairs have.
        measured: measured in these languages.
        reference: at equal pairs per language, so many languages have the recipe's steps; n have
            n / reference of them.
        max_steps: but never more.
        sizes: of batches, each over as many pairs as the recipe's steps have.
        size_languages: trained on the first so many in the comparison of sizes.
        size_measured: measured in these in the comparison of sizes; None: as ``measured``.
        rate_power: learning rates are multiplied by (size / the recipe's size) to this power.
        cached_above: batches above this size are computed with gradient caching.
        cost_pairs: the cost of a batch size is measured over so many pairs at least; 0: not measured.
        noise_pairs: the gradient-noise scale of a batch size is estimated from gradients of about so many
            pairs, and at least 3 and at most 16 batches; 0: not estimated.
        noise_after: also estimate it after training with the recipe's own batch size.
    """

    languages: Annotated[list[str], Field(min_length=2)]
    counts: Annotated[list[Count], Field(min_length=1)]
    all_languages: bool = True
    measured: Annotated[list[str], Field(min_length=2)]
    reference: Count
    max_steps: Annotated[int, Field(ge=1)] = 400
    sizes: list[Count] = Field(default_factory=list)
    size_languages: Count = 2
    size_measured: list[str] | None = None
    rate_power: float = 0.5
    cached_above: Annotated[int, Field(ge=0)] = 128
    cost_pairs: Annotated[int, Field(ge=0)] = 512
    noise_pairs: Annotated[int, Field(ge=0)] = 1024
    noise_after: bool = True


def plan(experiment: Experiment, places: Places) -> list[Run]:
    """Return the encoder as it comes, and a run for every set of languages, budget, batch size and seed."""
    grid = grid_of(experiment)
    _check_languages(grid, places)
    of_languages = _measured(experiment, grid.measured)
    of_sizes = _measured(experiment, grid.size_measured or grid.measured, ABOUT_SIZES)
    recipe = override(experiment.recipe, {"batches.strategy": "hybrid"})
    found = [Run(ZERO_SHOT, recipe, of_languages + (of_sizes if grid.sizes else ()), trained=False)]
    for seed in range(experiment.seeds):
        seeded = override(recipe, {"training.seed": seed})
        runs: list[Run] = []
        for count, chosen in sets_of_languages(grid, places).items():
            for steps in dict.fromkeys((equal_steps(experiment), equal_pairs(grid, experiment, count))):
                of_run = override(seeded, {"data.languages": chosen, "training.steps": steps})
                runs.append(Run(languages_group(count, steps), of_run, of_languages))
        for size in dict.fromkeys(grid.sizes):
            of_run = sized(seeded, grid, size)
            same = next((k for k, run in enumerate(runs) if run.recipe == of_run), None)
            if same is None:
                runs.append(Run(size_group(size), of_run, of_sizes))
            else:  # the recipe's own size: one run, measured for both
                runs[same] = Run(runs[same].group, of_run, runs[same].benchmarks + of_sizes)
        found += runs
    return found


def grid_of(experiment: Experiment) -> Grid:
    """Return the question's settings, checked."""
    grid = checked(Grid, experiment.grid, "grid")
    if max([*grid.counts, grid.size_languages]) > len(grid.languages):
        raise PanglotError(f"grid: counts go beyond the {len(grid.languages)} languages named; name more.")
    if len(set(grid.languages)) < len(grid.languages):
        raise PanglotError("grid: a language stands twice in languages; leave one out.")
    return grid


def sets_of_languages(grid: Grid, places: Places) -> dict[int, list[str] | None]:
    """Return nested sets of languages by their size; None stands for all that the pairs have."""
    found: dict[int, list[str] | None] = {count: grid.languages[:count] for count in sorted(set(grid.counts))}
    having = len(_having(places))
    if grid.all_languages and having > max(found):
        found[having] = None
    return found


def equal_steps(experiment: Experiment) -> int:
    """Return the steps of every set of languages at equal steps."""
    return experiment.recipe.training.steps


def equal_pairs(grid: Grid, experiment: Experiment, count: int) -> int:
    """Return the steps of so many languages at equal pairs per language."""
    return min(grid.max_steps, max(1, round(experiment.recipe.training.steps * count / grid.reference)))


def sized(recipe: Recipe, grid: Grid, size: int) -> Recipe:
    """Return a recipe with another batch size over as many pairs; learning rates go with the size."""
    training, own = recipe.training, recipe.batches.size
    times = (size / own) ** grid.rate_power
    table = training.table_learning_rate
    return override(
        recipe,
        {
            "data.languages": grid.languages[: grid.size_languages],
            "batches.size": size,
            "training.steps": max(1, round(training.steps * own / size)),
            "training.learning_rate": training.learning_rate * times,
            "training.table_learning_rate": None if table is None else table * times,
            "training.gradient_cache": training.gradient_cache or size > grid.cached_above,
        },
    )


def languages_group(count: int, steps: int) -> str:
    """Return what a set of languages is called."""
    return f"{count} languages, {steps:,} step{'' if steps == 1 else 's'}"


def size_group(size: int) -> str:
    """Return what a batch size is called."""
    return f"batches of {size:,}"


def _measured(experiment: Experiment, languages: Sequence[str], about: str = "") -> tuple[Measured, ...]:
    chosen = tuple(languages)
    return tuple(
        Measured(name, chosen, label=f"{name}, {about}" if about else "") for name in experiment.benchmarks
    )


def _having(places: Places) -> set[str]:
    return {code for source in sources_of(places)[0] for code in source.languages}


def _check_languages(grid: Grid, places: Places) -> None:
    lacking = [code for code in grid.languages if code not in _having(places)] if places.pairs else []
    if lacking:
        raise PanglotError(
            f"grid: no source has a pair in {', '.join(lacking)}; leave them out of grid.languages."
        )
