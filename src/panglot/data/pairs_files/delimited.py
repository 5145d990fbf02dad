"""CSV and TSV: any delimiter, quotation marks, byte-order marks; messages name the line."""

import csv
import io
import zlib
from collections.abc import Iterator, Sized
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from panglot.data.index import IntArray
from panglot.data.pairs_files.columns import Columns, find_layout
from panglot.data.pairs_files.mapped import BadLines, rows_of_columns
from panglot.errors import PanglotError
from panglot.files import ROW_VARIABLE, decoded, largest_row, lines_of, open_bytes

SAMPLE = 1 << 20  # characters from which the delimiter and the use of quotation marks are found
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def delimited_names(path: Path) -> list[str]:
    """Return the columns that the first line names."""
    head = next(records(path), None)
    return [] if head is None else header_of(path, head[1])


def read_delimited(
    path: Path, columns: Columns | None, size: int, bad: BadLines | None = None
) -> Iterator[tuple[pa.RecordBatch, IntArray]]:
    """Read batches of ``SCHEMA`` with the line on which each row starts.

    The first line names the columns. ``.tsv`` and ``.tab`` have tabs; else the delimiter is the
    most frequent of comma, semicolon, tab and bar in the header. In a file with tabs, quotation marks are
    part of the text unless they quote whole cells throughout. Text is UTF-8, or UTF-16 with its byte-order
    mark.
    """
    rows = records(path)
    head = next(rows, None)
    if head is None:
        return
    names = header_of(path, head[1])
    layout = find_layout(names, columns, str(path))
    wanted = [names.index(name) for name in layout.used if name in names]
    done = 0
    while part := list(islice(rows, size)):
        for line, cells in part:
            if len(cells) != len(names):
                sentence = other_size(path, line, cells, names)
                if bad is None:
                    raise PanglotError(sentence)
                bad.append((line, sentence))
        read = len(part)
        part = [(line, cells) for line, cells in part if len(cells) == len(names)]
        columns_of = [pa.array([cells[k] for _, cells in part], pa.string()) for k in wanted]
        table = pa.table(columns_of, names=[names[k] for k in wanted])
        lines = np.array([line for line, _ in part], np.int64)
        yield rows_of_columns(table, layout, lines, done + 1, str(path))
        done += read


def other_size(path: Path, line: int, cells: Sized, names: Sized) -> str:
    """Say that a row has more or fewer cells than the header, and what helps."""
    return (
        f"{path}, line {line}: has {len(cells)} cells where the header has {len(names)}; put "
        "cells that hold a delimiter or a line's end into quotation marks."
    )


def header_of(path: Path, cells: list[str]) -> list[str]:
    """Return the names of the columns; one that occurs twice is a ``PanglotError``."""
    names = [cell.strip() for cell in cells]
    named = [name for name in names if name]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise PanglotError(f"{path}, line 1: column '{twice}' occurs twice; give each a name of its own.")
    return names


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
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
        lines(),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=quoted,
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
    """Return the delimiter, and whether quotation marks quote."""
    sample, size = [], 0
    for line in _text_lines(path):
        sample.append(line)
        size += len(line)
        if size > SAMPLE:
            break
    head = sample[0] if sample else ""
    tabs = any(name in (".tsv", ".tab") for name in path.suffixes)
    delimiter = "\t" if tabs else max(",;\t|", key=_outside_quotes(head).count)
    return delimiter, delimiter != "\t" or _quotes_whole_cells(sample, delimiter)


def _outside_quotes(head: str) -> str:
    return "".join(head.split('"')[::2])


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
