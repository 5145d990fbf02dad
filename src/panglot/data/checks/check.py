"""All checks of a source, put together as plain data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from panglot.data.checks.counts import Lengths, counts, coverage, lengths
from panglot.data.checks.encoding import find_broken_characters, find_font_encodings
from panglot.data.checks.findings import by_gravity, gravest
from panglot.data.checks.overlap import RUN, Unseen, find_overlap
from panglot.data.checks.rows import read_for_checks
from panglot.data.checks.scripts import find_foreign_scripts
from panglot.data.checks.structure import check_structure, find_bad_lines
from panglot.data.checks.texts import find_copies, find_repeats, find_self_answers
from panglot.data.checks.training import check_batches, check_lengths
from panglot.data.pairs_files.columns import Columns
from panglot.data.pairs_files.mapped import BadLines

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
) -> dict[str, Any]:
    """Look a source of parallel pairs through, before anything is trained on it.

    Args:
        source: a file, or ``hf:owner/name#split``.
        columns: fields to columns; see ``panglot.data.pairs_files.columns``.
        benchmarks: texts that it must not share; see ``texts_of``.
        batch_size: that it is to be trained with.
        run: characters that two texts must share to be called near-duplicates.
        tokens: counts the tokens of texts, as the model cuts them; None: lengths are in characters only.
        limit: tokens that the model reads.
        model: what messages call it.

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
    sizes = lengths(rows, tokens)
    shared = coverage(index)
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
        *check_batches(index, batch_size),
    ]
    if tokens is not None:
        findings += check_lengths(sizes, limit, model)
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
        "findings": [finding.as_dict() for finding in by_gravity(findings)],
        "gravest": gravest(findings),
    }
