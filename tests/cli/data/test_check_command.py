"""``panglot data check``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot.data import sample_pairs
from panglot.data.catalogue.training import load_source

Check = Callable[..., Any]
Row = dict[str, str]
CLEAN: list[Row] = [
    {"item_id": f"i{k}", "language": code, "query": f"{ask} {k}?", "passage": f"{tell} {k}."}
    for k in range(24)
    for code, ask, tell in (("de", "Was ist die Zahl", "Das ist"), ("en", "What is the number", "It is"))
]


def write(path: Path, rows: list[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def run(panglot: Check) -> Check:
    return lambda *arguments: panglot("data", "check", *arguments)


@pytest.fixture
def report(run: Check) -> Check:
    """Return what is reported on one file."""
    return lambda *arguments: run(*arguments, "--json").results["files"][0]


def test_clean_data_pass_with_code_0(run: Check, tmp_path: Path) -> None:
    outcome = run(write(tmp_path / "mine.jsonl", CLEAN), "--batch-size", "2")
    assert outcome.code == 0
    assert "48 rows, 24 items in 2 languages; 24 items in all of them, 0 in one only" in outcome.out
    assert "found no problems" in outcome.out


def test_an_error_is_code_1_and_names_its_line(run: Check, tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", [*CLEAN, {**CLEAN[0], "passage": " "}])
    outcome = run(file, "--batch-size", "2")
    assert outcome.code == 1
    assert "empty: 'passage' is empty in 1 rows" in outcome.out
    assert "line 49, de: Was ist die Zahl 0?" in outcome.out
    assert "found: 1 error" in outcome.out


def test_a_warning_is_code_1_only_when_strict(run: Check, tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", CLEAN)
    assert run(file).code == 0  # 24 items fill no batch of 64
    assert run(file, "--strict").code == 1


def test_the_strategies_that_can_be_trained_are_named(run: Check, panglot: Check, tmp_path: Path) -> None:
    german = [{**row, "item_id": f"d{row['item_id']}"} for row in CLEAN if row["language"] == "de"]
    files = [write(tmp_path / "both.jsonl", CLEAN), write(tmp_path / "german.jsonl", german)]
    expected: dict[int, list[str]] = {
        24: ["monolingual", "crosslingual", "mixed", "hybrid", "bilingual"],
        25: [],
    }
    for size, strategies in expected.items():
        found = run(*files, "--batch-size", str(size), "--json").results["batches"]
        assert (found["size"], found["strategies"]) == (size, strategies)
    joined = run(*files, "--batch-size", "25", "--join-sources", "--json").results["batches"]
    assert joined["strategies"] == ["monolingual", "mixed"]
    alone = run(files[1], "--batch-size", "8")
    assert "strategies that can be trained: monolingual, mixed\n" in alone.out
    sentence = "no item exists in two languages, so no crosslingual batch can be drawn; use 'monolingual'."
    # lines are as wide as a terminal
    assert f"crosslingual, hybrid: {sentence}" in " ".join(alone.out.split())
    command = ["train", "--pairs", files[1], "--strategy", "hybrid", "--batch-size", "8"]
    refused = panglot(*command, "--output", tmp_path / "run")
    assert sentence in " ".join(refused.err.split())


def test_languages_that_share_too_few_items_are_named(run: Check, tmp_path: Path) -> None:
    swahili = [{**row, "language": "sw", "query": f"{row['query']} sw"} for row in CLEAN[:6:2]]
    file = write(tmp_path / "mine.jsonl", CLEAN + swahili)
    outcome = run(file, "--batch-size", "4", "--json")
    findings = outcome.results["batches"]["findings"]
    assert [(found["severity"], found["sentence"].split(";")[0]) for found in findings] == [
        ("warning", "mine: sw (3) have fewer than 4 items"),
        ("note", "mine: sw have fewer than 4 items in common with any other language"),
    ]
    assert outcome.code == 0
    assert run(file, "--batch-size", "4", "--strict").code == 1


def test_items_that_all_languages_share_are_counted_in_one_line(run: Check, tmp_path: Path) -> None:
    outcome = run(write(tmp_path / "mine.jsonl", CLEAN), "--batch-size", "2")
    assert "every two languages share 24 items" in outcome.out
    assert outcome.out.count("every two languages share") == 1


def test_the_report_as_json(report: Check, tmp_path: Path) -> None:
    found = report(write(tmp_path / "mine.jsonl", CLEAN), "--batch-size", "2")
    assert found["counts"]["items"] == 24
    assert found["coverage"] == {"de": {"de": 24, "en": 24}, "en": {"de": 24, "en": 24}}
    assert found["languages"]["en"]["rows"] == 24
    assert found["languages"]["en"]["passage_characters"] == {"median": 9, "p95": 9, "max": 9}
    assert (found["findings"], found["gravest"]) == ([], None)


def test_a_mapping_and_several_files(run: Check, report: Check, tmp_path: Path) -> None:
    wide = tmp_path / "wide.csv"
    wide.write_text("Frage_de,Frage_en,Antwort_de,Antwort_en\nWer?,Who?,Ich.,Me.\n")
    columns = ("--column", "query=Frage_{language}", "--column", "passage=Antwort_{language}")
    assert report(str(wide), *columns)["counts"]["rows"] == 2
    files = [write(tmp_path / f"{name}.jsonl", CLEAN) for name in ("one", "two")]
    assert [f["name"] for f in run(*files, "--json").results["files"]] == ["one", "two"]


def test_folders_and_training_sets_are_checked_as_they_are_trained_on(
    report: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path / "data"))
    question = {"id": "q", "question": "Who?", "answers": [{"answer_start": 0}]}
    paragraph = {"context": "I do.", "qas": [question]}
    cut = {"sentences": ["I do."], "sentence_breaks": [[0, 5]]}
    squad, lareqa = ({"data": [{"paragraphs": [paragraph | more]}]} for more in ({}, cut))
    page = {"id": 3, "qa_pairs": [{"question": "Wer?", "answer": "Ich."}]}
    for place, value in (
        ("squad/xquad.de.json", squad),
        ("squad/xquad.en.json", squad),
        ("lareqa/de.json", lareqa),
        ("lareqa/en.json", lareqa),
        ("data/mfaq/data/de/train.jsonl", page),
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(json.dumps(value) + "\n")
    for source in (str(tmp_path / "squad"), str(tmp_path / "lareqa"), "mfaq"):
        found, pairs = report(source), load_source(source)
        assert found["name"] == pairs.name
        assert (found["counts"]["items"], list(found["languages"])) == (len(pairs), list(pairs.languages))


def test_a_folder_without_pairs_is_one_sentence_in_check_and_training(panglot: Check, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    checked = panglot("data", "check", tmp_path / "empty")
    trained = panglot("train", "--pairs", tmp_path / "empty", "--output", tmp_path / "run")
    assert checked.code == trained.code == 2
    assert checked.err.splitlines()[-1] == trained.err.splitlines()[-1]


def test_overlap_with_a_benchmark_is_an_error(run: Check, tmp_path: Path) -> None:
    rows = [
        {name: row[name] for name in ("item_id", "language", "query", "passage")}
        for row in sample_pairs().table.to_pylist()
    ]
    held_out = write(tmp_path / "held-out.jsonl", rows[:40])
    file = write(tmp_path / "mine.jsonl", [*CLEAN, *rows[:8]])
    outcome = run(file, "--benchmark", f"pairs={held_out}", "--batch-size", "2")
    assert outcome.code == 1
    assert "8 rows of" in outcome.out
    clean = write(tmp_path / "clean.jsonl", CLEAN)
    outcome = run(clean, "--benchmark", f"pairs={held_out}", "--batch-size", "2")
    assert outcome.code == 0
    assert "no equal text, no shared run of 80 characters" in outcome.out


def test_a_model_counts_tokens(report: Check, tmp_path: Path, tiny_checkpoint: Path) -> None:
    file = write(tmp_path / "mine.jsonl", CLEAN)
    found = report(file, "--model", str(tiny_checkpoint))
    # the tiny model reads characters, and two marks around them
    assert found["languages"]["en"]["passage_tokens"] == {"median": 11, "p95": 11, "max": 11}
