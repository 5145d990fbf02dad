"""All rows of a source, the bad ones too, and what a check finds in them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panglot.data.index import IntArray
from panglot.data.pairs import ParallelPairs, codes_of, pairs_from_table
from panglot.data.pairs_files.columns import Columns
from panglot.data.pairs_files.mapped import SCHEMA, BadLines
from panglot.data.pairs_files.read import read_rows, source_name
from panglot.data.text_column import take_rows
from panglot.errors import PanglotError


@dataclass(frozen=True)
class CheckedRows:
    """Rows of parallel pairs, each with its line in the file.

    Attributes:
        name: of the source.
        table: R rows of ``pairs_files.mapped.SCHEMA``.
        lines: ``(R,)`` line (or number) of each row in its file.
    """

    name: str
    table: pa.Table
    lines: IntArray

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.table.num_rows)

    @cached_property
    def language_codes(self) -> IntArray:
        """``(R,)`` position of each row's language in ``languages``."""
        order = np.argsort(np.argsort(self._languages[1]))
        return np.asarray(order[self._languages[0]])

    @cached_property
    def languages(self) -> list[str]:
        """The languages as they are spelled, sorted."""
        return sorted(self._languages[1])

    @cached_property
    def _languages(self) -> tuple[IntArray, list[str]]:
        return _codes(self.table.column("language"))

    @cached_property
    def items(self) -> IntArray:
        """``(R,)`` the item of each row, numbered as they come."""
        return _codes(self.table.column("item_id"))[0]

    @cached_property
    def groups(self) -> IntArray:
        """``(R,)`` the passage group of each row: passage_id, or else item_id."""
        column = pc.coalesce(self.table.column("passage_id"), self.table.column("item_id"))
        return _codes(column)[0]

    def keep(self, mask: IntArray) -> "CheckedRows":
        """Return some rows (a mask ``(R,)``)."""
        if mask.all():
            return self
        return CheckedRows(self.name, self.table.filter(pa.array(mask)), self.lines[mask])

    def texts(self, column: str, rows: IntArray) -> list[str]:
        """Return the texts of a column in some rows."""
        return take_rows(self.table.to_batches(), rows, [column]).column(0).to_pylist()  # type: ignore[no-any-return]

    def pairs(self) -> ParallelPairs:
        """Index the rows; without their passage and document ids where those contradict each other."""
        try:
            return pairs_from_table(self.table, self.name, self.name)
        except PanglotError:
            plain = self.table
            for name in ("passage_id", "document_id"):
                at = plain.schema.get_field_index(name)
                plain = plain.set_column(at, SCHEMA.field(name), pa.nulls(len(self), pa.string()))
            return pairs_from_table(plain, self.name, self.name)


def read_for_checks(
    source: str | Path, columns: Columns | None = None, bad: BadLines | None = None
) -> CheckedRows:
    """Read all rows of a source, whatever their texts; lines that cannot be read are added to ``bad``.

    Raises:
        PanglotError: the source cannot be read at all; without ``bad``, also at the first bad line.
    """
    batches: list[pa.RecordBatch] = []
    lines: list[IntArray] = []
    for batch, numbers in read_rows(source, columns, bad):
        batches.append(batch)
        lines.append(numbers)
    table = pa.Table.from_batches(batches, SCHEMA)
    if not table.num_rows:
        raise PanglotError(
            bad[0][1] if bad else f"{source}: is empty; it needs one line per item and language."
        )
    return CheckedRows(source_name(source), table, np.concatenate(lines))


def _codes(column: pa.ChunkedArray) -> tuple[IntArray, list[str]]:
    """Number the distinct texts of a column, as ``codes_of``; null counts as an empty text."""
    # large: two gigabytes of texts would overflow
    codes, texts = codes_of(pc.fill_null(column.cast(pa.large_string()), ""))
    return codes.astype(np.int64), texts


Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MANY = 0.01  # share of the rows from which a finding of single rows is a warning
EXAMPLES, MANY_EXAMPLES = 3, 10  # that are shown; of rows that cannot be trained on, more
SHOWN = 100  # characters of an example


@dataclass(frozen=True)
class Example:
    """One row: its line in the file, its item and language, and the text in question, cut short."""

    line: int
    item_id: str
    language: str
    text: str


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        severity: ``error`` (training or a claim goes wrong), ``warning`` (worth fixing) or ``note``.
        check: which check found it.
        sentence: what is wrong and what to do about it.
        count: how many rows, items or languages it concerns.
        examples: a few of them.
    """

    severity: Severity
    check: str
    sentence: str
    count: int
    examples: tuple[Example, ...] = ()


def finding_on(
    rows: CheckedRows,
    at: IntArray,
    column: str,
    check: str,
    sentence: str,
    severity: Severity | None = None,
    examples: int = EXAMPLES,
) -> Finding:
    """Make a finding on some table rows.

    Args:
        at: ``(n,)`` the rows that it concerns.
        column: whose texts are shown as examples.
        severity: None: a warning from one row in a hundred on, else a note.
        examples: how many of the rows are shown.
    """
    if severity is None:
        severity = "warning" if len(at) >= MANY * len(rows) else "note"
    first = zip(at[:examples], take_rows(rows.table.to_batches(), at[:examples]).to_pylist(), strict=True)
    shown = tuple(
        Example(
            int(rows.lines[row]),
            texts["item_id"] or "",
            texts["language"] or "",
            shortened(texts[column] or ""),
        )
        for row, texts in first
    )
    return Finding(severity, check, sentence, len(at), shown)


def shortened(text: str) -> str:
    """Return a text on one line, cut at ``SHOWN`` characters."""
    text = " ".join(text[: 4 * SHOWN].split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
