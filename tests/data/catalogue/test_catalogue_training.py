"""Training sets of the catalogue as parallel pairs, from small files in the official layouts."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_files import as_bytes

from panglot.data.catalogue.training import load_source, training_pairs
from panglot.errors import PanglotError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PANGLOT_DATA", raising=False)


def rows(name: str, folder: Path, *languages: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = training_pairs(name, folder, languages or None).table.to_pylist()
    return [{key: value for key, value in row.items() if value is not None} for row in found]


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_bytes(text, path.name))
    return path


def test_mr_tydi_has_titles_and_negatives(tmp_path: Path) -> None:
    line = {
        "query_id": "7",
        "query": "Nani?",
        "positive_passages": [{"docid": "5#0", "title": "Mtu", "text": "Ni mimi."}],
        "negative_passages": [{"docid": "6#1", "title": "", "text": "Si mimi."}],
    }
    bare = {**line, "query_id": "8", "positive_passages": []}
    text = f"{json.dumps(line)}\n{json.dumps(bare)}\n"
    put(tmp_path / "mrtydi-v1.1-swahili" / "train.jsonl.gz", text)
    assert rows("mr-tydi-train", tmp_path) == [
        {
            "item_id": "sw:7",
            "passage_id": "sw:5#0",
            "language": "sw",
            "query": "Nani?",
            "passage": "Mtu Ni mimi.",
            "negatives": ["Si mimi."],
        }
    ]


def test_mfaq_keeps_the_page_of_a_question(tmp_path: Path) -> None:
    page = {"id": 3, "qa_pairs": [{"question": "Wer?", "answer": "Ich."}, {"question": " ", "answer": "Du."}]}
    put(tmp_path / "data" / "de" / "train.jsonl", json.dumps(page) + "\n")
    assert rows("mfaq", tmp_path, "de") == [
        {"item_id": "de:3:0", "document_id": "de:3", "language": "de", "query": "Wer?", "passage": "Ich."}
    ]


def test_mmarco_is_parallel(tmp_path: Path) -> None:
    put(tmp_path / "data" / "triples.train.ids.small.tsv", "1\t10\t11\n1\t12\t11\n2\t10\t12\n")
    for language, mark in (("german", "de"), ("english", "en")):
        google = tmp_path / "data" / "google"
        put(
            google / "queries" / "train" / f"{language}_queries.train.tsv",
            f"1\tq1 {mark}\n2\tq2 {mark}\n9\tq9\n",
        )
        passages = "".join(f"{n}\tp{n} {mark}\n" for n in (10, 11, 12, 13))
        put(google / "collections" / f"{language}_collection.tsv", passages)
    found = rows("mmarco-train", tmp_path)
    assert [(row["item_id"], row["language"], row["passage_id"]) for row in found] == [
        ("1", "de", "10"),
        ("1:12", "de", "12"),
        ("2", "de", "10"),
        ("1", "en", "10"),
        ("1:12", "en", "12"),
        ("2", "en", "10"),
    ]
    assert found[2]["query"] == "q2 de"
    assert found[2]["passage"] == "p10 de"
    assert found[2]["negatives"] == ["p12 de"]
    pairs = training_pairs("mmarco-train", tmp_path)
    assert (pairs.index.items, pairs.languages) == (3, ("de", "en"))
    assert not pairs.without_negatives().has_negatives


def caption(label: str, language: str, english: str, text: str) -> dict[str, str]:
    return {
        **{"image_id": label, "src_lang": "en", "caption_tokenized": english},
        **{"trg_lang": language, "translation_tokenized": text, "backtranslation_tokenized": "-"},
    }


CAPTIONS = [  # not in the order of images
    caption("7_0", "de", "A cat .", "Eine Katze ."),
    caption("9_0", "de", "A hat .", "Ein Hut ."),
    caption("7_2", "de", "A pet .", "Ein Tier ."),
    caption("7_1", "de", "A kitten .", "Eine Katze ."),  # as another one of its image
    *(caption("7_0", "iw", "A cat .", "חתול ."), caption("7_1", "iw", "A kitten .", " ")),
    caption("7_2", "iw", "A pet .", "חיה ."),
]


def coco(folder: Path, lines: list[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    name = "coco_mt_train.jsonl.bz2"
    (folder / name).write_bytes(as_bytes(lines, name))
    return folder


def test_captions_of_one_image_look_for_each_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = coco(tmp_path / "coco", CAPTIONS)
    found = [
        (row["language"], row["item_id"], row["query"], row["passage"]) for row in rows("coco-35l", folder)
    ]
    assert found == [
        ("de", "7_0", "Eine Katze .", "Ein Tier ."),
        ("de", "7_2", "Ein Tier .", "Eine Katze ."),
        ("en", "7_0", "A cat .", "A kitten ."),
        ("en", "7_1", "A kitten .", "A pet ."),
        ("en", "7_2", "A pet .", "A cat ."),
        ("he", "7_0", "חתול .", "חיה ."),
        ("he", "7_2", "חיה .", "חתול ."),
    ]
    assert "2 images have one caption in a language" in caplog.text  # image 9, in German and English
    pairs = training_pairs("coco-35l", folder)
    assert len(set(pairs.index.groups_of(np.arange(3)))) == 1  # never each other's negatives
    assert len(set(pairs.index.documents_of(np.arange(3)))) == 1  # never split
    assert {row["language"] for row in rows("coco-35l", folder, "de", "he")} == {"de", "he"}


BROKEN: list[dict[str, Any]] = [
    *({"image_id": "7"}, {"image_id": None}, {"trg_lang": "xx"}, {"translation_tokenized": ["Katze"]}),
    {"image_id": "8_0", "caption_tokenized": None},
]


@pytest.mark.parametrize("wrong", BROKEN)
def test_a_broken_line_of_captions_is_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    folder = coco(tmp_path / "coco", [CAPTIONS[0], CAPTIONS[0] | wrong])
    with pytest.raises(PanglotError, match=f"coco_mt_train.jsonl.bz2, line 2: '?({'|'.join(wrong)}|xx)"):
        rows("coco-35l", folder)


ANSWER = {"question": "Q?", "answer": "A."}
TABLES: dict[
    str, tuple[str, list[dict[str, Any]]]
] = {  # the path; a row that is a pair, and one that is none
    "natural-questions": ("pair/train-0.parquet", [{"query": "Q?", "answer": "A."}] * 2),
    "yahoo-answers": ("question-answer-pair/train-0.parquet", [ANSWER, {**ANSWER, "answer": " "}]),
    "wiki-qa": ("data/train-0.parquet", [{**ANSWER, "label": 1}, {**ANSWER, "answer": "B.", "label": 0}]),
    "newsqa": ("data/train-0.parquet", [{"question": name, "context": "A."} for name in ("Q?", None)]),
    "duorc": (
        "SelfRC/train-0.parquet",
        [{"question": name, "plot": "A.", "no_answer": name != "Q?"} for name in ("Q?", "R?")],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_questions_and_answers_is_read(tmp_path: Path, name: str) -> None:
    path, lines = TABLES[name]
    (tmp_path / path).parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / path)
    (row,) = rows(name, tmp_path)
    assert (row["language"], row["query"], row["passage"]) == ("en", "Q?", "A.")
    pq.write_table(pa.table({"question": ["Q?"]}), tmp_path / path)
    with pytest.raises(PanglotError, match=r"has no column .*; it has .*Fetch the official file"):
        rows(name, tmp_path)


def test_the_pairs_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = {"id": 3, "qa_pairs": [{"question": "Wer?", "answer": "Ich."}]}
    path = put(tmp_path / "mfaq" / "data" / "de" / "train.jsonl", json.dumps(page))
    first = rows("mfaq", tmp_path / "mfaq")
    with monkeypatch.context() as patch:
        patch.setattr("panglot.data.catalogue.training.mfaq_rows", None)
        assert rows("mfaq", tmp_path / "mfaq") == first
    page["qa_pairs"] = [{"question": "Wer?", "answer": "Niemand."}]
    put(path, json.dumps(page))
    assert rows("mfaq", tmp_path / "mfaq")[0]["passage"] == "Niemand."
    before = path.stat()  # other content of the same size and time is other content
    path.write_text(path.read_text("utf-8").replace("Niemand", "Jemande"), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert rows("mfaq", tmp_path / "mfaq")[0]["passage"] == "Jemande."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "line 1: is not valid JSON"),
        ("{}", "line 1: has no 'qa_pairs'"),
        ('{"qa_pairs": [{"question": "Wer?"}]}', "line 1: a pair has no question or no answer"),
        ('{"qa_pairs": []}', "holds no pairs of mfaq"),
        ("\udcff", "line 1: is not UTF-8"),
    ],
)
def test_broken_files_are_said_and_leave_nothing(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mfaq" / "data" / "de" / "train.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(PanglotError) as caught:
        training_pairs("mfaq", tmp_path / "mfaq")
    assert sentence in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.p*"))


def test_a_training_set_takes_no_columns() -> None:
    with pytest.raises(PanglotError, match=r"mfaq: .* --column"):
        load_source("mfaq", {"query": "question"})


def test_what_is_no_training_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="'miracl' is not a training set"):
        training_pairs("miracl")
    with pytest.raises(PanglotError, match="mfaq has no language 'sw'"):
        training_pairs("mfaq", tmp_path, ["sw"])
