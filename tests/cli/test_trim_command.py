"""``panglot trim`` on the sample."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot import load_encoder
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.training import training_of

Runner = Callable[..., Any]
SAMPLE = SAMPLE_FOLDER / "train.jsonl"


def letters(folder: Path) -> set[str]:
    tokenizer: Any = load_encoder(str(folder), device="cpu").tokenizer
    return set(tokenizer.get_vocab())


def test_json_is_what_the_folder_says(panglot: Runner, tiny_checkpoint: Path, tmp_path: Path) -> None:
    given = ("--pairs", SAMPLE, "--languages", "en,el", "--output", tmp_path / "small", "--json")
    facts = panglot("trim", tiny_checkpoint, *given).results
    assert facts == json.loads((tmp_path / "small" / "trim.json").read_text(encoding="utf-8"))
    assert facts["model"]["name"] == str(tiny_checkpoint)
    assert (facts["languages"], facts["min_count"]) == (["el", "en"], 1)
    assert [source["name"] for source in facts["pairs"]] == ["train"]
    assert facts["pieces"]["after"] == len(letters(tmp_path / "small"))
    assert {"a", "β"} <= letters(tmp_path / "small")
    assert not {"ж", "あ", "字", "ไ"} & letters(tmp_path / "small")


def test_a_person_is_told_what_was_saved_and_what_it_costs(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    given = ("--pairs", SAMPLE, "--languages", "zh", "--min-count", "20", "--output", tmp_path / "small")
    outcome = panglot("trim", tiny_checkpoint, *given)
    facts = json.loads((tmp_path / "small" / "trim.json").read_text(encoding="utf-8"))
    assert outcome.code == 0
    lines = {line.split("  ")[0]: " ".join(line.split()) for line in outcome.out.splitlines()}
    before, after = facts["pieces"]["before"], facts["pieces"]["after"]
    share = f"{100 * (after / before - 1):+.0f}%"
    assert lines["tokens"] == f"tokens {before:,} -> {after:,} {share}"
    assert "weights, MB" in lines
    for name, title in (("given", "given texts"), ("sample", "other texts (the bundled sample)")):
        cost = facts["cost"][name]
        assert (
            f"{cost['texts']} {title}: {100 * cost['tokens_changed']:.2f}% of tokens changed" in outcome.out
        )
    assert outcome.out.splitlines()[-1].startswith(f"wrote the model to {tmp_path / 'small'}")


@pytest.mark.parametrize(("changed", "noted"), [(0.01, False), (0.0321, True)])
def test_many_changed_tokens_are_noted(
    panglot: Runner, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path, changed: float, noted: bool
) -> None:
    cost = {"texts": 48, "tokens_changed": changed, "unknown_before": 0.0, "unknown_after": 0.002}
    cost |= {"cosine_mean": 0.9871, "cosine_lowest": 0.9}
    sizes = {"before": 4_000_000, "after": 1_000_000}
    facts = {"pieces": sizes, "parameters": sizes, "bytes": sizes, "cost": {"given": None, "sample": cost}}
    monkeypatch.setattr("panglot.encoders.trimming.trim_encoder", lambda *_, **__: facts)
    outcome = panglot("trim", tiny_checkpoint, "--output", "small", "--languages", "en")
    assert ("note: 3.2% of the tokens of other texts in these languages changed" in outcome.err) == noted
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]
    assert lines[:3] == [
        "tokens 4,000,000 -> 1,000,000 -75%",
        "parameters, M 4.0 -> 1.0 -75%",
        "weights, MB 4.0 -> 1.0 -75%",
    ]
    assert lines[3].endswith("0.00% -> 0.20% unknown; cosine to the whole model 0.9871, lowest 0.9000")


def test_extra_texts_stay(panglot: Runner, tiny_checkpoint: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra.txt"
    extra.write_text("шар\n", encoding="utf-8")
    panglot("trim", tiny_checkpoint, "--languages", "el", "--extra", extra, "--output", tmp_path / "small")
    assert {"ш", "а", "р", "α", "a"} <= letters(tmp_path / "small")
    assert "ж" not in letters(tmp_path / "small")


def test_a_trained_model_keeps_the_story_of_its_training(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    given = ("--pairs", SAMPLE, "--model", tiny_checkpoint, "--steps", "1", "--batch-size", "4")
    assert panglot("train", *given, "--output", tmp_path / "run").code == 0
    assert panglot("trim", tmp_path / "run", "--languages", "en", "--output", tmp_path / "small").code == 0
    story = training_of(tmp_path / "run")
    assert story is not None
    assert training_of(tmp_path / "small") == story
    results = panglot("evaluate", tmp_path / "small", "--languages", "en", "--json").results
    assert results["model"]["training"]["batches"]["size"] == 4
