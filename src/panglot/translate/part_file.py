"""What was translated so far, in a file that an interrupted run goes on from.

JSON lines: first what the translations depend on (the model and its settings), then one line a segment with
its key, the block of work that it was translated in, the translation, and whether the model came to an end.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple

from panglot.errors import PanglotError
from panglot.files import explained


class Done(NamedTuple):
    """A translated segment: its text, and whether the model came to an end by itself."""

    text: str
    finished: bool


class PartFile:
    """Translated segments on disk. In memory there are a key of 16 bytes and two numbers for each.

    Raises:
        PanglotError: the file was begun with another model or other settings.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self._where: dict[bytes, tuple[int, int]] = {}
        self._names: list[str] = []  # of blocks
        self._numbers: dict[str, int] = {}
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("a+b")
        try:
            self._read(settings)
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
        return len(self._where)

    def block_of(self, key: bytes) -> str | None:
        """Return the block that a segment was translated in; None where it was not."""
        at = self._where.get(key)
        return None if at is None else self._names[at[1]]

    def get(self, key: bytes) -> Done:
        """Return a translated segment; ``KeyError`` where there is none."""
        self._file.seek(self._where[key][0])
        line = json.loads(self._file.readline())
        return Done(line["text"], line["finished"])

    def add(self, block: str, keys: Sequence[bytes], translated: Iterable[tuple[str, bool]]) -> None:
        """Append the segments of one batch."""
        self._file.seek(0, 2)
        at = self._file.tell()
        lines = []
        for key, (text, finished) in zip(keys, translated, strict=True):
            line = {"key": key.hex(), "block": block, "text": text, "finished": finished}
            lines.append((json.dumps(line, ensure_ascii=False) + "\n").encode())
            self._remember(key, at, block)
            at += len(lines[-1])
        with explained(self.path):
            self._file.write(b"".join(lines))
            self._file.flush()

    def remove(self) -> None:
        """Delete the file: all of it is in the output."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _read(self, settings: dict[str, Any]) -> None:
        """Take over what an earlier run left; a last line that is cut short goes."""
        self._file.seek(0)
        at = 0
        for number, raw in enumerate(self._file):
            if not raw.endswith(b"\n"):
                break
            try:
                line = json.loads(raw)
                if number:
                    self._remember(bytes.fromhex(line["key"]), at, line["block"])
            except (ValueError, KeyError, TypeError) as error:
                raise PanglotError(
                    f"{self.path}, line {number + 1}: is damaged; remove the file to start again."
                ) from error
            if not number and line != settings:
                raise PanglotError(
                    f"{self.path}: was begun with another model or other settings; "
                    "remove it, or choose another --output."
                )
            at += len(raw)
        self._file.truncate(at)
        if not at:
            self._file.write((json.dumps(settings, ensure_ascii=False) + "\n").encode())
            self._file.flush()

    def _remember(self, key: bytes, at: int, block: str) -> None:
        if block not in self._numbers:
            self._numbers[block] = len(self._names)
            self._names.append(block)
        self._where.setdefault(key, (at, self._numbers[block]))


def key_of(source: str, target: str, text: str) -> bytes:
    """Return the key of a segment of text in one language, translated into another."""
    return hashlib.blake2b(f"{source}\n{target}\n{text}".encode(), digest_size=16).digest()
