"""Every mistake is one sentence on standard error, and exit code 2."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot.data import sample

Runner = Callable[..., Any]
SAMPLE = sample.FOLDER / "train.jsonl"


def line(item: str = "a", language: str = "en") -> str:
    return json.dumps({"item_id": item, "language": language, "query": "q?", "passage": f"{item} {language}"})


FILES = {
    "broken.jsonl": [line(), '{"item_id": "b", "langu'],
    "odd.jsonl": [line(), line("b", "klingonish")],
    "twice.jsonl": [line(), line("b"), line()],
    "empty.jsonl": [],
    "few.jsonl": [line("a"), line("b"), line("c")],
    "field.jsonl": ['{"item_id": "a", "language": "en", "query": "q?"}'],
    "broken.toml": ["[batches", "alpha = 0.5"],
    "odd.toml": ["[batches]", "alhpa = 0.5"],
    "pairs.xlsx": ["item_id,language,query,passage"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with mistaken files in it."""
    for name, lines in FILES.items():
        (tmp_path / name).write_text("".join(text + "\n" for text in lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_sentence(outcome: Any) -> str:
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    *before, last = outcome.err.rstrip("\n").split("\n")
    assert all(text.startswith(("loading ", "note: ")) for text in before)
    assert last.startswith("error: ")
    return str(last.removeprefix("error: "))


TRAINING = {
    "--pairs none.jsonl": "none.jsonl: no such file; check the path.",
    "--pairs broken.jsonl": "broken.jsonl, line 2: is not valid JSON",
    "--pairs odd.jsonl": "odd.jsonl, line 2: 'klingonish' is not a language code",
    "--pairs twice.jsonl": "twice.jsonl, line 3: item 'a' is in 'en' already in line 1; keep one",
    "--pairs empty.jsonl": "empty.jsonl: is empty",
    "--pairs field.jsonl": "field.jsonl, line 1: has no 'passage'",
    "--pairs pairs.xlsx": "pairs.xlsx: not a known kind of pairs file; use .jsonl",
    "--pairs few.jsonl --strategy monolingual --batch-size 4": "the most is 3: choose a batch size up to",
    "--pairs few.jsonl --strategy crosslingual --batch-size 2": "no item exists in two languages",
    "--pairs few.jsonl --languages en,sw": "no source has a pair in 'sw'",
    "--pairs few.jsonl --strategy specific --set batches.language=sw": "no source has a pair in 'sw'",
    "--pairs few.jsonl --held-out 0.3 --set data.held_out_items=1": "data.held_out_items is wrong",
    "--pairs few.jsonl --strategy zigzag": "batches.strategy is wrong",
    "--pairs few.jsonl --alpha 1.5": "batches.alpha is wrong",
    "--pairs few.jsonl --set training.sped=3": "Unknown setting training.sped",
    "--pairs few.jsonl --set alpha": "'alpha' sets nothing; write NAME=VALUE",
    "--pairs few.jsonl --patience 2 --strategy english --batch-size 2": "patience needs held-out documents",
    "--pairs few.jsonl --resume --strategy english --batch-size 2": "holds no run to resume",
    "none.toml": "none.toml: no such recipe",
    "owner/name": "owner/name: is not a recipe. Write a model as --model owner/name",
    ".": ".: is not a recipe. Write a model as --model .",
    "broken.toml": "broken.toml: is not valid TOML",
    "odd.toml": "odd.toml: Unknown setting batches.alhpa. Did you mean batches.alpha?",
    "--steps 3": "there is nothing to train on; name files with --pairs",
}


@pytest.mark.parametrize("arguments", TRAINING)
def test_a_mistake_in_train_is_one_sentence(
    panglot: Runner, folder: Path, tiny_checkpoint: Path, arguments: str
) -> None:
    outcome = panglot("train", *arguments.split(), "--model", tiny_checkpoint, "--output", "run")
    assert TRAINING[arguments] in one_sentence(outcome)
    assert not (folder / "run").exists()


def test_training_without_an_output_folder_is_one_sentence(panglot: Runner) -> None:
    outcome = panglot("train", "--pairs", SAMPLE)
    assert one_sentence(outcome) == "no output folder is given; name one with --output."


def test_training_an_unknown_model_is_one_sentence(panglot: Runner, folder: Path) -> None:
    given = ("--pairs", SAMPLE, "--batch-size", "4", "--model", "nobody/no-such-model")
    outcome = panglot("train", *given, "--output", "run")
    said = one_sentence(outcome)
    assert "'nobody/no-such-model' cannot be loaded as an encoder: there is no such folder, and" in said


EVALUATION = {
    "no-such-model": "'no-such-model' is not a model: there is no such folder",
    "nobody/no-such-model": "'nobody/no-such-model' cannot be loaded as an encoder",
    "MODEL --benchmark bear": "'bear' is not a benchmark that panglot knows; choose beir, or a name that",
    "MODEL --benchmark xquad": "choose xquad-r or squad, or a name that 'panglot data list' shows",
    "MODEL --benchmark .": "a name that 'panglot data list' shows, and give its folder with --data .",
    "MODEL --benchmark xquad-r": "benchmark 'xquad-r' needs its data; name the folder or file with --data",
    "MODEL --benchmark xquad-r --data none": "none: no such file or folder; check --data",
    "MODEL --benchmark xquad-r --data .": "holds no LAReQA files; it needs one en.json",
    "MODEL --benchmark pairs --data broken.jsonl": "broken.jsonl, line 2: is not valid JSON",
    "MODEL --measures AP,MAP@ten": "'MAP@ten' is not a measure that panglot knows; use AP, nDCG@k",
    "MODEL --languages en,fr": "sample has no language 'fr'; it has ar, de, el, ",
    "MODEL --run-depth 5": "--run-depth has no effect without --runs",
    "MODEL --max-length 5": "the maximum length is 5 tokens; use 8 or more",
    "MODEL --max-length 65": "takes at most 64 tokens",
}


@pytest.mark.parametrize("arguments", EVALUATION)
def test_a_mistake_in_evaluate_is_one_sentence(
    panglot: Runner, folder: Path, tiny_checkpoint: Path, arguments: str
) -> None:
    given = [str(tiny_checkpoint) if word == "MODEL" else word for word in arguments.split()]
    assert EVALUATION[arguments] in one_sentence(panglot("evaluate", *given))


def test_a_benchmark_without_a_folder_is_one_sentence(panglot: Runner, tmp_path: Path) -> None:
    recipe = tmp_path / "budget.toml"
    recipe.write_text("")
    outcome = panglot(
        "experiment", "strategies", recipe, "--output", tmp_path, "--pairs", SAMPLE, "--benchmark", "xquad-r"
    )
    assert one_sentence(outcome) == "'xquad-r' names no folder. Write NAME=FOLDER."


def test_an_earlier_quickstart_is_not_written_over(panglot: Runner, tmp_path: Path) -> None:
    (tmp_path / "hybrid").mkdir()
    (tmp_path / "hybrid" / "kept").touch()
    sentence = one_sentence(panglot("quickstart", "--output", tmp_path))
    assert sentence.endswith("the folder holds an earlier quickstart. Replace it with --overwrite.")
    assert (tmp_path / "hybrid" / "kept").exists()


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
