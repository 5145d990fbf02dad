"""Every mistake is one sentence on standard error, and exit code 2."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot.data import sample

Runner = Callable[..., Any]
SAMPLE = sample.FOLDER / "train.jsonl"


def one_sentence(outcome: Any) -> str:
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    *before, last = outcome.err.rstrip("\n").split("\n")
    assert all(text.startswith(("loading ", "note: ")) for text in before)
    assert last.startswith("error: ")
    return str(last.removeprefix("error: "))


def test_training_an_unknown_model_is_one_sentence(panglot: Runner, tmp_path: Path) -> None:
    given = ("--pairs", SAMPLE, "--batch-size", "4", "--model", "nobody/no-such-model")
    outcome = panglot("train", *given, "--output", tmp_path / "run")
    said = one_sentence(outcome)
    assert "'nobody/no-such-model' cannot be loaded as an encoder: there is no such folder, and" in said


EVALUATION = {
    "nobody/no-such-model": "'nobody/no-such-model' cannot be loaded as an encoder",
    "MODEL --max-length 5": "the maximum length is 5 tokens; use 8 or more",
    "MODEL --max-length 65": "takes at most 64 tokens",
}


@pytest.mark.parametrize("arguments", EVALUATION)
def test_a_mistake_in_evaluate_is_one_sentence(
    panglot: Runner, tiny_checkpoint: Path, arguments: str
) -> None:
    given = [str(tiny_checkpoint) if word == "MODEL" else word for word in arguments.split()]
    assert EVALUATION[arguments] in one_sentence(panglot("evaluate", *given))


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_in_evaluate_is_one_sentence(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panglot.evaluation.results.pq.write_table", no_space)
    outcome = panglot("evaluate", tiny_checkpoint, "--languages", "en", "--output", tmp_path / "found.json")
    assert (
        "the disk is full; free some space and run the command again (with --resume, if it trains)."
        in one_sentence(outcome)
    )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_in_train_is_one_sentence(
    panglot: Runner, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentence_transformers.SentenceTransformer.save_pretrained", no_space)
    given = ("--pairs", SAMPLE, "--model", tiny_checkpoint, "--steps", "1", "--batch-size", "4")
    outcome = panglot("train", *given, "--output", tmp_path / "run")
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert "the disk is full" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize(
    "command", ["trian", "train --batch-sise 3", "train --steps many", "--unknown train"]
)
def test_wrong_usage_is_said_by_one_process_alone(
    panglot: Runner, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    reported: list[str] = []

    def first_to_report(sentence: str) -> bool:
        reported.append(sentence)
        return len(reported) == 1

    monkeypatch.setattr("panglot.cli.guard._first_to_report", first_to_report)
    first, second = (panglot(*command.split()) for _ in range(2))
    assert (first.code, second.code, first.out, second.out) == (2, 2, "", "")
    assert (first.err.count("─ Error ─"), second.err) == (1, "")
    assert reported[0] == reported[1]
