"""``panglot data translate``, with a stand-in for the model; models are tested where they live."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from typer.testing import CliRunner

from panglot.cli.data.translate import translate
from panglot.errors import PanglotError

GERMAN = {"Who bakes?": "Wer backt?", "The baker bakes.": "Der Bäcker backt.", "Owls hunt.": "Owls hunt."}


class Dictionary:
    """A translation model that looks sentences up."""

    name, revision, sha256, limit = "my/dictionary", "main", "0" * 64, None
    model = torch.nn.Linear(1, 1).to(torch.bfloat16)
    model.dtype = torch.bfloat16  # type: ignore[assignment]

    def direction(self, source: str, target: str) -> tuple[str, str]:
        return source, target

    def lengths(self, texts: list[str], direction: object) -> list[int]:
        return [len(text.split()) for text in texts]

    def translate(self, texts: list[str], direction: object, beams: int) -> list[tuple[str, bool]]:
        assert (direction, beams) == (("en", "de"), 3)
        return [(GERMAN[text], True) for text in texts]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command; returns what typer's runner does."""
    asked: list[Any] = []

    def load(name: str, **settings: object) -> Dictionary:
        asked.append((name, settings))
        return Dictionary()

    monkeypatch.setattr("panglot.translate.load_translator", load)
    monkeypatch.setenv("COLUMNS", "160")
    app = typer.Typer()
    app.command()(translate)

    def run(*arguments: str | Path) -> Any:
        outcome = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return outcome, asked

    return run


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [
        {"item_id": "a", "language": "en", "query": "Who bakes?", "passage": "The baker bakes."},
        {"item_id": "b", "language": "en", "query": "Who bakes?", "passage": "Owls hunt. Owls hunt."},
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_figures_are_printed_as_json(run: Any, pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    given = ("--model", "my/dictionary", "--to", "de", "--output", output, "--beams", "3", "--bf16", "--json")
    outcome, asked = run(pairs, *given, "--revision", "main")
    assert outcome.exit_code == 0
    figures = json.loads(outcome.stdout)
    assert asked == [("my/dictionary", {"revision": "main", "bf16": True, "trust_remote_code": False})]
    assert (figures["items"], figures["rows_translated"], figures["texts"]) == (2, 1, 4)
    assert figures["left_out"] == {"passage: copy": 1}
    assert figures["settings"]["sha256"] == "0" * 64
    assert figures["output"] == str(output)
    last = json.loads(output.read_text(encoding="utf-8").splitlines()[-1])
    assert last == {"item_id": "a", "language": "de", "query": "Wer backt?", "passage": "Der Bäcker backt."}


def test_a_person_is_told_what_was_left_out(run: Any, pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    outcome, _ = run(pairs, "--model", "my/dictionary", "--to", "de", "--output", output, "--beams", "3")
    assert "pairs: 1 of 2 rows translated (4 texts), after 2 existing rows" in outcome.stdout
    assert "left out: 1 (passage: copy)" in outcome.stdout
    assert f"written to {output}; out.translation.json describes the translated rows" in outcome.stdout


def test_mistakes_are_told_before_a_model_is_loaded(run: Any, pairs: Path, tmp_path: Path) -> None:
    for given, sentence in [
        (("--to", "en", "--output", tmp_path / "o.jsonl"), "every item has en already"),
        (("--to", "de", "--from", "fr", "--output", tmp_path / "o.jsonl"), "has no language 'fr'"),
    ]:
        outcome, asked = run(pairs, "--model", "my/dictionary", *given)
        assert isinstance(outcome.exception, PanglotError)
        assert sentence in str(outcome.exception)
        assert asked == []
