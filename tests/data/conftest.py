"""A look at what a benchmark holds."""

from collections import Counter
from collections.abc import Callable

import pytest

from panglot.data import Benchmark


@pytest.fixture(scope="session")
def judged() -> Callable[[Benchmark], dict[str, dict[str, int]]]:
    """Return the gain of each judged passage's text, by query id."""

    def look(benchmark: Benchmark) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {name: {} for name in benchmark.queries.ids}
        triples = zip(benchmark.judged_query, benchmark.judged_passage, benchmark.gains, strict=True)
        for q, p, gain in triples:
            found[benchmark.queries.ids[q]][benchmark.passages.texts[p]] = int(gain)
        assert sum(map(len, found.values())) == len(benchmark.gains)
        return found

    return look


@pytest.fixture(scope="session")
def sizes() -> Callable[[Benchmark], dict[str, tuple[int, int]]]:
    """Return the number of queries and passages of each language."""

    def look(benchmark: Benchmark) -> dict[str, tuple[int, int]]:
        queries = Counter(benchmark.queries.languages.tolist())
        passages = Counter(benchmark.passages.languages.tolist())
        return {name: (queries[k], passages[k]) for k, name in enumerate(benchmark.languages)}

    return look
