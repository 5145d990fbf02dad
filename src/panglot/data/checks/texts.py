"""Rows that keep a source from loading; and texts that repeat, copy or answer themselves."""

import re

import numpy as np
import pyarrow.compute as pc

from panglot.data.checks.rows import MANY_EXAMPLES, CheckedRows, Example, Finding, Severity, finding_on
from panglot.data.equality import fingerprints
from panglot.data.index import IntArray
from panglot.data.pairs import pairs_from_table
from panglot.data.pairs_files.jsonl import REQUIRED
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
    for name in REQUIRED:
        empty = np.concatenate([blank(chunk) for chunk in rows.table.column(name).chunks])
        if empty.any():
            at = np.flatnonzero(empty)
            other = "passage" if name == "query" else "query"
            sentence = f"'{name}' is empty in {len(at):,} rows; fill it in or remove them."
            findings.append(finding_on(rows, at, other, "empty", sentence, "error", MANY_EXAMPLES))
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
            findings.append(finding_on(rows, at, "query", "language", sentence, "error", MANY_EXAMPLES))
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
    sentence = (
        f"{len(at):,} rows repeat an item in a language that it has already, {exact}; keep one of each."
    )
    return rows.keep(keep), [finding_on(rows, at, "query", "repeated", sentence, "error", MANY_EXAMPLES)]


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
        finding_on(rows, at, column, "duplicate", f"{len(at):,} rows {what}")
        for at, column, what in kinds
        if len(at)
    ]


def find_copies(rows: CheckedRows) -> list[Finding]:
    """Find passages that equal another language's passage of the same item: texts left untranslated."""
    passage = _prints(rows, "passage")
    at = _later(rows.items, passage, different=rows.language_codes)
    if not len(at):
        return []
    names = np.unique(rows.language_codes[at])
    sentence = (
        f"{len(at):,} passages equal that of another language of the same item "
        f"({', '.join(rows.languages[k] for k in names)}); they look untranslated: remove those rows."
    )
    return [finding_on(rows, at, "passage", "untranslated", sentence)]


def find_self_answers(rows: CheckedRows) -> list[Finding]:
    """Find rows whose query equals their passage, or whose negatives hold their own passage."""
    findings = []
    same = np.flatnonzero(_prints(rows, "query") == _prints(rows, "passage"))
    if len(same):
        everywhere = len(same) == len(rows)
        sentence = (
            "every query equals its passage (a bitext): cross-lingual batches learn to find translations, "
            "monolingual ones learn nothing; train with strategy 'crosslingual', or beside other sources."
            if everywhere
            else f"{len(same):,} rows have a query that equals its passage; a monolingual batch "
            "learns nothing of them."
        )
        severity: Severity | None = "note" if everywhere else None
        findings.append(finding_on(rows, same, "query", "self-answer", sentence, severity))
    own = _own_negatives(rows)
    if len(own):
        sentence = f"{len(own):,} rows have their own passage among their negatives; take it out."
        findings.append(finding_on(rows, own, "passage", "negatives", sentence, "error"))
    return findings


def _own_negatives(rows: CheckedRows) -> IntArray:
    negatives = rows.table.column("negatives")
    if negatives.null_count == len(rows):
        return np.zeros(0, np.int64)
    counts = pc.fill_null(pc.list_value_length(negatives), 0).to_numpy()
    parent = np.repeat(np.arange(len(rows)), counts)
    own = fingerprints(pc.list_flatten(negatives).to_pylist()) == _prints(rows, "passage")[parent]
    return np.unique(parent[own])


def _prints(rows: CheckedRows, column: str) -> IntArray:
    """Return the fingerprint of each row's text: equal texts have equal ones."""
    return fingerprints(rows.table.column(column).to_pylist())


def _later(*keys: IntArray, different: IntArray) -> IntArray:
    """Return the rows that agree in all keys with an earlier row of another ``different``."""
    order = np.lexsort(keys[::-1])  # stable: within equal keys, rows stay in order
    new = np.zeros(len(order), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= np.diff(key[order]) != 0
    first = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    return np.sort(order[different[order] != different[first]])
