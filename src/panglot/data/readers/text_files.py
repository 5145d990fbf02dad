"""What was asked for of a benchmark, against what its files hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from panglot.data.readers.lines import NumberedObject, field, json_lines
from panglot.errors import PanglotError


def json_objects(path: Path, member: str | None = None) -> list[NumberedObject]:
    """Return the objects of a JSONL file (plain, compressed, or in a zip archive) with their line numbers."""
    return list(json_lines(path, member))


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
