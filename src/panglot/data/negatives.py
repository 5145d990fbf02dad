"""Hard negatives: which of them are the passages of other items, under whose meaning they stand."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from panglot.data.equality import fingerprints, fingerprints_of
from panglot.data.index import IntArray
from panglot.data.pairs import ParallelPairs

NOBODY = -1


@dataclass(frozen=True)
class NegativeItems:
    """The items whose passages a source's hard negatives are.

    A negative that is a passage of the same source is a false one for every translation of that item, and
    for every item that shares its passage group; its text alone does not tell.

    Attributes:
        offsets: ``(R + 1,)`` the negatives of table row r are ``items[offsets[r]:offsets[r + 1]]``.
        items: the item of each negative; ``NOBODY`` for a text that is not an item's passage.
    """

    offsets: IntArray
    items: IntArray

    def of_rows(self, rows: IntArray) -> IntArray:
        """Return the items of the negatives of some table rows, in order."""
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *(self.items[self.offsets[r] : self.offsets[r + 1]] for r in rows)])


def negative_items(pairs: ParallelPairs) -> NegativeItems:
    """Look up every hard negative of a source among its passages."""
    column = pairs.table.column("negatives").combine_chunks()
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    passages = fingerprints_of(pairs, "passage", np.arange(pairs.table.num_rows))
    first = np.argsort(passages, kind="stable")  # the first row of those that are equal is taken
    wanted = fingerprints(text.as_py() for text in pc.list_flatten(column))
    place = first[np.minimum(np.searchsorted(passages[first], wanted), len(first) - 1)]
    rows = np.where(passages[place] == wanted, place, NOBODY)
    index = pairs.index
    item_of_row = np.full(pairs.table.num_rows + 1, NOBODY, np.int64)  # the last one stands for no row
    entry_row = np.arange(index.entries) if index.entry_row is None else index.entry_row
    item_of_row[entry_row] = np.repeat(np.arange(index.items), np.diff(index.item_offsets))
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return NegativeItems(offsets, item_of_row[rows])
