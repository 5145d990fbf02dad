"""Batches of a file's own columns, turned into rows of parallel pairs: one per item and language."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panglot.data.index import IntArray
from panglot.data.pairs_files.columns import Layout
from panglot.errors import PanglotError
from panglot.languages import check_language, is_language, language_code
from panglot.parse import parse_json

BadLines = list[tuple[int, str]]  # the line of each and what is wrong, where that is not raised
Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("passage_id", pa.string()),
        ("document_id", pa.string()),
        ("language", pa.string()),
        ("query", pa.string()),
        ("passage", pa.string()),
        ("negatives", pa.list_(pa.string())),
    ]
)


def flat_columns(table: pa.Table) -> pa.Table:
    """Return a table whose objects are columns of their own: ``query.en``."""
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    return table


def rows_of_columns(
    table: pa.Table, layout: Layout, lines: IntArray, first: int, where: str
) -> tuple[pa.RecordBatch, IntArray]:
    """Turn a batch of a file's columns into rows of ``SCHEMA``, and give the line of each.

    Args:
        table: of n rows; columns that the layout names and the table lacks are empty.
        lines: ``(n,)`` the line of each row in its file.
        first: number of the first row, from 1.

    A language in which neither query nor passage is filled in is left out of a wide row.
    """
    count = table.num_rows
    whole = {name: _column(table, column, name, where) for name, column in layout.columns.items()}
    whole |= {name: pa.repeat(pa.scalar(value), count) for name, value in layout.fixed.items()}
    if layout.numbered:
        whole["item_id"] = pa.array(np.arange(first, first + count)).cast(pa.string())
    if not layout.wide:
        return _batch(whole, count), lines
    parts: list[pa.RecordBatch] = []
    rows: list[IntArray] = []
    for language, columns in layout.wide.items():
        own = {name: _column(table, column, name, where) for name, column in columns.items()}
        part = _batch(whole | own | {"language": pa.repeat(pa.scalar(language), count)}, count)
        filled = ~(blank(part.column("query")) & blank(part.column("passage")))
        parts.append(part.filter(pa.array(filled)))
        rows.append(np.flatnonzero(filled))
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    together = pa.Table.from_batches(parts).take(pa.array(order)).combine_chunks()
    batches = together.to_batches()
    empty = pa.RecordBatch.from_pylist([], schema=SCHEMA)
    return (batches[0] if batches else empty), lines[row[order]]


def with_language_codes(rows: Rows) -> Rows:
    """Return rows with BCP-47 codes wherever what they say means one; see ``language_code``."""
    column = rows.column("language")
    given = [text for text in pc.unique(column).to_pylist() if text and not is_language(text)]
    codes = {text: check_language(text) for text in given if language_code(text)}
    if not codes:
        return rows
    place = pc.index_in(column, pa.array(list(codes)))
    column = pc.coalesce(pa.array(list(codes.values())).take(place), column)
    return rows.set_column(SCHEMA.get_field_index("language"), SCHEMA.field("language"), column)


def blank(column: pa.Array) -> Any:
    """Return a mask ``(n,)`` of the texts that are missing or hold only white space."""
    found = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)
    return found.to_numpy(zero_copy_only=False)


def _batch(columns: dict[str, pa.Array], count: int) -> pa.RecordBatch:
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _column(table: pa.Table, column: str, name: str, where: str) -> pa.Array:
    """Return a column as the type of its field; ids may be numbers."""
    kind = SCHEMA.field(name).type
    if column not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    values = table.column(column)
    if name == "negatives" and not _is_list(values.type):
        return _lists(values.to_pylist(), where)
    if name in ("query", "passage", "language") and not _is_text(values.type):
        raise PanglotError(f"{where}: a column is of the wrong type ('{column}' is {values.type}, not text).")
    try:
        values = values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PanglotError(f"{where}: a column is of the wrong type ('{column}': {error}).") from error
    whole = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    if name == "negatives" and pc.list_flatten(whole).null_count:
        raise PanglotError(f"{where}: '{column}' has a list with a missing text. Fill it in, or take it out.")
    return whole


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_null(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(is_text(kind) for is_text in texts)


def _lists(values: Sequence[Any], where: str) -> pa.Array:
    """Read negatives that are in one cell: a text, or a JSON list of texts."""
    found: list[list[str] | None] = []
    for value in values:
        if value is None or (isinstance(value, str) and not value.strip()):
            found.append(None)
            continue
        texts: Any = [value]
        if isinstance(value, str) and value.startswith("["):
            try:
                texts = parse_json(value, where)
            except PanglotError:
                texts = [value]
        if not all(isinstance(text, str) for text in texts):
            raise PanglotError(f"{where}: 'negatives' is neither a text nor a list of texts ({value!r}).")
        found.append(texts)
    return pa.array(found, SCHEMA.field("negatives").type)
