"""A data set of the catalogue into the cache: fetched or copied, checked, unpacked, and put there whole.

Everything is gathered in a folder of its own beside the final one. What is whole there stays for the next
try; the final folder changes only when all is there.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from fnmatch import fnmatch
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from panglot.data.catalogue.entry import Entry, File, below, in_cache, is_there, whole_copy
from panglot.data.fetch.archives import unpack
from panglot.data.fetch.web import OTHER_WAYS, Progress, download, verify
from panglot.errors import PanglotError, hub_refusal
from panglot.files import explained, read_note, sha256, write_json
from panglot.languages import check_among

Bar = Callable[[str, int], AbstractContextManager[Progress]]
NOTE = ".panglot.json"
LATER = ".downloads"


def get_data(
    entry: Entry,
    *,
    source: str | Path | None = None,
    languages: Sequence[str] | None = None,
    force: bool = False,
    bar: Bar | None = None,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Put an entry's official files into the cache and return their folder.

    Data that ``PANGLOT_DATA`` or the cache holds already is left as it is, and its folder returned.

    Args:
        source: a folder with the official files, as they are fetched (archives) or unpacked: they are
            checked and copied, and nothing is fetched.
        languages: only the files for these, where an entry has files for single languages.
        force: fetch anew what is there already.
        bar: shows progress: called with a title and a number of bytes.

    Raises:
        PanglotError: what ``download``, ``unpack`` and ``fetch_from_hub`` raise; data that can only be had
            by hand; a language that the entry lacks; another process at the same work.
    """
    say = say or (lambda _: None)
    wanted = wanted_files(entry, languages)
    target = in_cache(entry)
    there = whole_copy(entry)
    if there is not None and there != target and source is None and not force:
        say(f"{entry.name} is there already: {there}")
        return there
    if source is None:
        _check_can_be_fetched(entry)
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target.parent / f".{entry.folder}.lock", timeout=0):
            lacking = [file for file in wanted if force or file.label not in _note(target)]
            if source is None and not lacking:
                say(f"{entry.name} is there already: {target} (fetch it anew with --force)")
                return target
            stage = target.parent / f".{entry.folder}.new"
            if source is not None:
                _take(entry, wanted, Path(source), stage)
            else:
                shown = bar or (lambda title, total: nullcontext(lambda count: None))
                _gather(lacking, stage, partial(_download, shown), say)
            _install(stage, target, whole=languages is None)
    except Timeout as error:
        raise PanglotError(f"another process is fetching {entry.folder}; wait until it is done.") from error
    return target


def wanted_files(entry: Entry, languages: Sequence[str] | None) -> list[File]:
    """Return an entry's files, or those for all languages and for the named ones."""
    if languages is None:
        return list(entry.files)
    check_among(languages, entry.languages, entry.name)
    return [file for file in entry.files if file.language is None or file.language in languages]


def _check_can_be_fetched(entry: Entry) -> None:
    if entry.reader in ("sample", "pairs") and not entry.files:
        raise PanglotError(f"'{entry.name}' needs no download; use it by its name.")
    if not entry.files:
        where = f" from {entry.source or entry.homepage}" if entry.source or entry.homepage else ""
        raise PanglotError(
            f"'{entry.name}' cannot be fetched by a program; get it by hand{where}, then give its folder "
            f"with --from or in PANGLOT_DATA (see 'panglot data info {entry.name}')."
        )


def _download(bar: Bar, file: File, path: Path) -> None:
    with bar(_file_name(file), file.size or 0) as advance:
        download(file, path, progress=advance)


def _gather(
    files: Sequence[File], stage: Path, bring: Callable[[File, Path], None], say: Callable[[str], None]
) -> None:
    """Bring files into the stage; those that an earlier try brought stay. ``bring`` also checks a file."""
    note = _note(stage)
    for number, file in enumerate(files, 1):
        if file.label in note:
            continue
        say(f"{number}/{len(files)}: {file.label}")
        if file.hub is not None and file.path is not None:
            fetched = fetch_from_hub(file.hub, file.path, stage / file.to, file.revision)
            if len(fetched) == 1:
                verify(fetched[0], file, file.label)
            sums = {str(path.relative_to(stage)): sha256(path) for path in fetched}
        else:
            path = stage / LATER / f"{number}-{_file_name(file)}"
            bring(file, path)
            sums = {_file_name(file): sha256(path)}
            _put(file, path, stage)
        note[file.label] = {**_facts(file), "sha256": sums}
        write_json(stage / NOTE, note)


def fetch_from_hub(repo: str, pattern: str, folder: Path, revision: str | None = None) -> list[Path]:
    """Fetch the files of a data set whose paths fit a pattern; return them, sorted.

    Raises:
        PanglotError: no connection, terms that were not accepted, or no such data set, revision or file.
    """
    from huggingface_hub import snapshot_download

    label = f"hub:{repo}{f'@{revision}' if revision else ''}/{pattern}"
    try:
        with explained(folder):
            snapshot_download(
                repo,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[pattern],
                local_dir=folder,
                max_workers=4,
            )
    except PanglotError:
        raise
    except Exception as error:
        if (refusal := hub_refusal(error, "data set")) is None:
            raise
        raise PanglotError(f"{label}: {refusal}; or {OTHER_WAYS}.") from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    fetched = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and fnmatch(path.relative_to(folder).as_posix(), pattern)
    )
    if not fetched:
        raise PanglotError(f"{label}: the hub has no such file in that data set; {OTHER_WAYS}.")
    return fetched


def _put(file: File, path: Path, stage: Path) -> None:
    """Move a fetched file to its place in the stage, or unpack it there and remove it."""
    with explained(stage):
        folder = stage / file.to
        if file.unpack is None:
            folder.mkdir(parents=True, exist_ok=True)
            path.replace(folder / _file_name(file))
            return
        unpacked = stage / LATER / (path.name + ".unpacked")
        shutil.rmtree(unpacked, ignore_errors=True)
        unpack(path, unpacked, file.unpack, inside=file.inside)
        _merge(unpacked, folder)
        path.unlink()


def _take(entry: Entry, wanted: Sequence[File], source: Path, stage: Path) -> None:
    """Copy the official files from a folder: the archives as they are fetched, or what they hold."""
    if not source.is_dir():
        raise PanglotError(
            f"{source}: is not a folder; name the one that holds the official files with --from."
        )
    _check_plain(source)
    shutil.rmtree(stage, ignore_errors=True)
    packed = [file for file in wanted if file.url is not None and (source / _file_name(file)).is_file()]
    if packed and len(packed) == len(wanted):

        def bring(file: File, path: Path) -> None:
            own = source / _file_name(file)
            verify(own, file, str(own), remove=False)
            with explained(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(own, path)

        _gather(packed, stage, bring, lambda sentence: None)
        return
    place = source if is_there(entry, source) else below(entry, source)
    if place is None:
        packed_names = sorted({_file_name(file) for file in wanted if file.url is not None})[:4]
        needed = " and ".join(entry.holds) + (f", or {', '.join(packed_names)}" if packed_names else "")
        raise PanglotError(f"{source}: holds no official files of {entry.name}; name a folder with {needed}.")
    with explained(stage):
        shutil.copytree(place, stage)
        write_json(stage / NOTE, {file.label: {**_facts(file), "sha256": None} for file in wanted})


def _check_plain(source: Path) -> None:
    """Refuse links out of the folder, whose files nobody meant to copy, and pipes and devices."""
    inside = source.resolve()
    for path in source.rglob("*"):
        outside = not path.resolve().is_relative_to(inside)
        leads_out = path.is_symlink() and (path.is_dir() or outside)
        if leads_out or not (path.is_file() or path.is_dir()):
            what = "a link that leads out of the folder" if leads_out else "no plain file"
            raise PanglotError(f"{path}: is {what}; put the file itself there, or remove it.")


def _install(stage: Path, target: Path, *, whole: bool) -> None:
    """Make the stage the final folder; if that holds data of other languages, add to it."""
    with explained(target):
        shutil.rmtree(stage / LATER, ignore_errors=True)
        old = target.parent / f".{target.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if not target.exists():
            stage.rename(target)
            return
        new = _note(stage)
        kept = _note(target)
        if whole and kept.keys() <= new.keys():
            target.rename(old)
            stage.rename(target)
            shutil.rmtree(old, ignore_errors=True)
            return
        (stage / NOTE).unlink(missing_ok=True)
        _merge(stage, target)
        write_json(target / NOTE, {**kept, **new})


def _merge(folder: Path, into: Path) -> None:
    """Move every file of a folder to the same place below another; each is replaced whole."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            place = into / path.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    shutil.rmtree(folder)


def _file_name(file: File) -> str:
    address = file.url or file.path or ""
    return unquote(PurePosixPath(urlsplit(address).path).name)


def _facts(file: File) -> dict[str, Any]:
    facts = asdict(file)
    return {key: facts[key] for key in ("url", "hub", "revision", "path", "md5", "language")}


def _note(folder: Path) -> dict[str, Any]:
    """Return what a folder says of the files that were put there, by label."""
    return read_note(folder / NOTE)
