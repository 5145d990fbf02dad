"""Overlap with benchmarks: texts that are equal, and texts that share a long run of characters.

Zero-shot claims rest on this: a model that was trained on a benchmark's passages has seen its answers.
Texts are compared as ``normalised`` has them, in whatever language and role they stand.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panglot.data.benchmark import Benchmark
from panglot.data.checks.characters import Mask
from panglot.data.checks.findings import Finding, Severity, examples_of, shortened
from panglot.data.checks.rows import CheckedRows
from panglot.data.checks.runs import shared_runs
from panglot.data.equality import canonical
from panglot.data.index import IntArray

RUN = 80  # characters
SHORT = 20  # characters below which equal texts may well be chance: 'Introduction'


def normalised(text: str) -> str:
    """Return a text's canonical form in compatibility characters (NFKC), without capitals."""
    if text.isascii():  # as the general way has it, and many times as fast
        return canonical(text).lower()
    return " ".join(unicodedata.normalize("NFKC", canonical(text)).casefold().split())


@dataclass(frozen=True)
class Unseen:
    """Texts that a model must not have seen in training: those of a benchmark, or of all parts of a suite."""

    name: str
    queries: Sequence[str]
    passages: Sequence[str]


def texts_of(name: str, benchmarks: Sequence[Benchmark]) -> Unseen:
    """Put the distinct texts of some benchmarks together; titles count as passages."""
    queries: dict[str, None] = {}
    passages: dict[str, None] = {}
    for benchmark in benchmarks:
        queries |= dict.fromkeys(benchmark.queries.texts)
        passages |= dict.fromkeys(benchmark.passages.texts)
        passages |= dict.fromkeys(title for title in benchmark.passages.titles or () if title)
    return Unseen(name, list(queries), list(passages))


def find_overlap(
    rows: CheckedRows, benchmarks: Sequence[Unseen], run: int = RUN
) -> tuple[dict[str, dict[str, Any]], list[Finding]]:
    """Find rows that share texts, or runs of ``run`` characters, with a benchmark.

    Returns:
        by benchmark its counts (rows and items with an equal text or a shared run, and the benchmark's own
        queries and passages that are met), and the findings.
    """
    columns = [rows.table.column(name).to_pylist() for name in ("query", "passage")]
    plain = [normalised(text) for column in columns for text in column]
    report: dict[str, dict[str, Any]] = {}
    findings: list[Finding] = []
    for benchmark in benchmarks:
        counts, found = _with_one(rows, plain, benchmark, run)
        report[benchmark.name] = counts
        findings += found
    return report, findings


def _with_one(
    rows: CheckedRows, plain: list[str], benchmark: Unseen, run: int
) -> tuple[dict[str, Any], list[Finding]]:
    theirs = [normalised(text) for text in (*benchmark.queries, *benchmark.passages)]
    queries = len(benchmark.queries)
    place = {text: k for k, text in reversed(list(enumerate(theirs)))}
    partner = np.full((3, len(plain)), -1)  # of each text: equal and long, equal and short, shares a run
    for k, text in enumerate(plain):
        if (found := place.get(text)) is not None:
            partner[int(len(text) < SHORT), k] = found
    for shared in shared_runs(plain, theirs, run):
        partner[2, shared.a] = shared.b
    met = np.unique(partner[partner >= 0])
    pair = partner.reshape(3, 2, len(rows))  # by query and passage of each row
    equal, short, sharing = pair >= 0
    sharing &= ~equal.any(0)
    short &= ~(equal | sharing).any(0)
    counts = {
        "queries": queries,
        "passages": len(theirs) - queries,
        "rows_with_equal_text": int(equal.any(0).sum()),
        "rows_with_shared_run": int(sharing.any(0).sum()),
        "rows_with_equal_short_text": int(short.any(0).sum()),
        "items": len(np.unique(rows.items[(equal | sharing).any(0)])),
        "queries_met": int((met < queries).sum()),
        "passages_met": int((met >= queries).sum()),
        "run": run,
    }
    name = benchmark.name
    kinds: list[tuple[Mask, Severity, str]] = [
        (equal, "error", f"have a text that is in {name}"),
        (
            short,
            "note",
            f"have a short text (below {SHORT} characters) that is in {name}, perhaps by chance",
        ),
        (sharing, "error", f"share a run of {run} characters or more with a text of {name}"),
    ]
    findings = [
        _told(rows, mask, of, theirs, severity, what)
        for (mask, severity, what), of in zip(kinds, pair, strict=True)
        if mask.any()
    ]
    return counts, findings


def _told(
    rows: CheckedRows, mask: Mask, partner: IntArray, theirs: list[str], severity: Severity, what: str
) -> Finding:
    """Put one kind of overlap into a sentence; ``mask`` and ``partner`` are ``(2, R)``: query, passage."""
    at = np.flatnonzero(mask.any(0))
    role = int(mask[1, at[0]])  # of the first example: its passage where that is what is shared
    counterpart = shortened(theirs[partner[role, at[0]]])
    claim = ""
    if severity == "error":
        claim = "; a figure on it is not zero-shot: remove these items, with their translations"
    items = len(np.unique(rows.items[at]))
    sentence = f"{len(at):,} rows ({items:,} items) {what}{claim} (the first meets '{counterpart}')."
    return Finding(severity, "overlap", sentence, len(at), examples_of(rows, at, ("query", "passage")[role]))
