"""What was translated so far: a SQLite file from which an interrupted run continues."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from panglot.errors import PanglotError
from panglot.files import explained

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


class Done(NamedTuple):
    """A translated segment: its text, and whether the model came to an end by itself."""

    text: str
    finished: bool


class PartFile:
    """Translated segments on disk, with the block of work that each was translated in.

    Raises:
        PanglotError: the file was begun with another model or other settings, is damaged, or is in use.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=0)
        try:
            with self._explained():
                self._begin(json.dumps(settings, ensure_ascii=False))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "PartFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """Return the number of segments."""
        return int(self._file.execute("select count(*) from segments").fetchone()[0])

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

    def _begin(self, settings: str) -> None:
        self._file.executescript(TABLES)
        with self._file:
            begun = self._file.execute("select value from settings").fetchone()
            if begun is None:
                self._file.execute("insert into settings values (?)", [settings])
        if begun is not None and begun[0] != settings:
            raise PanglotError(
                f"{self.path}: was begun with another model or other settings; "
                "remove it, or choose another --output."
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what SQLite says into one sentence."""
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
