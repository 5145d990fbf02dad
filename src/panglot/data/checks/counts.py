"""How much there is: rows, items, languages, what they share, how long the texts are."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from panglot.data.checks.rows import CheckedRows
from panglot.data.index import IntArray, PairIndex

SLICE = 1 << 18  # items whose presence in each language is held at once
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


def coverage(index: PairIndex) -> IntArray:
    """Return ``(L, L)`` how many items exist in both of two languages; the diagonal is items in each."""
    size = len(index.languages)
    shared = np.zeros((size, size), np.int64)
    for start in range(0, index.items, SLICE):
        stop = min(start + SLICE, index.items)
        low, high = index.item_offsets[start], index.item_offsets[stop]
        item = np.repeat(np.arange(stop - start), np.diff(index.item_offsets[start : stop + 1]))
        present = np.zeros((stop - start, size), np.float32)  # exact: sums stay below 2**24
        present[item, index.entry_language[low:high]] = 1
        shared += (present.T @ present).astype(np.int64)
    return shared


def lengths(rows: CheckedRows, tokens: Lengths | None = None) -> dict[str, dict[str, dict[str, int]]]:
    """Return, by language, how long queries and passages are: median, 95th percentile and most.

    Args:
        rows: the rows.
        tokens: counts the tokens of texts; None: only characters are counted.
    """
    found: dict[str, dict[str, dict[str, int]]] = {language: {} for language in rows.languages}
    for column in ("query", "passage"):
        characters = pc.utf8_length(rows.table.column(column)).to_numpy()
        kinds = {f"{column}_characters": characters}
        if tokens is not None:
            kinds[f"{column}_tokens"] = tokens(rows.table.column(column).to_pylist())
        for name, values in kinds.items():
            for code, language in enumerate(rows.languages):
                found[language][name] = _spread(values[rows.language_codes == code])
    return found


def _spread(values: IntArray) -> dict[str, int]:
    median, high = np.quantile(values, [0.5, 0.95], method="inverted_cdf")
    return {"median": int(median), "p95": int(high), "max": int(values.max())}
