"""The passages of an index as columns: how the exact engine keeps them, and how they are exported."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data import FloatArray
from panglot.search.documents.document import Passage

TEXTS = ("id", "document", "language", "title", "text", "source", "metadata")
VECTOR = "vector"


def passage_table(passages: Sequence[Passage], vectors: FloatArray) -> pa.Table:
    """Return passages with their vectors ``(n, d)`` as a table; metadata is JSON."""
    columns: dict[str, Any] = {
        name: pa.array([getattr(passage, name) for passage in passages], pa.string()) for name in TEXTS[:-1]
    }
    columns["metadata"] = pa.array([dumped(passage.metadata) for passage in passages], pa.string())
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    columns[VECTOR] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table(columns)


def table_vectors(column: pa.ChunkedArray | pa.Array) -> FloatArray:
    """Return a column of vectors as ``(n, d)``; nothing is copied where it lies in one piece."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    return np.asarray(array.flatten().to_numpy(zero_copy_only=False), np.float32).reshape(
        -1, array.type.list_size
    )


def passage_of(row: dict[str, Any]) -> Passage:
    """Make a passage of a row of texts."""
    texts = {name: str(row[name]) for name in TEXTS[:-1]}
    metadata = row["metadata"]
    return Passage(**texts, metadata=json.loads(metadata) if isinstance(metadata, str) else dict(metadata))


def dumped(metadata: dict[str, Any]) -> str:
    """Return metadata as JSON."""
    return json.dumps(metadata, ensure_ascii=False)
