"""The settings of an experiment: a question, what all its runs share, and the grid that they span."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from panglot.errors import PanglotError
from panglot.evaluation.measures import parse_measure
from panglot.training import Recipe, override
from panglot.training.settings import Part, checked

NAMES = ("low-resource", "scaling", "unseen-languages", "baselines", "domain-shift", "alpha")


class Experiment(Part):
    """What a recipe in ``recipes/experiments`` says.

    Attributes:
        question: which of ``NAMES`` it asks.
        benchmarks: of the catalogue, that all runs are measured on unless the question says otherwise.
        seeds: runs of every trained model.
        measure: the one that answers are given in, as ir_measures names it.
        bf16: encode in bfloat16 when measuring.
        recipe: of a training run, shared by all; its data part and its seed are not used.
        grid: settings of the question; its module says which.
    """

    question: str
    benchmarks: list[str]
    seeds: Annotated[int, Field(ge=1)] = 3
    measure: str = "AP"
    bf16: bool = False
    recipe: Recipe = Recipe()
    grid: dict[str, Any] = Field(default_factory=dict)


def read_experiment(name: str | Path, overrides: Mapping[str, Any] | None = None) -> Experiment:
    """Read an experiment by its name, or from a file of one's own, and lay single settings over it.

    Args:
        name: one of ``NAMES``, or a TOML file.
        overrides: ``seeds``, ``benchmarks``, ``measure``, ``bf16``, ``grid.NAME``, or a setting of the
            training recipe as ``panglot train --set`` names it, such as ``{"training.steps": 50}``.

    Raises:
        PanglotError: there is no such file, or a setting is unknown or out of bounds.
    """
    path = Path(name)
    known = str(name) in NAMES
    source = files("panglot.experiments").joinpath(f"defaults/{name}.toml") if known else path
    where = str(name) if known else str(path)
    try:
        values = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise PanglotError(
            f"{where}: no such file, and no experiment of that name; use one of {', '.join(NAMES)}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PanglotError(f"{where}: is no valid TOML: {error}.") from error
    of_recipe = {}
    for key, value in (overrides or {}).items():
        part, _, setting = key.partition(".")
        if part == "grid" and setting:
            grid = values.setdefault("grid", {})
            if isinstance(grid, dict):
                grid[setting] = value
        elif part in Experiment.model_fields and not setting:
            values[part] = value
        else:
            of_recipe[key.removeprefix("recipe.")] = value
    found = checked(Experiment, values, where)
    parse_measure(found.measure)
    if found.question not in NAMES:
        raise PanglotError(f"{where}: '{found.question}' is no question; use one of {', '.join(NAMES)}.")
    return found.model_copy(update={"recipe": override(found.recipe, of_recipe)})
