"""JSON lines, plain or compressed: in panglot's own fields, or in anyone's by way of a mapping."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data.index import IntArray
from panglot.data.pairs_files.columns import Columns, did_you_mean, find_layout
from panglot.data.pairs_files.mapped import SCHEMA, BadLines, rows_of_columns
from panglot.errors import PanglotError
from panglot.files import lines_of
from panglot.parse import parse_json

FIRST = 100  # lines whose fields are taken for the file's columns
REQUIRED = ("item_id", "language", "query", "passage")


def jsonl_names(path: Path) -> list[str]:
    """Return the fields of the first lines; broken lines are passed over."""
    names: dict[str, None] = {}
    for number, line in enumerate(islice(lines_of(path), FIRST), 1):
        with suppress(PanglotError):
            names |= dict.fromkeys(_flat(parse_object(path, number, line)))
    return list(names)


def read_jsonl(
    path: Path, columns: Columns | None, size: int, bad: BadLines | None = None
) -> Iterator[tuple[pa.RecordBatch, IntArray]]:
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
        table = _table([_flat(row) for row in rows])
        names |= dict.fromkeys(table.column_names)
        layout = find_layout(list(names), columns, str(path))
        yield rows_of_columns(table, layout, lines, done + 1, str(path))
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
    """Check the types of a row in panglot's own fields."""
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


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    """Make a table of flat rows; a column has all keys that any row has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    arrays = []
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            # of mixed types: whatever a text is wanted for must be one
            arrays.append(pa.array([_as_text(value) for value in values]))
    return pa.table(arrays, names=names)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
