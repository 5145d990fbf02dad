"""Files of lines: JSONL in panglot's own fields, or in anyone's by way of a mapping; CSV and TSV."""

import csv
import io
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data.index import IntArray
from panglot.data.pairs_files.columns import (
    SCHEMA,
    BadLines,
    Batches,
    Columns,
    Layout,
    did_you_mean,
    find_layout,
    rows_of_columns,
)
from panglot.errors import PanglotError
from panglot.files import ROW_VARIABLE, decoded, largest_row, lines_of, open_bytes
from panglot.parse import parse_json

FIRST = 100  # lines whose fields are taken for the file's columns
REQUIRED = ("item_id", "language", "query", "passage")
SAMPLE = 1 << 20  # characters from which the delimiter and the use of quotation marks are found
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def jsonl_names(path: Path) -> list[str]:
    """Return the fields of the first lines; broken lines are passed over."""
    names: dict[str, None] = {}
    for number, line in enumerate(islice(lines_of(path), FIRST), 1):
        with suppress(PanglotError):
            names |= dict.fromkeys(_flat(parse_object(path, number, line)))
    return list(names)


def read_jsonl(path: Path, columns: Columns | None, size: int, bad: BadLines | None = None) -> Batches:
    """Read batches of ``SCHEMA`` with the line of each row, ``size`` lines at a time.

    Without a mapping, and when the first line has texts for query and passage (or neither in any form),
    lines must be in panglot's own fields; this is the fast way. Else see ``find_layout``.
    """
    if not columns and _in_own_fields(path):
        for rows, lines in _rows(path, size, bad, own_fields=True):
            yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA), lines
        return
    names: dict[str, None] = {}
    done = 0
    for rows, lines in _rows(path, size, bad):
        table, odd = _table([_flat(row) for row in rows])
        names |= dict.fromkeys(table.column_names)
        layout = find_layout(list(names), columns, str(path))
        yield rows_of_columns(table, layout, lines, done + 1, str(path), bad, odd)
        done += len(rows)


def _in_own_fields(path: Path) -> bool:
    line = next(lines_of(path), None)
    if line is None:
        return True
    try:
        row = parse_json(line, path, 1)
    except PanglotError:
        return True  # the fast way says what is wrong
    if not isinstance(row, dict) or any(isinstance(row.get(name), str) for name in ("query", "passage")):
        return True
    try:
        return not find_layout(list(_flat(row)), None, str(path)).wide
    except PanglotError:
        other_form = any(name.startswith(("query_", "query.", "text_")) for name in _flat(row))
        return not other_form


def _rows(
    path: Path, size: int, bad: BadLines | None, *, own_fields: bool = False
) -> Iterator[tuple[list[dict[str, Any]], IntArray]]:
    """Parse lines, and check those in panglot's own fields; give ``size`` at a time, with their numbers."""
    lines = enumerate(lines_of(path), 1)
    while part := list(islice(lines, size)):
        rows, numbers = [], []
        for number, line in part:
            try:
                row = parse_object(path, number, line)
                if own_fields:
                    _check_row(path, number, row)
                rows.append(row)
                numbers.append(number)
            except PanglotError as error:
                if bad is None:
                    raise
                bad.append((number, str(error)))
        if rows:
            yield rows, np.array(numbers, np.int64)


def parse_object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return one JSON line."""
    if not line.strip():
        raise PanglotError(f"{path}, line {number}: is empty; remove it.")
    value = parse_json(line, path, number)
    if not isinstance(value, dict):
        raise PanglotError(
            f"{path}, line {number}: is not a JSON object; write {{...}} with {', '.join(REQUIRED)}."
        )
    return value


def _check_row(path: Path, number: int, value: dict[str, Any]) -> None:
    for field in REQUIRED:
        if field not in value:
            raise PanglotError(
                f"{path}, line {number}: has no '{field}'; each line needs {', '.join(REQUIRED)}."
                f"{did_you_mean(field, value)}"
            )
    for field in SCHEMA.names[:-1]:
        text = value.get(field)
        if not isinstance(text, str) and (text is not None or field in REQUIRED):
            raise PanglotError(f"{path}, line {number}: '{field}' is not a text; put it in quotation marks.")
    negatives = value.get("negatives")
    if negatives is not None and not (
        isinstance(negatives, list) and all(isinstance(text, str) for text in negatives)
    ):
        raise PanglotError(f"{path}, line {number}: 'negatives' is not a list of texts.")


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """Return a row whose objects are columns of their own: ``query.en``."""
    if not any(isinstance(inner, dict) for inner in value.values()):
        return value
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= {f"{name}.{key}": deep for key, deep in _flat(inner).items()}
        else:
            found[name] = inner
    return found


def _table(rows: list[dict[str, Any]]) -> tuple[pa.Table, dict[str, list[int]]]:
    """Make a table of flat rows, with the keys that any row has; give the rows that are not texts.

    They are given for columns of mixed types, and written there as JSON.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    dumped = partial(json.dumps, ensure_ascii=False)
    arrays, odd = [], {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            odd[name] = [k for k, v in enumerate(values) if not isinstance(v, str | None)]
            arrays.append(pa.array([v if isinstance(v, str | None) else dumped(v) for v in values]))
    return pa.table(arrays, names=names), odd


def read_delimited(path: Path, columns: Columns | None, size: int, bad: BadLines | None = None) -> Batches:
    """Read batches of ``SCHEMA`` with the line on which each row starts.

    The first line names the columns. ``.tsv`` and ``.tab`` have tabs; else the delimiter is the
    most frequent of comma, semicolon, tab and bar in the header. In a file with tabs, quotation marks are
    part of the text unless they quote whole cells throughout. Text is UTF-8, or UTF-16 with its byte-order
    mark.
    """
    names, rows = table_of(path, bad)
    layout = find_layout(names, columns, str(path)) if names else Layout({})
    wanted = [names.index(name) for name in layout.used if name in names]
    done = 0
    while part := list(islice(rows, size)):
        columns_of = [pa.array([cells[k] for _, cells in part], pa.string()) for k in wanted]
        table = pa.table(columns_of, names=[names[k] for k in wanted])
        lines = np.array([line for line, _ in part], np.int64)
        yield rows_of_columns(table, layout, lines, done + 1, str(path), bad)
        done += len(part)


def delimited_names(path: Path) -> list[str]:
    """Return the columns that the first line names."""
    return table_of(path)[0]


def table_of(path: Path, bad: BadLines | None = None) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Return the columns that the first line names, and the records below it with their first lines.

    A column that occurs twice is a ``PanglotError``; so is a record of more or fewer cells, without ``bad``.
    """
    records = _records(path)
    names = [cell.strip() for cell in next(records, (1, []))[1]]
    named = [name for name in names if name]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise PanglotError(f"{path}, line 1: column '{twice}' occurs twice; give each a name of its own.")

    def rows() -> Iterator[tuple[int, list[str]]]:
        for line, cells in records:
            if len(cells) == len(names):
                yield line, cells
                continue
            sentence = (
                f"{path}, line {line}: has {len(cells)} cells where the header has {len(names)}; put "
                "cells that hold a delimiter or a line's end into quotation marks."
            )
            if bad is None:
                raise PanglotError(sentence)
            bad.append((line, sentence))

    return names, rows()


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give each record and the line on which it starts; blank lines are passed over."""
    delimiter, quoted = _dialect(path)
    largest = largest_row()
    csv.field_size_limit(largest)  # passages may be longer than its 131,072 characters
    size = 0

    def lines() -> Iterator[str]:
        nonlocal size
        for line in _text_lines(path):
            size += len(line)
            if size > largest:
                raise csv.Error(f"the row is longer than {largest >> 20} MB")
            yield line

    reader = csv.reader(
        lines(), delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, strict=quoted
    )
    while True:
        start, size = reader.line_num + 1, 0
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise PanglotError(
                f'{path}, line {start}: its quotation marks do not close ({error}); write "" for one '
                f"inside a quoted cell, save the file as JSONL, or set {ROW_VARIABLE}."
            ) from error
        if cells is None:
            return
        if cells:
            yield start, cells


def _text_lines(path: Path) -> Iterator[str]:
    with open_bytes(path) as file:
        utf16 = file.read(2) in UTF16
    if not utf16:
        yield from (line for _, line in decoded(lines_of(path), str(path)))
        return
    largest = largest_row()
    with open_bytes(path) as file, io.TextIOWrapper(file, encoding="utf-16", newline="") as text:
        try:
            while line := text.readline(largest):
                if len(line) == largest:
                    raise PanglotError(f"{path}: a line is too long; split it, or set {ROW_VARIABLE}.")
                yield line
        except (EOFError, OSError, zlib.error, UnicodeError) as error:
            raise PanglotError(f"{path}: is broken UTF-16; save the file as UTF-8.") from error


def _dialect(path: Path) -> tuple[str, bool]:
    sample, size = [], 0
    for line in _text_lines(path):
        sample.append(line)
        size += len(line)
        if size > SAMPLE:
            break
    head = next((line for line in sample if line.strip()), "")
    tabs = any(name in (".tsv", ".tab") for name in path.suffixes)
    delimiter = "\t" if tabs else max(",;\t|", key="".join(head.split('"')[::2]).count)  # outside quotes
    return delimiter, delimiter != "\t" or _quotes_whole_cells(sample, delimiter)


def _quotes_whole_cells(sample: list[str], delimiter: str) -> bool:
    """Say whether the sample reads well with quotation marks as such; false where it holds none."""
    if not any(line.startswith('"') or f'{delimiter}"' in line for line in sample):
        return False
    count = 0
    try:
        for cells in csv.reader(sample, delimiter=delimiter, strict=True):
            count = count or len(cells)
            if cells and len(cells) != count:
                return False
    except csv.Error as error:
        return "unexpected end of data" in str(error) and sum(map(len, sample)) > SAMPLE // 2
    return True
