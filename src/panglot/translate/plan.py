"""What has to be translated: which rows, from which language into which."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from panglot.data import IntArray, ParallelPairs
from panglot.errors import PanglotError
from panglot.languages import check_languages

BLOCK = 1024  # rows planned together: sorted by length among themselves


@dataclass(frozen=True)
class Job:
    """The rows that are translated from one language into another, in order of item."""

    source: str
    target: str
    rows: IntArray

    @property
    def languages(self) -> tuple[str, str]:
        """Source and target."""
        return self.source, self.target

    def blocks(self) -> Iterator[tuple[str, IntArray]]:
        """Cut the rows into blocks of work with a name each."""
        for start in range(0, len(self.rows), BLOCK):
            yield f"{self.source}>{self.target}:{start // BLOCK}", self.rows[start : start + BLOCK]


def plan(pairs: ParallelPairs, targets: Sequence[str], source: str | None = None) -> list[Job]:
    """Find what has to be translated: for each target, the rows of items that lack it, by source language."""
    targets = list(dict.fromkeys(check_languages(targets)))
    if not targets:
        raise PanglotError("no language to translate into is named; name some with --to de,sw.")
    if source is not None and source not in pairs.languages:
        raise PanglotError(
            f"{pairs.name} has no language '{source}' to translate from; it has {', '.join(pairs.languages)}."
        )
    index = pairs.index
    items = np.arange(len(pairs))
    first = np.minimum.reduceat(index.rows, index.item_offsets[:-1])
    chosen = first if source is None else np.full(len(pairs), -1)
    own = source or "en"
    if own in pairs.languages:
        rows = index.rows_of(items, np.full(len(pairs), pairs.languages.index(own)))
        chosen = np.where(rows >= 0, rows, chosen)
    names = pairs.table.column("language").take(pa.array(np.maximum(chosen, 0))).to_pylist()
    language = np.array(names, object)
    jobs = []
    for target in targets:
        lacking = chosen >= 0
        if target in pairs.languages:
            code = np.full(len(pairs), pairs.languages.index(target))
            lacking &= index.rows_of(items, code) < 0
        for name in sorted(set(language[lacking])):
            jobs.append(Job(name, target, chosen[lacking & (language == name)]))
    if not jobs:
        raise PanglotError(
            f"{pairs.name}: every item has {', '.join(targets)} already; there is nothing to translate."
        )
    return jobs
