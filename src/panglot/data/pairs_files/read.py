"""Sources of parallel pairs, turned once into a memory-mapped Arrow table beside a note of their checksum.

A source is a file (JSONL, CSV, TSV, Parquet) or a Hugging Face data set (``hf:owner/name#split``). Files are
written here, too.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from panglot.data.index import IntArray
from panglot.data.pairs_files.columns import (
    SCHEMA,
    BadLines,
    Batches,
    Columns,
    blank,
    find_layout,
    guessed_columns,
    with_language_codes,
)
from panglot.data.pairs_files.hub import (
    is_hub_source,
    names_in,
    open_hub_source,
    parquet_names,
    parse_hub_source,
    read_hub,
    read_parquet,
)
from panglot.data.pairs_files.lines import REQUIRED, delimited_names, jsonl_names, read_delimited, read_jsonl
from panglot.data.pairs_files.squad import is_squad, read_squad_pairs
from panglot.data.text_column import cached_arrow
from panglot.errors import PanglotError, meant
from panglot.files import cache_folder, check_file, identity, sha256, sha256_of
from panglot.languages import is_language, no_language

BATCH = 16_384
SAMPLE = "sample"  # the name of the pairs that are bundled
SAMPLE_FOLDER = Path(__file__).parents[1] / SAMPLE
CACHE_VERSION = 4
JSON_LINES = (".jsonl", ".json", ".ndjson")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
Reader = Callable[[Path, Columns | None, int, BadLines | None], Batches]
READERS: dict[str, Reader] = {
    **dict.fromkeys((".jsonl", ".json", ".ndjson"), read_jsonl),
    **dict.fromkeys((".csv", ".tsv", ".tab"), read_delimited),
    ".parquet": read_parquet,
}
NAMES: dict[Reader, Callable[[Path], list[str]]] = {
    read_jsonl: jsonl_names,
    read_delimited: delimited_names,
    read_parquet: parquet_names,
}


def cached_table(source: str | Path, columns: Columns | None = None) -> tuple[pa.Table, str]:
    """Return the rows of a source as a memory-mapped table of ``SCHEMA``, and its SHA-256.

    The table is made on first use (see ``cached_arrow``) and kept in the cache folder under a name made of
    the mapping and the file's place, time and content (of a Hugging Face data set: its fingerprint).
    """
    source = bundled(source)
    dataset = _dataset(source)
    columns = _complete(source, columns, dataset)

    def write(part: Path) -> dict[str, Any]:
        with pa.ipc.new_file(str(part), SCHEMA) as writer:
            for batch in _checked(source, _rows(source, columns, dataset)):
                writer.write_batch(batch)
        # rows of a data set have no file of their own to hash, so the table is hashed
        return {"file": Path(source).name, "sha256": sha256(part if dataset else Path(source))}

    table, note = cached_arrow(_place(source, columns, dataset), write)
    return table, str(note["sha256"])


def read_rows(source: str | Path, columns: Columns | None = None, bad: BadLines | None = None) -> Batches:
    """Read a source in batches of ``SCHEMA`` with the line (or number) of each row; texts may be empty.

    Languages are BCP-47 codes where what the source says means one (``eng``, ``thai``), else as it says.

    Args:
        bad: lines that cannot be read are added to it, instead of raised.

    Raises:
        PanglotError: the source is missing, of an unknown kind, or broken.
    """
    source = bundled(source)
    dataset = _dataset(source)
    yield from _rows(source, _complete(source, columns, dataset), dataset, bad)


def _rows(source: str | Path, columns: Columns | None, dataset: Any, bad: BadLines | None = None) -> Batches:
    if dataset is not None:
        batches = read_hub(dataset, columns, BATCH, str(source), bad)
    else:
        batches = _reader(Path(source))(Path(source), columns, BATCH, bad)
    for batch, lines in batches:
        yield with_language_codes(batch), lines


def _dataset(source: str | Path) -> Any:
    return open_hub_source(source) if is_hub_source(source) else None


def _reader(path: Path) -> Reader:
    """Return the reader of a file's kind, which its ending says (and of ``.json``, its beginning)."""
    if not path.exists():
        raise no_such_source(str(path))
    ending = Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix
    if ending not in READERS and not path.is_dir():
        raise PanglotError(
            f"{path}: not a known kind of pairs file; use .jsonl, .csv, .tsv (also .gz, .zst) or .parquet."
        )
    check_file(path)
    return read_squad_pairs if ending == ".json" and is_squad(path) else READERS[ending]


def no_such_source(source: str) -> PanglotError:
    """Return the error of a source that is missing; it asks for the training set that may be meant."""
    from panglot.data.catalogue.entry import catalogue

    names = [SAMPLE, *(entry.name for entry in catalogue().values() if entry.kind == "pairs")]
    if source in names:
        load = "load it with panglot.data.catalogue.training.load_source"
        return PanglotError(f"{source}: is a training set of the catalogue, not a file; {load}.")
    return PanglotError(f"{source}: no such file; check the path.{meant(source, names)}")


def _complete(source: str | Path, columns: Columns | None, dataset: Any) -> Columns | None:
    """Return a mapping with what the names of a source's columns say; see ``guessed_columns``."""
    if dataset is not None:
        names = names_in(dataset.features.arrow_schema)
    else:
        reader = _reader(Path(source))
        if reader not in NAMES:
            return columns
        names = NAMES[reader](Path(source))
    return guessed_columns(names, columns, str(source)) if names else columns


def reads_as_pairs(path: Path) -> bool:
    """Say whether the columns of a file of rows are those of pairs, as they are or as they are guessed."""
    try:
        names = NAMES[_reader(path)](path)
        find_layout(names, guessed_columns(names, None, str(path)), str(path))
    except PanglotError:
        return False
    return True


def bundled(source: str | Path) -> str | Path:
    """Return the file of the bundled sample for its name; any other source as it is."""
    return SAMPLE_FOLDER / "train.jsonl" if str(source) == SAMPLE and not Path(source).exists() else source


def source_name(source: str | Path) -> str:
    """Return what a source is called: a file without its endings, a data set without its owner."""
    if not is_hub_source(source):
        return Path(source).name.split(".")[0]
    wanted = parse_hub_source(source)
    parts = [Path(wanted.name).name, wanted.config, wanted.split]
    return "-".join(part for part in parts if part)


def _place(source: str | Path, columns: Columns | None, dataset: Any) -> Path:
    key: list[Any] = [CACHE_VERSION, sorted((columns or {}).items())]
    if dataset is not None:
        name = source_name(source)
        key += [str(source), dataset._fingerprint]
    else:
        name = Path(source).name
        key += identity(Path(source))
    return cache_folder() / "pairs" / f"{name}-{sha256_of(json.dumps(key))[:16]}"


def _checked(source: str | Path, batches: Batches) -> Iterator[pa.RecordBatch]:
    """Give batches of ``SCHEMA`` in which no text is empty and every language is known."""
    rows = 0
    for batch, lines in batches:
        _check_rows(str(source), batch, lines)
        rows += batch.num_rows
        yield batch
    if not rows:
        raise PanglotError(f"{source}: is empty; write one line per item and language into it.")


def _check_rows(where: str, batch: pa.RecordBatch, lines: IntArray) -> None:
    for field in REQUIRED:
        empty = blank(batch.column(field))
        if empty.any():
            row = int(np.argmax(empty))
            wide = field in ("query", "passage") and bool((lines[1:] == lines[:-1]).any())
            place = f" in '{batch.column('language')[row].as_py()}'" if wide else ""
            raise PanglotError(
                f"{where}, line {lines[row]}: '{field}' is empty{place}; fill it in or remove the line."
            )
    spelled = pc.unique(batch.column("language")).to_pylist()
    if wrong := next((code for code in spelled if not is_language(code)), None):
        row = pc.index(batch.column("language"), wrong).as_py()
        raise PanglotError(f"{where}, line {lines[row]}: {no_language(wrong)}")


def check_pairs_path(path: Path) -> None:
    """Raise ``PanglotError`` unless a file of pairs can be written under that name."""
    if not names_pairs_file(path):
        raise PanglotError(
            f"{path}: names no kind of pairs file; use .jsonl, .jsonl.gz, .jsonl.zst or .parquet."
        )
    if path.is_dir():
        raise PanglotError(f"{path}: is a folder; name a file in it.")


def names_pairs_file(path: Path) -> bool:
    """Say whether a name has the ending of a file of pairs that is written here."""
    endings = [f"{plain}{compressed}" for plain in JSON_LINES for compressed in ("", *COMPRESSIONS)]
    return path.name.endswith((".parquet", *endings))


@contextlib.contextmanager
def pairs_writer(place: Path, name: str) -> Iterator[Callable[[pa.Table], None]]:
    """Give a function that appends rows of ``SCHEMA`` to a file, of the kind that ``name`` says."""
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
