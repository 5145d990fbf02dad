"""Whatever is wrong with a file of pairs, the message names the file and the line."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from panglot.data import load_pairs
from panglot.data.pairs_files import read
from panglot.errors import PanglotError

GOOD = {"item_id": "a", "language": "en", "query": "Who?", "passage": "Me."}
FIRST = {**GOOD, "passage_id": "p", "document_id": "d"}
MORE = {**FIRST, "language": "de"}
COMPRESS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".zst": zstandard.compress}


def line(**fields: object) -> bytes:
    """Return ``MORE`` as JSON with some fields changed, or without those that are ``...``."""
    row = {name: value for name, value in {**MORE, **fields}.items() if value is not ...}
    return json.dumps(row).encode()


def message(path: Path) -> str:
    with pytest.raises(PanglotError) as caught:
        load_pairs(path)
    return str(caught.value)


FIELDS = ("item_id", "language", "query", "passage")
LATIN_1 = '{"item_id": "a", "language": "de", "query": "größer", "passage": "p"}'.encode("latin-1")
BAD_LINES = [
    *((content, "") for content in (b'{"item_id": "a", "langu', b"a;en;Who?;Me.", b"", b"  \t", LATIN_1)),
    *((b"1" * 5000, "digits"), (b"[" * 200_000, "levels"), (b'["a", "de", "q", "p"]', "object")),
    *((line(**{name: ...}), f"'{name}'") for name in FIELDS),
    *((line(item_id=7), "'item_id'"), (line(query=["Wer?"]), "'query'"), (line(passage=None), "'passage'")),
    *((line(passage_id=1), "'passage_id'"), (line(document_id=True), "'document_id'")),
    *((line(negatives="No."), "'negatives'"), (line(negatives=["No.", 3]), "'negatives'")),
    *((line(query="\ud83d"), "character"), (line(query=""), "'query'"), (line(item_id=""), "'item_id'")),
    (line(passage=" \n\u3000"), "'passage'"),
    *((line(language="xx"), "'xx'"), (line(language="en-foo"), "'en-foo'")),
    (line(language="en"), "'a' is in 'en' already in line 1"),
    (line(passage_id="q"), "'a' has passage_id 'q' here and 'p' in line 1"),
    (line(document_id="e"), "'a' has document_id 'e' here and 'd' in line 1"),
    (line(item_id="b", document_id="e"), "'b' shares its passage_id with item 'a' of line 1"),
]


@pytest.mark.parametrize(("bad", "named"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_named(tmp_path: Path, bad: bytes, named: str) -> None:
    path = tmp_path / "mine.jsonl"
    third = {**GOOD, "item_id": "c"}
    path.write_bytes(b"\n".join([json.dumps(FIRST).encode(), bad, json.dumps(third).encode()]) + b"\n")
    said = message(path)
    assert said.startswith(f"{path}, line 2: ")
    assert named in said


@pytest.mark.parametrize("bad", [line(query=" "), line(query="\udc00"), line(language="xx"), b"{"])
def test_a_line_beyond_the_first_batch_is_counted_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: bytes
) -> None:
    monkeypatch.setattr(read, "BATCH", 3)
    path = tmp_path / "mine.jsonl"
    good = [json.dumps({**GOOD, "item_id": str(k)}).encode() for k in range(7)]
    path.write_bytes(b"\n".join([*good[:4], bad, *good[4:]]))
    assert message(path).startswith(f"{path}, line 5: ")


def test_two_rows_far_apart_that_are_one_are_both_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [FIRST, {**GOOD, "item_id": "b"}, MORE, {**GOOD, "item_id": "c"}, FIRST]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert message(path).startswith(f"{path}, line 5: item 'a' is in 'en' already in line 1")


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_an_empty_file_is_said(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"mine{ending}"
    path.write_bytes(COMPRESS.get(path.suffix, bytes)(b""))
    assert message(path) == f"{path}: is empty; write one line per item and language into it."


@pytest.mark.parametrize("ending", [".gz", ".zst"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_compressed_file_that_was_cut_short_is_said(tmp_path: Path, ending: str, share: float) -> None:
    rows = [{**GOOD, "item_id": str(k), "passage": f"It is {k * k}."} for k in range(5000)]
    whole = COMPRESS[ending]("".join(json.dumps(row) + "\n" for row in rows).encode())
    path = tmp_path / f"mine.jsonl{ending}"
    path.write_bytes(whole[: int(share * len(whole))])
    said = message(path)
    assert said.startswith(f"{path}, line ")
    assert said.endswith("the compressed file is damaged or cut short; fetch it again.")


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_plain_file_with_the_ending_of_a_compressed_one_is_said(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"mine.jsonl{ending}"
    path.write_text(json.dumps(GOOD) + "\n")
    assert message(path).startswith(f"{path}, line 1: the compressed file is damaged")


def write_parquet(path: Path, **columns: object) -> Path:
    chosen = {**{name: [value] * 3 for name, value in GOOD.items()}, "item_id": ["a", "b", "c"], **columns}
    pq.write_table(pa.table({name: value for name, value in chosen.items() if value is not None}), path)
    return path


@pytest.mark.parametrize("column", ["language", "query", "passage"])
def test_a_parquet_file_that_lacks_a_column_is_said(tmp_path: Path, column: str) -> None:
    path = write_parquet(tmp_path / "mine.parquet", **{column: None})
    assert message(path).startswith(f"{path}: has no column '{column}'")


def test_a_parquet_row_is_named_by_its_number(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "mine.parquet", query=["q", "q", "  "])
    assert message(path).startswith(f"{path}, line 3: 'query' is empty")
    path = write_parquet(tmp_path / "null.parquet", passage=["p", None, "p"])
    assert message(path).startswith(f"{path}, line 2: 'passage' is empty")
    path = write_parquet(tmp_path / "code.parquet", language=["en", "klingonish", "en"])
    assert message(path).startswith(f"{path}, line 2: 'klingonish' is not a language code")


def test_a_parquet_column_of_a_wrong_type_is_said(tmp_path: Path) -> None:
    for column, wrong in (("query", ["q"]), ("passage", 7), ("item_id", ["a"]), ("negatives", [7])):
        path = write_parquet(tmp_path / f"{column}.parquet", **{column: [None, wrong, wrong]})
        assert message(path).startswith(f"{path}, line 2: '{column}' is not a")


def test_a_parquet_file_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    for content in (b"", b"PAR1", json.dumps(GOOD).encode() * 9):
        path.write_bytes(content)
        assert message(path).startswith(f"{path}: is not a"), content
    whole = write_parquet(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert message(path).startswith(f"{path}: is not a")


def test_a_parquet_file_with_a_damaged_page_is_said(tmp_path: Path) -> None:
    many = [f"text {k * k}" for k in range(2000)]
    path = write_parquet(
        tmp_path / "mine.parquet", item_id=many, language=["en"] * 2000, query=many, passage=many
    )
    damaged = bytearray(path.read_bytes())
    damaged[4:3000] = b"\xff" * 2996  # the first pages; the foot, which lists them, stays
    path.write_bytes(damaged)
    assert message(path).startswith(f"{path}: is not a whole Parquet file")
