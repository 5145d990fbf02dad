"""The settings of an experiment: bundled ones, one's own, single ones laid over, and mistakes in them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from panglot import PanglotError
from panglot.experiments.experiment import NAMES, plan_runs, read_experiment
from panglot.experiments.runs import Data
from panglot.training.config import Part, checked

DEFAULTS = Path(__file__).parents[2] / "src" / "panglot" / "experiments" / "defaults"
RECIPES = Path(__file__).parents[2] / "recipes" / "experiments"
OWN = """
question = "alpha"
benchmarks = ["sample"]

[grid]
alphas = [0.5]

[recipe.training]
steps = 7
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(DEFAULTS.glob("*.toml")), ids=lambda path: path.stem)
def test_bundled_experiments_are_valid_and_are_among_the_recipes(path: Path) -> None:
    assert path.stem in NAMES
    assert read_experiment(path.stem).question == path.stem
    assert (RECIPES / path.name).read_bytes() == path.read_bytes()


def test_ones_own_experiment_is_read(own: Path) -> None:
    found = read_experiment(own)
    assert (found.question, found.benchmarks, found.seeds, found.measure) == ("alpha", ["sample"], 3, "AP")
    assert found.grid == {"alphas": [0.5]}
    assert found.recipe.training.steps == 7
    assert found.recipe.batches.strategy == "hybrid"


def test_single_settings_are_laid_over(own: Path) -> None:
    given = {
        "seeds": 1,
        "benchmarks": ["xquad-r"],
        "grid.alphas": [0.4, 0.5],
        "grid.languages": ["en"],
        "training.steps": 2,
        "recipe.batches.size": 4,
        "model.name": "another",
    }
    found = read_experiment(own, given)
    assert (found.seeds, found.benchmarks) == (1, ["xquad-r"])
    assert found.grid == {"alphas": [0.4, 0.5], "languages": ["en"]}
    assert (found.recipe.training.steps, found.recipe.batches.size) == (2, 4)
    assert found.recipe.model.name == "another"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": 0}, "own.toml: seeds is wrong: use a number greater than or equal to 1"),
        ({"seeds": "many"}, "own.toml: seeds is wrong"),
        ({"benchmarks": "xquad-r"}, "own.toml: benchmarks is wrong: use a valid list"),
        ({"grid": 3}, "own.toml: grid is wrong"),
        ({"grid": 3, "grid.alphas": [1]}, "own.toml: grid is wrong"),
        ({"steps": 3}, "'steps' is not a setting. Write PART.NAME, such as batches.alpha"),
        ({"training.sped": 3}, "Unknown setting training.sped"),
        ({"batches.alpha": 1.5}, "batches.alpha is wrong"),
        ({"measure": "MAP@ten"}, "'MAP@ten' is not a measure that panglot knows"),
        ({"question": "why"}, "own.toml: unknown question 'why'; use one of alpha, baselines, "),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(own: Path, given: dict[str, Any], message: str) -> None:
    with pytest.raises(PanglotError) as raised:
        read_experiment(own, given)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('question = "alpha"', "The setting 'benchmarks' is missing"),
        ('benchmarks = ["sample"]', "The setting 'question' is missing"),
        (OWN.replace("steps", "sped"), "Unknown setting recipe.training.sped"),
        (OWN + "[recipe.batches]\nalpha = 1.5", "recipe.batches.alpha is wrong: use a number less than"),
        (OWN.replace("question", "qestion"), "Unknown setting qestion. Did you mean question?"),
        ("question = ", "is not valid TOML"),
        ('question = "\xff"'.encode("latin-1"), "is not valid TOML"),
    ],
    ids=str,
)
def test_a_wrong_file_is_named(own: Path, text: str | bytes, message: str) -> None:
    own.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PanglotError) as raised:
        read_experiment(own)
    assert str(raised.value).startswith(f"{own}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["none.toml", "beta"])
def test_an_unknown_experiment_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(PanglotError) as raised:
        read_experiment(name)
    assert str(raised.value) == (
        f"{name}: no such file, and no experiment of that name; use one of {', '.join(NAMES)}."
    )


class Form(Part):
    shares: list[float] | None = None
    number: int = Field(ge=1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"number": 2, "nothing": 1}, "grid: Unknown setting nothing."),
        ({}, "grid: The setting 'number' is missing."),
        ({"number": 0}, "grid: number is wrong: use a number greater than or equal to 1 (given: 0)."),
        (
            {"number": 1, "shares": ["x"]},
            "grid: shares.0 is wrong: use a valid number (given: 'x').",
        ),
    ],
    ids=str,
)
def test_settings_of_a_question_are_checked(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PanglotError) as raised:
        checked(Form, values, "grid")
    assert str(raised.value) == message
    assert checked(Form, {"number": 3}, "grid") == Form(number=3)


@pytest.mark.parametrize("setting", ["measures", "measured"])
def test_a_setting_for_an_unknown_benchmark_is_refused(setting: str) -> None:
    value: Any = {"tatoba": "AP" if setting == "measures" else ["en"]}
    experiment = read_experiment("low-resource", {f"grid.{setting}": value})
    with pytest.raises(PanglotError, match="'tatoba' is not a benchmark that panglot knows"):
        plan_runs(experiment, Data(()))
