"""Lines of official files: what is tolerated, and what is said of the rest."""

import bz2
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from panglot.data.readers.files import field, json_lines, named, numbered_lines, parquet_rows
from panglot.errors import PanglotError


def write(folder: Path, data: bytes, name: str = "file.txt") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def test_line_ends_marks_and_blank_lines_are_taken_off(tmp_path: Path) -> None:
    data = "\ufeffone\r\n\n  \ntwo \ufeff\nthree\u2028still three".encode()
    expected = [(1, "one"), (4, "two \ufeff"), (5, "three\u2028still three")]
    assert list(numbered_lines(write(tmp_path, data))) == expected
    assert list(numbered_lines(write(tmp_path, gzip.compress(data), "file.gz"))) == expected
    assert list(numbered_lines(write(tmp_path, bz2.compress(data), "file.bz2"))) == expected


def test_an_encoding_other_than_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    for data, line in (("eins\nzwölf\n".encode("latin-1"), 2), ("eins\n".encode("utf-16"), 1)):
        with pytest.raises(PanglotError, match=f"file.txt, line {line}: is not UTF-8"):
            list(numbered_lines(write(tmp_path, data)))


def test_a_file_that_was_cut_short_is_said(tmp_path: Path) -> None:
    lines = b"".join(b"line %d\n" % k for k in range(5_000))
    for ending, whole in (("gz", gzip.compress(lines)), ("bz2", bz2.compress(lines))):
        for data in (whole[: len(whole) // 2], whole[:-4], b"not compressed at all"):
            with pytest.raises(PanglotError, match=r"line \d+: the compressed file is damaged or cut"):
                list(numbered_lines(write(tmp_path, data, f"file.{ending}")))


def test_a_compressed_line_is_no_longer_than_the_longest_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANGLOT_MAX_ROW_MB", "1")
    for name, compress in (("file.gz", gzip.compress), ("file.bz2", bz2.compress)):
        path = write(tmp_path, compress(b"one\n" + b"x" * (2 << 20)), name)
        with pytest.raises(PanglotError, match=r"line 2: is longer than 1 MB; split it, or set PANGLOT_MAX"):
            list(numbered_lines(path))


def test_an_empty_or_missing_file_is_said(tmp_path: Path) -> None:
    for data in (b"", b"\n \n", b"\xef\xbb\xbf"):
        with pytest.raises(PanglotError, match=r"file\.txt: is empty"):
            list(numbered_lines(write(tmp_path, data)))
    with pytest.raises(PanglotError, match="nothing: no such file"):
        list(numbered_lines(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": ', r"line 2: is not valid JSON"),
        ("[1]", "line 2: is not a JSON object"),
        (r'{"a": "\ud800"}', "line 2: holds half a character"),
    ],
)
def test_bad_json_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path, ('{"a": "\\u00e4\\ud83e\\udd89"}\n' + line + "\n").encode())
    lines = json_lines(path)
    assert next(lines) == (1, {"a": "ä🦉"})
    with pytest.raises(PanglotError, match=message):
        list(lines)


def test_fields_of_an_object(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert field(path, 1, {"id": 7}, "id") == "7"
    assert field(path, 1, {"text": ""}, "text") == ""
    for value, message in (
        ({"a": "x", "b": "y"}, "f, line 9: has no 'id'; it has a, b"),
        ({"id": None}, "f, line 9: 'id' is not a text"),
        ({"id": True}, "f, line 9: 'id' is not a text"),
        ({"id": " "}, "f, line 9: 'id' is empty"),
    ):
        with pytest.raises(PanglotError, match=message):
            named(path, 9, value, "id")


def test_parquet_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"_id": ["1", "2"], "text": ["x", "y"], "other": [1, 2]}), path)
    assert list(parquet_rows(path, ("text",), ("_id", "title"))) == [
        (1, {"text": "x", "_id": "1"}),
        (2, {"text": "y", "_id": "2"}),
    ]
    with pytest.raises(PanglotError, match="has no column 'title'"):
        list(parquet_rows(path, ("title",)))
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(PanglotError, match=r"a.parquet: is not a whole Parquet file"):
        list(parquet_rows(path, ("text",)))
