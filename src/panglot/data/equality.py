"""Which texts are equal, and which items share one: one answer for masking, evaluation, checks and mining.

Texts are equal if a reader cannot distinguish them, whatever their Unicode form (NFC or NFD), white space and
invisible characters (soft hyphens, zero-width spaces, byte order marks).
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
import regex

from panglot.data.index import IntArray
from panglot.data.pairs import ParallelPairs

INVISIBLE = regex.compile(r"\p{Default_Ignorable_Code_Point}+")
SLICE = 1 << 14  # texts looked up at a time
REMEMBERED = 1 << 23  # rows
UNKNOWN = -1  # fingerprints are not negative
NOBODY = -1


def canonical(text: str) -> str:
    """Return the form that equal texts share: composed (NFC), nothing invisible, with single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", INVISIBLE.sub("", text))
    return " ".join(text.split())


def fingerprints(texts: Iterable[str]) -> IntArray:
    """Return a 63-bit hash of each text's canonical form, ``(n,)``; it is the same on every machine."""
    digests = [
        hashlib.blake2b(canonical(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        for text in texts
    ]
    return (np.frombuffer(b"".join(digests), np.uint64) >> np.uint64(1)).astype(np.int64)


def fingerprints_of(pairs: ParallelPairs, column: str, rows: IntArray) -> IntArray:
    """Return the fingerprints of a column's texts in some rows of the pairs' table."""
    parts = [
        fingerprints(pairs.texts(column, rows[start : start + SLICE])) for start in range(0, len(rows), SLICE)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])


class Fingerprints:
    """The fingerprints of a source's texts, each worked out when it is first asked for.

    They are remembered, 16 bytes a row, up to ``REMEMBERED`` rows; texts of larger sources rarely come again.
    """

    def __init__(self, pairs: ParallelPairs) -> None:
        self.pairs = pairs
        rows = pairs.table.num_rows
        columns = ("query", "passage") if rows <= REMEMBERED else ()
        self._known = {column: np.full(rows, UNKNOWN, np.int64) for column in columns}

    def of_rows(self, column: str, rows: IntArray) -> IntArray:
        """Return the fingerprints of a column's texts in some rows of the table."""
        known = self._known.get(column)
        if known is None:
            return fingerprints_of(self.pairs, column, rows)
        new = np.unique(rows[known[rows] == UNKNOWN])
        known[new] = fingerprints_of(self.pairs, column, new)
        return known[rows]

    def of_items(self, column: str, items: Sequence[int] | IntArray) -> tuple[IntArray, IntArray]:
        """Return position in ``items`` and fingerprint of each text of some items, in all their languages."""
        index, chosen = self.pairs.index, np.asarray(items, np.int64)
        sizes = index.item_offsets[chosen + 1] - index.item_offsets[chosen]
        position = np.repeat(np.arange(len(chosen)), sizes)
        first = np.repeat(index.item_offsets[chosen] - np.cumsum(sizes) + sizes, sizes)
        entries = first + np.arange(len(position))
        rows = entries if index.entry_row is None else index.entry_row[entries].astype(np.int64)
        return position, self.of_rows(column, rows)


def connected(count: int, *links: tuple[IntArray, IntArray]) -> IntArray:
    """Number nodes so that two get the same number if a chain of shared codes joins them.

    Args:
        count: of nodes, numbered from 0.
        links: nodes ``(n,)`` and the code that each has ``(n,)``; codes of one link mean nothing to another.

    Returns:
        ``(count,)`` the lowest node that each is joined with.
    """
    numbered = [(nodes, np.unique(codes, return_inverse=True)[1]) for nodes, codes in links if len(nodes)]
    label, before = np.arange(count), np.zeros(0, np.int64)
    while not np.array_equal(label, before):
        before = label.copy()
        for nodes, codes in numbered:
            lowest = np.full(int(codes.max()) + 1, count)
            np.minimum.at(lowest, codes, label[nodes])
            np.minimum.at(label, nodes, lowest[codes])
    return label


@dataclass(frozen=True)
class NegativeItems:
    """The items whose passages a source's hard negatives are.

    A negative that is a passage of the same source is a false one for every translation of that item, and
    for every item that shares its passage group, which its text alone does not show.
    """

    offsets: IntArray  # ``(R + 1,)`` the negatives of table row r are ``items[offsets[r]:offsets[r + 1]]``
    items: IntArray  # the item of each negative; ``NOBODY`` for a text that is not an item's passage

    def of_rows(self, rows: IntArray) -> IntArray:
        """Return the items of the negatives of some table rows, in order."""
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *(self.items[self.offsets[r] : self.offsets[r + 1]] for r in rows)])


def negative_items(pairs: ParallelPairs) -> NegativeItems:
    """Look up every hard negative of a source among its passages."""
    column = pairs.table.column("negatives")
    counts = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    passages = fingerprints_of(pairs, "passage", np.arange(pairs.table.num_rows))
    first = np.argsort(passages, kind="stable")  # the first row of those that are equal is taken
    wanted = fingerprints(text.as_py() for text in pc.list_flatten(column))
    place = first[np.minimum(np.searchsorted(passages[first], wanted), len(first) - 1)]
    rows = np.where(passages[place] == wanted, place, NOBODY)
    index = pairs.index
    item_of_row = np.full(pairs.table.num_rows + 1, NOBODY, np.int64)  # the last one is for no row
    item_of_row[index.rows] = np.repeat(np.arange(index.items), np.diff(index.item_offsets))
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return NegativeItems(offsets, item_of_row[rows])
