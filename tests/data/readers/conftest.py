"""Small files in official layouts, and a look at what became of them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import small_files
from small_files import Content

from panglot.data import Benchmark

WriteFiles = Callable[[dict[str, Content]], Path]
Triples = list[tuple[str, str, int]]


@pytest.fixture
def write_files(tmp_path: Path) -> WriteFiles:
    """Write files into a folder: text, bytes, or objects as JSON lines; names in .gz are compressed."""

    return partial(small_files.write_files, tmp_path / "data")


@pytest.fixture(scope="session")
def judgements_of() -> Callable[[Benchmark], Triples]:
    """Return the judgements of a benchmark as ids and gains, sorted."""

    def judgements(benchmark: Benchmark) -> Triples:
        rows = zip(benchmark.judged_query, benchmark.judged_passage, benchmark.gains, strict=True)
        return sorted((benchmark.queries.ids[q], benchmark.passages.ids[p], int(gain)) for q, p, gain in rows)

    return judgements
