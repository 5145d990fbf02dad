"""Wide files, bitexts and mapped columns give the same rows in every format."""

import gzip
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from panglot.data import load_pairs
from panglot.data.pairs_files import read
from panglot.data.pairs_files.read import cached_table, source_name
from panglot.errors import PanglotError

Row = dict[str, Any]
BAKER = {"query_en": "Who bakes?", "query_el": "Ποιος;", "passage_en": "A baker.", "passage_el": "Ένας."}
TAILOR = {"query_en": "Who sews?", "query_el": None, "passage_en": "A tailor.", "passage_el": None}
WIDE: list[Row] = [{"key": 7, **BAKER}, {"key": 9, **TAILOR}]
LONG = [
    ("7", "el", "Ποιος;", "Ένας."),
    ("7", "en", "Who bakes?", "A baker."),
    ("9", "en", "Who sews?", "A tailor."),
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))


def rows_of(source: str | Path, **columns: str) -> list[tuple[str, ...]]:
    fields = ("item_id", "language", "query", "passage")
    table = cached_table(source, columns)[0]
    return [tuple(row[name] for name in fields) for row in table.to_pylist()]


def as_jsonl(folder: Path, rows: list[Row]) -> str:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def as_csv(folder: Path, rows: list[Row]) -> str:
    path = folder / "mine.csv.gz"
    lines = [list(rows[0]), *([("" if v is None else str(v)) for v in row.values()] for row in rows)]
    path.write_bytes(gzip.compress("".join(",".join(cells) + "\r\n" for cells in lines).encode()))
    return str(path)


def as_parquet(folder: Path, rows: list[Row]) -> str:
    path = folder / "mine.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def as_dataset(folder: Path, rows: list[Row]) -> str:
    Dataset.from_list(rows).save_to_disk(str(folder / "mine"))
    return f"hf:{folder / 'mine'}"


FORMATS = [as_jsonl, as_csv, as_parquet, as_dataset]


@pytest.mark.parametrize("write", FORMATS)
def test_a_wide_file_has_a_row_for_each_language_that_is_filled_in(
    tmp_path: Path, write: Callable[[Path, list[Row]], str]
) -> None:
    source = write(tmp_path, WIDE)
    assert rows_of(source, item_id="key") == LONG
    numbered = [("1" if item == "7" else "2", *rest) for item, *rest in LONG]
    assert rows_of(source) == numbered


@pytest.mark.parametrize("write", FORMATS)
def test_mapped_columns_in_the_long_form(tmp_path: Path, write: Callable[[Path, list[Row]], str]) -> None:
    rows = [{"question": "Nani?", "answer": "Mimi."}, {"question": "Wapi?", "answer": "Hapa."}]
    source = write(tmp_path, rows)
    assert rows_of(source, query="question", passage="answer", language="=sw") == [
        ("1", "sw", "Nani?", "Mimi."),
        ("2", "sw", "Wapi?", "Hapa."),
    ]


@pytest.mark.parametrize("write", FORMATS)
def test_columns_are_guessed_alike_and_a_note_says_so(
    tmp_path: Path, write: Callable[[Path, list[Row]], str], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"question": "Nani?", "answer": "Mimi.", "lang": "swahili"},
        {"question": "Who?", "answer": "Me.", "lang": "eng"},
    ]
    source = write(tmp_path, rows)
    expected = [("1", "sw", "Nani?", "Mimi."), ("2", "en", "Who?", "Me.")]
    assert rows_of(source) == expected
    (note,) = [text for text in caplog.messages if "--column" in text]
    assert "--column 'item_id={row}' --column query=question --column passage=answer" in note
    assert rows_of(source, item_id="{row}", query="question", passage="answer", language="lang") == expected


@pytest.mark.parametrize("write", FORMATS)
def test_a_bitext_is_its_own_query_and_passage(
    tmp_path: Path, write: Callable[[Path, list[Row]], str]
) -> None:
    source = write(tmp_path, [{"text_en": "Good day.", "text_de": "Guten Tag."}])
    assert rows_of(source) == [
        ("1", "de", "Guten Tag.", "Guten Tag."),
        ("1", "en", "Good day.", "Good day."),
    ]


@pytest.mark.parametrize("write", [as_jsonl, as_parquet, as_dataset])
def test_objects_by_language(tmp_path: Path, write: Callable[[Path, list[Row]], str]) -> None:
    rows: list[Row] = [
        {"query": {"en": "Who?", "fr": "Qui ?"}, "passage": {"en": "Me.", "fr": "Moi."}},
        {"query": {"en": "Where?", "fr": None}, "passage": {"en": "Here.", "fr": None}},
    ]
    expected = [("1", "en", "Who?", "Me."), ("1", "fr", "Qui ?", "Moi."), ("2", "en", "Where?", "Here.")]
    assert rows_of(write(tmp_path, rows)) == expected


def test_objects_whose_languages_differ_from_line_to_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "BATCH", 1)
    rows: list[Row] = [
        {"item_id": "a", "query": {"en": "Who?"}, "passage": {"en": "Me."}},
        {"item_id": "b", "query": {"sw": "Nani?"}, "passage": {"sw": "Mimi."}},
    ]
    expected = [("a", "en", "Who?", "Me."), ("b", "sw", "Nani?", "Mimi.")]
    assert rows_of(as_jsonl(tmp_path, rows)) == expected


@pytest.mark.parametrize("write", FORMATS)
def test_negatives_are_in_a_list_or_in_one_cell(
    tmp_path: Path, write: Callable[[Path, list[Row]], str]
) -> None:
    row: Row = {"item_id": "a", "language": "en", "query": "Who?", "passage": "Me.", "no": "You."}
    table = cached_table(write(tmp_path, [row]), {"negatives": "no"})[0]
    assert table.column("negatives").to_pylist() == [["You."]]


def test_a_language_with_a_query_and_no_passage_is_named(tmp_path: Path) -> None:
    rows = [WIDE[0], {**WIDE[1], "query_el": "Ποιος ράβει;"}]
    with pytest.raises(PanglotError, match=r"mine.jsonl, line 2: 'passage' is empty in 'el'"):
        rows_of(as_jsonl(tmp_path, rows))


def test_two_mappings_of_one_file_are_two_tables(tmp_path: Path) -> None:
    source = as_jsonl(tmp_path, [{"a": "Nani?", "b": "Mimi."}])
    assert rows_of(source, query="a", passage="b", language="=sw") == [("1", "sw", "Nani?", "Mimi.")]
    assert rows_of(source, query="b", passage="a", language="=sw") == [("1", "sw", "Mimi.", "Nani?")]


def test_processes_that_want_one_table_at_once_make_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = as_jsonl(tmp_path, WIDE)
    made: list[str] = []
    make = read._checked

    def counted(*arguments: Any) -> Any:
        made.append(threading.current_thread().name)
        return make(*arguments)

    monkeypatch.setattr(read, "_checked", counted)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(cached_table(source)[0].num_rows)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [3] * 4
    assert len(made) == 1


def test_load_pairs_reads_wide_files(tmp_path: Path) -> None:
    pairs = load_pairs(as_csv(tmp_path, WIDE))
    assert pairs.languages == ("el", "en")
    assert len(pairs) == 2


def test_a_data_set_with_splits(tmp_path: Path) -> None:
    parts = {name: Dataset.from_list([{**WIDE[0], "query_en": name}]) for name in ("train", "test")}
    DatasetDict(parts).save_to_disk(str(tmp_path / "mine"))
    source = f"hf:{tmp_path / 'mine'}"
    assert rows_of(source)[1][2] == "train"
    assert rows_of(f"{source}#test")[1][2] == "test"
    with pytest.raises(PanglotError, match=r"has no split 'dev'"):
        rows_of(f"{source}#dev")


def test_a_folder_of_files_is_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    as_jsonl(tmp_path / "data", [{"question": "Nani?", "answer": "Mimi."}])
    source = f"hf:{tmp_path / 'data'}"
    assert rows_of(source, query="question", passage="answer", language="=sw") == [
        ("1", "sw", "Nani?", "Mimi.")
    ]


def test_a_data_set_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="no such data set"):
        rows_of(f"hf:{tmp_path / 'absent'}")
    with pytest.raises(PanglotError, match="'hf:' names no data set"):
        rows_of("hf:")
    with pytest.raises(PanglotError, match="hf:panglot-nobody/absent:"):
        rows_of("hf:panglot-nobody/absent")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("a/b/mine.jsonl.gz", "mine"),
        ("hf:owner/name", "name"),
        ("hf:owner/name:en-de@v1.0#train", "name-en-de-train"),
        ("hf:./folder/x#test", "x-test"),
    ],
)
def test_a_source_has_a_short_name(source: str, name: str) -> None:
    assert source_name(source) == name
