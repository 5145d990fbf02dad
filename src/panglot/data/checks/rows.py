"""All rows of a source, the bad ones too; and rows and texts that a source should not have."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from panglot.data.catalogue.training import made_pairs
from panglot.data.equality import fingerprints
from panglot.data.index import IntArray
from panglot.data.pairs import ParallelPairs, codes_of, pairs_from_table
from panglot.data.pairs_files.columns import SCHEMA, BadLines, Columns, blank
from panglot.data.pairs_files.lines import REQUIRED
from panglot.data.pairs_files.read import read_rows, source_name
from panglot.data.text_column import starts_of, take_rows, values_at
from panglot.errors import PanglotError
from panglot.languages import is_language, no_language

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MANY = 0.01  # share of the rows from which a finding of single rows is a warning
EXAMPLES, MANY_EXAMPLES = 3, 10  # that are shown; of rows that cannot be trained on, more
SHOWN = 100  # characters of an example


@dataclass(frozen=True)
class CheckedRows:
    """Rows of parallel pairs, each with its line in the file."""

    name: str  # of the source
    table: pa.Table  # R rows of ``pairs_files.columns.SCHEMA``
    lines: IntArray  # ``(R,)`` line (or number) of each row in its file

    def __len__(self) -> int:
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
        chunks = self.table.column(column).chunks
        return values_at(chunks, starts_of(chunks), rows)

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

    The pairs of a folder or a training set of the catalogue are made as for training; see ``load_source``.

    Raises:
        PanglotError: the source cannot be read at all; without ``bad``, also at the first bad line.
    """
    if (made := made_pairs(source, columns)) is not None:
        return CheckedRows(made.name, made.table, np.arange(1, made.table.num_rows + 1))
    batches: list[pa.RecordBatch] = []
    lines: list[IntArray] = []
    for batch, numbers in read_rows(source, columns, bad):
        batches.append(batch)
        lines.append(numbers)
    table = pa.Table.from_batches(batches, SCHEMA)
    if not table.num_rows:
        empty = f"{source}: is empty; write one line per item and language into it."
        raise PanglotError(bad[0][1] if bad else empty)
    return CheckedRows(source_name(source), table, np.concatenate(lines))


def _codes(column: pa.ChunkedArray) -> tuple[IntArray, list[str]]:
    """Number the distinct texts of a column, as ``codes_of``; null counts as an empty text."""
    # large: two gigabytes of texts would overflow
    codes, texts = codes_of(pc.fill_null(column.cast(pa.large_string()), ""))
    return codes.astype(np.int64), texts


@dataclass(frozen=True)
class Example:
    """One row: its line in the file, its item and language, and the text in question, cut short."""

    line: int
    item_id: str
    language: str
    text: str


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    severity: Severity  # ``error`` (training or a claim goes wrong), ``warning`` (worth fixing) or ``note``
    check: str  # which check found it
    sentence: str  # what is wrong and what to do about it
    count: int  # how many rows, items or languages it concerns
    examples: tuple[Example, ...] = ()  # a few of them


def finding_on(
    rows: CheckedRows,
    at: IntArray,
    column: str,
    check: str,
    sentence: str,
    severity: Severity | None = None,
    examples: int = EXAMPLES,
) -> list[Finding]:
    """Make a finding on the table rows ``at``, with texts of a column as examples; none where there are none.

    Without a severity it is a warning from one row in a hundred on, else a note.
    """
    if not len(at):
        return []
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
    return [Finding(severity, check, sentence, len(at), shown)]


def shortened(text: str) -> str:
    """Return a text on one line, cut at ``SHOWN`` characters."""
    text = " ".join(text[: 4 * SHOWN].split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def check_structure(rows: CheckedRows) -> tuple[CheckedRows, list[Finding]]:
    """Return the rows that can be trained on, and a finding for each kind of the others."""
    findings: list[Finding] = []
    for check in (find_empty, find_unknown_languages, find_repeated_rows):
        rows, found = check(rows)
        findings += found
    if not len(rows):
        reasons = " ".join(finding.sentence for finding in findings)
        raise PanglotError(f"{rows.name}: no row is left: {reasons}")
    return rows, findings + find_contradictions(rows)


def find_bad_lines(bad: BadLines) -> list[Finding]:
    """Return a finding for each kind of lines that cannot be read, with the first ten of them."""
    kinds: dict[str, list[Example]] = {}
    for line, sentence in bad:
        what = sentence.partition(f", line {line}: ")[2] or sentence
        kind = re.sub(r"\d+", "N", re.split("[(;.]", what)[0])
        kinds.setdefault(kind, []).append(Example(line, "", "", what))
    return [
        Finding(
            "error",
            "unreadable",
            f"{len(lines):,} {'lines' if len(lines) > 1 else 'line'} cannot be read and "
            f"{'are' if len(lines) > 1 else 'is'} left out here: {lines[0].text}",
            len(lines),
            tuple(lines[:MANY_EXAMPLES]),
        )
        for lines in kinds.values()
    ]


def find_empty(rows: CheckedRows) -> tuple[CheckedRows, list[Finding]]:
    """Find rows whose query, passage, item or language is empty; return the others."""
    findings = []
    keep = np.ones(len(rows), bool)
    for name in REQUIRED:
        empty = np.concatenate([blank(chunk) for chunk in rows.table.column(name).chunks])
        at, other = np.flatnonzero(empty), "passage" if name == "query" else "query"
        sentence = f"'{name}' is empty in {len(at):,} rows; fill it in or remove them."
        findings += finding_on(rows, at, other, "empty", sentence, "error", MANY_EXAMPLES)
        keep &= ~empty
    return rows.keep(keep), findings


def find_unknown_languages(rows: CheckedRows) -> tuple[CheckedRows, list[Finding]]:
    """Find codes that are not languages; return the rows of the others."""
    findings = []
    keep = np.ones(len(rows), bool)
    for code, spelling in enumerate(rows.languages):
        if not is_language(spelling):
            at = np.flatnonzero(rows.language_codes == code)
            keep[at] = False
            sentence = f"{no_language(spelling)[:-1]} ({len(at):,} rows)."
            findings += finding_on(rows, at, "query", "language", sentence, "error", MANY_EXAMPLES)
    return rows.keep(keep), findings


def find_repeated_rows(rows: CheckedRows) -> tuple[CheckedRows, list[Finding]]:
    """Find items that occur twice in a language; return the rows without the later ones."""
    key = rows.items * len(rows.languages) + rows.language_codes
    row = np.arange(len(rows))
    first = pd.Series(row).groupby(key).transform("first").to_numpy()
    keep = first == row
    at = np.flatnonzero(~keep)
    some, before = (
        zip(*(rows.texts(name, of) for name in ("query", "passage")), strict=True)
        for of in (at[:1000], first[at[:1000]])
    )
    same = sum(one == other for one, other in zip(some, before, strict=True))
    exact = "with the same texts" if same == min(len(at), 1000) else f"{same:,} of them with the same texts"
    sentence = (
        f"{len(at):,} rows repeat an item in a language that it has already, {exact}; keep one of each."
    )
    return rows.keep(keep), finding_on(rows, at, "query", "repeated", sentence, "error", MANY_EXAMPLES)


def find_contradictions(rows: CheckedRows) -> list[Finding]:
    """Find an item with two passage or document ids, or a passage that lies in two documents."""
    columns = ("passage_id", "document_id")
    if all(rows.table.column(name).null_count == len(rows) for name in columns):
        return []
    try:
        pairs_from_table(rows.table, rows.name, rows.name)
    except PanglotError as error:
        sentence = str(error).removeprefix(f"{rows.name}, ")
        line = int(sentence.removeprefix("line ").split(":")[0]) - 1
        item, language = (rows.table.column(name)[line].as_py() for name in ("item_id", "language"))
        _, _, what = sentence.partition(": ")
        return [Finding("error", "ids", what, 1, (Example(int(rows.lines[line]), item, language, ""),))]
    return []


def find_repeats(rows: CheckedRows) -> list[Finding]:
    """Find items that repeat each other in a language: both texts, the passage alone, or the query alone.

    An equal passage under another passage_id is a false negative: a batch may hold both.
    """
    query, passage = (_prints(rows, name) for name in ("query", "passage"))
    language = rows.language_codes
    both = _later(language, query, passage, different=rows.items)
    twice = np.setdiff1d(_later(language, passage, different=rows.groups), both)
    asked = np.setdiff1d(_later(language, query, different=rows.groups), np.union1d(both, twice))
    kinds = (
        (both, "query", "repeat query and passage of another item of their language: keep one."),
        (
            twice,
            "passage",
            "have the passage of another item in their language under another passage_id; in one batch they "
            "are each other's wrong negatives: give such items one passage_id.",
        ),
        (
            asked,
            "query",
            "have the query of another item in their language but another passage; in one batch each "
            "passage is a wrong negative of the other query.",
        ),
    )
    return [
        finding
        for at, column, what in kinds
        for finding in finding_on(rows, at, column, "duplicate", f"{len(at):,} rows {what}")
    ]


def find_copies(rows: CheckedRows) -> list[Finding]:
    """Find passages that equal another language's passage of the same item: texts left untranslated."""
    passage = _prints(rows, "passage")
    at = _later(rows.items, passage, different=rows.language_codes)
    names = np.unique(rows.language_codes[at])
    sentence = (
        f"{len(at):,} passages equal that of another language of the same item "
        f"({', '.join(rows.languages[k] for k in names)}); they look untranslated: remove those rows."
    )
    return finding_on(rows, at, "passage", "untranslated", sentence)


def find_self_answers(rows: CheckedRows) -> list[Finding]:
    """Find rows whose query equals their passage, or whose negatives hold their own passage."""
    passages = _prints(rows, "passage")
    same = np.flatnonzero(_prints(rows, "query") == passages)
    everywhere = len(same) == len(rows)
    sentence = (
        "every query equals its passage (a bitext): cross-lingual batches learn to find translations, "
        "monolingual ones learn nothing; train with strategy 'crosslingual', or beside other sources."
        if everywhere
        else f"{len(same):,} rows have a query that equals its passage; a monolingual batch "
        "learns nothing of them."
    )
    findings = finding_on(rows, same, "query", "self-answer", sentence, "note" if everywhere else None)
    negatives = rows.table.column("negatives")
    counts = pc.fill_null(pc.list_value_length(negatives), 0).to_numpy()
    parent = np.repeat(np.arange(len(rows)), counts)
    own = np.unique(parent[fingerprints(pc.list_flatten(negatives).to_pylist()) == passages[parent]])
    sentence = f"{len(own):,} rows have their own passage among their negatives; take it out."
    return findings + finding_on(rows, own, "passage", "negatives", sentence, "error")


def _prints(rows: CheckedRows, column: str) -> IntArray:
    return fingerprints(rows.table.column(column).to_pylist())


def _later(*keys: IntArray, different: IntArray) -> IntArray:
    """Return the rows that agree in all keys with an earlier row of another ``different``."""
    first = pd.Series(different).groupby(list(keys)).transform("first").to_numpy()
    return np.flatnonzero(different != first)
