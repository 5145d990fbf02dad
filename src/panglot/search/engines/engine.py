"""What an engine does, and the passages of an index as columns."""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import regex

from panglot.data import FloatArray
from panglot.search.documents.document import Passage, short_digest

Facts = dict[str, Any]
DRAWS = 1 << 16
NONE_THERE = "there is no index; make one with panglot index."
TRUTH = {"true": True, "false": False}
NUMBER = regex.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")  # JSON's, which has no Infinity
TEXTS = ("id", "document", "language", "title", "text", "source", "metadata")
VECTOR = "vector"
LARGEST, LONGEST_NUMBER = 2**63, 40  # engines keep 64 bits


class Found(NamedTuple):
    """A passage that an engine found, and its score: higher is better."""

    passage: Passage
    score: float


class Kept(NamedTuple):
    """What an index has of a passage: its document, and the checksums of ``Passage``."""

    document: str
    digest: str
    about: str


@dataclass(frozen=True)
class Filter:
    """Which passages are searched."""

    languages: tuple[str, ...] | None = None  # codes; None for all
    # metadata, by name, that must have these values. A value is a text; the JSON number or truth value that
    # it spells is meant by it too
    where: Mapping[str, str] = field(default_factory=dict)

    def fits(self, language: str, metadata: Mapping[str, Any]) -> bool:
        """Say whether a passage is searched."""
        if self.languages is not None and language not in self.languages:
            return False
        return all(
            name in metadata
            and any(
                metadata[name] == value and isinstance(metadata[name], bool) == isinstance(value, bool)
                for value in meanings(text)
            )
            for name, text in self.where.items()
        )


def meanings(text: str) -> list[Any]:
    """Return what a text can mean: itself, and the JSON number or truth value that it spells."""
    if text in TRUTH:
        return [text, TRUTH[text]]
    if not NUMBER.fullmatch(text) or len(text) > LONGEST_NUMBER:
        return [text]
    value = json.loads(text)
    return [text, value] if abs(value) < LARGEST else [text]


def joined_facts(facts: Facts, there: Facts | None) -> Facts:
    """Return facts with the languages that another process has written meanwhile."""
    languages = {*facts.get("languages", ()), *(there or {}).get("languages", ())}
    return {**facts, "languages": sorted(languages)} if languages else facts


def draw(name: str) -> int:
    """Return a number below ``DRAWS`` for an id, as if drawn: those below a bound are a random sample."""
    return int(short_digest("draw", name)[:4], 16)


class Engine(Protocol):
    """Keeps passages with their vectors. Every write is done whole or not at all, passage by passage."""

    @property
    def kind(self) -> str:
        """Name of the engine: ``milvus`` or ``exact``."""

    def facts(self) -> Facts | None:
        """Return what ``write_facts`` wrote; None where there is no index."""

    def write_facts(self, facts: Facts) -> None:
        """Write what the index remembers (``dimension`` among it); makes a new index where there is none.

        Languages that the index has already stay in it.
        """

    def kept(self, documents: Sequence[str]) -> dict[str, Kept]:
        """Return what is kept of the passages of some documents, by passage id."""

    def vectors(self, ids: Sequence[str]) -> dict[str, FloatArray]:
        """Return the vectors of some passages, by id; unknown ids are passed over."""

    def write(self, passages: Sequence[Passage], vectors: FloatArray) -> None:
        """Add passages with their unit vectors ``(n, d)``, in the place of those with the same ids."""

    def delete(self, ids: Sequence[str]) -> None:
        """Take passages out; unknown ids are passed over."""

    def settle(self) -> None:
        """Make what was written quick to search; called at the end of indexing."""

    def count(self, chosen: Filter = Filter()) -> int:
        """Return the number of passages."""

    def state(self) -> tuple[int, Hashable]:
        """Return the number of passages, and a mark that changes when passages come or go."""

    def dense(self, vectors: FloatArray, k: int, chosen: Filter) -> list[list[Found]]:
        """Return the k passages with the highest dot product with each vector ``(n, d)``, best first."""

    def lexical(self, queries: Sequence[str], k: int, chosen: Filter) -> list[list[Found]]:
        """Return the k best passages that share a word with each query, by BM25, best first."""

    def sample(self, chosen: Filter, count: int) -> FloatArray:
        """Return the vectors of about so many passages at random, always the same: ``(n, d)``."""

    def scan(self, size: int = 1024) -> Iterator[tuple[list[Passage], FloatArray]]:
        """Return all passages and their vectors, in parts."""

    def release(self) -> None:
        """Let other processes in; the next call takes hold again."""

    def give_way(self) -> None:
        """Do so only if another process waits."""


def passage_table(passages: Sequence[Passage], vectors: FloatArray) -> pa.Table:
    """Return passages with their vectors ``(n, d)`` as a table; metadata is JSON."""
    columns: dict[str, Any] = {
        name: pa.array([getattr(passage, name) for passage in passages], pa.string()) for name in TEXTS[:-1]
    }
    metadata = [json.dumps(passage.metadata, ensure_ascii=False) for passage in passages]
    columns["metadata"] = pa.array(metadata, pa.string())
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    columns[VECTOR] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table(columns)


def table_vectors(column: pa.ChunkedArray) -> FloatArray:
    """Return a column of vectors as ``(n, d)``; nothing is copied where it lies in one piece."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)
    return np.asarray(array.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(
        -1, array.type.list_size
    )


def passage_of(row: dict[str, Any]) -> Passage:
    """Make a passage of a row of texts."""
    texts = {name: str(row[name]) for name in TEXTS[:-1]}
    metadata = row["metadata"]
    return Passage(**texts, metadata=json.loads(metadata) if isinstance(metadata, str) else dict(metadata))
