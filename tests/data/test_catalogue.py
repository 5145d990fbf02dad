"""Benchmarks by name, and what is said when one cannot be had."""

import json
from pathlib import Path

import pytest

from panglot.data import load_benchmark
from panglot.errors import PanglotError

PAIR = {"item_id": "a", "query": "q", "passage": "p"}


@pytest.fixture
def lareqa(tmp_path: Path) -> Path:
    question = {"id": "a", "question": "Who?", "answers": [{"answer_start": 0, "text": "I"}]}
    part = {"context": "I. You.", "sentences": ["I.", "You."], "sentence_breaks": [[0, 2], [3, 7]]}
    data = {"data": [{"title": "-", "paragraphs": [{**part, "qas": [question]}]}]}
    (tmp_path / "en.json").write_text(json.dumps(data))
    return tmp_path


def message(name: str, data: Path | None = None, candidate_text: str | None = None) -> str:
    with pytest.raises(PanglotError) as caught:
        load_benchmark(name, data, candidate_text)
    return str(caught.value)


def test_the_sample_needs_no_data() -> None:
    assert load_benchmark("sample").name == "sample"


def test_pairs_become_a_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(json.dumps({**PAIR, "language": language}) for language in ("en", "sw")))
    benchmark = load_benchmark("pairs", str(path))
    assert (benchmark.name, benchmark.languages) == ("mine", ("en", "sw"))
    assert len(benchmark.judged_query) == 4


@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r"])
def test_lareqa_is_read_by_name_with_either_candidate(lareqa: Path, name: str) -> None:
    assert load_benchmark(name, lareqa).name == name
    assert load_benchmark(name, lareqa).passages.texts == ["I.", "You."]
    assert load_benchmark(name, lareqa, "sentence").candidate_text == "sentence"
    assert load_benchmark(name, lareqa, "sentence+context").passages.texts == ["I. I. You.", "You. I. You."]


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    said = message("squad")
    assert said.startswith("'squad' is no benchmark that panglot knows")
    for name in ("sample", "xquad-r", "mlqa-r", "pairs"):
        assert name in said


@pytest.mark.parametrize("name", ["xquad-r", "mlqa-r", "pairs"])
def test_data_that_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    assert message(name) == f"benchmark '{name}' needs its data; name the folder or file with --data."
    absent = tmp_path / "absent"
    assert message(name, absent) == f"{absent}: no such file or folder; check --data."


def test_an_unknown_candidate_text_is_said(lareqa: Path) -> None:
    said = message("xquad-r", lareqa, "paragraph")
    assert said == "'paragraph' is no candidate text; use sentence or sentence+context."


@pytest.mark.parametrize("name", ["sample", "pairs"])
def test_a_candidate_text_where_there_is_no_choice_is_said(lareqa: Path, name: str) -> None:
    said = message(name, lareqa / "en.json", "sentence")
    assert said == f"benchmark '{name}' has one kind of candidate; leave --candidate-text out."
