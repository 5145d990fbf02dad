"""How Milvus is talked to: connection, schema, filters, and errors in one sentence."""

import contextlib
import errno
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from panglot.errors import PanglotError, first_line, needs
from panglot.files import DISK_FULL
from panglot.search.engines.engine import Filter, meanings

TOKEN = "MILVUS_TOKEN"
OLDEST = (2, 5)  # BM25 came with it
LONGEST_TEXT = {"id": 512, "document": 512, "language": 64, "title": 8192, "source": 4096, "text": 65_535}
LONGEST = 65_535  # bytes: Milvus's limit for texts
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})
HNSW = {"M": 16, "efConstruction": 200}


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


def disconnect(client: Any, embedded: str | None) -> None:
    """Close a connection; stop the embedded Milvus of a file."""
    client.close()
    if embedded is not None:
        from milvus_lite.server_manager import server_manager_instance

        server_manager_instance.release_server(embedded)


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


def collection_schema(dimension: int, k1: float, b: float) -> tuple[Any, Any]:
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
    schema.add_field(
        "tokens",
        DataType.VARCHAR,
        max_length=LONGEST,
        enable_analyzer=True,
        analyzer_params={"tokenizer": "standard"},
    )
    schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    schema.add_function(
        Function(
            name="bm25",
            function_type=FunctionType.BM25,
            input_field_names=["tokens"],
            output_field_names=["sparse"],
        )
    )
    indexes = MilvusClient.prepare_index_params()
    indexes.add_index("vector", index_type="HNSW", metric_type="COSINE", params=HNSW)
    words = {"bm25_k1": k1, "bm25_b": b}
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
