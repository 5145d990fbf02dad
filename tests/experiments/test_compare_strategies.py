"""Comparing strategies under one budget: what is run, kept, repeated and reported."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from panglot import Benchmark, ParallelPairs, evaluate, load_encoder, sample_benchmark
from panglot import sample_pairs as load_sample
from panglot.experiments import compare_strategies, one_run
from panglot.experiments.recipes import train_recipe
from panglot.training import Recipe, StepReport, override, read_recipe

LANGUAGES = ["de", "en", "tr"]
SETTINGS = ("monolingual", "crosslingual", "multilingual")


@pytest.fixture(scope="module")
def pairs() -> ParallelPairs:
    return load_sample().select(languages=LANGUAGES)


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return sample_benchmark().restrict(LANGUAGES)


@pytest.fixture(scope="module")
def recipe(tiny_checkpoint: Path) -> Recipe:
    settings = {
        "model.name": str(tiny_checkpoint),
        "batches.size": 4,
        "training.steps": 2,
        "training.learning_rate": 1e-2,
        "training.max_length": 24,
    }
    return read_recipe(None, settings)


def compare(
    output: Path, pairs: ParallelPairs, benchmark: Benchmark, recipe: Recipe, seeds: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    return compare_strategies(
        [pairs],
        [benchmark],
        output,
        recipe=recipe,
        strategies=["monolingual", "hybrid"],
        seeds=seeds,
        say=lambda _: None,
    )


def figures_of(folder: Path) -> dict[str, float]:
    results = json.loads((folder / "sample.json").read_text(encoding="utf-8"))
    found = {name: results["settings"][name]["AP"] for name in SETTINGS}
    return {**found, "rank_distance": results["bias"]["rank_distance"]}


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, pairs: ParallelPairs, benchmark: Benchmark, recipe: Recipe
) -> tuple[Path, dict[str, Any]]:
    """The folder of a comparison with one seed, and its summary."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, compare(folder, pairs, benchmark, recipe)


@pytest.fixture
def copied(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """The same, to write in."""
    return Path(shutil.copytree(finished[0], tmp_path / "copied"))


def test_the_summary_holds_the_means_over_seeds_and_hybrids_differences(
    copied: Path, pairs: ParallelPairs, benchmark: Benchmark, recipe: Recipe
) -> None:
    summary = compare(copied, pairs, benchmark, recipe, seeds=(0, 1))
    assert json.loads((copied / "summary.json").read_text(encoding="utf-8")) == summary
    compared = summary["comparison"]["sample"]
    assert set(compared) == {"zero-shot", "monolingual", "hybrid", "hybrid minus"}
    runs = {
        strategy: [figures_of(copied / f"{strategy}-{seed}") for seed in (0, 1)]
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


def test_zero_shot_is_the_encoder_as_it_comes(
    finished: tuple[Path, dict[str, Any]], benchmark: Benchmark, recipe: Recipe
) -> None:
    expected = evaluate(load_encoder(recipe.model.name, device="cpu"), benchmark).results["settings"]
    found = finished[1]["comparison"]["sample"]["zero-shot"]
    for name in SETTINGS:
        assert found[name]["value"] == pytest.approx(expected[name]["AP"], abs=1e-6)


def test_texts_are_cut_in_training_and_not_in_evaluation(finished: tuple[Path, dict[str, Any]]) -> None:
    folder = finished[0]
    trained = json.loads((folder / "hybrid-0" / "model" / "run.json").read_text())
    assert trained["training"]["max_length"] == 24
    for run in ("zero-shot", "hybrid-0"):
        assert json.loads((folder / run / "sample.json").read_text())["model"]["max_length"] == 48


def test_models_are_not_kept(finished: tuple[Path, dict[str, Any]]) -> None:
    assert not list(finished[0].rglob("*.safetensors"))


def test_a_finished_run_is_not_repeated(
    finished: tuple[Path, dict[str, Any]],
    copied: Path,
    pairs: ParallelPairs,
    benchmark: Benchmark,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(one_run, "load_encoder", lambda *_, **__: pytest.fail("a finished run is repeated"))
    assert compare(copied, pairs, benchmark, recipe)["comparison"] == finished[1]["comparison"]


def test_another_recipe_is_run_again(
    finished: tuple[Path, dict[str, Any]],
    copied: Path,
    pairs: ParallelPairs,
    benchmark: Benchmark,
    recipe: Recipe,
) -> None:
    first = finished[1]["comparison"]["sample"]
    second = compare(copied, pairs, benchmark, override(recipe, {"objective.temperature": 1.0}))[
        "comparison"
    ]["sample"]
    assert second["zero-shot"] == first["zero-shot"]
    assert second["hybrid"] != first["hybrid"]


class StopError(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.parametrize("call", [2, 3])
def test_a_comparison_that_was_stopped_while_measuring_goes_on(
    call: int,
    finished: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    pairs: ParallelPairs,
    benchmark: Benchmark,
    recipe: Recipe,
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
        patch.setattr(one_run, "evaluate", stops)
        with pytest.raises(StopError):
            compare(tmp_path, pairs, benchmark, recipe)
    assert not (tmp_path / "summary.json").exists()
    found = compare(tmp_path, pairs, benchmark, recipe)["comparison"]
    assert found == finished[1]["comparison"]


def test_a_comparison_that_was_stopped_by_ctrl_c_goes_on(
    finished: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    pairs: ParallelPairs,
    benchmark: Benchmark,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def press(report: StepReport) -> None:
        if report.step == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(one_run, "train_recipe", lambda *a, **s: train_recipe(*a, **(s | {"tell": press})))
        with pytest.raises(KeyboardInterrupt):
            compare(tmp_path, pairs, benchmark, recipe)
    assert (tmp_path / "monolingual-0" / "model" / "checkpoints").exists()
    found = compare(tmp_path, pairs, benchmark, recipe)["comparison"]
    assert found == finished[1]["comparison"]


def test_variants_and_centring_are_compared_too(
    copied: Path, pairs: ParallelPairs, benchmark: Benchmark, recipe: Recipe
) -> None:
    summary = compare_strategies(
        [pairs],
        [benchmark],
        copied,
        recipe=recipe,
        strategies=["hybrid"],
        variants={"pulled": {"objective.pull": 1.0}},
        seeds=(0,),
        centred=True,
        say=lambda _: None,
    )
    compared = summary["comparison"]["sample"]
    figures = {name for name in compared if not name.endswith(" minus")}
    assert figures == {f"{n}{c}" for n in ("zero-shot", "hybrid", "pulled") for c in ("", ", centred")}
    assert {name for name in compared if name.endswith(" minus")} == {"hybrid minus", "pulled minus"}
    assert summary["recipes"]["pulled"]["objective"]["pull"] == 1.0
    assert summary["recipes"]["hybrid"]["objective"]["pull"] == 0.0
    assert compared["pulled"] != compared["hybrid"]
    expected = evaluate(load_encoder(recipe.model.name, device="cpu"), benchmark, centre="corpus").results
    found = compared["zero-shot, centred"]
    for name in SETTINGS:
        assert found[name]["value"] == pytest.approx(expected["settings"][name]["AP"], abs=1e-6)
    assert found != compared["zero-shot"]
