"""Lines of official files: UTF-8 text, JSON objects and Parquet rows, each with its number for messages."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from panglot.errors import PanglotError
from panglot.files import decoded, lines_in, open_bytes, parquet, parquet_batches
from panglot.parse import parse_json

NumberedObject = tuple[int, dict[str, Any]]


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[IO[bytes]]:
    """Open a plain or compressed file, or a member of a zip archive, for reading its bytes."""
    if member is None:
        with open_bytes(path) as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
            yield packed
    except KeyError as error:
        raise PanglotError(f"{path}: has no {member} in it; fetch the archive again.") from error
    # an encrypted member is a RuntimeError, an unknown compression a NotImplementedError, which is one
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise PanglotError(f"{path}: is a broken zip archive ({error}); fetch it again.") from error


def text_lines(path: Path, member: str | None = None) -> list[str]:
    """Return the lines of a UTF-8 file without their ends; only ``\\n`` and ``\\r\\n`` end a line."""
    with opened(path, member) as file:
        lines = decoded(lines_in(file, str(path)), str(path))
        return [line.removesuffix("\n").removesuffix("\r") for _, line in lines]


def numbered_lines(path: Path, member: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file (plain, .gz, .zst) that are not blank, with their numbers from 1.

    Line ends of both kinds and a byte order mark are taken off. ``member`` names a file in a zip archive.

    Raises:
        PanglotError: the file is missing, empty, damaged, cut short or not UTF-8.
    """
    empty = True
    where = str(path) if member is None else f"{path} ({member})"
    with opened(path, member) as file:
        for number, line in decoded(lines_in(file, where), where):
            text = line.rstrip("\r\n")
            if text and not text.isspace():
                empty = False
                yield number, text
    if empty:
        raise PanglotError(f"{path}: is empty; fetch the file again.")


def json_lines(path: Path, member: str | None = None) -> Iterator[NumberedObject]:
    """Yield the objects of a JSON Lines file (plain, .gz, .zst, or in a zip) with their line numbers."""
    where = str(path) if member is None else f"{path} ({member})"
    for number, line in numbered_lines(path, member):
        value = parse_json(line, where, number, fix="fetch the file again")
        if not isinstance(value, dict):
            raise PanglotError(f"{where}, line {number}: is not a JSON object; each line needs {{...}}.")
        yield number, value


def parquet_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[NumberedObject]:
    """Yield some columns of a Parquet file row by row, with row numbers from 1."""
    number = 0
    with parquet(path) as file:
        names = file.schema_arrow.names
        if missing := [name for name in columns if name not in names]:
            raise PanglotError(f"{path}: has no column '{missing[0]}'; it has {', '.join(names)}.")
        for batch in parquet_batches(file, 4_096, [n for n in (*columns, *optional) if n in names]):
            for row in batch.to_pylist():
                number += 1
                yield number, row
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
