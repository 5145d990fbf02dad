"""Figures per query as small tables."""

from collections.abc import Sequence

import pyarrow as pa

Row = tuple[int, str, str, float | None]  # item, query language, pool, value


def table_of(rows: Sequence[Row]) -> pa.Table:
    item, language, pool, value = zip(*rows, strict=True)
    return pa.table(
        {
            "query_id": [f"{x}:{k}" for k, x in zip(item, language, strict=True)],
            "item": pa.array(item, pa.int64()),
            "query_language": language,
            "pool": pool,
            "AP": pa.array(value, pa.float64()),
        }
    )
