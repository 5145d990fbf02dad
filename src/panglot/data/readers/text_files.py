"""Aligned lines, whole JSON files and zipped ones; and what was asked for against what there is."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from panglot.data.readers.lines import NumberedObject, field, json_lines
from panglot.errors import PanglotError
from panglot.files import open_bytes

MARK = "\ufeff"  # a byte order mark


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[BinaryIO]:
    """Open a plain or compressed file, or a member of a zip archive, for reading its bytes."""
    if member is None:
        with open_bytes(path) as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
            yield cast(BinaryIO, packed)
    except KeyError as error:
        raise PanglotError(f"{path}: has no {member} in it; fetch the archive again.") from error
    except (zipfile.BadZipFile, EOFError) as error:
        raise PanglotError(f"{path}: is a broken zip archive ({error}); fetch it again.") from error


def text_lines(path: Path, member: str | None = None) -> list[str]:
    """Return the lines of a UTF-8 file without their ends; only ``\\n`` and ``\\r\\n`` end a line."""
    lines = []
    try:
        with opened(path, member) as file:
            for number, line in enumerate(file, 1):
                try:
                    lines.append(line.decode("utf-8").rstrip("\n").removesuffix("\r"))
                except UnicodeDecodeError as error:
                    raise PanglotError(
                        f"{path}, line {number}: is not UTF-8; save the file in that encoding."
                    ) from error
    except (EOFError, OSError) as error:
        raise PanglotError(f"{path}: cannot be read to its end ({error}); fetch it again.") from error
    if lines:
        lines[0] = lines[0].removeprefix(MARK)
    return lines


def json_objects(path: Path, member: str | None = None) -> list[NumberedObject]:
    """Return the objects of a JSONL file (plain, compressed, or in a zip archive) with their line numbers."""
    if member is None:
        return list(json_lines(path))
    found = []
    for number, line in enumerate(text_lines(path, member), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise PanglotError(
                f"{path} ({member}), line {number}: is broken JSON; fetch the file again."
            ) from error
        if not isinstance(value, dict):
            raise PanglotError(
                f"{path} ({member}), line {number}: is not a JSON object; fetch the file again."
            )
        found.append((number, value))
    return found


def json_file(path: Path) -> Any:
    """Return the content of a JSON file."""
    try:
        return json.loads("\n".join(text_lines(path)))
    except json.JSONDecodeError as error:
        raise PanglotError(f"{path}, line {error.lineno}: is broken JSON; fetch the file again.") from error


def text_of(row: dict[str, Any], key: str, path: Path, number: int) -> str:
    """Return the text under a key of a file's line, or raise a ``PanglotError`` that names the line."""
    value = field(path, number, row, key)
    if not value.strip():
        raise PanglotError(f"{path}, line {number}: '{key}' is empty; fetch the file again.")
    return value


def first_existing(folder: Path, places: Sequence[str], what: str) -> Path:
    """Return the first of some places in a folder that exists, or raise a ``PanglotError``."""
    if not folder.exists():
        raise PanglotError(f"{folder}: no such folder; check the path.")
    for place in places:
        if (folder / place).exists():
            return folder / place
    raise PanglotError(f"{folder}: holds no {what}; it needs {' or '.join(places)}.")


def chosen_languages(
    languages: Sequence[str] | None, available: Sequence[str], name: str, least: int = 1
) -> list[str]:
    """Return the wanted languages of a benchmark, sorted (None: all), or raise a ``PanglotError``."""
    if languages is None:
        return sorted(available)
    if unknown := sorted(set(languages) - set(available)):
        raise PanglotError(f"{name} has no language '{unknown[0]}'; it has {', '.join(sorted(available))}.")
    if len(set(languages)) < least:
        raise PanglotError(f"{name} compares languages; name {least} of them or more.")
    return sorted(set(languages))


def chosen_split(split: str | None, splits: Sequence[str], name: str) -> str:
    """Return the wanted split of a benchmark (None: the first), or raise a ``PanglotError``."""
    if split is None:
        return splits[0]
    if split not in splits:
        raise PanglotError(f"{name} has no split '{split}'; it has {', '.join(splits)}.")
    return split
