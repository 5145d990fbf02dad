"""The passages and vectors of an index, as files that every other program reads."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from panglot.errors import PanglotError
from panglot.files import written_whole
from panglot.search.engines.columns import passage_table
from panglot.search.index import Index

KINDS = (".parquet", ".npy")


def export_index(index: Index, path: str | Path) -> int:
    """Write all passages of an index; return how many.

    Args:
        path: ``.parquet``: id, document, language, title, text, source, metadata (JSON) and vector. ``.npy``:
            vectors ``(n, d)`` in float32, and beside it, as ``.ids.txt``, their ids, one a line.

    Raises:
        PanglotError: another ending, or an empty index.
    """
    path = Path(path)
    if path.suffix not in KINDS:
        raise PanglotError(f"{path}: vectors are exported to {' or '.join(KINDS)}; change its ending.")
    total = index.engine.count()
    if not total:
        index.engine.release()
        raise PanglotError(f"{index.place}: is empty; there is nothing to export.")
    return _parquet(index, path) if path.suffix == ".parquet" else _numpy(index, path, total)


def _parquet(index: Index, path: Path) -> int:
    rows = 0
    schema = passage_table([], np.empty((0, index.facts.dimension), np.float32)).schema
    with written_whole(path) as part, pq.ParquetWriter(part, schema) as writer:
        for passages, vectors in index.scan():
            writer.write_table(pa.Table.from_batches(passage_table(passages, vectors).to_batches(), schema))
            rows += len(passages)
    return rows


def _numpy(index: Index, path: Path, total: int) -> int:
    ids: list[str] = []
    header = {"descr": "<f4", "fortran_order": False, "shape": (total, index.facts.dimension)}
    names = path.with_suffix(".ids.txt")
    with written_whole(path) as part:
        with part.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for passages, vectors in index.scan():
                file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
                ids += [passage.id for passage in passages]
        if len(ids) != total:
            raise PanglotError(f"{index.place}: was changed while it was read; export it again.")
        with written_whole(names) as list_part:
            list_part.write_text("".join(f"{' '.join(name.split())}\n" for name in ids), encoding="utf-8")
    return len(ids)
