"""Running a recipe: one model, or one a language."""

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from panglot import PanglotError, load_encoder
from panglot.data.catalogue.training import load_source
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import model_sha256
from panglot.training import StepReport, TrainingConfig, read_recipe, training_of
from panglot.training.recipes import run_recipe

SAMPLE = SAMPLE_FOLDER / "train.jsonl"
Maker = Callable[..., TrainingConfig]


@pytest.fixture
def recipe(tiny_checkpoint: Path) -> Maker:
    def make(pairs: Sequence[Path] = (SAMPLE,), **changes: Any) -> TrainingConfig:
        settings = {
            "model.name": str(tiny_checkpoint),
            "data.pairs": [str(path) for path in pairs],
            "batches.size": 4,
            "training.steps": 2,
            "training.learning_rate": 1e-3,
        }
        return read_recipe(
            None, settings | {name.replace("__", "."): value for name, value in changes.items()}
        )

    return make


@pytest.fixture
def uneven(tmp_path: Path) -> Path:
    """Six items in English and Turkish, two of them in Swahili."""
    lines = [
        {"item_id": f"i{k}", "language": code, "query": f"{code} q {k}", "passage": f"{code} p {k}"}
        for k in range(6)
        for code in ("en", "tr", "sw")
        if code != "sw" or k < 2
    ]
    path = tmp_path / "uneven.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_a_recipe_trains_the_model_it_describes(recipe: Maker, tmp_path: Path) -> None:
    outcomes = run_recipe(recipe(batches__alpha=0.25, training__max_length=20), tmp_path / "run")
    assert [(folder, outcome.steps) for folder, outcome in outcomes.items()] == [(tmp_path / "run", 2)]
    described = training_of(tmp_path / "run")
    assert described is not None
    assert (described["batches"]["alpha"], described["batches"]["size"]) == (0.25, 4)
    assert described["training"]["max_length"] == 20
    assert load_encoder(str(tmp_path / "run"), device="cpu").max_seq_length == 48  # its own again


def test_a_batch_that_the_processes_cannot_share_is_refused_before_anything_is_read(
    recipe: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(PanglotError, match="A batch of 4"):
        run_recipe(recipe([tmp_path / "missing.jsonl"]), tmp_path / "run")


def test_specific_makes_one_model_a_language(recipe: Maker, tmp_path: Path) -> None:
    made = run_recipe(
        recipe(batches__strategy="specific", data__languages=["de", "hi", "th"]), tmp_path / "run"
    )
    assert list(made) == [tmp_path / "run" / code for code in ("de", "hi", "th")]
    for folder in made:
        described = training_of(folder)
        assert described is not None
        assert described["batches"]["language"] == folder.name
    assert len({model_sha256(load_encoder(str(folder), device="cpu")) for folder in made}) == 3


def test_specific_with_a_language_makes_that_model_only(recipe: Maker, tmp_path: Path) -> None:
    made = run_recipe(recipe(batches__strategy="specific", batches__language="sw"), tmp_path / "run")
    assert list(made) == [tmp_path / "run"]


def test_specific_passes_over_languages_that_cannot_fill_a_batch(
    recipe: Maker, uneven: Path, tmp_path: Path
) -> None:
    notes: list[str] = []
    made = run_recipe(recipe([uneven], batches__strategy="specific"), tmp_path / "run", note=notes.append)
    assert [folder.name for folder in made] == ["en", "tr"]
    assert any("no model is trained for 'sw'" in note and "the most is 2" in note for note in notes)


def test_specific_without_a_language_that_fills_a_batch_is_refused(
    recipe: Maker, uneven: Path, tmp_path: Path
) -> None:
    with pytest.raises(PanglotError, match="the most is 6: choose a batch size up to 6"):
        run_recipe(recipe([uneven], batches__strategy="specific", batches__size=7), tmp_path / "run")


def test_specific_goes_on_with_the_language_it_was_stopped_in(
    recipe: Maker, uneven: Path, tmp_path: Path
) -> None:
    chosen = recipe([uneven], batches__strategy="specific", batches__size=2)
    told = 0

    def stop_in_the_second(report: StepReport) -> None:
        nonlocal told
        told += not report.figures
        if told == 3 and not report.figures:
            signal.raise_signal(signal.SIGINT)

    made = run_recipe(chosen, tmp_path / "run", progress=stop_in_the_second)
    assert {folder.name: outcome.finished for folder, outcome in made.items()} == {"en": True, "sw": False}
    made = run_recipe(chosen, tmp_path / "run", resume=True)
    assert {folder.name: outcome.finished for folder, outcome in made.items()} == {"sw": True, "tr": True}
    run_recipe(chosen, tmp_path / "whole")
    with pytest.raises(PanglotError, match="en: already holds a model"):
        run_recipe(chosen, tmp_path / "whole")
    for code in ("en", "sw", "tr"):
        found, expected = (load_encoder(str(tmp_path / run / code), device="cpu") for run in ("run", "whole"))
        assert model_sha256(found) == model_sha256(expected)


def test_only_chosen_languages_are_trained_on(recipe: Maker, tmp_path: Path) -> None:
    run_recipe(recipe(data__languages=["sw", "en"]), tmp_path)
    described = training_of(tmp_path)
    assert described is not None
    assert [source["languages"] for source in described["data"]] == [["en", "sw"]]


def test_a_language_includes_its_regions(recipe: Maker, uneven: Path, tmp_path: Path) -> None:
    text = uneven.read_text(encoding="utf-8").replace('"sw"', '"en-US"').replace('"tr"', '"en-GB"')
    regions = tmp_path / "regions.jsonl"
    regions.write_text(text, encoding="utf-8")
    run_recipe(recipe([regions], data__languages=["eng"]), tmp_path / "all")
    described = training_of(tmp_path / "all")
    assert described is not None
    assert [source["languages"] for source in described["data"]] == [["en", "en-GB", "en-US"]]
    specific = run_recipe(recipe([regions], batches__strategy="specific"), tmp_path / "specific")
    assert [folder.name for folder in specific] == ["en"]


def test_held_out_documents_are_measured_and_not_trained_on(recipe: Maker, tmp_path: Path) -> None:
    chosen = recipe(data__held_out=0.25, data__languages=["en", "de"])
    (outcome,) = run_recipe(chosen, tmp_path).values()
    described = training_of(tmp_path)
    assert described is not None
    assert described["data"][0]["items"] == 36  # two of eight documents with six items each are left out
    settings = ("monolingual", "crosslingual", "multilingual")
    assert set(outcome.figures) == {"AP", "rank_distance", *(f"{name}_AP" for name in settings)}
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert f"| monolingual_AP | {outcome.figures['monolingual_AP']:.4f} |" in card


def test_a_folder_of_lareqa_is_a_source(tmp_path: Path) -> None:
    for code, first, second in (("en", "It rains. ", "Bring boots."), ("de", "Es regnet. ", "Nimm Stiefel.")):
        ends = [[0, len(first)], [len(first), len(first + second)]]
        question = {"id": "q", "question": f"{code}?", "answers": [{"answer_start": len(first)}]}
        paragraph = {
            "context": first + second,
            "sentences": [first, second],
            "sentence_breaks": ends,
            "qas": [question],
        }
        text = json.dumps({"data": [{"paragraphs": [paragraph]}]})
        (tmp_path / f"{code}.json").write_text(text, encoding="utf-8")
    pairs = load_source(tmp_path)
    with pytest.raises(PanglotError, match=r"--column \(data\.columns of a recipe\) has no effect"):
        load_source(tmp_path, {"query": "question"})
    rows = pairs.table.select(["language", "query", "passage"]).to_pylist()
    assert sorted(rows, key=lambda row: str(row["language"])) == [
        {"language": "de", "query": "de?", "passage": "Nimm Stiefel."},
        {"language": "en", "query": "en?", "passage": "Bring boots."},
    ]


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "recipes").glob("*.toml")), ids=str)
def test_the_recipes_of_the_repository_are_valid(path: Path) -> None:
    assert read_recipe(path, {}).batches.strategy


def test_of_several_processes_the_first_alone_makes_means_that_a_killed_run_lacks(
    recipe: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, chosen = tmp_path / "run", recipe(model__centre=True)
    run_recipe(chosen, folder, progress=False)
    means = folder / "language_means.safetensors"
    made = means.read_bytes()
    means.unlink()
    for rank, there in ((1, False), (0, True), (1, True)):  # the second process comes before or after
        monkeypatch.setenv("RANK", str(rank))
        assert run_recipe(chosen, folder, resume=True, progress=False)[folder].finished
        assert means.exists() is there
    assert means.read_bytes() == made
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(PanglotError, match="this run is finished"):
        run_recipe(chosen, folder, resume=True, progress=False)
