"""Entries of the catalogue: facts about one data set, read from one TOML file each; and where its data is."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ConfigDict

from panglot.errors import PanglotError
from panglot.files import cache_folder
from panglot.parse import parse_toml, validated

OF_FILES = ("sha256", "md5", "size", "revision")
PARALLEL = "beir-parallel"  # followed by a colon and the name of a set


@dataclass(frozen=True)
class File:
    """One official file (or, on the hub, the files of one pattern). Absent facts are None."""

    url: str | None = None  # where it is; or None for a file on the hub
    # the hub's data set, ``owner/name``; or None for a file with an address of its own
    hub: str | None = None
    revision: str | None = None  # commit on the hub
    path: str | None = None  # pattern of paths in the hub's data set
    sha256: str | None = None  # checksum of the fetched file
    md5: str | None = None  # checksum, where only that is published
    size: int | None = None  # bytes as fetched
    unpack: Literal["zip", "tar"] | None = None  # ``zip`` or ``tar`` (with any compression), or None
    inside: str | None = None  # folder in the archive that holds the data; the rest is left out
    to: str = "."  # folder below the data set's own in which it is put
    language: str | None = None  # the one language that it is for; None: for all

    __pydantic_config__ = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if (self.url is None) == (self.hub is None) or (self.hub is not None) != (self.path is not None):
            raise ValueError("a file needs 'url', or 'hub' and 'path'")

    @property
    def label(self) -> str:
        """What it is called: its address, or ``hub:owner/name@revision/path``."""
        if self.url is not None:
            return self.url
        return f"hub:{self.hub}{f'@{self.revision}' if self.revision else ''}/{self.path}"


@dataclass(frozen=True)
class Entry:
    """What the catalogue knows of one data set. A fact that could not be verified is None (see ``note``)."""

    name: str  # that commands take
    title: str
    kind: Literal["benchmark", "pairs", "encoder"]  # ``pairs`` are to train on
    what: str  # a sentence or two
    languages: tuple[str, ...]  # BCP-47 codes
    reader: str  # name in ``READERS``
    family: str | None = None  # name that several entries of one form share
    homepage: str | None = None  # page of its makers
    source: str | None = None  # where the official files are
    licence: str | None = None  # SPDX code or the makers' words
    access: Literal["open", "terms", "request"] = "open"  # ``request``: ask its owners
    arxiv: str | None = None  # id of the paper
    citation: str | None = None  # its title
    sizes: Mapping[str, Any] = field(default_factory=dict)  # published numbers: queries, passages, ...
    settings: tuple[Literal["monolingual", "crosslingual", "multilingual"], ...] = ()  # that it supports
    measures: tuple[str, ...] = ()  # the usual ones
    # the reader's keyword arguments: what people may choose otherwise; where the files are and what they hold
    options: Mapping[str, Any] = field(default_factory=dict)
    layout: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[File, ...] = ()  # to fetch
    folder: str = ""  # name of its folder in the cache; entries with the same data share it
    local: tuple[str, ...] = ()  # places below a data folder where a copy in the official layout may be
    holds: tuple[str, ...] = ()  # patterns of files; a folder with any of them is such a copy
    needs: tuple[str, ...] = ()  # patterns of files that a whole copy has, each of them
    note: str | None = None  # what is unknown, or what to mind

    __pydantic_config__ = ConfigDict(extra="forbid")


@cache
def catalogue() -> Mapping[str, Entry]:
    """Return all entries by name, in the order of their files' names."""
    folder = package_files("panglot.data.catalogue") / "entries"
    entries: dict[str, Entry] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name.removesuffix(".toml")):
        if path.name.endswith(".toml"):
            for entry in read_entries(path.read_text(encoding="utf-8"), path.name.removesuffix(".toml")):
                entries[entry.name] = entry
    for name, entry in entries.items():
        if entry.folder and entry.folder != name and not entry.files:
            origin = entries[entry.folder]
            entries[name] = replace(
                entry, files=origin.files, local=origin.local, holds=origin.holds, needs=origin.needs
            )
    return MappingProxyType(entries)


def entry_named(name: str) -> Entry:
    """Return the entry of that name, or raise a ``PanglotError`` that names the known ones."""
    entries = catalogue()
    if name.startswith(f"{PARALLEL}:"):
        return replace(entries[PARALLEL], name=name)
    if name not in entries:
        if members := [e.name for e in entries.values() if e.family == name]:
            raise PanglotError(f"'{name}' is several benchmarks; choose one of {', '.join(members)}.")
        names = dict.fromkeys(part for e in entries.values() for part in (e.name, e.family) if part)
        close = difflib.get_close_matches(Path(name).name, names, n=3, cutoff=0.7)
        choose = f"choose {' or '.join(close)}, or" if close else "choose"
        data = f", and give its folder with --data {name}" if Path(name).exists() else ""
        raise PanglotError(
            f"'{name}' is not a benchmark that panglot knows; {choose} a name that 'panglot data list' "
            f"shows{data}."
        )
    return entries[name]


def read_entries(text: str, name: str) -> list[Entry]:
    """Read one TOML file: an entry, or a family of them, one for each table of ``[[sets]]``.

    In a family a set's own keys go before the shared ones; ``sha256``, ``md5``, ``size`` and ``revision`` go
    to its files. ``{set}``, and any other key in braces that is not a fact of an entry, is replaced by its
    text.
    """
    shared = parse_toml(text, f"catalogue entry {name}")
    sets = shared.pop("sets", None)
    if sets is None:
        return [_entry(shared, name, None)]
    pattern = shared.pop("name", f"{name}-{{set}}")
    family = shared.pop("family", name)
    known = {own.name for own in fields(Entry)}
    made = []
    for own in sets:
        of_files = {key: value for key, value in own.items() if key in OF_FILES}
        texts = {key: value for key, value in own.items() if key not in known | set(OF_FILES)}
        facts = shared | {key: value for key, value in own.items() if key in known}
        facts["files"] = [{**file, **of_files} for file in shared.get("files", ())]
        label = pattern
        for key, value in texts.items():
            facts, label = _fill(facts, f"{{{key}}}", value), _fill(label, f"{{{key}}}", value)
        made.append(_entry(facts, label, family))
    return made


def _entry(facts: Mapping[str, Any], name: str, family: str | None) -> Entry:
    files = [file for given in facts.get("files", ()) for file in _files(given)]
    found = {"folder": name, **facts, "name": name, "family": family, "files": files}
    return validated(Entry, found, f"catalogue entry {name}")


def _files(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the files of one table: one, or one a language where it has ``each``.

    ``each`` lists languages, or gives a text for each language; ``{}`` is replaced by that text. ``sha256``,
    ``md5`` and ``size`` may then be tables by language.
    """
    facts = {key: value for key, value in given.items() if key != "each"}
    each: Sequence[str] | Mapping[str, str] | None = given.get("each")
    if each is None:
        return [facts]
    texts = each if isinstance(each, Mapping) else {language: language for language in each}
    files = []
    for language, text in texts.items():
        own = {
            key: value.get(language) if isinstance(value, Mapping) else value for key, value in facts.items()
        }
        files.append({**_fill(own, "{}", text), "language": language})
    return files


def _fill(value: Any, mark: str, text: str) -> Any:
    """Return ``value`` with ``mark`` replaced by ``text`` in every text in it."""
    if isinstance(value, str):
        return value.replace(mark, text)
    if isinstance(value, Mapping):
        return {key: _fill(inner, mark, text) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_fill(inner, mark, text) for inner in value]
    return value


def find_data(entry: Entry, data: str | Path | None = None) -> Path:
    """Return the folder (or file) with an entry's data.

    ``data`` goes first: itself, or one of the entry's usual places below it. Then come the folders of
    ``PANGLOT_DATA`` (separated like those of ``PATH``) and the cache: the first that has all that the entry
    needs, else the first that has some of it.

    Raises:
        PanglotError: nothing is there; it says the three ways to give the data.
    """
    if data is not None:
        data = Path(data)
        if not data.exists():
            raise PanglotError(f"{data}: no such file or folder; check --data.")
        inside = below(entry, data) if data.is_dir() and not is_there(entry, data) else None
        return inside or data
    if found := where_is(entry):
        return found
    sentence = f"benchmark '{entry.name}' needs its data; name the folder or file with --data"
    if not entry.local:
        raise PanglotError(f"{sentence}.")
    raise PanglotError(
        f"{sentence}, fetch it with 'panglot data get {entry.name}', or let PANGLOT_DATA name "
        f"a folder that holds {' or '.join(entry.local[:2])}."
    )


def where_is(entry: Entry) -> Path | None:
    """Return where an entry's data is (``PANGLOT_DATA`` or the cache), or None."""
    roots = [name for name in os.environ.get("PANGLOT_DATA", "").split(os.pathsep) if name]
    usual = [Path(root).expanduser() / place for root in roots for place in entry.local]
    places = [place for place in (*usual, in_cache(entry)) if is_there(entry, place)]
    return next((place for place in places if not missing(entry, place)), places[0] if places else None)


def whole_copy(entry: Entry) -> Path | None:
    """Return where an entry's data is, if nothing that it needs is missing, or None."""
    found = where_is(entry)
    return None if found is None or missing(entry, found) else found


def below(entry: Entry, root: Path) -> Path | None:
    """Return the first of the entry's usual places below ``root`` that holds its files, or None."""
    return next((root / place for place in entry.local if is_there(entry, root / place)), None)


def in_cache(entry: Entry) -> Path:
    """Return the folder in the cache for what is fetched of an entry."""
    return cache_folder() / "data" / entry.folder


def is_there(entry: Entry, place: Path) -> bool:
    """Say whether a folder holds some of an entry's files."""
    return place.is_dir() and any(_matches(place, pattern) for pattern in entry.holds)


def missing(entry: Entry, place: Path) -> list[str]:
    """Return the patterns of the files that an entry needs and a folder lacks."""
    return [pattern for pattern in entry.needs if not _matches(place, pattern)]


def _matches(place: Path, pattern: str) -> bool:
    return next(place.glob(pattern), None) is not None
