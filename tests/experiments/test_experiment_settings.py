"""The settings of an experiment: bundled ones, one's own, single ones laid over, and mistakes in them."""

from pathlib import Path
from typing import Any

import pytest

from panglot import PanglotError
from panglot.experiments.experiment import NAMES, plan_runs, read_experiment
from panglot.experiments.runs import Data

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
    ("given", "named"),
    [
        ({"benchmarks": "xquad-r"}, "benchmarks"),
        ({"grid": 3, "grid.alphas": [1]}, "grid"),
        ({"batches.alpha": 1.5}, "batches.alpha"),
        ({"measure": "MAP@ten"}, "'MAP@ten'"),
        ({"question": "why"}, "'why'"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_named(own: Path, given: dict[str, Any], named: str) -> None:
    with pytest.raises(PanglotError, match=named):
        read_experiment(own, given)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('question = "alpha"', "'benchmarks'"),
        (OWN.replace("steps", "sped"), "recipe.training.sped"),
        (OWN + "[recipe.batches]\nalpha = 1.5", "recipe.batches.alpha"),
        ('question = "\xff"'.encode("latin-1"), "TOML"),
    ],
    ids=str,
)
def test_a_wrong_file_is_named(own: Path, text: str | bytes, named: str) -> None:
    own.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PanglotError, match=f"^{own}: .*{named}"):
        read_experiment(own)


@pytest.mark.parametrize("setting", ["measures", "measured"])
def test_a_setting_for_an_unknown_benchmark_is_refused(setting: str) -> None:
    value: Any = {"tatoba": "AP" if setting == "measures" else ["en"]}
    experiment = read_experiment("low-resource", {f"grid.{setting}": value})
    with pytest.raises(PanglotError, match="'tatoba' is not a benchmark that panglot knows"):
        plan_runs(experiment, Data(()))
