"""What has to be translated, from which language into which; and what was translated so far."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from panglot.data import IntArray, ParallelPairs
from panglot.errors import PanglotError
from panglot.files import explained
from panglot.languages import check_language, check_languages

BLOCK = 1024  # rows planned together: sorted by length among themselves
TABLES = """
pragma locking_mode = exclusive;
pragma synchronous = normal;
begin exclusive;  -- and kept: a second process must not come in between
create table if not exists settings (value text not null);
create table if not exists segments (
    key blob primary key, block text not null, text text not null, finished integer not null
) without rowid;
commit;
"""


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
    source = None if source is None else check_language(source)
    if source is not None and source not in pairs.languages:
        raise PanglotError(
            f"{pairs.name} has no language '{source}' to translate from; "
            f"use one of {', '.join(pairs.languages)}."
        )
    index = pairs.index
    items = np.arange(len(pairs))
    first = np.minimum.reduceat(index.rows, index.item_offsets[:-1])
    chosen = first if source is None else np.full(len(pairs), -1)
    own = source or "en"
    if own in pairs.languages:
        rows = index.rows_of(items, np.full(len(pairs), pairs.languages.index(own)))
        chosen = np.where(rows >= 0, rows, chosen)
    of_chosen = pairs.table.column("language").take(pa.array(np.maximum(chosen, 0)))
    language = np.array(of_chosen.to_pylist(), object)
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


class Done(NamedTuple):
    """A translated segment: its text, and whether the model came to an end by itself."""

    text: str
    finished: bool


class PartFile(AbstractContextManager["PartFile"]):
    """Translated segments on disk, with the block of work that each was translated in.

    Raises:
        PanglotError: the file was begun with another model or other settings, is damaged, or is in use.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, value = path, json.dumps(settings, ensure_ascii=False)
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=0)
            try:
                self._file.executescript(TABLES)
                with self._file:
                    begun = self._file.execute("select value from settings").fetchone()
                    if begun is None:
                        self._file.execute("insert into settings values (?)", [value])
                if begun is not None and begun[0] != value:
                    raise PanglotError(
                        f"{path}: was begun with another model or other settings; "
                        "remove it, or choose another --output."
                    )
            except BaseException:
                self._file.close()
                raise

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def block_of(self, key: bytes) -> str | None:
        """Return the block that a segment was translated in; None where it was not."""
        with self._explained():
            found = self._file.execute("select block from segments where key = ?", [key]).fetchone()
        return found and str(found[0])

    def get(self, key: bytes) -> Done:
        """Return a translated segment; ``KeyError`` where there is none."""
        with self._explained():
            found = self._file.execute("select text, finished from segments where key = ?", [key]).fetchone()
        if found is None:
            raise KeyError(key)
        return Done(found[0], bool(found[1]))

    def add(self, block: str, keys: Sequence[bytes], translated: Iterable[tuple[str, bool]]) -> None:
        """Keep the segments of one batch, all or none of them."""
        rows = [(key, block, *done) for key, done in zip(keys, translated, strict=True)]
        with self._explained(), self._file:
            self._file.executemany("insert or ignore into segments values (?, ?, ?, ?)", rows)

    def remove(self) -> None:
        """Delete the file: all of it is in the output."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with explained(self.path):
                yield
        except sqlite3.OperationalError as error:
            fix = "wait for the other process" if "locked" in str(error) else "check the disk and the folder"
            raise PanglotError(f"{self.path}: {error}; {fix}.") from error
        except sqlite3.DatabaseError as error:
            raise PanglotError(f"{self.path}: is damaged ({error}); remove it to start again.") from error


def key_of(source: str, target: str, text: str) -> bytes:
    """Return the key of a segment of text in one language, translated into another."""
    return hashlib.blake2b(f"{source}\n{target}\n{text}".encode(), digest_size=16).digest()
