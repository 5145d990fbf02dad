"""Files: opened by their ending, hashed, and written so that nothing half-written is ever left behind."""

import contextlib
import errno
import gzip
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from panglot.errors import PanglotError


def open_bytes(path: Path) -> BinaryIO:
    """Open a plain, ``.gz`` or ``.zst`` file for reading its uncompressed bytes."""
    if not path.exists():
        raise PanglotError(f"{path}: no such file; check the path.")
    if path.is_dir():
        raise PanglotError(f"{path}: is a folder; name a file in it.")
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".zst":
        stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True)
        return cast(BinaryIO, io.BufferedReader(stream))
    return path.open("rb")


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file as it lies on disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a failed write into one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PanglotError(
                f"{path}: the disk is full; free some space and run the same command again."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PanglotError(f"{path}: not allowed to write here; choose another place.") from error
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            raise PanglotError(f"{path}: a file is in the way; remove it or choose another place.") from error
        raise


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` on success, remove it on failure."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            part.chmod(0o666 & ~_umask())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
