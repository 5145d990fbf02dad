"""Where the data of an entry is: a folder that was named, the folders of ``PANGLOT_DATA``, or the cache."""

import os
from collections.abc import Iterator
from pathlib import Path

from panglot.data.catalogue.entry import Entry
from panglot.errors import PanglotError
from panglot.files import cache_folder


def find_data(entry: Entry, data: str | Path | None = None) -> Path:
    """Return the folder (or file) with an entry's data.

    ``data`` goes first: itself, or one of the entry's usual places below it. Then come the folders of
    ``PANGLOT_DATA`` (separated like those of ``PATH``) and the cache: the first that has all that the entry
    needs, else the first that has some of it.

    Raises:
        PanglotError: nothing is there; it says the three ways to give the data.
    """
    if data is not None:
        return _named(entry, Path(data))
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
    places = [place for place in _places(entry) if is_there(entry, place)]
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


def data_folders() -> list[Path]:
    """Return the folders that ``PANGLOT_DATA`` names, in its order."""
    return [Path(name).expanduser() for name in os.environ.get("PANGLOT_DATA", "").split(os.pathsep) if name]


def is_there(entry: Entry, place: Path) -> bool:
    """Say whether a folder holds some of an entry's files."""
    return place.is_dir() and any(_matches(place, pattern) for pattern in entry.holds)


def missing(entry: Entry, place: Path) -> list[str]:
    """Return the patterns of the files that an entry needs and a folder lacks."""
    return [pattern for pattern in entry.needs if not _matches(place, pattern)]


def _matches(place: Path, pattern: str) -> bool:
    return next(place.glob(pattern), None) is not None


def _places(entry: Entry) -> Iterator[Path]:
    for root in data_folders():
        for place in entry.local:
            yield root / place
    yield in_cache(entry)


def _named(entry: Entry, data: Path) -> Path:
    if not data.exists():
        raise PanglotError(f"{data}: no such file or folder; check --data.")
    if data.is_dir() and not is_there(entry, data) and (place := below(entry, data)):
        return place
    return data
