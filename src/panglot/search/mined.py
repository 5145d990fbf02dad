"""What mining comes to: figures, and a file of pairs with their hard negatives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data import IntArray, ParallelPairs
from panglot.data.pairs_files.read import SCHEMA
from panglot.data.pairs_files.write import check_pairs_path, pairs_writer
from panglot.files import written_whole

ROWS = 1 << 14  # written at a time


@dataclass(frozen=True)
class Mined:
    """Hard negatives of parallel pairs, as rows of their table or texts of a corpus.

    Attributes:
        pairs: with R rows in their table.
        rows: ``(R, n)`` the rows whose passages are a row's negatives, hardest first; -1: none; R and more: a
            text of ``further``.
        kept: ``(R,)`` whether a row keeps the negatives that it had.
        excluded: how many candidates were excluded, summed over the mined rows, by the first reason that
            holds: ``same`` (item, passage or text), ``duplicate``, ``margin``.
        further: candidates that are no passages of the pairs; the first is number R.
    """

    pairs: ParallelPairs
    rows: IntArray
    kept: np.ndarray
    excluded: dict[str, int]
    further: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return the figures of a run, ready for JSON."""
        rows = self.pairs.index.rows
        found = (self.rows[rows[~self.kept[rows]]] >= 0).sum(axis=1)
        return {
            "source": self.pairs.name,
            "sha256": self.pairs.sha256,
            "items": len(self.pairs),
            "languages": len(self.pairs.languages),
            "rows": len(rows),
            "rows_kept": len(rows) - len(found),
            "rows_without": int((found == 0).sum()),
            "negatives_per_row": float(found.mean()),
            "excluded": self.excluded,
        }

    def save(self, path: str | Path) -> None:
        """Write the pairs with their negatives, whole or not at all; the ending of the path says how."""
        path = Path(path)
        check_pairs_path(path)
        rows = np.sort(self.pairs.index.rows)
        with written_whole(path) as part, pairs_writer(part, path.name) as write:
            for start in range(0, len(rows), ROWS):
                write(self._table(rows[start : start + ROWS]))

    def _table(self, rows: IntArray) -> pa.Table:
        """Return some rows of the table with their negatives; null where there are none."""
        chosen = np.where(self.kept[rows, None], -1, self.rows[rows])
        counts = (chosen >= 0).sum(axis=1)
        mined = iter(self._texts(chosen[chosen >= 0]))
        lists = [
            own if keeps else [next(mined) for _ in range(count)]
            for own, keeps, count in zip(self.pairs.negatives(rows), self.kept[rows], counts, strict=True)
        ]
        field = SCHEMA.field("negatives")
        table = self.pairs.take(rows)
        column = pa.array([texts or None for texts in lists], field.type)
        return table.set_column(table.schema.get_field_index(field.name), field, column)

    def _texts(self, numbers: IntArray) -> list[str]:
        """Return the passages of rows, and texts of the corpus."""
        own = numbers < self.pairs.table.num_rows
        passages = iter(self.pairs.texts("passage", numbers[own]))
        return [
            next(passages) if is_own else self.further[number - self.pairs.table.num_rows]
            for number, is_own in zip(numbers.tolist(), own.tolist(), strict=True)
        ]
