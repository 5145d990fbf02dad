"""What tests of experiments share: small runs of the tiny checkpoint on the bundled sample."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.experiments import sweep as sweep_module
from panglot.experiments.runs import Data, Run, Target
from panglot.training import TrainingConfig, override, read_recipe
from panglot.training.recipes import train_recipe

MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def tiny_recipe(tiny_checkpoint: Path) -> TrainingConfig:
    """Two steps in two languages."""
    settings = {
        "model.name": str(tiny_checkpoint),
        "data.languages": ["de", "en"],
        "batches.size": 4,
        "training.steps": 2,
        "training.learning_rate": 1e-2,
        "training.max_length": 24,
    }
    return read_recipe(None, settings)


@pytest.fixture(scope="session")
def make_run(tiny_recipe: TrainingConfig) -> MakeRun:
    """Make a run, by default measured on the sample in two languages: ``make_run(group, **settings)``."""

    def make(
        group: str,
        settings: dict[str, Any] | None = None,
        *,
        targets: tuple[Target, ...] = (Target("sample", ("de", "en")),),
        trained: bool = True,
    ) -> Run:
        return Run(group, override(tiny_recipe, settings or {}), targets, trained)

    return make


@pytest.fixture(scope="session")
def data() -> Data:
    """The bundled sample to train on."""
    return Data((str(SAMPLE_FOLDER / "train.jsonl"),))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainingConfig]:
    """The recipes that were trained, as they are."""
    found: list[TrainingConfig] = []

    def train(recipe: TrainingConfig, *arguments: Any, **settings: Any) -> Any:
        found.append(recipe)
        return train_recipe(recipe, *arguments, **settings)

    monkeypatch.setattr(sweep_module, "train_recipe", train)
    return found
