"""Parquet files of pairs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from panglot.data.index import IntArray
from panglot.data.pairs_files.columns import Columns, find_layout
from panglot.data.pairs_files.mapped import flat_columns, rows_of_columns
from panglot.errors import PanglotError


def read_parquet(path: Path, columns: Columns | None, size: int) -> Iterator[tuple[pa.RecordBatch, IntArray]]:
    """Read batches of ``read_columns.SCHEMA`` with the number of each row; only needed columns are read."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise PanglotError(f"{path}: is not a readable Parquet file ({error}).") from error
    names = flat_columns(file.schema_arrow.empty_table()).column_names
    layout = find_layout(names, columns, str(path))
    wanted = [name for name in file.schema_arrow.names if _is_used(name, layout.used)]
    first = 1
    try:
        for batch in file.iter_batches(size, columns=wanted):
            lines = np.arange(first, first + batch.num_rows)
            table = flat_columns(pa.Table.from_batches([batch]))
            yield rows_of_columns(table, layout, lines, first, str(path))
            first += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise PanglotError(f"{path}: the file is damaged ({error}); fetch it again.") from error


def _is_used(column: str, used: list[str]) -> bool:
    return any(name == column or name.startswith(f"{column}.") for name in used)
