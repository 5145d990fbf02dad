"""Archives, unpacked so that nothing lands outside the folder and nothing grows without bound."""

import errno
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from panglot.errors import PanglotError, first_line
from panglot.files import atomic_folder

BLOCK = 1 << 20
MOST_FILES = 1_000_000
GROWTH = 50  # texts shrink to a fifth or so; an archive that grows more than this is a bomb
SLACK = 1 << 28
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
Member = tuple[PurePosixPath, int, IO[bytes]]


def unpack(
    archive: Path,
    folder: Path,
    kind: Literal["zip", "tar"],
    *,
    inside: str | None = None,
    limit: int | None = None,
) -> None:
    """Unpack the files of an archive into a new folder: all of them or none.

    Args:
        archive: a zip file, or a tar file (plain, gzip, bzip2 or xz).
        inside: folder in the archive whose files are wanted, without that folder's name; None: all.
        limit: most bytes that may come out; by default 50 times the archive and 256 MB.

    Raises:
        PanglotError: a damaged archive; a name that leads out of the folder; a link, a device or a
            password; more bytes than the limit, or more than a million files.
    """
    most = archive.stat().st_size * GROWTH + SLACK if limit is None else limit
    members = {"zip": _zip_members, "tar": _tar_members}[kind]
    try:
        with atomic_folder(folder) as part:
            _write(archive, members(archive), part, PurePosixPath(inside or "."), most)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, DAMAGE) or error.errno is None:
            raise PanglotError(
                f"{archive}: is damaged or cut short ({first_line(error)}); fetch it again."
            ) from error
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            raise
        raise PanglotError(f"{archive}: holds a name that cannot be written here ({error}).") from error
    except NotImplementedError as error:
        raise PanglotError(
            f"{archive}: uses a kind of compression that cannot be unpacked here ({error})."
        ) from error


def _write(archive: Path, members: Iterator[Member], part: Path, inside: PurePosixPath, limit: int) -> None:
    written = count = wanted = 0
    for name, size, stream in members:
        count += 1
        if count > MOST_FILES:
            raise PanglotError(
                f"{archive}: has more than {MOST_FILES:,} files; it is not the official archive."
            )
        if not name.is_relative_to(inside):
            continue
        wanted += 1
        target = part / name.relative_to(inside)
        if written + size > limit:
            raise _too_much(archive, limit)
        if target.exists() or not _make_folder(target.parent):
            raise PanglotError(f"{archive}: holds '{name}' twice, or as a file and a folder; it is broken.")
        before = written
        with target.open("xb") as file:
            while block := stream.read(min(BLOCK, limit - written + 1)):
                written += len(block)
                if written > limit:
                    raise _too_much(archive, limit)
                file.write(block)
        if written - before != size:
            raise EOFError(f"'{name}' has {written - before:,} of {size:,} bytes")
    if not wanted:
        where = "" if inside == PurePosixPath(".") else f" in the folder '{inside}'"
        raise PanglotError(f"{archive}: holds no files{where}; it is not the official archive.")


def _make_folder(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return False
    return True


def _too_much(archive: Path, limit: int) -> PanglotError:
    return PanglotError(
        f"{archive}: would unpack to more than {limit:,} bytes; it is not the official archive, or damaged."
    )


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            name = _safe(archive, info.filename)
            mode = info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _special(archive, info.filename)
            if info.flag_bits & 1:
                raise PanglotError(f"{archive}: '{info.filename}' needs a password; unpack it by hand.")
            if not info.filename.endswith("/"):
                with file.open(info) as stream:
                    yield name, info.file_size, stream


def _tar_members(archive: Path) -> Iterator[Member]:
    with tarfile.open(archive, "r:*") as file:
        for info in file:
            name = _safe(archive, info.name)
            if info.isdir():
                continue
            stream = file.extractfile(info) if info.isreg() else None
            if stream is None:
                raise _special(archive, info.name)
            yield name, info.size, stream


def _special(archive: Path, name: str) -> PanglotError:
    return PanglotError(f"{archive}: '{name}' is a link or a device, not a file; it is not unpacked.")


def _safe(archive: Path, name: str) -> PurePosixPath:
    """Return a member's name, if it cannot lead out of the folder on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    first = path.parts[0] if path.parts else ""
    if path.is_absolute() or ".." in path.parts or first.endswith(":") or first[1:2] == ":" or "\0" in name:
        raise PanglotError(f"{archive}: '{name}' leads out of the folder; the archive is not unpacked.")
    return path
