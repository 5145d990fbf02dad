"""Small files in official layouts, and a look at what became of them."""

from functools import partial
from pathlib import Path

import pytest
import small_files
from small_files import JudgementsOf, WriteFiles

from panglot.data import Benchmark


@pytest.fixture
def write_files(tmp_path: Path) -> WriteFiles:
    """Write files into a folder: text, bytes, or objects as JSON lines; names in .gz are compressed."""

    return partial(small_files.write_files, tmp_path / "data")


@pytest.fixture(scope="session")
def judgements_of() -> JudgementsOf:
    """Return the judgements of a benchmark as ids and gains, sorted."""

    def judgements(benchmark: Benchmark) -> list[tuple[str, str, int]]:
        rows = zip(benchmark.judged_query, benchmark.judged_passage, benchmark.gains, strict=True)
        return sorted((benchmark.queries.ids[q], benchmark.passages.ids[p], int(gain)) for q, p, gain in rows)

    return judgements
