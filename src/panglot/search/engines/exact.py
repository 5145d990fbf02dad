"""Exact search in NumPy: every passage is scored. For what fits in memory, and to check other engines by.

A folder: ``index.json`` holds the facts, ``exact/`` numbered segments, each written whole (an Arrow file of
passages and vectors, memory-mapped, with the ids that it takes out), and their manifest, which lists them in
order with their checksums. The segments in order are the log of all changes: a reader sees whole segments
only, and may read while another process writes. Writers take turns: each holds a lock while it writes.
"""

import json
import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from filelock import FileLock, Timeout
from pydantic import BaseModel, Field

from panglot.data import FloatArray, IntArray
from panglot.data.text_column import take_rows
from panglot.errors import PanglotError
from panglot.files import atomic_write, explained, sha256, write_json
from panglot.parse import Form, parse_json, read_form, validated
from panglot.search.bm25 import Bm25Pool, bm25_tokens, query_tokens
from panglot.search.documents.document import Passage
from panglot.search.engines.engine import (
    TEXTS,
    VECTOR,
    Facts,
    Filter,
    Found,
    Kept,
    draw,
    joined_facts,
    passage_of,
    passage_table,
    table_vectors,
)

EXACT = "exact"
FACTS = "index.json"
MANIFEST = "manifest.json"
SEGMENTS = 32  # more are made one
QUERIES = 64  # scored at a time
TRIES = 20
WAIT = 60.0  # seconds that a writer waits for another
REMAKE = "delete the index and make it again"
DAMAGED = f"is damaged; {REMAKE}"
Flags = npt.NDArray[np.bool_]


class _About(NamedTuple):
    gone: list[str]
    whole: bool


class _Manifest(BaseModel):
    segments: dict[Annotated[str, Field(pattern=r"^\d{8,}\.arrow$")], str | None]


class _Segment:
    """One file: its passages as columns, their vectors, and which of them still hold."""

    def __init__(self, path: Path, checksum: str | None) -> None:
        """Open a file that has this checksum; without one (of an older index) all of it is validated."""
        # first, so that what is checked cannot be replaced before it is read
        memory = pa.memory_map(str(path))
        if checksum is not None and sha256(path) != checksum:
            raise PanglotError(f"{path}: {DAMAGED}.")
        try:
            table = pa.ipc.open_file(memory).read_all()
            if checksum is None:
                table.validate(full=True)
        except (pa.ArrowException, ValueError, OSError) as error:
            raise PanglotError(f"{path}: {DAMAGED}.") from error
        about = parse_json((table.schema.metadata or {}).get(b"panglot", b"{}"), path, fix=REMAKE)
        self.gone, self.whole = validated(_About, about, path, fix=REMAKE)
        kinds = {name: table.schema.field(name).type for name in table.column_names}
        sound = all(kinds.get(name) == pa.string() for name in TEXTS)
        if not sound or not pa.types.is_fixed_size_list(kinds.get(VECTOR, pa.null())):
            raise PanglotError(f"{path}: {DAMAGED}.")
        self.texts = table.select(list(TEXTS))
        self.vectors = table_vectors(table.column(VECTOR)) if len(table) else np.empty((0, 1), np.float32)
        self.ids: list[str] = table.column("id").to_pylist()
        self.languages = np.array(table.column("language").to_pylist(), np.str_)
        self.alive: Flags = np.ones(len(self.ids), bool)
        self._metadata: list[dict[str, Any]] | None = None

    @cached_property
    def draws(self) -> IntArray:
        return np.fromiter(map(draw, self.ids), np.int64, len(self.ids))

    def passage(self, row: int) -> Passage:
        return passage_of(self.texts.slice(row, 1).to_pylist()[0])

    def chosen(self, chosen: Filter) -> Flags:
        mask = self.alive.copy()
        if chosen.languages is not None:
            mask &= np.isin(self.languages, np.array(chosen.languages, np.str_))
        if chosen.where:
            if self._metadata is None:
                self._metadata = [json.loads(text) for text in self.texts.column("metadata").to_pylist()]
            for row in np.flatnonzero(mask).tolist():
                mask[row] = chosen.fits(str(self.languages[row]), self._metadata[row])
        return mask


class ExactEngine:
    """See ``Engine``."""

    kind = "exact"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._segments: dict[str, _Segment] = {}
        # their checksums: another index has segments of the same names
        self._read: dict[str, str | None] = {}
        self._files: dict[str, tuple[tuple[int, ...], Any]] = {}
        self._place: dict[str, tuple[str, int]] = {}
        self._documents: dict[str, set[str]] = {}
        self._lexicon: tuple[Bm25Pool, list[tuple[str, int]]] | None = None
        self._guard = threading.RLock()  # a search must not see half of what another thread reads in
        self._lock = FileLock(folder / EXACT / ".lock", timeout=WAIT)

    def facts(self) -> Facts | None:
        """Return the content of ``index.json``."""
        return self._content(FACTS, dict[str, Any])

    def write_facts(self, facts: Facts) -> None:
        """Write ``index.json``, and make the folder."""
        with explained(self.folder):
            (self.folder / EXACT).mkdir(parents=True, exist_ok=True)
        with self._writing():
            if self.facts() is None:
                write_json(self.folder / EXACT / MANIFEST, {"segments": {}})
            write_json(self.folder / FACTS, joined_facts(facts, self.facts()))

    def kept(self, documents: Sequence[str]) -> dict[str, Kept]:
        """Return what is kept of some documents."""
        with self._guard:
            self._refresh()
            found: dict[str, Kept] = {}
            for name in {name for document in documents for name in self._documents.get(document, ())}:
                passage = self._passage(self._place[name])
                found[name] = Kept(passage.document, passage.digest(), passage.about())
            return found

    def vectors(self, ids: Sequence[str]) -> dict[str, FloatArray]:
        """Return the vectors of some passages."""
        with self._guard:
            self._refresh()
            places = {name: self._place[name] for name in ids if name in self._place}
            return {name: self._segments[segment].vectors[row] for name, (segment, row) in places.items()}

    def write(self, passages: Sequence[Passage], vectors: FloatArray) -> None:
        """Write a segment."""
        if passages:
            self._append(passage_table(passages, vectors), [])

    def delete(self, ids: Sequence[str]) -> None:
        """Write a segment that takes passages out."""
        with self._writing():
            self._refresh()
            if gone := [name for name in ids if name in self._place]:
                empty = next(iter(self._segments.values())).vectors[:0]
                self._append(passage_table([], empty), gone)

    def settle(self) -> None:
        """Make one segment of many, or where most of what they hold is gone."""
        with self._writing():  # what another process writes between reading and writing would be lost
            self._refresh()
            held = sum(len(segment.ids) for segment in self._segments.values())
            if len(self._segments) <= SEGMENTS and held <= 2 * max(1, len(self._place)):
                return
            if parts := [passage_table(*part) for part in self.scan()]:
                self._append(pa.concat_tables(parts), [], whole=True)
                listed = self._listed()
                for path in (self.folder / EXACT).glob("*.arrow"):
                    if path.name not in listed:  # a reader that maps one keeps it until it is done
                        path.unlink(missing_ok=True)

    def count(self, chosen: Filter = Filter()) -> int:  # noqa: B008 (it cannot change)
        """Return the number of passages."""
        with self._guard:
            self._refresh()
            return sum(int(segment.chosen(chosen).sum()) for segment in self._segments.values())

    def state(self) -> tuple[int, Hashable]:
        """Return the number of passages, and the segments that hold them."""
        with self._guard:
            self._refresh()
            return len(self._place), tuple(self._read.items())

    def dense(self, vectors: FloatArray, k: int, chosen: Filter) -> list[list[Found]]:
        """Score every passage."""
        with self._guard:
            self._refresh()
            found: list[list[Found]] = []
            parts = [(segment, np.flatnonzero(segment.chosen(chosen))) for segment in self._segments.values()]
            for start in range(0, len(vectors), QUERIES):
                block = vectors[start : start + QUERIES]
                tops = [_top(segment, rows, block, k) for segment, rows in parts if len(rows)]
                for query in range(len(block)):
                    best = sorted((hit for top in tops for hit in top[query]), key=lambda hit: -hit[0])[:k]
                    found.append([Found(segment.passage(row), score) for score, segment, row in best])
            return found

    def lexical(self, queries: Sequence[str], k: int, chosen: Filter) -> list[list[Found]]:
        """Score every passage by BM25; how rare a word is is counted in the whole index."""
        with self._guard:
            self._refresh()
            if self._lexicon is None:
                places = list(self._place.values())
                passages = map(self._passage, places)
                texts = [bm25_tokens(passage.encoded, passage.language) for passage in passages]
                self._lexicon = Bm25Pool(texts), places
            pool, places = self._lexicon
            masks = {name: segment.chosen(chosen) for name, segment in self._segments.items()}
            fitting = np.array([masks[name][row] for name, row in places], bool)
            found = []
            for query in queries:
                scores = np.where(fitting, pool.scores(query_tokens(query)), 0)
                best = [row for row in np.argsort(-scores, kind="stable")[:k] if scores[row] > 0]
                found.append([Found(self._passage(places[row]), float(scores[row])) for row in best])
            return found

    def sample(self, chosen: Filter, count: int) -> FloatArray:
        """Return the vectors of the passages whose ids draw the lowest numbers."""
        with self._guard:
            self._refresh()
            low = []
            for segment in self._segments.values():
                rows = np.flatnonzero(segment.chosen(chosen))
                drawn = segment.draws[rows]
                if len(rows) > count:
                    rows = rows[drawn <= np.partition(drawn, count - 1)[count - 1]]
                low += [(int(segment.draws[row]), segment.ids[row], segment, row) for row in rows.tolist()]
            lowest = sorted(low, key=lambda found: found[:2])[:count]
            return np.array([segment.vectors[row] for _, _, segment, row in lowest], np.float32)

    def scan(self, size: int = 1024) -> Iterator[tuple[list[Passage], FloatArray]]:
        """Return all passages, in the order in which they were written."""
        self._refresh()
        for segment in list(self._segments.values()):
            batches, rows = segment.texts.to_batches(), np.flatnonzero(segment.alive)
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                texts = take_rows(batches, part).to_pylist()
                yield [passage_of(row) for row in texts], segment.vectors[part]

    def release(self) -> None:
        """Nothing is held."""

    def give_way(self) -> None:
        """Nothing is held."""

    def _passage(self, place: tuple[str, int]) -> Passage:
        segment, row = place
        return self._segments[segment].passage(row)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the lock that one writer at a time has; it may be taken again inside."""
        try:
            with explained(self.folder), self._lock:
                yield
        except Timeout as error:
            raise PanglotError(
                f"{self.folder}: another process writes to it; wait until it is done."
            ) from error

    def _append(self, table: pa.Table, gone: list[str], *, whole: bool = False) -> None:
        folder = self.folder / EXACT
        with self._writing():
            listed = self._listed(checksums=True)
            numbers = [int(path.stem) for path in folder.glob("*.arrow")]
            about = json.dumps({"gone": gone, "whole": whole}).encode()
            table = table.replace_schema_metadata({b"panglot": about}).combine_chunks()
            path = folder / f"{max(numbers, default=0) + 1:08d}.arrow"
            with atomic_write(path) as part, pa.ipc.new_file(str(part), table.schema) as writer:
                writer.write_table(table, max_chunksize=max(1, len(table)))
            segments = {**({} if whole else listed), path.name: sha256(path)}
            write_json(folder / MANIFEST, {"segments": segments})
        self._refresh()

    def _content(self, name: str, form: type[Form]) -> Form | None:
        """Return what a file holds that is replaced as a whole; None where there is none.

        Every search asks for it, so it is read again only when it has changed.
        """
        path = self.folder / name
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        stamp = found.st_ino, found.st_size, found.st_mtime_ns
        if self._files.get(name, ((), None))[0] != stamp:
            self._files[name] = stamp, read_form(path, form, fix=REMAKE)
        content: Form = self._files[name][1]
        return content

    def _listed(self, *, checksums: bool = False) -> dict[str, str | None]:
        """Return the checksums of the segments by name, in order; None for those of an older index."""
        folder = self.folder / EXACT
        manifest = self._content(f"{EXACT}/{MANIFEST}", _Manifest)
        if manifest is not None:
            return manifest.segments
        if not folder.exists() and (self.folder / FACTS).exists():
            raise PanglotError(f"{folder}: is gone; the index {DAMAGED}.")
        segments = sorted(folder.glob("*.arrow"))
        return {own.name: sha256(own) if checksums else None for own in segments}

    def _refresh(self) -> None:
        """Read the segments that are new; all again where some that were read are gone."""
        with self._guard:
            for attempt in range(TRIES):
                listed = self._listed()
                if listed == self._read:
                    return
                if list(listed.items())[: len(self._read)] != list(self._read.items()):
                    self._segments, self._read, self._place, self._documents = {}, {}, {}, {}
                    self._lexicon = None
                try:
                    for name in list(listed)[len(self._read) :]:
                        self._add(name, _Segment(self.folder / EXACT / name, listed[name]))
                        self._read[name] = listed[name]
                    return
                except FileNotFoundError as error:  # another process may have made one of many
                    if attempt == TRIES - 1 or self._listed() == listed:
                        path = self.folder / EXACT / name
                        raise PanglotError(f"{path}: is gone; the index {DAMAGED}.") from error

    def _add(self, name: str, segment: _Segment) -> None:
        self._lexicon = None
        self._segments[name] = segment
        if segment.whole:
            for other in list(self._segments.values())[:-1]:
                other.alive[:] = False
            self._place, self._documents = {}, {}
        documents = segment.texts.column("document").to_pylist()
        for gone in segment.gone:
            self._remove(gone)
        for row, (identity, document) in enumerate(zip(segment.ids, documents, strict=True)):
            self._remove(identity)
            self._place[identity] = (name, row)
            self._documents.setdefault(document, set()).add(identity)

    def _remove(self, identity: str) -> None:
        place = self._place.pop(identity, None)
        if place is None:
            return
        segment = self._segments[place[0]]
        segment.alive[place[1]] = False
        document = str(segment.texts.column("document")[place[1]].as_py())
        self._documents[document].discard(identity)


def _top(
    segment: _Segment, rows: IntArray, vectors: FloatArray, k: int
) -> list[list[tuple[float, Any, int]]]:
    everything = len(rows) == len(segment.ids)
    scores = vectors @ (segment.vectors if everything else segment.vectors[rows]).T
    k = min(k, len(rows))
    least = np.partition(scores, -k, axis=1)[:, -k]  # of the k best; of equal ones the first count
    tops = []
    for of_query, lowest in zip(scores, least, strict=True):
        columns = np.flatnonzero(of_query > lowest)
        columns = np.concatenate([columns, np.flatnonzero(of_query == lowest)[: k - len(columns)]])
        columns = columns[np.argsort(-of_query[columns], kind="stable")]
        tops.append([(float(of_query[c]), segment, int(rows[c])) for c in columns])
    return tops
