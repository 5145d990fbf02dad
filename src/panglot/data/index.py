"""Which item exists in which language, and the row of its texts: a few integers a row, no text."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.integer]
Value = TypeVar("Value", bound=Hashable)
FloatArray = npt.NDArray[np.float32]
SLICE = 1 << 18  # items whose presence in each language is held at once


@dataclass(frozen=True)
class PairIndex:
    """The structure of parallel pairs, in compressed sparse rows both ways.

    An *entry* is one item in one language; entries are sorted by item, then language. With N items,
    R entries and L languages:
    """

    languages: tuple[str, ...]  # L codes, sorted
    item_offsets: IntArray  # ``(N + 1,)`` entries of item i are ``item_offsets[i]:item_offsets[i + 1]``
    entry_language: IntArray  # ``(R,)`` language (as a position in ``languages``) of each entry
    # ``(R,)`` row of the text table that holds each entry; None where it is the entry itself
    entry_row: IntArray | None
    language_offsets: IntArray  # ``(L + 1,)`` bounds of each language in ``language_items``
    language_items: IntArray  # ``(R,)`` the items that exist in each language, ascending
    # ``(N,)`` equal for items that share a passage; None where no two items do
    item_group: IntArray | None = None
    # ``(N,)`` the source document of each item; None where each is its own
    item_document: IntArray | None = None

    def __repr__(self) -> str:
        return f"PairIndex({self.items:,} items, {self.entries:,} entries, {len(self.languages)} languages)"

    @property
    def items(self) -> int:
        """Number of items."""
        return len(self.item_offsets) - 1

    @property
    def entries(self) -> int:
        """Number of entries: (item, language) rows."""
        return len(self.entry_language)

    @property
    def rows(self) -> IntArray:
        """Table row of each entry, ``(R,)``."""
        return np.arange(self.entries) if self.entry_row is None else self.entry_row.astype(np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes that the index takes in memory."""
        return sum(a.nbytes for a in vars(self).values() if isinstance(a, np.ndarray))

    def items_in(self, language: int) -> IntArray:
        """Return the items that exist in a language, ascending."""
        return self.language_items[self.language_offsets[language] : self.language_offsets[language + 1]]

    def groups_of(self, items: IntArray) -> IntArray:
        """Return the passage group of each item."""
        return items if self.item_group is None else self.item_group[items]

    def documents_of(self, items: IntArray) -> IntArray:
        """Return the document of each item."""
        return items if self.item_document is None else self.item_document[items]

    def rows_of(self, items: IntArray, languages: IntArray) -> IntArray:
        """Return the table row of each (item, language); -1 where the item lacks the language.

        A binary search inside each item's entries, for all pairs at once.
        """
        items = np.asarray(items, np.int64)  # items + 1 would overflow a small type
        low = self.item_offsets[items].astype(np.int64)
        end = self.item_offsets[items + 1].astype(np.int64)
        high = end.copy()
        for _ in range(max(1, len(self.languages)).bit_length()):
            middle = (low + high) // 2
            inside = low < high
            below = inside & (self.entry_language[np.minimum(middle, self.entries - 1)] < languages)
            low = np.where(below, middle + 1, low)
            high = np.where(inside & ~below, middle, high)
        entry = np.minimum(low, self.entries - 1)
        found = (low < end) & (self.entry_language[entry] == languages)
        rows = entry if self.entry_row is None else self.entry_row[entry].astype(np.int64)
        return np.where(found, rows, -1)

    def those_in(self, items: IntArray, language: int | None) -> IntArray:
        """Return those of some items that exist in a language; None: all."""
        return items if language is None else items[self.rows_of(items, np.full(len(items), language)) >= 0]

    def coverage(self) -> IntArray:
        """Return ``(L, L)`` how many items exist in both of two languages; the diagonal is items in each."""
        return self._coverage

    @cached_property
    def _coverage(self) -> IntArray:
        # every sampler of bilingual batches asks, and all items are counted
        size = len(self.languages)
        shared = np.zeros((size, size), np.int64)
        for start in range(0, self.items, SLICE):
            stop = min(start + SLICE, self.items)
            low, high = self.item_offsets[start], self.item_offsets[stop]
            item = np.repeat(np.arange(stop - start), np.diff(self.item_offsets[start : stop + 1]))
            present = np.zeros((stop - start, size), np.float32)  # exact: sums stay below 2**24
            present[item, self.entry_language[low:high]] = 1
            shared += (present.T @ present).astype(np.int64)
        return shared

    def select(self, items: npt.NDArray[np.bool_], languages: Sequence[str]) -> "PairIndex":
        """Return the index of some items (a mask of shape ``(N,)``) in some languages.

        Items that are left in none of the languages drop out, and languages that are left without an
        item; passage groups and documents stay.
        """
        wanted = np.array([code in languages for code in self.languages], bool)
        entry_item = np.repeat(np.arange(self.items), np.diff(self.item_offsets))
        entries = np.flatnonzero(items[entry_item] & wanted[self.entry_language])
        old_items, new_item = np.unique(entry_item[entries], return_inverse=True)
        old_languages, new_language = np.unique(self.entry_language[entries], return_inverse=True)
        return build_index(
            [self.languages[code] for code in old_languages],
            new_item,
            new_language,
            rows=entries if self.entry_row is None else self.entry_row[entries],
            item_group=None if self.item_group is None else self.item_group[old_items],
            item_document=None if self.item_document is None else self.item_document[old_items],
            items=len(old_items),
        )


def build_index(
    languages: Sequence[str],
    entry_item: IntArray,
    entry_language: IntArray,
    *,
    items: int,
    rows: IntArray | None = None,
    item_group: IntArray | None = None,
    item_document: IntArray | None = None,
) -> PairIndex:
    """Build the index from the item and the language of each entry, in any order.

    Args:
        entry_item: ``(R,)`` integers in [0, items).
        entry_language: ``(R,)`` positions in ``languages``.
        rows: ``(R,)`` table row of each entry; None: entry k is in row k.
    """
    by_item = _small(entry_language)
    key_order = np.lexsort((by_item, entry_item))
    in_order = rows is None and bool((key_order[1:] > key_order[:-1]).all())
    if not in_order:
        by_item = by_item[key_order]
        entry_item = entry_item[key_order]
        rows = key_order if rows is None else rows[key_order]
    item_offsets = np.zeros(items + 1, np.int64)
    np.cumsum(np.bincount(entry_item, minlength=items), out=item_offsets[1:])
    by_language = np.argsort(by_item, kind="stable")
    language_offsets = np.zeros(len(languages) + 1, np.int64)
    np.cumsum(np.bincount(by_item, minlength=len(languages)), out=language_offsets[1:])
    return PairIndex(
        languages=tuple(languages),
        item_offsets=item_offsets,
        entry_language=by_item,
        entry_row=_small(rows),
        language_offsets=language_offsets,
        language_items=_small(entry_item[by_language]),
        item_group=_small(item_group),
        item_document=_small(item_document),
    )


def join_indexes(indexes: Sequence[PairIndex], rows: Sequence[int]) -> PairIndex:
    """Put indexes one behind the other; items, passages and documents of two are not the same.

    Args:
        indexes: each of a text table of its own.
        rows: of each text table; the tables are put one behind the other, too.
    """
    languages = sorted({code for index in indexes for code in index.languages})
    items = [np.arange(index.items) for index in indexes]
    entry_item = [np.repeat(own, np.diff(i.item_offsets)) for i, own in zip(indexes, items, strict=True)]
    groups = [index.groups_of(own) for index, own in zip(indexes, items, strict=True)]
    documents = [index.documents_of(own) for index, own in zip(indexes, items, strict=True)]
    moved = any(index.entry_row is not None for index in indexes)
    grouped = any(index.item_group is not None for index in indexes)
    sizes = [index.items for index in indexes]
    return build_index(
        languages,
        _behind(entry_item, sizes),
        np.concatenate([np.searchsorted(languages, i.languages)[i.entry_language] for i in indexes]),
        items=sum(sizes),
        rows=_behind([i.rows for i in indexes], rows) if moved else None,
        item_group=_behind(groups) if grouped else None,
        item_document=_behind(documents),
    )


def numbered(values: Iterable[Value]) -> tuple[IntArray, list[Value]]:
    """Number values in the order in which they first occur; return the numbers, and the different values."""
    number: dict[Value, int] = {}
    found = np.array([number.setdefault(value, len(number)) for value in values], np.int64)
    return found, list(number)


def _behind(numbers: Sequence[IntArray], sizes: Sequence[int] | None = None) -> IntArray:
    """Put arrays of numbers one behind the other; those of each count on from the sizes of those before."""
    sizes = sizes or [int(own.max(initial=0)) + 1 for own in numbers]
    starts = np.cumsum([0, *sizes])
    return np.concatenate([own + start for own, start in zip(numbers, starts, strict=False)])


def _small(values: Any) -> Any:
    """Return values from 0 in the smallest unsigned type that holds the highest; None stays."""
    return None if values is None else values.astype(np.min_scalar_type(int(values.max(initial=0))))
