"""Milvus: embedded in a folder (Milvus Lite), or a server or cluster, by one and the same calls.

A collection of passages, and one of facts beside it. Milvus Lite lets one process in at a time: a lock in
the folder makes others wait, and ``release`` lets them in.
"""

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from filelock import FileLock, Timeout

from panglot.data import FloatArray
from panglot.errors import PanglotError
from panglot.files import explained
from panglot.search.bm25 import K1, B, bm25_tokens, query_tokens
from panglot.search.documents.document import Passage, short_digest
from panglot.search.engines.columns import TEXTS, VECTOR, passage_of
from panglot.search.engines.engine import DRAWS, NONE_THERE, Facts, Filter, Found, Kept, draw, joined_facts
from panglot.search.engines.milvus_calls import (
    LONGEST_TEXT,
    collection_schema,
    connect,
    disconnect,
    explained_calls,
    facts_schema,
    filter_expression,
    one_of,
)

EMBEDDED = "milvus.db"
COLLECTION = "panglot"
WAIT = 60.0  # seconds that a process waits for another to let go
PART = 512  # passages sent at a time
MOST = 16_384  # results: Milvus's limit
EF = 128  # candidates that HNSW keeps while it looks
TOKENS = 4000  # of a passage, for BM25


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
        client = self._client()
        with explained_calls(self.place):
            if not client.has_collection(self._facts_collection):
                return None
            rows = client.query(self._facts_collection, filter="id == 'facts'", output_fields=["facts"])
        return cast(Facts, rows[0]["facts"]) if rows else None

    def write_facts(self, facts: Facts) -> None:
        """Write the facts; make the collections where there are none."""
        client = self._client(make=True)
        with explained_calls(self.place):
            for name, make in (
                (self._facts_collection, facts_schema),
                (self.collection, lambda: collection_schema(facts["dimension"], K1, B)),
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
        client = self._client()
        for start in range(0, len(passages), PART):
            part = zip(passages[start : start + PART], vectors[start : start + PART], strict=True)
            with explained_calls(self.place):
                client.upsert(self.collection, [_row(passage, vector) for passage, vector in part])

    def delete(self, ids: Sequence[str]) -> None:
        """Take passages out."""
        client = self._client()
        for start in range(0, len(ids), PART):
            with explained_calls(self.place):
                # not by ids=: pymilvus puts them into an expression as they are
                client.delete(self.collection, filter=one_of("id", ids[start : start + PART]))

    def settle(self) -> None:
        """Write what is in memory, so that it gets its indexes."""
        client = self._client()
        with explained_calls(self.place):
            client.flush(self.collection)

    def count(self, chosen: Filter = Filter()) -> int:  # noqa: B008 (it cannot change)
        """Return the number of passages."""
        client = self._client()
        with explained_calls(self.place):
            rows = client.query(self.collection, filter=filter_expression(chosen), output_fields=["count(*)"])
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
        held: list[dict[str, Any]] = []
        for row in self._rows("", [*TEXTS, VECTOR], parts=max(1, self.count() // size)):
            held.append(row)
            if len(held) == size:
                yield _passages(held)
                held = []
        if held:
            yield _passages(held)

    def release(self) -> None:
        """Close the embedded Milvus and let other processes in."""
        if self._open is not None:
            disconnect(self._open, self._address if isinstance(self.place, Path) else None)
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

    def _rows(
        self, expression: str, fields: list[str], *, below: int = DRAWS, parts: int = 1
    ) -> Iterator[dict[str, Any]]:
        """Give the rows that fit an expression, part by part.

        A part is a range of what passages draw. pymilvus's own iterator goes from id to id, and puts them
        into expressions as they are.
        """
        client = self._client()
        bounds = sorted({below * k // parts for k in range(parts + 1)})
        waiting = list(pairwise(bounds))[::-1]
        while waiting:
            low, high = waiting.pop()
            both = " and ".join(filter(None, [f"draw >= {low} and draw < {high}", expression]))
            with explained_calls(self.place):
                rows = client.query(self.collection, filter=both, output_fields=fields, limit=MOST)
            if len(rows) == MOST and high - low > 1:
                middle = (low + high) // 2
                waiting += [(middle, high), (low, middle)]
            else:
                yield from rows

    def _search(
        self, data: list[Any], field: str, parameters: dict[str, Any], k: int, chosen: Filter
    ) -> list[list[Found]]:
        client = self._client()
        with explained_calls(self.place):
            lists = client.search(
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
            raise PanglotError(
                f"the {name} of passage '{passage.id}' is longer than {limit} bytes; shorten it."
            )
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


def _passages(rows: Sequence[dict[str, Any]]) -> tuple[list[Passage], FloatArray]:
    return [passage_of(row) for row in rows], np.array([row[VECTOR] for row in rows], np.float32)
