"""Small files in official layouts, and a look at what became of them."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot.data import Benchmark

Content = str | bytes | list[dict[str, Any]]
WriteFiles = Callable[[dict[str, Content]], Path]
Triples = list[tuple[str, str, int]]


@pytest.fixture
def write_files(tmp_path: Path) -> WriteFiles:
    """Write files into a folder: text, bytes, or objects as JSON lines; names in .gz are compressed."""

    def write(files: dict[str, Content]) -> Path:
        folder = tmp_path / "data"
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, list):
                content = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in content)
            data = content.encode() if isinstance(content, str) else content
            path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
        return folder

    return write


@pytest.fixture(scope="session")
def judgements_of() -> Callable[[Benchmark], Triples]:
    """Return the judgements of a benchmark as ids and gains, sorted."""

    def judgements(benchmark: Benchmark) -> Triples:
        rows = zip(benchmark.judged_query, benchmark.judged_passage, benchmark.gains, strict=True)
        return sorted((benchmark.queries.ids[q], benchmark.passages.ids[p], int(gain)) for q, p, gain in rows)

    return judgements
