"""Columns of texts that stay on disk and are used like lists, and functions for columns and lists.

Large pools of passages are written once into an Arrow file in the cache. MIRACL's English pool alone has 33
million passages, which would take tens of gigabytes as Python strings: they stream into a file that is
memory-mapped afterwards, and a ``TextColumn`` reads what is asked for.
"""

import json
import operator
from collections.abc import Callable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from panglot.data.index import IntArray
from panglot.errors import PanglotError
from panglot.files import (
    atomic_write,
    cache_folder,
    explained,
    identity,
    noted,
    read_note,
    sampled_sha256,
    sha256,
    sha256_of,
    write_json,
)

Row = tuple[int, str, str, str]  # line (or row) in its file, id, title, text
Rows = Callable[[Path], Iterator[Row]]
SCHEMA = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string())])
BATCH_ROWS = 8_192
BATCH_CHARACTERS = 1 << 24
CACHE_VERSION = 1
READ_ROWS = 4_096  # texts made into Python strings at a time
SCATTERED = 16  # rows of a chunk below which they are faster looked up one by one


class TextColumn(Sequence[str]):
    """A column of texts in Arrow arrays, read only where it is looked at.

    An index gives a text, a slice gives a list of texts, and iterating keeps a few thousand in memory.
    """

    def __init__(self, chunks: Sequence[pa.Array], distinct: bool = False):
        """Take string arrays without nulls; ``distinct`` says that no text is known to occur twice."""
        self.chunks = [chunk for chunk in chunks if len(chunk)]
        self.distinct = distinct
        self.starts = starts_of(self.chunks)
        self._column = pa.chunked_array(self.chunks, pa.string())

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, key: Any) -> Any:
        """Return one text, or the list of the texts of a slice."""
        if not isinstance(key, slice):
            return str(self._column[operator.index(key)].as_py())
        start, stop, step = key.indices(len(self))
        if step != 1:
            return self.take(np.arange(start, stop, step))
        return self._column.slice(start, max(0, stop - start)).to_pylist()

    def __iter__(self) -> Iterator[str]:
        for chunk in self.chunks:
            for start in range(0, len(chunk), READ_ROWS):
                yield from chunk.slice(start, READ_ROWS).to_pylist()

    def take(self, rows: IntArray) -> list[str]:
        """Return the texts of some rows, in their order."""
        return values_at(self.chunks, self.starts, rows)

    def select(self, rows: IntArray) -> "TextColumn":
        """Return the column of some rows (ascending). Runs of rows are not copied; scattered rows are."""
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        runs = np.split(rows, breaks) if len(rows) else []
        if len(runs) > 64 + len(rows) // 64:
            return TextColumn([pa.array(self.take(rows), pa.string())], self.distinct)
        pieces = [piece for run in runs for piece in self._column.slice(int(run[0]), len(run)).chunks]
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


class TitledTexts(Sequence[str]):
    """Titles and texts read as one: ``title text``, or the text alone where the title is empty."""

    def __init__(self, titles: Sequence[str], texts: Sequence[str]):
        self.titles = titles
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, key: Any) -> Any:
        """Return one text with its title, or the list of those of a slice."""
        if isinstance(key, slice):
            return [_join(*pair) for pair in zip(self.titles[key], self.texts[key], strict=True)]
        return _join(self.titles[key], self.texts[key])

    def __iter__(self) -> Iterator[str]:
        for title, text in zip(self.titles, self.texts, strict=True):
            yield _join(title, text)


def _join(title: str, text: str) -> str:
    return f"{title} {text}" if title else text


def starts_of(chunks: Sequence[Sized]) -> IntArray:
    """Return the first row of each chunk, and the number of all rows behind them."""
    return np.cumsum([0, *(len(chunk) for chunk in chunks)])


def values_at(chunks: Sequence[pa.Array], starts: IntArray, rows: IntArray) -> list[Any]:
    """Return the values of some rows of a column, in their order; the cost does not depend on its length.

    Arrow's own ``take`` would put the chunks together first, which fails above two gigabytes.
    """
    of_chunk = np.searchsorted(starts, rows, side="right") - 1
    inside = rows - starts[of_chunk]
    order = np.argsort(of_chunk, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(of_chunk[order])) + 1)  # the rows of each chunk
    if len(rows) < SCATTERED * len(parts):
        places = zip(of_chunk.tolist(), inside.tolist(), strict=True)
        return [chunks[chunk][row].as_py() for chunk, row in places]
    found: list[Any] = [None] * len(rows)
    for at in parts:
        values = chunks[of_chunk[at[0]]].take(pa.array(inside[at])).to_pylist()
        for place, value in zip(at.tolist(), values, strict=True):
            found[place] = value
    return found


def take_rows(
    batches: Sequence[pa.RecordBatch], rows: IntArray, columns: Sequence[str] | None = None
) -> pa.Table:
    """Return some rows of a table that is given in batches, in their order.

    Arrow's own ``take`` joins a table's chunks first: it copies all of it for each look-up, and fails above
    two gigabytes.
    """
    names = columns or batches[0].schema.names
    starts = starts_of(batches)
    order = np.argsort(rows, kind="stable")
    bounds = np.searchsorted(rows[order], starts)
    parts = [
        batches[k].select(names).take(pa.array(rows[order[bounds[k] : bounds[k + 1]]] - starts[k]))
        for k in np.flatnonzero(np.diff(bounds)).tolist()
    ]
    place = np.empty(len(rows), np.int64)
    place[order] = np.arange(len(rows))
    found = pa.Table.from_batches(parts, batches[0].select(names).schema)
    return found.take(pa.array(place))


def joined(columns: Sequence[TextColumn], distinct: bool = False) -> TextColumn:
    """Return columns one below the other; nothing is copied."""
    return TextColumn([chunk for column in columns for chunk in column.chunks], distinct)


def first_twice(texts: Sequence[str]) -> str | None:
    """Return the first text that occurs twice in a list or column, or None.

    Takes 16 bytes of memory a text while it looks, for hashes; texts whose hashes are equal are compared.
    """
    if isinstance(texts, TextColumn) and texts.distinct:
        return None
    hashes = np.fromiter(map(hash, texts), np.int64, len(texts))
    ordered = np.sort(hashes)
    suspects = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(suspects):
        return None
    seen: set[str] = set()
    for row in np.flatnonzero(np.isin(hashes, suspects)).tolist():
        text = texts[row]
        if text in seen:
            return text
        seen.add(text)
    return None


def pick(texts: Sequence[str], rows: IntArray) -> Sequence[str]:
    """Return the texts of some rows (ascending): a list of a list, a column of a column."""
    return texts.select(rows) if isinstance(texts, TextColumn) else [texts[k] for k in rows]


def find(texts: Sequence[str], wanted: Sequence[str]) -> IntArray:
    """Return the row of each wanted text in a list or column of distinct texts, or -1."""
    if isinstance(texts, TextColumn):
        return texts.find(wanted)
    row = {text: k for k, text in enumerate(texts)}
    return np.array([row.get(text, -1) for text in wanted], np.int64)


class TextTable(NamedTuple):
    """Texts of one pool on disk, their distinct ids, and titles: ``titled`` says whether any is not empty."""

    ids: TextColumn
    titles: TextColumn
    texts: TextColumn
    titled: bool
    nbytes: int


def cached_texts(files: Sequence[Path], rows: Rows, form: str, prefix: str = "") -> TextTable:
    """Return the texts of some files as a memory-mapped table, which is made on first use.

    It is kept in the cache folder under a name made of the files' places, times and content.

    Args:
        rows: yields line, id, title and text of a file, and raises ``PanglotError`` for what is wrong in it.
        form: names what ``rows`` does, since another way to read the files makes another table.
    """
    stem = cache_folder() / "passages" / f"{files[0].name.split('.')[0]}-{_key(files, form, prefix)}"
    table, note = cached_arrow(
        stem, lambda part: {"files": [f.name for f in files], "titled": _write(part, files, rows, prefix)}
    )
    ids, titles, texts = (TextColumn(column.chunks) for column in table.columns)
    ids.distinct = True  # it was checked when the table was written
    return TextTable(ids, titles, texts, note["titled"], table.nbytes)


def cached_arrow(stem: Path, write: Callable[[Path], dict[str, Any]]) -> tuple[pa.Table, dict[str, Any]]:
    """Return a memory-mapped Arrow table and the note beside it, which are made on first use.

    A damaged table is made again. Processes that need one table at once wait for the first.

    Args:
        stem: place in the cache, without an ending.
        write: writes the table to a path, and returns what the note says of it.
    """
    table_path, note_path = stem.with_name(stem.name + ".arrow"), stem.with_name(stem.name + ".json")
    note = noted(table_path, note_path)
    if note is None:
        lock = cache_folder() / "locks" / f"{stem.name}.lock"
        with explained(lock):
            lock.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock):
                note = noted(table_path, note_path)
                if note is None:
                    with atomic_write(table_path) as part:
                        facts = write(part)
                    note = {**facts, "table": sampled_sha256(table_path)}
                    write_json(note_path, note)
    return pa.ipc.open_file(pa.memory_map(str(table_path))).read_all(), note


def _write(part: Path, files: Sequence[Path], rows: Rows, prefix: str) -> bool:
    """Write the texts of some files, check that ids are distinct, and say whether any has a title."""
    titled = False
    with pa.ipc.new_file(str(part), SCHEMA) as writer:
        for batch in _batches(files, rows, prefix):
            titled = titled or pc.any(pc.not_equal(batch.column(1), "")).as_py()
            writer.write_batch(batch)
    ids = pa.ipc.open_file(pa.memory_map(str(part))).read_all().column("id")
    if (twice := first_twice(TextColumn(ids.chunks))) is not None:
        raise PanglotError(says_twice(files, rows, twice.removeprefix(prefix)))
    return titled


def _batches(files: Sequence[Path], rows: Rows, prefix: str) -> Iterator[pa.RecordBatch]:
    held: list[dict[str, str]] = []
    characters = 0
    for path in files:
        for _, name, title, text in rows(path):
            held.append({"id": prefix + name, "title": title, "text": text})
            characters += len(text)
            if len(held) == BATCH_ROWS or characters > BATCH_CHARACTERS:
                yield pa.RecordBatch.from_pylist(held, SCHEMA)
                held, characters = [], 0
    if held:
        yield pa.RecordBatch.from_pylist(held, SCHEMA)


def says_twice(files: Sequence[Path], rows: Rows, name: str) -> str:
    """Return the sentence that says where an id occurs twice; reads the files again to find out."""
    places = (f"{path}, line {line}" for path in files for line, other, _, _ in rows(path) if other == name)
    first, second = next(places), next(places)
    return f"{second}: id '{name}' is already in {first}; ids must be unique."


def digest(files: Sequence[Path]) -> str:
    """Return one SHA-256 of several files: of their names and SHA-256.

    It is kept in the cache folder, since reading gigabytes again takes minutes.
    """
    note = cache_folder() / "checksums" / f"{_key(files)}.json"
    if not (found := read_note(note).get("sha256")):
        found = sha256_of("".join(f"{sha256(path)}  {path.name}\n" for path in files))
        write_json(note, {"files": [f.name for f in files], "sha256": found})
    return str(found)


def _key(files: Sequence[Path], *parts: str) -> str:
    return sha256_of(json.dumps([CACHE_VERSION, parts, [identity(f) for f in files]]))[:24]
