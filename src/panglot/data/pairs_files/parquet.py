"""Parquet files of pairs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from panglot.data.index import IntArray
from panglot.data.pairs_files.columns import Columns, find_layout
from panglot.data.pairs_files.mapped import flat_columns, rows_of_columns
from panglot.files import parquet, parquet_batches


def read_parquet(path: Path, columns: Columns | None, size: int) -> Iterator[tuple[pa.RecordBatch, IntArray]]:
    """Read batches of ``read_columns.SCHEMA`` with the number of each row; only needed columns are read."""
    with parquet(path) as file:
        names = flat_columns(file.schema_arrow.empty_table()).column_names
        layout = find_layout(names, columns, str(path))
        wanted = [name for name in file.schema_arrow.names if _is_used(name, layout.used)]
        first = 1
        for batch in parquet_batches(file, size, wanted):
            lines = np.arange(first, first + batch.num_rows)
            table = flat_columns(pa.Table.from_batches([batch]))
            yield rows_of_columns(table, layout, lines, first, str(path))
            first += batch.num_rows


def _is_used(column: str, used: list[str]) -> bool:
    return any(name == column or name.startswith(f"{column}.") for name in used)
