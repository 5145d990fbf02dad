"""Files: opened by their ending, hashed, and written so that nothing half-written is ever left behind."""

import bz2
import contextlib
import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast
from zipfile import BadZipFile

from panglot.errors import PanglotError, first_line

if TYPE_CHECKING:  # every command imports this module, and most need no Arrow
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_VARIABLE = "PANGLOT_MAX_ROW_MB"


def open_bytes(path: Path) -> BinaryIO:
    """Open a plain, ``.gz``, ``.bz2`` or ``.zst`` file for reading its uncompressed bytes."""
    check_file(path)
    try:
        if path.suffix in (".gz", ".bz2"):
            return cast(BinaryIO, (gzip if path.suffix == ".gz" else bz2).open(path, "rb"))
        if path.suffix == ".zst":
            import pyarrow as pa

            # Arrow's stream raises on a file that was cut short; zstandard's just ends there
            return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(path.open("rb"), "zstd")))
        return path.open("rb")
    except PermissionError as error:
        raise PanglotError(f"{path}: not allowed to read it; check its permissions.") from error


def check_file(path: Path) -> None:
    """Raise ``PanglotError`` unless a path is a file that can be read from its start again and again."""
    if not path.exists():
        raise PanglotError(f"{path}: no such file; check the path.")
    if path.is_dir():
        raise PanglotError(f"{path}: is a folder; name a file in it.")
    if not path.is_file():  # it would be read twice, or wait for ever
        raise PanglotError(f"{path}: is a pipe or a device; write it into a file first.")


@contextlib.contextmanager
def parquet(path: Path) -> Iterator["pq.ParquetFile"]:
    """Open a Parquet file; what Arrow says of it while it is read is one clear sentence."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_file(path)
    try:
        with path.open("rb") as file:  # Arrow itself opens names in UTF-8 only
            yield pq.ParquetFile(file, pre_buffer=False)  # with it, all that was read stays in memory
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise PanglotError(
            f"{path}: is not a whole Parquet file ({first_line(error)}); fetch it again."
        ) from error


def parquet_batches(
    file: "pq.ParquetFile", size: int, columns: Sequence[str] | None = None
) -> Iterator["pa.RecordBatch"]:
    """Yield the rows of some columns, whose texts are UTF-8."""
    for batch in file.iter_batches(size, columns=columns):
        batch.validate(full=True)
        yield batch


def read_whole(path: Path, largest: int | None = None) -> bytes:
    """Return the uncompressed bytes of a file; a broken compression is a ``PanglotError``.

    Args:
        largest: number of bytes. (default: the largest row, for a text is a row of a collection)
    """
    bound = largest_row() if largest is None else largest
    with open_bytes(path) as file:
        try:
            found = file.read(bound + 1)
        except (EOFError, OSError, zlib.error) as error:
            raise PanglotError(
                f"{path}: cannot be read, or its compression is damaged or cut short; fetch it again."
            ) from error
    if len(found) > bound:
        fix = f"split it, or set {ROW_VARIABLE}" if largest is None else "name another file"
        raise PanglotError(f"{path}: is larger than {bound >> 20} MB; {fix}.")
    return found


def largest_row() -> int:
    """Return how many bytes a line of a text file may have: ``PANGLOT_MAX_ROW_MB``, by default 16."""
    text = os.environ.get(ROW_VARIABLE) or "16"
    if not text.isdecimal() or not 0 < int(text[:9]) <= 4096:
        raise PanglotError(f"{ROW_VARIABLE}: '{text}' is not a number of megabytes from 1 to 4096.")
    return int(text) << 20


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a plain, ``.gz``, ``.bz2`` or ``.zst`` file; see ``lines_in``."""
    with open_bytes(path) as file:
        yield from lines_in(file, str(path))


def lines_in(file: IO[bytes], where: str) -> Iterator[bytes]:
    """Yield the lines of an open file, of which no more than the largest row is in memory.

    Raises:
        PanglotError: names the line at which a compression is broken, or that is longer than
            ``PANGLOT_MAX_ROW_MB``.
    """
    largest = largest_row()
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(largest + 1)
        except (EOFError, OSError, zlib.error, BadZipFile) as error:
            raise PanglotError(
                f"{where}, line {number}: the compressed file is damaged or cut short; fetch it again."
            ) from error
        if not line:
            return
        if len(line) > largest:
            raise PanglotError(
                f"{where}, line {number}: is longer than {largest >> 20} MB; split it, or set {ROW_VARIABLE}."
            )
        yield line


def decoded(lines: Iterable[bytes], where: str) -> Iterator[tuple[int, str]]:
    """Yield lines as text with their ends, and their numbers from 1; a byte order mark is taken off."""
    for number, line in enumerate(lines, 1):
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise PanglotError(f"{where}, line {number}: is not UTF-8; save the file as UTF-8.") from error


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``PANGLOT_CACHE`` or ``~/.cache/panglot``."""
    return Path(os.environ.get("PANGLOT_CACHE") or Path.home() / ".cache" / "panglot")


def as_shown(path: str | Path) -> str:
    """Return a path as a text: bytes that are no UTF-8 as ``\\xe9``, and control characters likewise."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file as it lies on disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


WHOLE, SAMPLES, BLOCK = 1 << 26, 1024, 4096  # bytes read whole; blocks of a larger file, and their bytes
DISK_FULL = "the disk is full; free some space and run the command again (with --resume, if it trains)."
FORBIDDEN = "not allowed to write here; choose another place."
IN_THE_WAY = "something with that name is already there; remove it or choose another place."
EXPLANATIONS = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.EROFS: FORBIDDEN,
    errno.EEXIST: IN_THE_WAY,
    errno.ENOTDIR: IN_THE_WAY,
    errno.EISDIR: IN_THE_WAY,
}


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the operating system says about a failed write into one clear sentence."""
    try:
        yield
    except PanglotError:
        raise
    except OSError as error:
        if _known(error) is None:
            raise
        raise PanglotError(said_of(error, path)) from error
    except Exception as error:
        # torch and safetensors say that a write failed, but not with the system's error
        if "os error 28" not in str(error) and _free_bytes(path) > 0:
            raise
        raise PanglotError(f"{path}: {DISK_FULL}") from error


def said_of(error: OSError, path: str | Path | None = None) -> str:
    """Return one sentence on what the operating system refused.

    Args:
        error: with a number, or of ``shutil.copytree``, which says one for each file.
        path: that is named. (default: the error's own)
    """
    place = as_shown(path or error.filename or "the system")
    return f"{place}: {_known(error) or f'{error.strerror or error}; check the path and the disk.'}"


def _known(error: OSError) -> str | None:
    numbers = [error.errno, *(int(number) for number in re.findall(r"\[Errno (\d+)\]", str(error)))]
    return next((EXPLANATIONS[number] for number in numbers if number in EXPLANATIONS), None)


def _free_bytes(path: Path) -> int:
    place = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    return shutil.disk_usage(place).free


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it to ``path`` on success, remove it on failure."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            part.chmod(0o666 & ~_umask())
            flush(part)
            part.replace(path)
            flush(path.parent)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; it becomes ``path`` on success and is removed on failure.

    Only an empty folder of that name may be there before.
    """
    with explained(path):
        place = path.resolve()
        part = place.with_name(f".{place.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(parents=True)
            yield part
            readable_as_usual(part)
            if place.exists():
                place.rmdir()
            part.replace(place)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def check_new_folder(path: Path) -> None:
    """Raise ``PanglotError`` unless a folder can be made here or is empty."""
    if path.exists() and not path.is_dir():
        raise PanglotError(f"{path}: is a file; choose another output folder.")
    if path.exists() and any(path.iterdir()):
        raise PanglotError(f"{path}: is not empty; choose another output folder.")


def check_writable(folder: Path) -> None:
    """Raise ``PanglotError`` unless files can be written into a folder, which is made and removed for it."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    with explained(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        finally:
            for path in new:
                with contextlib.suppress(OSError):
                    path.rmdir()


def readable_as_usual(folder: Path) -> None:
    """Give the files in a folder the permissions of new files; some libraries keep theirs to the owner."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sha256_of(text: str) -> str:
    """Return the hexadecimal SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def sampled_sha256(path: Path) -> str:
    """Return a SHA-256 of a file: up to 64 MB of all of it, else of its size and of blocks spread over it."""
    size = path.stat().st_size
    if size <= WHOLE:
        return sha256(path)
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for k in range(SAMPLES):
            file.seek(k * (size - BLOCK) // (SAMPLES - 1))
            digest.update(file.read(BLOCK))
    return digest.hexdigest()


def identity(path: Path) -> list[str | int]:
    """Return what a file is known by in the cache: its place on the disk, its size, times and content."""
    check_file(path)
    found = path.stat()
    return [str(path.resolve()), found.st_ino, found.st_size, found.st_mtime_ns, sampled_sha256(path)]


def read_note(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; an empty one where it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def noted(table: Path, note: Path) -> dict[str, Any] | None:
    """Return the note of a cached table; None where one of the two is missing or damaged."""
    found = read_note(note)
    try:
        return found if found.get("table") == sampled_sha256(table) else None
    except OSError:
        return None


MANIFEST = "sha256.json"


def write_manifest(folder: Path) -> None:
    """Write the checksums of a folder's files beside them, once the files themselves are on the disk."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST]
    for path in files:
        flush(path)
    write_json(folder / MANIFEST, {path.relative_to(folder).as_posix(): sha256(path) for path in files})


def is_whole(folder: Path) -> bool:
    """Say whether a folder has the files that its manifest lists, unchanged."""
    written = read_note(folder / MANIFEST)
    try:
        return bool(written) and all(sha256(folder / name) == digest for name, digest in written.items())
    except (OSError, ValueError):
        return False


def flush(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk, so that a power cut does not take them."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON, whole or not at all."""
    with atomic_write(path) as part:
        part.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
