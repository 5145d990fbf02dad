"""Writing files of parallel pairs: JSONL (plain, .gz, .zst) or Parquet, as the ending of the name says."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from panglot.data.pairs_files.read import SCHEMA
from panglot.errors import PanglotError

JSON_LINES = (".jsonl", ".json", ".ndjson")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def check_pairs_path(path: Path) -> None:
    """Raise ``PanglotError`` unless a file of pairs can be written under that name."""
    endings = [f"{plain}{compressed}" for plain in JSON_LINES for compressed in ("", *COMPRESSIONS)]
    if not path.name.endswith((".parquet", *endings)):
        raise PanglotError(
            f"{path}: names no kind of pairs file; use .jsonl, .jsonl.gz, .jsonl.zst or .parquet."
        )
    if path.is_dir():
        raise PanglotError(f"{path}: is a folder; name a file in it.")


@contextlib.contextmanager
def pairs_writer(place: Path, name: str) -> Iterator[Callable[[pa.Table], None]]:
    """Give a function that appends rows of ``SCHEMA`` to a file.

    Args:
        place: where the bytes go (often a temporary name).
        name: the file's own name; its ending says which kind it is.
    """
    if name.endswith(".parquet"):
        with pq.ParquetWriter(place, SCHEMA) as parquet:
            yield parquet.write_table
        return
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(place.open("wb"))
        compression = COMPRESSIONS.get(Path(name).suffix)
        if compression:
            file = stack.enter_context(pa.CompressedOutputStream(file, compression))

        def append(table: pa.Table) -> None:
            for row in table.to_pylist():
                fields = {name: value for name, value in row.items() if value is not None}
                file.write((json.dumps(fields, ensure_ascii=False) + "\n").encode())

        yield append
