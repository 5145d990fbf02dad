"""Files of pairs are read alike whatever their format, and once only."""

import errno
import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from panglot.data import ParallelPairs, load_pairs
from panglot.data.pairs_files import read
from panglot.data.pairs_files.columns import SCHEMA
from panglot.errors import PanglotError

Row = dict[str, object]
ROWS: list[Row] = [
    {"item_id": "b", "language": "en", "query": "Who bakes?", "passage": "A baker.", "document_id": "d"},
    {"item_id": "a", "language": "sw", "query": "Nani?", "passage": "Mwalimu.", "negatives": ["Hapana."]},
    {"item_id": "b", "language": "el", "query": "Ποιος;", "passage": "Ο φούρναρης.", "document_id": "d"},
    {"item_id": "a", "language": "en", "query": "Who?", "passage": "A teacher.", "negatives": None},
]
OPTIONAL = ("passage_id", "document_id", "negatives")
COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}
ENDINGS = [".jsonl", ".json", ".ndjson", ".jsonl.gz", ".jsonl.zst", ".parquet"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pairs"


def as_jsonl(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def write(path: Path, rows: list[Row]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
        return path
    path.write_bytes(COMPRESS.get(path.suffix, bytes)(as_jsonl(rows)))
    return path


def content(pairs: ParallelPairs) -> list[Row]:
    return [{name: row[name] for name in row if row[name] is not None} for row in pairs.table.to_pylist()]


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


@pytest.mark.parametrize("ending", ENDINGS)
def test_languages_by_other_names_are_read_as_their_codes(tmp_path: Path, ending: str) -> None:
    spelled = {"en": "eng_Latn", "sw": "Swahili", "el": "ell"}
    rows = [{**row, "language": spelled[str(row["language"])]} for row in ROWS]
    pairs = load_pairs(write(tmp_path / f"mine{ending}", rows))
    assert pairs.languages == ("el", "en", "sw")
    assert content(pairs) == content(load_pairs(write(tmp_path / f"same{ending}", ROWS)))


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_format_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    pairs = load_pairs(write(tmp_path / f"mine{ending}", ROWS))
    expected = [{name: row[name] for name in row if row[name] is not None} for row in ROWS]
    assert content(pairs) == expected
    assert pairs.name == "mine"
    assert pairs.languages == ("el", "en", "sw")
    assert len(pairs) == 2


def test_the_checksum_is_that_of_the_file_as_it_lies(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl.gz", ROWS)
    assert load_pairs(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_an_optional_field_may_be_null(tmp_path: Path, ending: str) -> None:
    rows = [{**row, **dict.fromkeys(OPTIONAL)} for row in ROWS]
    pairs = load_pairs(write(tmp_path / f"mine{ending}", rows))
    assert len(pairs) == 2
    assert not pairs.has_negatives


def test_other_fields_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + as_jsonl([{**row, "url": 7} for row in ROWS]))
    assert len(load_pairs(path)) == 2


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(as_jsonl(ROWS).replace(b"\n", b"\r\n"))
    assert content(load_pairs(path))[0]["passage"] == "A baker."


def test_parquet_may_hold_its_texts_in_other_string_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "item_id": pa.array(["a", "a"], pa.large_string()),
            "language": pa.array(["de", "en"]).dictionary_encode(),
            "query": pa.array(["Wer?", "Who?"], pa.string_view()),
            "passage": ["Ich.", "Me."],
        }
    )
    pq.write_table(table, tmp_path / "mine.parquet")
    pairs = load_pairs(tmp_path / "mine.parquet")
    assert [row["query"] for row in content(pairs)] == ["Wer?", "Who?"]
    assert pairs.languages == ("de", "en")


def test_a_file_longer_than_a_batch_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "BATCH", 3)
    rows: list[Row] = [
        {"item_id": f"i{k}", "language": "en", "query": f"q{k}", "passage": f"p{k}"} for k in range(8)
    ]
    for name in ("mine.jsonl", "mine.parquet"):
        pairs = load_pairs(write(tmp_path / name, rows))
        assert [row["item_id"] for row in content(pairs)] == [f"i{k}" for k in range(8)], name


def test_a_table_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "mine.jsonl", ROWS)
    first = load_pairs(path)

    def never(path: Path, columns: object) -> Iterator[pa.RecordBatch]:
        raise AssertionError("the file was read again")

    monkeypatch.setattr(read, "_checked", never)
    assert content(load_pairs(path)) == content(first)


def test_a_table_is_renewed_when_its_file_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", ROWS)
    before = load_pairs(path)
    changed = [{**row, "query": str(row["query"])[::-1]} for row in ROWS]  # of the same size
    stat = path.stat()
    write(path, changed)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    after = load_pairs(path)
    assert [row["query"] for row in content(after)] == [row["query"] for row in changed]
    assert after.sha256 == hashlib.sha256(as_jsonl(changed)).hexdigest() != before.sha256


def test_files_of_one_name_in_two_folders_are_kept_apart(tmp_path: Path) -> None:
    paths = [tmp_path / name / "mine.jsonl" for name in ("one", "two")]
    for path, passage in zip(paths, ("mine", "yours"), strict=True):
        path.parent.mkdir()
        write(path, [{**ROWS[0], "passage": f"{passage:5}"}])
        os.utime(path, ns=(0, 0))  # of one size and time, too
    assert [content(load_pairs(path))[0]["passage"] for path in paths] == ["mine ", "yours"]


def test_a_failed_read_leaves_nothing_in_the_cache(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(as_jsonl(ROWS) + b"{broken\n")
    with pytest.raises(PanglotError, match="line 5"):
        load_pairs(path)
    assert files_in(cache) == []
    assert len(load_pairs(write(path, ROWS))) == 2


def test_a_full_disk_is_said_and_the_next_read_succeeds(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "mine.jsonl", ROWS)

    def full(path: Path, columns: object) -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist(ROWS, schema=SCHEMA)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(read, "_checked", full)
        with pytest.raises(PanglotError, match="the disk is full"):
            load_pairs(path)
    assert files_in(cache) == []
    assert len(load_pairs(path)) == 2
