"""Large pools of passages: written once into an Arrow file in the cache, and read from there.

MIRACL's English pool alone has 33 million passages: as Python strings they would take tens of gigabytes. Here
they stream into a file that is memory-mapped afterwards; a ``TextColumn`` reads what is asked for.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from panglot.data.text_column import TextColumn, first_twice
from panglot.errors import PanglotError
from panglot.files import (
    cache_folder,
    explained,
    identity,
    noted,
    read_note,
    sampled_sha256,
    sha256,
    sha256_of,
    write_json,
    written_whole,
)

Row = tuple[int, str, str, str]  # line (or row) in its file, id, title, text
Rows = Callable[[Path], Iterator[Row]]

SCHEMA = pa.schema([("id", pa.string()), ("title", pa.string()), ("text", pa.string())])
BATCH_ROWS = 8_192
BATCH_CHARACTERS = 1 << 24
CACHE_VERSION = 1


@dataclass(frozen=True)
class TextTable:
    """Texts of one pool on disk.

    Attributes:
        ids: distinct.
        titles: empty where a text has none.
        texts: the texts.
        titled: whether any text has a title.
    """

    ids: TextColumn
    titles: TextColumn
    texts: TextColumn
    titled: bool


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
    return TextTable(ids, titles, texts, note["titled"])


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
                    with written_whole(table_path) as part:
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
    """Return a name for some files as they are now: of their places, times and content."""
    return sha256_of(json.dumps([CACHE_VERSION, parts, [identity(f) for f in files]]))[:24]
