"""Lines of official files: UTF-8 text, JSON objects and Parquet rows, each with its number for messages."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from panglot.errors import PanglotError
from panglot.files import lines_of

BOM = b"\xef\xbb\xbf"
NumberedObject = tuple[int, dict[str, Any]]


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file (plain, .gz, .zst) that are not blank, with their numbers from 1.

    Line ends of both kinds and a byte order mark are taken off.

    Raises:
        PanglotError: the file is missing, empty, damaged, cut short or not UTF-8.
    """
    empty = True
    for number, line in enumerate(lines_of(path), 1):
        text = _decoded(path, number, line.removeprefix(BOM) if number == 1 else line).rstrip("\r\n")
        if text and not text.isspace():
            empty = False
            yield number, text
    if empty:
        raise PanglotError(f"{path}: is empty; fetch the file again.")


def _decoded(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PanglotError(f"{path}, line {number}: is not UTF-8; save the file as UTF-8.") from error


def json_lines(path: Path) -> Iterator[NumberedObject]:
    """Yield the objects of a JSON Lines file (plain, .gz, .zst) with their line numbers."""
    for number, line in numbered_lines(path):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise PanglotError(
                f"{path}, line {number}: is broken JSON ({reason}); fetch the file again."
            ) from error
        if not isinstance(value, dict):
            raise PanglotError(f"{path}, line {number}: is not a JSON object; each line needs {{...}}.")
        if "\\u" in line:
            _check_surrogates(path, number, value)
        yield number, value


def _check_surrogates(path: Path, number: int, value: dict[str, Any]) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise PanglotError(
            f"{path}, line {number}: holds half a character (a lone surrogate, \\ud800 to \\udfff); "
            "mend the text."
        ) from error


def parquet_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[NumberedObject]:
    """Yield some columns of a Parquet file row by row, with row numbers from 1."""
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        if missing := [name for name in columns if name not in names]:
            raise PanglotError(f"{path}: has no column '{missing[0]}'; it has {', '.join(names)}.")
        number = 0
        for batch in file.iter_batches(4_096, columns=[n for n in (*columns, *optional) if n in names]):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowInvalid, OSError) as error:
        raise PanglotError(f"{path}: is not a whole Parquet file ({error}); fetch it again.") from error
    if not number:
        raise PanglotError(f"{path}: is empty; fetch the file again.")


def field(path: Path, number: int, value: dict[str, Any], name: str) -> str:
    """Return a text of a JSON object; a whole number is taken as text, since ids are sometimes numbers."""
    text = value.get(name)
    if isinstance(text, int) and not isinstance(text, bool):
        return str(text)
    if isinstance(text, str):
        return text
    if name not in value:
        raise PanglotError(f"{path}, line {number}: has no '{name}'; it has {', '.join(map(str, value))}.")
    raise PanglotError(f"{path}, line {number}: '{name}' is not a text; fetch the file again.")


def named(path: Path, number: int, value: dict[str, Any], name: str) -> str:
    """Return an id: a text that is not empty."""
    text = field(path, number, value, name)
    if not text.strip():
        raise PanglotError(f"{path}, line {number}: '{name}' is empty; each line needs an id.")
    return text
