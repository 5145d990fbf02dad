"""Milvus: embedded in a folder (Milvus Lite), or a server or cluster, by one and the same calls.

A collection of passages, and one of facts beside it. Milvus Lite lets one process in at a time: a lock in
the folder makes others wait, and ``release`` lets them in.
"""

import contextlib
import errno
import json
import logging
import os
import re
from collections.abc import Hashable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from filelock import FileLock, Timeout

from panglot.data import FloatArray
from panglot.errors import PanglotError, first_line, needs
from panglot.files import DISK_FULL, explained
from panglot.search.bm25 import K1, B, bm25_tokens, query_tokens
from panglot.search.documents.document import Passage, short_digest
from panglot.search.engines.engine import (
    DRAWS,
    NONE_THERE,
    TEXTS,
    VECTOR,
    Facts,
    Filter,
    Found,
    Kept,
    draw,
    joined_facts,
    meanings,
    passage_of,
)

EMBEDDED = "milvus.db"
COLLECTION = "panglot"
WAIT = 60.0  # seconds that a process waits for another to let go
PART = 512  # passages sent at a time
MOST = 16_384  # results: Milvus's limit
EF = 128  # candidates that HNSW keeps while it looks
TOKENS = 4000  # of a passage, for BM25
TOKEN = "MILVUS_TOKEN"
OLDEST = (2, 5)  # BM25 came with it
LONGEST_TEXT = {"id": 512, "document": 512, "language": 64, "title": 8192, "source": 4096, "text": 65_535}
LONGEST = 65_535  # bytes: Milvus's limit for texts
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})
HNSW = {"M": 16, "efConstruction": 200}


class MilvusEngine:
    """See ``Engine``."""

    kind = "milvus"

    def __init__(self, place: Path | str, wait: float = WAIT) -> None:
        """Take a folder, or the address of a server, ``http://host:19530#collection``."""
        self.place, self.wait = place, wait
        address, _, name = str(place).partition("#") if isinstance(place, str) else (str(place), "", "")
        self._address = address if isinstance(place, str) else str(place / EMBEDDED)
        self.collection = name or COLLECTION
        self._facts_collection = f"{self.collection}_facts"
        self._open: Any = None
        self._lock: FileLock | None = None

    def facts(self) -> Facts | None:
        """Read the facts; an embedded index that does not exist is not made."""
        if isinstance(self.place, Path) and not (self.place / EMBEDDED).exists():
            return None
        if not self._call("has_collection", self._facts_collection):
            return None
        rows = self._call("query", self._facts_collection, filter="id == 'facts'", output_fields=["facts"])
        return cast(Facts, rows[0]["facts"]) if rows else None

    def write_facts(self, facts: Facts) -> None:
        """Write the facts; make the collections where there are none."""
        client = self._client(make=True)
        with explained_calls(self.place):
            for name, make in (
                (self._facts_collection, facts_schema),
                (self.collection, lambda: collection_schema(facts["dimension"])),
            ):
                if not client.has_collection(name):
                    schema, indexes = make()
                    client.create_collection(name, schema=schema, consistency_level="Strong")
                    client.create_index(name, indexes, sync=False)  # else it sleeps half a second for each
                    client.load_collection(name)
            row = {"id": "facts", "facts": joined_facts(facts, self.facts()), VECTOR: [0.0, 1.0]}
            client.upsert(self._facts_collection, [row])

    def kept(self, documents: Sequence[str]) -> dict[str, Kept]:
        """Return what is kept of some documents."""
        found: dict[str, Kept] = {}
        for start in range(0, len(documents), PART):
            fields = ["id", "document", "digest", "about"]
            for row in self._rows(one_of("document", documents[start : start + PART]), fields):
                found[row["id"]] = Kept(row["document"], row["digest"], row["about"])
        return found

    def vectors(self, ids: Sequence[str]) -> dict[str, FloatArray]:
        """Return the vectors of some passages."""
        found: dict[str, FloatArray] = {}
        for start in range(0, len(ids), PART):
            for row in self._rows(one_of("id", ids[start : start + PART]), ["id", VECTOR]):
                found[row["id"]] = np.array(row[VECTOR], np.float32)
        return found

    def write(self, passages: Sequence[Passage], vectors: FloatArray) -> None:
        """Put passages in; each call to Milvus is written to its log before it returns."""
        for start in range(0, len(passages), PART):
            part = zip(passages[start : start + PART], vectors[start : start + PART], strict=True)
            self._call("upsert", self.collection, [_row(passage, vector) for passage, vector in part])

    def delete(self, ids: Sequence[str]) -> None:
        """Take passages out."""
        for start in range(0, len(ids), PART):
            # not by ids=: pymilvus puts them into an expression as they are
            self._call("delete", self.collection, filter=one_of("id", ids[start : start + PART]))

    def settle(self) -> None:
        """Write what is in memory, so that it gets its indexes."""
        self._call("flush", self.collection)

    def count(self, chosen: Filter = Filter()) -> int:  # noqa: B008 (it cannot change)
        """Return the number of passages."""
        which = filter_expression(chosen)
        rows = self._call("query", self.collection, filter=which, output_fields=["count(*)"])
        return int(rows[0]["count(*)"])

    def state(self) -> tuple[int, Hashable]:
        """Return the number of passages twice: Milvus has no other mark."""
        total = self.count()
        return total, total

    def dense(self, vectors: FloatArray, k: int, chosen: Filter) -> list[list[Found]]:
        """Search the HNSW graph by cosine similarity."""
        data = np.ascontiguousarray(vectors, np.float32)
        parameters = {"metric_type": "COSINE", "params": {"ef": max(EF, 2 * k)}}
        return self._search(list(data), VECTOR, parameters, k, chosen)

    def lexical(self, queries: Sequence[str], k: int, chosen: Filter) -> list[list[Found]]:
        """Search by Milvus's own BM25, over panglot's tokens."""
        words = [_as_text(query_tokens(query)) for query in queries]
        asking = [row for row, text in enumerate(words) if text]
        found: list[list[Found]] = [[] for _ in queries]
        if asking:
            parameters = {"metric_type": "BM25", "params": {}}
            lists = self._search([words[row] for row in asking], "sparse", parameters, k, chosen)
            for row, hits in zip(asking, lists, strict=True):
                # Milvus Lite turns the sign round
                found[row] = [Found(hit.passage, abs(hit.score)) for hit in hits]
        return found

    def sample(self, chosen: Filter, count: int) -> FloatArray:
        """Return the vectors of passages that draw a low number."""
        total = self.count(chosen)
        if not total:
            return np.empty((0, 1), np.float32)
        below = -(-DRAWS * count * 5 // (4 * total)) if total > count else DRAWS
        found = self._rows(filter_expression(chosen), ["id", "draw", VECTOR], below=below)
        rows = sorted(found, key=lambda row: (row["draw"], row["id"]))
        return np.array([row[VECTOR] for row in rows[:count]], np.float32)

    def scan(self, size: int = 1024) -> Iterator[tuple[list[Passage], FloatArray]]:
        """Return all passages."""
        rows = self._rows("", [*TEXTS, VECTOR], parts=max(1, self.count() // size))
        while held := list(islice(rows, size)):
            yield [passage_of(row) for row in held], np.array([row[VECTOR] for row in held], np.float32)

    def release(self) -> None:
        """Close the embedded Milvus and let other processes in."""
        if self._open is not None:
            self._open.close()
            if isinstance(self.place, Path):
                from milvus_lite.server_manager import server_manager_instance

                server_manager_instance.release_server(self._address)
            self._open = None
        if self._lock is not None:
            self._lock.release(force=True)
            self._lock = None

    def give_way(self) -> None:
        """Let another process in if one waits. Between writes; a server may call it now and then."""
        if self._lock is None:
            return
        try:
            with self._gate(0):
                pass
        except Timeout:
            self.release()

    def _gate(self, wait: float) -> FileLock:
        """Return the lock that whoever waits holds: who was in last cannot be in again before them."""
        return FileLock(Path(self.place) / ".gate", timeout=wait, thread_local=False)

    def _client(self, make: bool = False) -> Any:
        if self._open is not None:
            return self._open
        if isinstance(self.place, Path):
            if not make and not (self.place / EMBEDDED).exists():  # Milvus Lite would make an empty one
                raise PanglotError(f"{self.place}: {NONE_THERE}")
            with explained(self.place):
                self.place.mkdir(parents=True, exist_ok=True)
                lock = FileLock(self.place / ".lock", timeout=self.wait, thread_local=False)
                try:
                    with self._gate(self.wait):
                        lock.acquire()
                except Timeout as error:
                    raise PanglotError(
                        f"{self.place}: another process uses this index (Milvus Lite allows one at a time); "
                        "wait until it is done, or use a Milvus server or --engine exact."
                    ) from error
            self._lock = lock
        try:
            self._open = connect(self._address, self.place)
            with explained_calls(self.place):
                for name in (self._facts_collection, self.collection):
                    if self._open.has_collection(name):
                        self._open.load_collection(name)
        except BaseException:
            self.release()
            raise
        return self._open

    def _call(self, name: str, *given: Any, **options: Any) -> Any:
        client = self._client()
        with explained_calls(self.place):
            return getattr(client, name)(*given, **options)

    def _rows(
        self, expression: str, fields: list[str], *, below: int = DRAWS, parts: int = 1
    ) -> Iterator[dict[str, Any]]:
        """Give the rows that fit an expression, part by part.

        A part is a range of what passages draw. pymilvus's own iterator goes from id to id, and puts them
        into expressions as they are.
        """
        bounds = sorted({below * k // parts for k in range(parts + 1)})
        waiting = list(pairwise(bounds))[::-1]
        while waiting:
            low, high = waiting.pop()
            both = " and ".join(filter(None, [f"draw >= {low} and draw < {high}", expression]))
            rows = self._call("query", self.collection, filter=both, output_fields=fields, limit=MOST)
            if len(rows) == MOST and high - low > 1:
                middle = (low + high) // 2
                waiting += [(middle, high), (low, middle)]
            else:
                yield from rows

    def _search(
        self, data: list[Any], field: str, parameters: dict[str, Any], k: int, chosen: Filter
    ) -> list[list[Found]]:
        lists = self._call(
            "search",
            self.collection,
            data=data,
            anns_field=field,
            filter=filter_expression(chosen),
            limit=min(k, MOST),
            output_fields=list(TEXTS),
            search_params=parameters,
        )
        return [
            [Found(passage_of({"id": hit["id"], **hit["entity"]}), float(hit["distance"])) for hit in hits]
            for hits in lists
        ]


def _row(passage: Passage, vector: FloatArray) -> dict[str, Any]:
    row = {name: getattr(passage, name) for name in TEXTS}
    for name, limit in LONGEST_TEXT.items():
        if len(row[name].encode()) > limit:
            raise PanglotError(f"the {name} of passage '{passage.id}' has over {limit} bytes; shorten it.")
    return row | {
        "digest": passage.digest(),
        "about": passage.about(),
        "draw": draw(passage.id),
        "tokens": _as_text(bm25_tokens(passage.encoded, passage.language)),
        VECTOR: vector,
    }


def _as_text(tokens: Sequence[str]) -> str:
    """Return words for Milvus's BM25: a checksum each, so that its analyzer cuts nothing."""
    return " ".join(f"t{short_digest(token)[:12]}" for token in tokens[:TOKENS])


def connect(address: str, place: Path | str) -> Any:
    """Open an embedded Milvus (an address that is a file) or connect to a server.

    A server's user and password, or its token, are in the environment variable ``MILVUS_TOKEN``.
    """
    needs("search", "pymilvus")
    if isinstance(place, Path):
        needs("search", "milvus_lite", hint="use --engine exact, which needs nothing, or ")
    from pymilvus import MilvusClient

    for name in ("pymilvus", "milvus_lite"):  # they log what they raise as well
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = MilvusClient(address, token=os.environ.get(TOKEN, ""))
        version = "" if isinstance(place, Path) else str(client.get_server_version())
    except Exception as error:
        if isinstance(place, Path):
            raise PanglotError(f"{place}: the index cannot be opened ({_reason(error)}).") from error
        raise PanglotError(
            f"{place}: no Milvus server answers ({_reason(error)}); check the address, "
            f"and {TOKEN} if it needs a token."
        ) from error
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found and tuple(map(int, found.groups())) < OLDEST:
        client.close()
        raise PanglotError(f"{place}: is Milvus {version}, which has no search by words; use 2.5 or newer.")
    return client


@contextlib.contextmanager
def explained_calls(place: Path | str) -> Iterator[None]:
    """Turn what Milvus says about a failed call into one sentence."""
    from pymilvus import MilvusException

    try:
        yield
    except MilvusException as error:
        if "No space left" in str(error) or f"Errno {errno.ENOSPC}" in str(error):
            raise PanglotError(f"{place}: {DISK_FULL}") from error
        raise PanglotError(f"{place}: Milvus says: {_reason(error)}.") from error


def collection_schema(dimension: int) -> tuple[Any, Any]:
    """Return the schema and the indexes of the passages."""
    from pymilvus import DataType, Function, FunctionType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=LONGEST_TEXT["id"])
    for name in ("document", "language", "title", "source", "text"):
        schema.add_field(name, DataType.VARCHAR, max_length=LONGEST_TEXT[name])
    for name in ("digest", "about"):
        schema.add_field(name, DataType.VARCHAR, max_length=64)
    schema.add_field("metadata", DataType.JSON)
    schema.add_field("draw", DataType.INT64)
    words = {"enable_analyzer": True, "analyzer_params": {"tokenizer": "standard"}}
    schema.add_field("tokens", DataType.VARCHAR, max_length=LONGEST, **words)
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_function(Function("bm25", FunctionType.BM25, ["tokens"], ["sparse"]))
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=HNSW)
    words = {"bm25_k1": K1, "bm25_b": B}
    indexes.add_index("sparse", index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params=words)
    for name in ("document", "language"):
        indexes.add_index(name, index_type="INVERTED")
    return schema, indexes


def facts_schema() -> tuple[Any, Any]:
    """Return the schema and the indexes of the facts; a collection must have a vector."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("facts", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", index_type="FLAT", metric_type="COSINE")
    return schema, indexes


def filter_expression(chosen: Filter) -> str:
    """Return a filter as a Milvus expression; "" for none."""
    parts = []
    if chosen.languages is not None:
        parts.append(one_of("language", chosen.languages))
    for name, text in chosen.where.items():
        values = [f"metadata[{literal(name)}] == {literal(value)}" for value in meanings(text)]
        parts.append(f"({' or '.join(values)})")
    return " and ".join(parts)


def one_of(field: str, values: Sequence[str]) -> str:
    """Return the expression for rows whose field has one of some values."""
    return f"{field} in [{', '.join(literal(value) for value in values)}]"


def literal(value: str | int | float) -> str:
    """Return a text, a finite number or a truth value as an expression writes it.

    The only place where data become part of an expression. Milvus Lite binds no values (it lacks
    ``filter_params``), and knows the escapes below; all other characters may be in quotation marks as
    they are, in Milvus as well.
    """
    if isinstance(value, str):
        return f'"{value.translate(ESCAPES)}"'
    return json.dumps(value, allow_nan=False)


def _reason(error: Exception) -> str:
    return first_line(getattr(error, "message", "") or error)
