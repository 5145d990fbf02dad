"""Checks of texts against each other: repeats, untranslated copies, queries that are their own answers."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from panglot.data.checks.findings import Finding, Severity, examples_of
from panglot.data.checks.rows import CheckedRows
from panglot.data.equality import fingerprints
from panglot.data.index import IntArray

MANY = 0.01  # share of the rows from which a finding of single rows is a warning


def find_repeats(rows: CheckedRows) -> list[Finding]:
    """Find items that repeat each other in a language: both texts, the passage alone, or the query alone.

    An equal passage under another passage_id is a false negative: a batch may hold both.
    """
    query, passage = (_prints(rows, name) for name in ("query", "passage"))
    language = rows.language_codes
    findings = []
    both = _later(language, query, passage, different=rows.items)
    if len(both):
        sentence = f"{len(both):,} rows repeat query and passage of another item of their language: keep one."
        findings.append(_finding(rows, both, "query", "duplicate", sentence))
    twice = np.setdiff1d(_later(language, passage, different=rows.groups), both)
    if len(twice):
        sentence = (
            f"{len(twice):,} rows have the passage of another item in their language under another "
            "passage_id; in one batch they are each other's wrong negatives: give such items one passage_id."
        )
        findings.append(_finding(rows, twice, "passage", "duplicate", sentence))
    asked = np.setdiff1d(_later(language, query, different=rows.groups), np.union1d(both, twice))
    if len(asked):
        sentence = (
            f"{len(asked):,} rows have the query of another item in their language but another passage; "
            "in one batch each passage is a wrong negative of the other query."
        )
        findings.append(_finding(rows, asked, "query", "duplicate", sentence))
    return findings


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
    return [_finding(rows, at, "passage", "untranslated", sentence)]


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
        finding = _finding(rows, same, "query", "self-answer", sentence)
        findings.append(replace(finding, severity="note") if everywhere else finding)
    own = _own_negatives(rows)
    if len(own):
        sentence = f"{len(own):,} rows have their own passage among their negatives; take it out."
        shown = examples_of(rows, own, "passage")
        findings.append(Finding("error", "negatives", sentence, len(own), shown))
    return findings


def _own_negatives(rows: CheckedRows) -> IntArray:
    negatives = rows.table.column("negatives")
    if negatives.null_count == len(rows):
        return np.zeros(0, np.int64)
    negatives = negatives.combine_chunks()
    parent = pc.list_parent_indices(negatives).to_numpy()
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


def _finding(rows: CheckedRows, at: IntArray, column: str, check: str, sentence: str) -> Finding:
    severity: Severity = "warning" if len(at) >= MANY * len(rows) else "note"
    return Finding(severity, check, sentence, len(at), examples_of(rows, at, column))
