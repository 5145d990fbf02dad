"""Entries of the catalogue: facts about one data set, read from one TOML file each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files as package_files
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ConfigDict

from panglot.errors import PanglotError
from panglot.parse import parse_toml, validated

OF_FILES = ("sha256", "md5", "size", "revision")
PARALLEL = "beir-parallel"  # followed by a colon and the name of a set


@dataclass(frozen=True)
class File:
    """One official file (or, on the hub, the files of one pattern). Absent facts are None.

    Attributes:
        url: where it is; or None for a file on the hub.
        hub: the hub's data set, ``owner/name``; or None for a file with an address of its own.
        revision: commit on the hub.
        path: pattern of paths in the hub's data set.
        sha256: checksum of the fetched file.
        md5: checksum, where only that is published.
        size: bytes as fetched.
        unpack: ``zip`` or ``tar`` (with any compression), or None.
        inside: folder in the archive that holds the data; the rest is left out.
        to: folder below the data set's own in which it is put.
        language: the one language that it is for; None: for all.
    """

    url: str | None = None
    hub: str | None = None
    revision: str | None = None
    path: str | None = None
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    unpack: Literal["zip", "tar"] | None = None
    inside: str | None = None
    to: str = "."
    language: str | None = None

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
    """What the catalogue knows of one data set. A fact that could not be verified is None (see ``note``).

    Attributes:
        name: that commands take.
        family: name that several entries of one form share, or None.
        kind: ``benchmark``, ``pairs`` (to train on) or ``encoder``.
        what: a sentence or two.
        homepage: page of its makers; ``source``: where the official files are.
        licence: SPDX code or the makers' words.
        access: ``open``, ``terms`` (accept terms first) or ``request`` (ask its owners).
        arxiv, citation: id and title of the paper.
        languages: BCP-47 codes.
        sizes: published numbers: queries, passages, judgements, ...
        settings: of monolingual, crosslingual, multilingual, those that it supports.
        measures: the usual ones.
        reader: name in ``READERS``; ``layout`` and ``options`` are its keyword arguments: where the official
            files are and what they hold, and what people may choose otherwise.
        files: to fetch.
        folder: name of its folder in the cache; entries with the same data share it.
        local: places below a data folder where a copy in the official layout may be.
        holds: patterns of files; a folder with any of them is such a copy.
        needs: patterns of files that a whole copy has, each of them.
        note: what is unknown, or what to mind.
    """

    name: str
    title: str
    kind: Literal["benchmark", "pairs", "encoder"]
    what: str
    languages: tuple[str, ...]
    reader: str
    family: str | None = None
    homepage: str | None = None
    source: str | None = None
    licence: str | None = None
    access: Literal["open", "terms", "request"] = "open"
    arxiv: str | None = None
    citation: str | None = None
    sizes: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[Literal["monolingual", "crosslingual", "multilingual"], ...] = ()
    measures: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    layout: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    folder: str = ""
    local: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    note: str | None = None

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
        names = list(dict.fromkeys(f"{e.family}-..." if e.family else e.name for e in entries.values()))
        members = [e.name for e in entries.values() if e.family == name]
        known = ", ".join(members or names)
        raise PanglotError(
            f"'{name}' is not a benchmark that panglot knows; choose one of {known} "
            "(see 'panglot data list')."
            if not members
            else f"'{name}' is several benchmarks; choose one of {known}."
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
