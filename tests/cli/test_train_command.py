"""``panglot train`` and what is in the folder afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from panglot import load_encoder
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.training import training_of

Runner = Callable[..., Any]
SAMPLE = SAMPLE_FOLDER / "train.jsonl"


@pytest.fixture
def short(panglot: Runner, tiny_checkpoint: Path) -> Runner:
    """Run a short training."""
    given = ("--pairs", SAMPLE, "--model", tiny_checkpoint, "--steps", "2", "--batch-size", "4")
    return lambda *more: panglot("train", *given, *more)


def test_json_states_the_outcome_by_folder(short: Runner, tmp_path: Path) -> None:
    results = short("--output", tmp_path / "run", "--held-out", "0.2", "--json").results
    (outcome,) = results.values()
    assert list(results) == [str(tmp_path / "run")]
    assert (outcome["steps"], outcome["finished"]) == (2, True)
    settings = ("monolingual", "crosslingual", "multilingual")
    assert set(outcome["figures"]) == {"AP", "rank_distance", *(f"{name}_AP" for name in settings)}
    assert any("loss" in entry for entry in outcome["log"])


def test_a_person_is_told_where_the_model_is(short: Runner, tmp_path: Path) -> None:
    outcome = short("--output", tmp_path / "run", "--held-out", "0.2")
    assert outcome.code == 0
    assert f"trained 2 steps; the model is in {tmp_path / 'run'}" in outcome.out
    assert "held-out multilingual AP: 0." in outcome.out
    assert "step 2/2  loss" in outcome.err
    assert "prompts: 'Query: ' before queries, 'Passage: ' before passages" in outcome.err


def test_options_reach_the_run(short: Runner, tmp_path: Path) -> None:
    outcome = short(
        *("--output", tmp_path / "run", "--strategy", "hybrid", "--alpha", "0.3", "--seed", "5"),
        *("--learning-rate", "1e-4", "--table-learning-rate", "1e-3", "--temperature", "0.2"),
        *("--languages", "en,sw", "--max-length", "30", "--set", "training.schedule=cosine"),
    )
    assert outcome.code == 0
    described = training_of(tmp_path / "run")
    assert described is not None
    how = described["training"]
    assert (described["batches"]["alpha"], described["batches"]["size"]) == (0.3, 4)
    assert (how["seed"], how["learning_rate"], how["embedding_learning_rate"]) == (5, 1e-4, 1e-3)
    assert (how["lr_scheduler_type"], described["loss"]["temperature"]) == ("cosine", 0.2)
    assert described["data"][0]["languages"] == ["en", "sw"]
    assert how["max_length"] == 30
    assert load_encoder(str(tmp_path / "run"), device="cpu").max_seq_length == 48  # its own again


def test_options_win_over_the_recipe(panglot: Runner, tiny_checkpoint: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f"[model]\nname = '{tiny_checkpoint}'\n[data]\npairs = ['{SAMPLE}']\n"
        "[batches]\nstrategy = 'mixed'\nsize = 4\n[training]\nsteps = 50\n"
    )
    outcome = panglot("train", recipe, "--steps", "2", "--output", tmp_path / "run")
    assert outcome.code == 0
    described = training_of(tmp_path / "run")
    assert described is not None
    assert (described["batches"]["strategy"], described["training"]["steps"]) == ("mixed", 2)


def test_a_source_that_is_never_drawn_is_noted(short: Runner, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text('{"item_id": "a", "language": "en", "query": "q", "passage": "p"}\n')
    outcome = short("--pairs", few, "--strategy", "mixed", "--output", tmp_path / "run")
    assert outcome.code == 0
    assert "note: few: has too few items for a mixed batch of 4; it is never drawn for one." in outcome.err


def test_specific_trains_a_model_a_language(short: Runner, tmp_path: Path) -> None:
    given = ("--strategy", "specific", "--languages", "en,th", "--output", tmp_path / "run", "--json")
    assert list(short(*given).results) == [str(tmp_path / "run" / code) for code in ("en", "th")]


def test_a_mistake_in_an_option_is_told_by_one_of_several_processes(
    panglot: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = TCPStore("127.0.0.1", 0, is_master=True)
    names = {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    for name, value in {**names, "TORCHELASTIC_USE_AGENT_STORE": "True"}.items():
        monkeypatch.setenv(name, value)
    outcomes = [panglot("train", "--pairs", "nosuch.jsonl", "--output", tmp_path / "run") for _ in range(2)]
    assert [outcome.code for outcome in outcomes] == [2, 2]
    assert [outcome.err.count("error: nosuch.jsonl") for outcome in outcomes] == [1, 0]
