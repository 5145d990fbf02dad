"""A store of embeddings: a folder of memory-mapped shards, for pools that do not fit in memory.

``store.json`` says whose embeddings of which texts they are; ``shard-00000.npy`` and so on hold the rows, in
the order of the texts. A store can be used as an array of embeddings: it has a length, and gives float32
rows by slice or by an array of row numbers. On disk the numbers are float32, float16, or int8 with one
float32 scale a row.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from typing_extensions import TypedDict

from panglot.data import FloatArray, IntArray
from panglot.errors import PanglotError
from panglot.files import check_file
from panglot.parse import read_form, validated

Dtype = Literal["float32", "float16", "int8"]
DTYPES: tuple[str, ...] = get_args(Dtype)
SCHEMA = 1
FACTS = "store.json"
OPEN = 2  # shards mapped at a time, so that memory stays flat
STEPS = 127  # of an int8, either side of 0


class _Model(TypedDict):
    name: str
    sha256: str
    prompt: str
    max_length: int | None
    precision: str


class _Corpus(TypedDict):
    name: str
    sha256: str


class _Described(TypedDict):
    model: _Model
    corpus: _Corpus


@dataclass(frozen=True)
class StoreFacts:
    """What a store holds.

    Attributes:
        model: ``name``, ``sha256`` of its weights, ``prompt`` before each text, ``max_length`` in tokens, and
            ``precision`` of computing.
        corpus: which texts: ``name``, ``sha256``, ... See ``panglot.evaluation.stores.corpus_facts``.
        rows: number of texts.
        dimension: of an embedding.
        dtype: of the numbers on disk.
        shard_size: rows in each shard but the last.
    """

    model: dict[str, Any]
    corpus: dict[str, Any]
    rows: int
    dimension: int
    dtype: str
    shard_size: int

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.rows // self.shard_size)

    def span(self, shard: int) -> slice:
        """Return the rows of a shard."""
        return slice(shard * self.shard_size, min(self.rows, (shard + 1) * self.shard_size))

    def rows_of(self, shard: int) -> int:
        """Return the number of rows of a shard."""
        return min(self.rows, (shard + 1) * self.shard_size) - shard * self.shard_size

    def as_json(self) -> dict[str, Any]:
        """Return the content of ``store.json``."""
        return {"schema": SCHEMA, **asdict(self)}


class Store:
    """Embeddings on disk, ``(rows, dimension)``; made by ``open_store``."""

    def __init__(self, folder: Path, facts: StoreFacts):
        self.folder, self.facts = folder, facts
        # the shard not used for longest is closed
        self._shard = lru_cache(OPEN)(partial(map_shard, folder, facts))

    def __len__(self) -> int:
        return self.facts.rows

    @property
    def dimension(self) -> int:
        """Length of a row."""
        return self.facts.dimension

    def __getitem__(self, rows: slice | IntArray) -> FloatArray:
        """Return some rows as float32, ``(n, dimension)``, as an array does."""
        return self.block(rows) if isinstance(rows, slice) else self.rows(rows)

    def block(self, rows: slice, buffer: FloatArray | None = None) -> FloatArray:
        """Return a slice of rows (of step 1) as float32.

        Args:
            rows: of which not more than the buffer has.
            buffer: ``(b, dimension)``, whose first rows are filled and returned: fresh memory for every
                block costs more than reading it. None: fresh memory.
        """
        start, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"a store gives rows one after the other, not every {step}th")
        count = max(0, stop - start)
        out = np.empty((count, self.dimension), np.float32) if buffer is None else buffer[:count]
        size = self.facts.shard_size
        for shard in range(start // size, -(-stop // size)) if start < stop else ():
            span = self.facts.span(shard)
            low, high = max(start, span.start), min(stop, span.stop)
            self._read(shard, slice(low - span.start, high - span.start), out[low - start : high - start])
        return out

    def rows(self, rows: IntArray) -> FloatArray:
        """Return rows by number, in the order given, as float32."""
        rows = np.asarray(rows, np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < len(self)):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a store of {len(self)}")
        out = np.empty((len(rows), self.dimension), np.float32)
        shards = rows // self.facts.shard_size
        for shard in np.unique(shards).tolist():
            where = np.flatnonzero(shards == shard)
            part = np.empty((len(where), self.dimension), np.float32)
            self._read(shard, rows[where] - shard * self.facts.shard_size, part)
            out[where] = part
        return out

    def _read(self, shard: int, rows: slice | IntArray, out: FloatArray) -> None:
        values, scales = self._shard(shard)
        # torch turns 16 bits into 32 some twenty times as fast as numpy
        numbers = torch.from_numpy(out)
        numbers.copy_(torch.from_numpy(values[rows]))
        if scales is not None:
            numbers.mul_(torch.from_numpy(np.ascontiguousarray(scales[rows]))[:, None])


def open_store(folder: str | Path) -> Store:
    """Open a store that is complete.

    Raises:
        PanglotError: there is none, it cannot be read, or shards are missing or broken.
    """
    folder = Path(folder)
    facts = read_facts(folder)
    missing = [shard for shard in range(facts.shards) if not shard_path(folder, shard).exists()]
    if missing:
        raise PanglotError(
            f"{folder}: lacks {len(missing)} of {facts.shards} shards (the first is "
            f"{shard_path(folder, missing[0]).name}); run 'panglot encode' again, to make them."
        )
    for shard in range(facts.shards):
        map_shard(folder, facts, shard)
    return Store(folder, facts)


def read_facts(folder: Path) -> StoreFacts:
    """Read ``store.json``."""
    path = folder / FACTS
    if not path.exists():
        raise PanglotError(f"{folder}: is not a store of embeddings ({FACTS} is missing); check the path.")
    found = read_form(path, dict[str, Any], fix="delete the store and encode again")
    if found.pop("schema", None) != SCHEMA:
        raise PanglotError(f"{path}: is of another version of panglot; encode again into a new folder.")
    validated(_Described, found, path, fix="delete the store and encode again")
    facts = validated(StoreFacts, found, path, fix="delete the store and encode again")
    if facts.dtype not in DTYPES or not all(
        0 < number < 2**40 for number in (facts.rows, facts.dimension, facts.shard_size)
    ):
        raise PanglotError(f"{path}: is of another version of panglot; encode again into a new folder.")
    return facts


def shard_path(folder: Path, shard: int) -> Path:
    """Return the file of a shard's numbers. It is written last: where it is, the shard is whole."""
    return folder / f"shard-{shard:05d}.npy"


def scale_path(folder: Path, shard: int) -> Path:
    """Return the file of the scales of an int8 shard's rows."""
    return folder / f"shard-{shard:05d}.scale.npy"


def map_shard(folder: Path, facts: StoreFacts, shard: int) -> tuple[npt.NDArray[Any], FloatArray | None]:
    """Map a shard's numbers, ``(n, dimension)``, and read its scales, ``(n,)``, or None."""
    rows = facts.rows_of(shard)
    values = _load(shard_path(folder, shard), facts.dtype, (rows, facts.dimension), mapped=True)
    if facts.dtype != "int8":
        return values, None
    return values, _load(scale_path(folder, shard), "float32", (rows,), mapped=False)


def _load(path: Path, dtype: str, shape: tuple[int, ...], *, mapped: bool) -> npt.NDArray[Any]:
    if path.exists():
        check_file(path)
    try:
        # copy-on-write: nothing is ever written, but torch wants arrays that could be
        found = np.load(path, mmap_mode="c" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise PanglotError(f"{path}: cannot be read; delete it and run 'panglot encode' again.") from error
    if found.dtype != dtype or found.shape != shape:
        raise PanglotError(
            f"{path}: holds {found.dtype} numbers {found.shape} where {dtype} {shape} belong; "
            "delete it and run 'panglot encode' again."
        )
    return np.asarray(found)
