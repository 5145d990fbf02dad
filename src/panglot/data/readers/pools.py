"""Pools: the passages of each language, found in official files and read into lists or tables on disk."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from panglot.data.benchmark import Texts
from panglot.data.readers.lines import field, json_lines, named, numbered_lines
from panglot.data.text_column import first_twice, joined
from panglot.data.text_table import Row, Rows, cached_texts, digest, stands_twice
from panglot.errors import PanglotError

IN_MEMORY = 64 << 20  # bytes of pool files, as if unpacked, that are still read into lists
UNPACKED = 4  # a compressed text file is about so many times larger when unpacked


@dataclass(frozen=True)
class Pool:
    """The passages of one language: files, how to read them, and what their ids get in front."""

    language: str
    files: tuple[Path, ...]
    rows: Rows
    form: str
    prefix: str = ""


def pool_texts(pools: Sequence[Pool], languages: Sequence[str]) -> tuple[Texts, str]:
    """Read pools one after the other: into lists where they are small, else into tables on disk.

    Returns:
        The texts and a checksum of their files.
    """
    size = sum(
        path.stat().st_size * (UNPACKED if path.suffix in (".gz", ".zst", ".parquet") else 1)
        for pool in pools
        for path in pool.files
    )
    read = _small if size <= IN_MEMORY else _large
    ids, titles, texts, counts = read(pools)
    codes = np.repeat(np.array([languages.index(p.language) for p in pools], np.int16), counts)
    checksum = "".join(digest(pool.files) for pool in pools)
    return Texts(ids, codes, texts, titles), checksum


Columns = tuple[Sequence[str], Sequence[str] | None, Sequence[str], list[int]]


def _small(pools: Sequence[Pool]) -> Columns:
    ids: list[str] = []
    titles: list[str] = []
    texts: list[str] = []
    counts = []
    for pool in pools:
        first = len(ids)
        for _, name, title, text in chain.from_iterable(map(pool.rows, pool.files)):
            ids.append(pool.prefix + name)
            titles.append(title)
            texts.append(text)
        counts.append(len(ids) - first)
        if (twice := first_twice(ids[first:])) is not None:
            raise PanglotError(stands_twice(pool.files, pool.rows, twice.removeprefix(pool.prefix)))
    return ids, titles if any(titles) else None, texts, counts


def _large(pools: Sequence[Pool]) -> Columns:
    tables = [cached_texts(pool.files, pool.rows, pool.form, pool.prefix) for pool in pools]
    # ids are distinct inside a pool; between pools they are if each has a prefix of its own
    distinct = len({pool.prefix for pool in pools}) == len(pools)
    ids = joined([table.ids for table in tables], distinct)
    texts = joined([table.texts for table in tables])
    titles = None
    if any(table.titled for table in tables):
        titles = joined([table.titles for table in tables])
    return ids, titles, texts, [len(table.ids) for table in tables]


def json_rows(path: Path, *, name: str, text: str, title: str | None = None) -> Iterator[Row]:
    """Yield the passages of a JSON Lines file by its names of fields; a title may be absent or null."""
    for number, value in json_lines(path):
        head = "" if title is None or value.get(title) is None else field(path, number, value, title)
        yield number, named(path, number, value, name), head, field(path, number, value, text)


def tsv_rows(path: Path) -> Iterator[Row]:
    """Yield the passages of a file of ``id TAB text`` lines."""
    for number, line in numbered_lines(path):
        name, tab, text = line.partition("\t")
        if not tab or not name.strip():
            raise PanglotError(f"{path}, line {number}: is not of the form id, tab, passage.")
        yield number, name.strip(), "", text.strip()


def json_pool(
    language: str, files: Sequence[Path], prefix: str = "", *, name: str, text: str, title: str | None = None
) -> Pool:
    """Return the pool of some JSON Lines files."""
    rows = partial(json_rows, name=name, text=text, title=title)
    return Pool(language, tuple(files), rows, f"json:{name},{title},{text}", prefix)


def files_of(folder: Path, *patterns: str) -> list[Path]:
    """Return the files of the first glob pattern that finds any, ``docs-10`` behind ``docs-9``."""
    if not folder.is_dir():
        raise PanglotError(f"{folder}: no such folder; check the path.")
    for pattern in patterns:
        if found := [path for path in folder.glob(pattern) if path.is_file()]:
            return sorted(found, key=_natural)
    return []


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part or 0), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", str(path))]


def require_pools(
    name: str, folder: Path, languages: Sequence[str], pool: Callable[[str], Pool | str], source: str
) -> list[Pool]:
    """Return the pool of every language, or say which files of passages are missing and where they are.

    Args:
        name: of the benchmark.
        folder: where was looked.
        languages: all of them are needed.
        pool: returns a language's pool or, where it is missing, what its official files are called.
        source: where the official files are.
    """
    if not languages:
        raise PanglotError(f"{name}: no language is left; give at least one.")
    pools = {language: pool(language) for language in languages}
    missing = {language: found for language, found in pools.items() if isinstance(found, str)}
    if missing:
        official = next(iter(missing.values()))
        there = [language for language in languages if language not in missing]
        choice = (
            f", or choose among the languages whose passages are here: {', '.join(there)}" if there else ""
        )
        raise PanglotError(
            f"{folder}: {name} lacks its passages in {', '.join(missing)}: there is no {official}; "
            f"fetch them from {source}{choice}."
        )
    return [found for found in pools.values() if isinstance(found, Pool)]
