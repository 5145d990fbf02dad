"""Rows of JSONL, CSV, TSV and Parquet, read into documents."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from panglot.data.pairs_files.lines import parse_object, table_of
from panglot.data.pairs_files.read import read_rows
from panglot.errors import PanglotError
from panglot.files import as_shown, lines_of, parquet, parquet_batches
from panglot.parse import parse_json
from panglot.search.documents.document import Document, Section, short_digest

TEXT = ("text", "passage", "contents", "content", "body")
ID = ("id", "_id", "docid", "doc_id", "document_id", "passage_id")
LANGUAGE = ("language", "lang")
TITLE = ("title",)
METADATA = "metadata"
QUERY = "query"  # a row with a query and a passage is a pair
BATCH = 1024
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
    reader = {".parquet": _parquet, ".csv": _delimited, ".tsv": _delimited, ".tab": _delimited}
    rows = reader.get(kind, _jsonl)(path)
    first = next(rows, None)
    if first is None:
        raise PanglotError(f"{path}: is empty; it needs a text in each line.")
    names = set(first[1])
    is_pairs = "text" not in names and (QUERY in names or not names.intersection(TEXT))
    if not columns and is_pairs:
        yield from pairs_documents(path)
        return
    of_field = FIELDS | {field: (column,) for field, column in (columns or {}).items()}
    for where, row in chain([first], rows):
        yield _document(where, row, as_shown(path), of_field)


def pairs_documents(source: str | Path) -> Iterator[Document]:
    """Read the passages of pairs; those of one passage id (or item) in one language are one."""
    seen: dict[str, str] = {}
    for batch, lines in read_rows(source):
        for line, row in zip(lines.tolist(), batch.to_pylist(), strict=True):
            where, text = f"{source}, line {line}", row["passage"]
            if not (text or "").strip() or not row["language"]:
                raise PanglotError(f"{where}: lacks a passage or its language; fill it in.")
            document = row["passage_id"] or row["item_id"] or short_digest(text)
            name, digest = f"{document}:{row['language']}", short_digest(text)
            if seen.get(name) == digest:
                continue
            if name in seen:  # items of one group may show different windows of it
                name = f"{row['item_id']}:{row['language']}"
            seen[name] = digest
            metadata = {"item_id": row["item_id"]} | (
                {"document_id": row["document_id"]} if row["document_id"] else {}
            )
            yield Document(name, (Section("", text),), "", row["language"], as_shown(source), metadata, where)


def _document(
    where: str, row: Mapping[str, Any], source: str, names: Mapping[str, Sequence[str]]
) -> Document:
    text_name = next((name for name in names["text"] if name in row), None)
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
    id_name = next((name for name in names["id"] if name in row), "")
    used = {text_name, *names["title"], *names["language"], METADATA, id_name}
    metadata = {
        _whole(name): _plain(value, where) for name, value in row.items() if name not in used and name
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


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if name in row), None)


def _plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return a value as every engine keeps JSON; what JSON or 64 bits lack (dates, NaN, 2**70) as text."""
    if depth > DEEPEST:
        raise PanglotError(f"{where}: its metadata have more than {DEEPEST} levels of nesting; use fewer.")
    if isinstance(value, dict):
        return {_whole(str(key)): _plain(inner, where, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, where, depth + 1) for inner in value]
    if isinstance(value, str):
        return _whole(value)
    if value is None or (isinstance(value, int) and abs(value) < LARGEST):  # truth values are int, too
        return value
    return value if isinstance(value, float) and math.isfinite(value) else str(value)


def _whole(text: str) -> str:
    """Return a text without halves of characters."""
    return text.encode("utf-8", "replace").decode()


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(lines_of(path), 1):
        if number == 1 and line.startswith(b"\xef\xbb\xbf"):
            line = line[3:]
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
    number = 0
    with parquet(path) as file:
        for batch in parquet_batches(file, BATCH):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
