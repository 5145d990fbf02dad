"""Checks of what must hold for a source to load: texts filled in, languages known, each row once."""

import re
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from panglot.data.checks.findings import MANY_EXAMPLES, Example, Finding, examples_of
from panglot.data.checks.rows import CheckedRows
from panglot.data.pairs import pairs_from_table
from panglot.data.pairs_files.mapped import BadLines, blank
from panglot.errors import PanglotError
from panglot.languages import is_language, no_language


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
    for name in ("item_id", "language", "query", "passage"):
        column = rows.table.column(name)
        empty = np.concatenate([blank(chunk) for chunk in column.chunks])
        if empty.any():
            at = np.flatnonzero(empty)
            other = "passage" if name == "query" else "query"
            findings.append(
                Finding(
                    "error",
                    "empty",
                    f"'{name}' is empty in {len(at):,} rows; fill it in or remove them.",
                    len(at),
                    tuple(
                        replace(example, item_id=example.item_id or "", language=example.language or "")
                        for example in examples_of(rows, at, other, MANY_EXAMPLES)
                    ),
                )
            )
        keep &= ~empty
    return rows.keep(keep), findings


def find_unknown_languages(rows: CheckedRows) -> tuple[CheckedRows, list[Finding]]:
    """Find codes that are no languages; return the rows of the others."""
    findings = []
    keep = np.ones(len(rows), bool)
    for code, spelling in enumerate(rows.languages):
        if not is_language(spelling):
            at = np.flatnonzero(rows.language_codes == code)
            keep[at] = False
            sentence = f"{no_language(spelling)[:-1]} ({len(at):,} rows)."
            findings.append(
                Finding("error", "language", sentence, len(at), examples_of(rows, at, "query", MANY_EXAMPLES))
            )
    return rows.keep(keep), findings


def find_repeated_rows(rows: CheckedRows) -> tuple[CheckedRows, list[Finding]]:
    """Find items that occur twice in a language; return the rows without the later ones."""
    key = rows.items * len(rows.languages) + rows.language_codes
    _, first = np.unique(key, return_index=True)
    keep = np.zeros(len(rows), bool)
    keep[first] = True
    at = np.flatnonzero(~keep)
    if not len(at):
        return rows, []
    texts = [rows.table.column("query"), rows.table.column("passage")]
    of_key = dict(zip(key[first].tolist(), first.tolist(), strict=True))
    earlier = [of_key[k] for k in key[at].tolist()]
    same = sum(
        all(column[int(row)] == column[before] for column in texts)
        for row, before in zip(at[:1000], earlier[:1000], strict=True)
    )
    exact = "with the same texts" if same == min(len(at), 1000) else f"{same:,} of them with the same texts"
    finding = Finding(
        "error",
        "repeated",
        f"{len(at):,} rows repeat an item in a language that it has already, {exact}; keep one of each.",
        len(at),
        examples_of(rows, at, "query", MANY_EXAMPLES),
    )
    return rows.keep(keep), [finding]


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
        item = pc.take(rows.table.column("item_id"), [line])[0].as_py()
        language = pc.take(rows.table.column("language"), [line])[0].as_py()
        _, _, what = sentence.partition(": ")
        return [Finding("error", "ids", what, 1, (Example(int(rows.lines[line]), item, language, ""),))]
    return []
