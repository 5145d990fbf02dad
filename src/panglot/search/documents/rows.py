"""Rows of JSONL, CSV, TSV and Parquet, read into documents."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from panglot.data.pairs_files.columns import did_you_mean, listed
from panglot.data.pairs_files.lines import parse_object, table_of
from panglot.data.pairs_files.read import read_rows, reads_as_pairs
from panglot.data.pairs_files.squad import is_squad
from panglot.data.readers.files import parquet_rows
from panglot.errors import PanglotError
from panglot.files import as_shown, lines_of
from panglot.parse import parse_json
from panglot.search.documents.document import Document, Section, as_text, short_digest

TEXT = ("text", "passage", "contents", "content", "body")
ID = ("id", "_id", "docid", "doc_id", "document_id", "passage_id")
LANGUAGE = ("language", "lang")
TITLE = ("title",)
METADATA = "metadata"
QUERIES = ("query", "question")  # a row with one of them and a passage is a pair
DEEPEST = 32  # levels of metadata
LARGEST = 2**63
Row = tuple[str, dict[str, Any]]  # file and line, and its values


FIELDS = {"text": TEXT, "id": ID, "language": LANGUAGE, "title": TITLE}


def check_document_columns(columns: Mapping[str, str]) -> None:
    """Raise a ``PanglotError`` where a column is given for what a document does not have."""
    for name in columns:
        if name not in FIELDS:
            raise PanglotError(f"'{name}' is not a field of a document; use {', '.join(FIELDS)}.")


def row_documents(path: Path, kind: str, columns: Mapping[str, str] | None = None) -> Iterator[Document]:
    """Read a file of rows: documents, or pairs, of which the passages are taken."""
    if kind == ".json" and is_squad(path):
        yield from pairs_documents(path)
        return
    reader = {".parquet": _parquet, ".csv": _delimited, ".tsv": _delimited, ".tab": _delimited}
    rows = reader.get(kind, _jsonl)(path)
    first = next(rows, None)
    if first is None:
        raise PanglotError(f"{path}: is empty; it needs a text in each line.")
    if not columns and _are_pairs(path, first[1]):
        yield from pairs_documents(path)
        return
    given = dict(columns or {})
    of_field = FIELDS | {field: (column,) for field, column in given.items()}
    missing = given
    for where, row in chain([first], rows):
        missing = {field: column for field, column in missing.items() if column not in row}
        if missing and reader.get(kind):  # every row has the same columns
            break
        yield _document(where, row, as_shown(path), of_field)
    for field, column in missing.items():
        raise PanglotError(
            f"{path}: has no column '{column}'; it has {listed(list(first[1]))}. Name another one with "
            f"--column {field}=NAME.{did_you_mean(column, first[1])}"
        )


def _are_pairs(path: Path, row: Mapping[str, Any]) -> bool:
    """Say whether a file's rows are pairs, whatever their columns are called, or else documents."""
    names = {name.lower() for name in row}
    if "text" in names:
        return False
    if "query" in names or (names.intersection(QUERIES) and "passage" in names):
        return True
    if names.intersection(TEXT):
        return False
    if reads_as_pairs(path) or any(name.startswith(QUERIES) for name in names):
        return True
    raise PanglotError(
        f"{path}: has no column called {' or '.join(TEXT)}; it has {listed(list(row))}. Name the column "
        "that holds the texts with --column text=NAME."
    )


def pairs_documents(source: str | Path) -> Iterator[Document]:
    """Read the passages of pairs; those of one passage id (or item) in one language are one.

    Items with one passage id may show different windows of it. The ids of these passages hold a digest of
    their text, so that they are the same in whichever order the rows are.
    """
    first: dict[str, str] = {}  # the text of each passage, as a digest
    several: set[str] = set()
    for name, digest, *_ in _passages(source):
        if first.setdefault(name, digest) != digest:
            several.add(name)
    seen: set[str] = set()
    for name, digest, where, row in _passages(source):
        if name in several:
            name = f"{name}:{digest}"
            if name in seen:
                continue
            seen.add(name)
        elif first.pop(name, None) is None:
            continue
        metadata = {key: row[key] for key in ("item_id", "document_id") if row[key]}
        section = Section("", row["passage"])
        yield Document(name, (section,), "", row["language"], as_shown(source), metadata, where)


def _passages(source: str | Path) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield the name of each row's passage, a digest of its text, the file and line, and the row."""
    for batch, lines in read_rows(source):
        for line, row in zip(lines.tolist(), batch.to_pylist(), strict=True):
            where, text = f"{source}, line {line}", row["passage"]
            if not (text or "").strip() or not row["language"]:
                raise PanglotError(f"{where}: lacks a passage or its language; fill it in.")
            digest = short_digest(text)
            yield f"{row['passage_id'] or row['item_id'] or digest}:{row['language']}", digest, where, row


def _document(
    where: str, row: Mapping[str, Any], source: str, names: Mapping[str, Sequence[str]]
) -> Document:
    text_name = _called(row, names["text"])
    if text_name is None:
        raise PanglotError(
            f"{where}: has no text in {' or '.join(names['text'])}. It has {', '.join(row)}; name the "
            "column with --column text=NAME."
        )
    text, title = row[text_name], _first(row, names["title"]) or ""
    if not isinstance(text, str) or not isinstance(title, str):
        raise PanglotError(f"{where}: '{text_name}' or its title is not a text; put it in quotation marks.")
    if not text.strip():
        raise PanglotError(f"{where}: '{text_name}' is empty; fill it in or remove the line.")
    found = _first(row, names["id"])
    identity = short_digest(title, text) if found in (None, "") else str(found)
    language = _first(row, names["language"]) or None
    used = {METADATA, *(_called(row, names[field]) for field in FIELDS)}
    metadata = {
        as_text(name): _plain(value, where) for name, value in row.items() if name not in used and name
    }
    if isinstance(inner := row.get(METADATA), dict):
        metadata |= _plain(inner, where)
    elif inner is not None:
        metadata[METADATA] = _plain(inner, where)
    metadata = {name: value for name, value in metadata.items() if value is not None}
    return Document(
        identity,
        (Section("", text),),
        title.strip(),
        None if language is None else str(language),
        source,
        metadata,
        where,
    )


def _called(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the column with the first of some names, in capitals or not."""
    exact = next((name for name in names if name in row), None)
    return exact or next((key for name in names for key in row if key.lower() == name), None)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return None if (name := _called(row, names)) is None else row[name]


def _plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return a value as every engine keeps JSON; what JSON or 64 bits lack (dates, NaN, 2**70) as text."""
    if depth > DEEPEST:
        raise PanglotError(f"{where}: its metadata have more than {DEEPEST} levels of nesting; use fewer.")
    if isinstance(value, dict):
        return {as_text(str(key)): _plain(inner, where, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, where, depth + 1) for inner in value]
    if isinstance(value, str):
        return as_text(value)
    if value is None or (isinstance(value, int) and abs(value) < LARGEST):  # truth values are int, too
        return value
    return value if isinstance(value, float) and math.isfinite(value) else str(value)


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(lines_of(path), 1):
        yield f"{path}, line {number}", parse_object(path, number, line)


def _delimited(path: Path) -> Iterator[Row]:
    names, rows = table_of(path)
    for line, cells in rows:
        row: dict[str, Any] = dict(zip(names, cells, strict=True))
        if isinstance(row.get(METADATA), str) and row[METADATA].startswith("{"):
            with suppress(PanglotError):  # else it is a text
                row[METADATA] = parse_json(row[METADATA], "metadata")
        yield f"{path}, line {line}", row


def _parquet(path: Path) -> Iterator[Row]:
    for number, row in parquet_rows(path):
        yield f"{path}, row {number}", row
