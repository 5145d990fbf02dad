"""Rows in memory, as a file would give them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from panglot.data.checks.rows import CheckedRows
from panglot.data.pairs_files.columns import SCHEMA

MakeRows = Callable[..., CheckedRows]


@pytest.fixture(scope="session")
def make_rows() -> MakeRows:
    """Make rows of ``(item_id, language, query, passage)`` and more fields by name; row k is line k + 1."""

    def make(rows: Sequence[tuple[str, str, str, str]], **more: Sequence[Any]) -> CheckedRows:
        names = ("item_id", "language", "query", "passage")
        dicts = [
            dict(zip(names, row, strict=True)) | {name: values[k] for name, values in more.items()}
            for k, row in enumerate(rows)
        ]
        return CheckedRows("mine", pa.Table.from_pylist(dicts, SCHEMA), np.arange(1, len(rows) + 1))

    return make
