"""All checks of a source, as plain data, and its counts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from panglot.data.checks.overlap import RUN, Unseen, find_overlap
from panglot.data.checks.rows import (
    SEVERITIES,
    CheckedRows,
    Finding,
    Severity,
    check_structure,
    find_bad_lines,
    find_copies,
    find_repeats,
    find_self_answers,
    read_for_checks,
)
from panglot.data.checks.scripts import find_broken_characters, find_font_encodings, find_foreign_scripts
from panglot.data.index import IntArray, PairIndex
from panglot.data.pairs_files.columns import BadLines, Columns

Lengths = Callable[[Sequence[str]], IntArray]


def counts(rows: CheckedRows, index: PairIndex) -> dict[str, Any]:
    """Return the numbers of rows, items, languages, passage groups, documents, and the like."""
    languages_of_item = np.diff(index.item_offsets)
    everyone = np.arange(index.items)
    return {
        "rows": len(rows),
        "items": index.items,
        "languages": len(index.languages),
        "passage_groups": len(np.unique(index.groups_of(everyone))),
        "documents": len(np.unique(index.documents_of(everyone))),
        "items_in_one_language": int((languages_of_item == 1).sum()),
        "items_in_all_languages": int((languages_of_item == len(index.languages)).sum()),
        "rows_with_negatives": len(rows) - rows.table.column("negatives").null_count,
    }


def lengths(rows: CheckedRows, tokens: Lengths | None = None) -> dict[str, dict[str, dict[str, int]]]:
    """Return, by language, how long queries and passages are: median, 95th percentile and most."""
    found: dict[str, dict[str, dict[str, int]]] = {language: {} for language in rows.languages}
    for column in ("query", "passage"):
        characters = pc.utf8_length(rows.table.column(column)).to_numpy()
        kinds = {f"{column}_characters": characters}
        if tokens is not None:
            kinds[f"{column}_tokens"] = tokens(rows.table.column(column).to_pylist())
        for name, values in kinds.items():
            for code, language in enumerate(rows.languages):
                own = values[rows.language_codes == code]
                median, high = np.quantile(own, [0.5, 0.95], method="inverted_cdf")
                found[language][name] = {"median": int(median), "p95": int(high), "max": int(own.max())}
    return found


FEW_BATCHES = 10  # in one pass over a source; with fewer, a model soon knows each by heart


def check_items(index: PairIndex, batch_size: int) -> Iterator[Finding]:
    """Find items that few batches, no cross-lingual batch or no held-out document can be made of."""
    alone = int((np.diff(index.item_offsets) < 2).sum())
    if 0 < alone < index.items:
        sentence = f"{alone:,} items exist in one language only; no cross-lingual batch draws them."
        severity: Severity = "warning" if 2 * alone > index.items else "note"
        yield Finding(severity, "parallel", sentence, alone)
    if index.items < FEW_BATCHES * batch_size:
        sentence = (
            f"{index.items:,} items are {index.items / batch_size:.1f} batches of {batch_size}; after a few "
            "passes over them a model knows them by heart: take few steps, or train beside other files."
        )
        yield Finding("note", "small", sentence, index.items)
    if index.item_group is not None:
        _, sizes = np.unique(index.item_group, return_counts=True)
        if shared := int(sizes[sizes > 1].sum()):
            sentence = (
                f"{shared:,} items share a passage_id with others ({int((sizes > 1).sum()):,} groups, the "
                f"largest of {int(sizes.max()):,}); a batch holds one of each group."
            )
            yield Finding("note", "groups", sentence, shared)
    documents = np.unique(index.documents_of(np.arange(index.items)))
    if len(documents) == 1 and index.items > 1:
        sentence = "all items are in one document, so none can be held out; give 'document_id'."
        yield Finding("warning", "held-out", sentence, index.items)


def check_lengths(
    lengths: dict[str, dict[str, dict[str, int]]], limit: int | None, model: str
) -> list[Finding]:
    """Find languages in which the 95th percentile of the passages is cut at the model's limit of tokens."""
    if limit is None:
        return []
    cut = [code for code, kinds in lengths.items() if kinds["passage_tokens"]["p95"] >= limit]
    if not cut:
        return []
    sentence = (
        f"more than 5% of the passages are as long as the {limit} tokens that {model} reads, or longer, in "
        f"{', '.join(cut)}; what is beyond is not seen: cut them into shorter passages."
    )
    return [Finding("warning", "too-long", sentence, len(cut))]


SCHEMA = 1


def check_source(
    source: str | Path,
    columns: Columns | None = None,
    *,
    benchmarks: Sequence[Unseen] = (),
    batch_size: int = 128,
    run: int = RUN,
    tokens: Lengths | None = None,
    limit: int | None = None,
    model: str = "the model",
    indexes: list[PairIndex] | None = None,
) -> dict[str, Any]:
    """Look a source of parallel pairs through, before anything is trained on it.

    Args:
        source: what training takes; see ``panglot.data.catalogue.training.load_source``.
        columns: fields to columns; see ``panglot.data.pairs_files.columns``.
        benchmarks: texts that it must not share; see ``texts_of``.
        batch_size: that it is to be trained with.
        run: characters that two texts must share to be called near-duplicates.
        tokens: counts the tokens of texts, as the model cuts them; None: lengths are in characters only.
        limit: tokens that the model reads.
        indexes: the index of the rows that can be read is added to it.

    Returns:
        a dict that JSON can hold: ``counts``, ``languages`` (rows and lengths of each), ``coverage``
        (items that two languages share), ``overlap`` (by benchmark), ``findings`` (gravest first), and
        ``gravest``, the severity of the first or None.

    Raises:
        PanglotError: the source is missing, of an unknown form, or has no row that can be read.
    """
    bad: BadLines = []
    rows, findings = check_structure(read_for_checks(source, columns, bad))
    findings = find_bad_lines(bad) + findings
    index = rows.pairs().index
    if indexes is not None:
        indexes.append(index)
    sizes = lengths(rows, tokens)
    shared = index.coverage()
    overlap: dict[str, Any] = {}
    if benchmarks:
        overlap, found = find_overlap(rows, benchmarks, run)
        findings += found
    findings += [
        *find_repeats(rows),
        *find_copies(rows),
        *find_self_answers(rows),
        *find_foreign_scripts(rows),
        *find_font_encodings(rows),
        *find_broken_characters(rows),
        *check_items(index, batch_size),
    ]
    if tokens is not None:
        findings += check_lengths(sizes, limit, model)
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    languages = index.languages
    return {
        "schema": SCHEMA,
        "source": str(source),
        "name": rows.name,
        "batch_size": batch_size,
        "counts": counts(rows, index),
        "languages": {
            language: {"rows": int(shared[k, k]), **sizes[language]} for k, language in enumerate(languages)
        },
        "coverage": {
            language: dict(zip(languages, shared[k].tolist(), strict=True))
            for k, language in enumerate(languages)
        },
        "overlap": overlap,
        "findings": [asdict(finding) for finding in findings],
        "gravest": findings[0].severity if findings else None,
    }
