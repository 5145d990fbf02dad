"""What training costs: measured over the steps asked for, in a process of its own."""

from mmap import mmap
from pathlib import Path
from typing import Any

import pytest
import warm

from panglot import ParallelPairs, sample_pairs
from panglot.errors import PanglotError
from panglot.experiments import cost
from panglot.experiments.cost import Cost, machine, measure_cost
from panglot.training import TrainingConfig, read_recipe


@pytest.fixture
def recipe(tiny_checkpoint: Path) -> TrainingConfig:
    settings: dict[str, Any] = {"model.name": str(tiny_checkpoint), "batches.size": 4, "training.steps": 50}
    return read_recipe(None, settings)


@pytest.fixture
def sources() -> list[ParallelPairs]:
    return [sample_pairs().select(languages=["de", "en"])]


@pytest.fixture
def other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the process that would be spawned."""
    monkeypatch.setattr("multiprocessing.get_context", {"spawn": warm.CONTEXT}.__getitem__)


def test_it_is_measured_over_whole_steps_after_one(
    recipe: TrainingConfig, sources: list[ParallelPairs]
) -> None:
    found = cost._measured(recipe, sources, 9, 1)
    assert found.pairs == 12
    assert found.pairs_per_second > 0
    assert found.peak > found.memory


def test_the_highest_memory_since_it_was_forgotten_is_found() -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell")
    cost._forget_peak()
    before = cost._memory("VmRSS")
    with mmap(-1, 64 * 2**20) as block:  # new pages: a bytearray may lie in memory that Python held already
        for start in range(0, len(block), 2**12):
            block[start] = 1  # each page is used
    assert cost._memory("VmHWM") - before == pytest.approx(64 * 2**20, rel=0.2)
    cost._forget_peak()
    assert cost._memory("VmHWM") - cost._memory("VmRSS") < 32 * 2**20


def test_the_machine_has_a_name() -> None:
    assert machine()["device"]


@pytest.mark.slow
def test_another_process_measures(
    recipe: TrainingConfig, sources: list[ParallelPairs], other_process: None
) -> None:
    found = measure_cost(recipe, sources, 4)
    assert isinstance(found, Cost)
    assert found.pairs == 4
    assert found.memory > 0


@pytest.mark.slow
def test_what_goes_wrong_in_the_process_is_told(
    recipe: TrainingConfig, sources: list[ParallelPairs], other_process: None
) -> None:
    large = recipe.model_copy(update={"batches": recipe.batches.model_copy(update={"size": 10_000})})
    with pytest.raises(PanglotError, match="batch"):
        measure_cost(large, sources, 4)
