"""Comparing strategies under one budget: what is run, kept, repeated and reported."""

import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from panglot import Benchmark, Optimisation, ParallelPairs, evaluate, load_encoder, sample_benchmark, train
from panglot import sample_pairs as load_sample
from panglot.experiments import Budget, compare_strategies, strategies
from panglot.training import StepReport

LANGUAGES = ["de", "en", "tr"]
SETTINGS = ("monolingual", "crosslingual", "multilingual")


@pytest.fixture
def pairs() -> ParallelPairs:
    return load_sample().select(languages=LANGUAGES)


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return sample_benchmark().restrict(LANGUAGES)


@pytest.fixture
def budget(tiny_checkpoint: Path) -> Budget:
    how = Optimisation(steps=2, learning_rate=1e-2)
    return Budget(model=str(tiny_checkpoint), max_length=24, batch_size=4, optimisation=how)


def compare(
    output: Path, pairs: ParallelPairs, benchmark: Benchmark, budget: Budget, seeds: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    return compare_strategies(
        [pairs],
        [benchmark],
        output,
        budget=budget,
        strategies=["monolingual", "hybrid"],
        seeds=seeds,
        say=lambda _: None,
    )


def figures_of(folder: Path) -> dict[str, float]:
    results = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    found = {name: results["settings"][name]["AP"] for name in SETTINGS}
    return {**found, "rank_distance": results["bias"]["rank_distance"]}


def test_the_summary_holds_the_means_over_seeds_and_hybrids_differences(
    tmp_path: Path, pairs: ParallelPairs, benchmark: Benchmark, budget: Budget
) -> None:
    summary = compare(tmp_path, pairs, benchmark, budget, seeds=(0, 1))
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == summary
    compared = summary["comparison"]["sample"]
    assert set(compared) == {"zero-shot", "monolingual", "hybrid", "hybrid minus"}
    runs = {
        strategy: [figures_of(tmp_path / f"{strategy}-{seed}") for seed in (0, 1)]
        for strategy in ("monolingual", "hybrid")
    }
    for name in (*SETTINGS, "rank_distance"):
        mean = {strategy: (one[name] + two[name]) / 2 for strategy, (one, two) in runs.items()}
        for strategy, value in mean.items():
            found = compared[strategy][name]
            assert found["value"] == pytest.approx(value)
            assert found["low"] < value < found["high"]
        difference = compared["hybrid minus"]["monolingual"][name]["value"]
        assert difference == pytest.approx(mean["hybrid"] - mean["monolingual"])
    by_seed = compared["hybrid"]["by_seed"]["multilingual"]
    assert by_seed == pytest.approx([run["multilingual"] for run in runs["hybrid"]])
    assert by_seed[0] != by_seed[1]


def test_zero_shot_is_the_encoder_as_it_comes_with_its_own_length(
    tmp_path: Path, pairs: ParallelPairs, benchmark: Benchmark, budget: Budget
) -> None:
    summary = compare(tmp_path, pairs, benchmark, budget)
    expected = evaluate(load_encoder(budget.model, device="cpu"), benchmark).results["settings"]
    found = summary["comparison"]["sample"]["zero-shot"]
    for name in SETTINGS:
        assert found[name]["value"] == pytest.approx(expected[name]["AP"], abs=1e-6)
    lengths = [
        json.loads((tmp_path / run / "sample.json").read_text())["model"]["max_length"]
        for run in ("zero-shot", "hybrid-0")
    ]
    assert lengths == [48, 48]


def test_models_are_not_kept(
    tmp_path: Path, pairs: ParallelPairs, benchmark: Benchmark, budget: Budget
) -> None:
    compare(tmp_path, pairs, benchmark, budget)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_finished_run_is_not_repeated(
    tmp_path: Path,
    pairs: ParallelPairs,
    benchmark: Benchmark,
    budget: Budget,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = compare(tmp_path, pairs, benchmark, budget)
    monkeypatch.setattr(strategies, "_run", lambda *_: pytest.fail("a finished run is repeated"))
    assert compare(tmp_path, pairs, benchmark, budget)["comparison"] == first["comparison"]


def test_another_budget_is_run_again(
    tmp_path: Path, pairs: ParallelPairs, benchmark: Benchmark, budget: Budget
) -> None:
    first = compare(tmp_path, pairs, benchmark, budget)["comparison"]["sample"]
    second = compare(tmp_path, pairs, benchmark, replace(budget, temperature=1.0))["comparison"]["sample"]
    assert second["zero-shot"] == first["zero-shot"]
    assert second["hybrid"] != first["hybrid"]


class StopError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("call", [2, 3])
def test_a_comparison_that_was_stopped_while_measuring_goes_on(
    call: int,
    tmp_path: Path,
    pairs: ParallelPairs,
    benchmark: Benchmark,
    budget: Budget,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0

    def stops(*arguments: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise StopError
        return evaluate(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(strategies, "evaluate", stops)
        with pytest.raises(StopError):
            compare(tmp_path / "stopped", pairs, benchmark, budget)
    assert not (tmp_path / "stopped" / "summary.json").exists()
    found = compare(tmp_path / "stopped", pairs, benchmark, budget)["comparison"]
    assert found == compare(tmp_path / "whole", pairs, benchmark, budget)["comparison"]


def test_a_comparison_that_was_stopped_by_ctrl_c_goes_on(
    tmp_path: Path,
    pairs: ParallelPairs,
    benchmark: Benchmark,
    budget: Budget,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def press(report: StepReport) -> None:
        if report.step == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(strategies, "train", partial(train, tell=press))
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path / "stopped", pairs, benchmark, budget)
    assert (tmp_path / "stopped" / "monolingual-0" / "model" / "checkpoints").exists()
    found = compare(tmp_path / "stopped", pairs, benchmark, budget)["comparison"]
    assert found == compare(tmp_path / "whole", pairs, benchmark, budget)["comparison"]
