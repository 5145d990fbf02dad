"""Files of parallel pairs, turned once into a memory-mapped Arrow table beside a note of their checksum."""

import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from panglot.errors import PanglotError
from panglot.files import open_bytes, sha256, write_json, written_whole

SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("passage_id", pa.string()),
        ("document_id", pa.string()),
        ("language", pa.string()),
        ("query", pa.string()),
        ("passage", pa.string()),
        ("negatives", pa.list_(pa.string())),
    ]
)
REQUIRED = ("item_id", "language", "query", "passage")
BATCH = 16_384
CACHE_VERSION = 1


def cached_table(path: Path) -> tuple[pa.Table, str]:
    """Return the rows of a pairs file as a memory-mapped table, and the file's SHA-256.

    The table is made on first use and kept in the cache folder (``PANGLOT_CACHE``, by default
    ``~/.cache/panglot``) under a name made of the file's path, size and time of change.
    """
    if not path.exists() or path.is_dir():
        open_bytes(path)  # says what is wrong with the path
    stat = path.stat()
    key = json.dumps([CACHE_VERSION, str(path.resolve()), stat.st_size, stat.st_mtime_ns])
    stem = cache_folder() / "pairs" / f"{path.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    table_path, note_path = stem.with_name(stem.name + ".arrow"), stem.with_name(stem.name + ".json")
    if not (note_path.exists() and table_path.exists()):
        with written_whole(table_path) as part, pa.ipc.new_file(str(part), SCHEMA) as writer:
            for batch in _batches(path):
                writer.write_batch(batch)
        write_json(note_path, {"file": path.name, "sha256": sha256(path)})
    source = pa.memory_map(str(table_path))
    return pa.ipc.open_file(source).read_all(), str(json.loads(note_path.read_text())["sha256"])


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``PANGLOT_CACHE`` or ``~/.cache/panglot``."""
    return Path(os.environ.get("PANGLOT_CACHE") or Path.home() / ".cache" / "panglot")


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Read and check a file, in batches of ``SCHEMA``."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    reader = {".jsonl": _jsonl, ".json": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}.get(
        Path(name).suffix
    )
    if reader is None:
        raise PanglotError(
            f"{path}: not a known kind of pairs file; use .jsonl, .jsonl.gz, .jsonl.zst or .parquet."
        )
    row = 1
    for batch in reader(path):
        _check_rows(path, batch, row)
        row += batch.num_rows
        yield batch
    if row == 1:
        raise PanglotError(f"{path}: is empty; it needs one line per item and language.")


def _jsonl(path: Path) -> Iterator[pa.RecordBatch]:
    rows: list[dict[str, Any]] = []
    with open_bytes(path) as file:
        lines = iter(file)
        number = 0
        while True:
            number += 1
            try:
                line = next(lines, None)
            except (EOFError, OSError, zlib.error) as error:
                raise PanglotError(
                    f"{path}, line {number}: the compressed file is damaged or cut short; fetch it again."
                ) from error
            if line is None:
                break
            rows.append(_parse(path, number, line))
            if len(rows) == BATCH:
                yield _as_batch(path, rows, number - BATCH + 1)
                rows = []
    if rows:
        yield _as_batch(path, rows, number - len(rows))


def _as_batch(path: Path, rows: list[dict[str, Any]], first: int) -> pa.RecordBatch:
    """Turn rows into a batch; ``first`` is the line of the first one."""
    try:
        return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    except UnicodeEncodeError as error:
        if len(rows) > 1:
            for position, row in enumerate(rows):
                _as_batch(path, [row], first + position)
        raise PanglotError(
            f"{path}, line {first}: holds half a character (a lone surrogate, \\ud800 to \\udfff); "
            "mend the text."
        ) from error


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Return one JSON line as a row of ``SCHEMA``."""
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise PanglotError(f"{path}, line {number}: is not UTF-8; save the file as UTF-8.") from error
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", error)
        what = "is empty; remove it" if not line.strip() else f"is broken JSON ({reason}); mend it"
        raise PanglotError(f"{path}, line {number}: {what}.") from error
    if not isinstance(value, dict):
        raise PanglotError(f"{path}, line {number}: is no JSON object; write {{...}} with {REQUIRED}.")
    for field in REQUIRED:
        if field not in value:
            raise PanglotError(f"{path}, line {number}: has no '{field}'; each line needs {REQUIRED}.")
    for field in SCHEMA.names[:-1]:
        text = value.get(field)
        if not isinstance(text, str) and (text is not None or field in REQUIRED):
            raise PanglotError(f"{path}, line {number}: '{field}' is no text; put it in quotation marks.")
    negatives = value.get("negatives")
    if negatives is not None and not (
        isinstance(negatives, list) and all(isinstance(text, str) for text in negatives)
    ):
        raise PanglotError(f"{path}, line {number}: 'negatives' is no list of texts.")
    return value


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise PanglotError(f"{path}: is no readable Parquet file ({error}).") from error
    names = set(file.schema_arrow.names)
    if missing := [name for name in REQUIRED if name not in names]:
        raise PanglotError(f"{path}: has no column {missing[0]!r}; it needs {REQUIRED}.")
    try:
        for batch in file.iter_batches(BATCH, columns=[name for name in SCHEMA.names if name in names]):
            yield _in_schema(path, batch)
    except (pa.ArrowInvalid, OSError) as error:
        raise PanglotError(f"{path}: the file is damaged ({error}); fetch it again.") from error


def _in_schema(path: Path, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Cast the columns of a Parquet batch to ``SCHEMA``; absent ones are null."""
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name) if field.name in names else pa.nulls(batch.num_rows) for field in SCHEMA
    ]
    try:
        return pa.RecordBatch.from_arrays(
            [column.cast(field.type) for column, field in zip(columns, SCHEMA, strict=True)],
            schema=SCHEMA,
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PanglotError(f"{path}: a column is of the wrong type ({error}).") from error


def _check_rows(path: Path, batch: pa.RecordBatch, first: int) -> None:
    for field in REQUIRED:
        column = batch.column(field)
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)
        if pc.any(blank).as_py():
            line = first + pc.index(blank, True).as_py()
            raise PanglotError(f"{path}, line {line}: '{field}' is empty; fill it in or remove the line.")
