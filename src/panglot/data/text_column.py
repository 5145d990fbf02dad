"""Columns of texts that stay on disk and stand for lists of texts, and what is done with both."""

import operator
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from panglot.data.index import IntArray

Hashes = npt.NDArray[np.uint64]
READ_ROWS = 4_096  # texts made into Python strings at a time


class TextColumn(Sequence[str]):
    """A column of texts in Arrow arrays, read only where it is looked at.

    An index gives a text, a slice gives a list of texts, and iterating keeps a few thousand in memory.
    """

    def __init__(self, chunks: Sequence[pa.Array], distinct: bool = False):
        """Take string arrays without nulls; ``distinct`` says that no text is known to occur twice."""
        self.chunks = [chunk for chunk in chunks if len(chunk)]
        self.distinct = distinct
        self.starts = np.cumsum([0, *(len(chunk) for chunk in self.chunks)])

    def __len__(self) -> int:
        """Return the number of texts."""
        return int(self.starts[-1])

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        """Return one text, or the list of the texts of a slice."""
        if isinstance(key, slice):
            return self.take(np.arange(len(self))[key]) if key.step not in (None, 1) else self._between(key)
        row = operator.index(key)
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} texts")
        row %= len(self)
        chunk = int(np.searchsorted(self.starts, row, side="right")) - 1
        return str(self.chunks[chunk][row - int(self.starts[chunk])].as_py())

    def __iter__(self) -> Iterator[str]:
        """Yield the texts, a few thousand of them in memory at a time."""
        for chunk in self.chunks:
            for start in range(0, len(chunk), READ_ROWS):
                yield from chunk.slice(start, READ_ROWS).to_pylist()

    def _between(self, key: slice) -> list[str]:
        start, stop, _ = key.indices(len(self))
        return [text for piece in self._pieces(start, stop) for text in piece.to_pylist()]

    def _pieces(self, start: int, stop: int) -> Iterator[pa.Array]:
        """Yield the arrays that hold rows ``start:stop``; nothing is copied."""
        chunk = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            end = min(stop, int(self.starts[chunk + 1]))
            yield self.chunks[chunk].slice(start - int(self.starts[chunk]), end - start)
            start, chunk = end, chunk + 1

    def take(self, rows: IntArray) -> list[str]:
        """Return the texts of some rows, in their order."""
        of_chunk = np.searchsorted(self.starts, rows, side="right") - 1
        found: list[str] = [""] * len(rows)
        for chunk in np.unique(of_chunk):
            at = np.flatnonzero(of_chunk == chunk)
            inside = pa.array(rows[at] - self.starts[chunk])
            for place, text in zip(at.tolist(), self.chunks[chunk].take(inside).to_pylist(), strict=True):
                found[place] = text
        return found

    def select(self, rows: IntArray) -> "TextColumn":
        """Return the column of some rows (ascending). Runs of rows are not copied; scattered rows are."""
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        runs = np.split(rows, breaks) if len(rows) else []
        if len(runs) > 64 + len(rows) // 64:
            return TextColumn([pa.array(self.take(rows), pa.string())], self.distinct)
        pieces = [piece for run in runs for piece in self._pieces(int(run[0]), int(run[-1]) + 1)]
        return TextColumn(pieces, self.distinct)

    def find(self, texts: Sequence[str]) -> IntArray:
        """Return the first row of each of some texts, or -1; memory depends on them alone."""
        number = {text: k for k, text in enumerate(dict.fromkeys(texts))}
        wanted = pa.array(list(number), pa.string())
        rows = np.full(len(wanted), -1, np.int64)
        for start, chunk in zip(self.starts.tolist(), self.chunks, strict=False):
            place = pc.index_in(chunk, value_set=wanted)
            inside = pc.indices_nonzero(pc.is_valid(place)).to_numpy().astype(np.int64)
            hit = place.drop_null().to_numpy()
            new = rows[hit] < 0
            rows[hit[new][::-1]] = start + inside[new][::-1]
        return rows[[number[text] for text in texts]]

    def first_twice(self) -> str | None:
        """Return a text that occurs twice, or None. Takes 16 bytes of memory a row while it looks."""
        if self.distinct:
            return None
        none = np.empty(0, np.uint64)
        return repeated(self, np.concatenate([none, *(hashes(chunk) for chunk in self.chunks)]))


class TitledTexts(Sequence[str]):
    """Titles and texts read as one: ``title text``, or the text alone where the title is empty."""

    def __init__(self, titles: Sequence[str], texts: Sequence[str]):
        self.titles = titles
        self.texts = texts

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.texts)

    @overload
    def __getitem__(self, key: int) -> str: ...
    @overload
    def __getitem__(self, key: slice) -> list[str]: ...
    def __getitem__(self, key: int | slice) -> str | list[str]:
        """Return one text with its title, or the list of those of a slice."""
        if isinstance(key, slice):
            return [_join(*pair) for pair in zip(self.titles[key], self.texts[key], strict=True)]
        return _join(self.titles[key], self.texts[key])

    def __iter__(self) -> Iterator[str]:
        """Yield the texts with their titles."""
        for title, text in zip(self.titles, self.texts, strict=True):
            yield _join(title, text)


def _join(title: str, text: str) -> str:
    return f"{title} {text}" if title else text


def joined(columns: Sequence[TextColumn], distinct: bool = False) -> TextColumn:
    """Return columns one below the other; nothing is copied."""
    return TextColumn([chunk for column in columns for chunk in column.chunks], distinct)


def first_twice(texts: Sequence[str]) -> str | None:
    """Return a text that occurs twice in a list or column, or None."""
    if isinstance(texts, TextColumn):
        return texts.first_twice()
    if len(set(texts)) == len(texts):
        return None
    seen: set[str] = set()
    return next(text for text in texts if text in seen or seen.add(text))  # type: ignore[func-returns-value]


def pick(texts: Sequence[str], rows: IntArray) -> Sequence[str]:
    """Return the texts of some rows (ascending): a list of a list, a column of a column."""
    return texts.select(rows) if isinstance(texts, TextColumn) else [texts[k] for k in rows]


def find(texts: Sequence[str], wanted: Sequence[str]) -> IntArray:
    """Return the row of each wanted text in a list or column of distinct texts, or -1."""
    if isinstance(texts, TextColumn):
        return texts.find(wanted)
    row = {text: k for k, text in enumerate(texts)}
    return np.array([row.get(text, -1) for text in wanted], np.int64)


def repeated(column: TextColumn, numbers: Hashes) -> str | None:
    """Return the first text that occurs twice; ``numbers`` are the texts' hashes ``(n,)``."""
    ordered = np.sort(numbers)
    suspects = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(suspects):
        return None
    seen: set[str] = set()
    for text in column.take(np.flatnonzero(np.isin(numbers, suspects))):
        if text in seen:
            return text
        seen.add(text)
    return None


def hashes(texts: pa.Array) -> Hashes:
    """Return a 64-bit polynomial hash of the UTF-8 bytes of each text, ``(n,)``."""
    bounds = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    bounds = bounds.astype(np.int64)
    data = np.frombuffer(texts.buffers()[2] or b"", np.uint8)[bounds[0] : bounds[-1]]
    lengths, starts = np.diff(bounds), bounds[:-1] - bounds[0]
    place = np.arange(len(data)) - np.repeat(starts, lengths)
    powers = np.cumprod(np.full(max(int(lengths.max(initial=0)), 1), 0x9E3779B97F4A7C15, np.uint64))
    terms = np.append((data.astype(np.uint64) + np.uint64(1)) * powers[place], np.uint64(0))
    sums = np.add.reduceat(terms, starts)
    return np.where(lengths > 0, sums, np.uint64(0))
