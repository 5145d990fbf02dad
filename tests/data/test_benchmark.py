"""Benchmarks: what they refuse, and what a restriction leaves of one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from panglot.data import Benchmark
from panglot.errors import PanglotError

Make = Callable[..., Benchmark]
Triple = tuple[str, str, int]

QUERIES = {"q1": "en", "q2": "de", "q3": "sw", "q4": "en"}
PASSAGES = {"p1": "de", "p2": "en", "p3": "sw", "p4": "en"}
JUDGEMENTS: list[Triple] = [
    ("q1", "p1", 1),
    ("q1", "p2", 2),
    ("q2", "p1", 1),
    ("q2", "p3", 1),
    ("q3", "p3", 3),
    ("q4", "p4", 0),
    ("q4", "p2", 1),
]


@pytest.fixture
def benchmark(make_benchmark: Make) -> Benchmark:
    return make_benchmark(QUERIES, PASSAGES, JUDGEMENTS, items=[5, 5, 7, 9])


def judgements(benchmark: Benchmark) -> list[Triple]:
    """Return the judgements as ids and gains, in their order."""
    rows = zip(benchmark.judged_query, benchmark.judged_passage, benchmark.gains, strict=True)
    return [(benchmark.queries.ids[q], benchmark.passages.ids[p], int(gain)) for q, p, gain in rows]


def languages_by_id(benchmark: Benchmark) -> dict[str, str]:
    found = {}
    for texts in (benchmark.queries, benchmark.passages):
        found.update(
            {i: benchmark.languages[k] for i, k in zip(texts.ids, texts.languages.tolist(), strict=True)}
        )
    return found


def test_a_restriction_keeps_the_texts_in_its_languages(benchmark: Benchmark) -> None:
    left = benchmark.restrict(["sw", "de"])
    assert left.languages == ("de", "sw")
    assert languages_by_id(left) == {"q2": "de", "q3": "sw", "p1": "de", "p3": "sw"}
    assert left.queries.texts == ["the text of q2", "the text of q3"]
    assert left.passages.texts == ["the text of p1", "the text of p3"]


def test_a_restriction_keeps_the_judgements_between_them(benchmark: Benchmark) -> None:
    assert judgements(benchmark.restrict(["sw", "de"])) == [("q2", "p1", 1), ("q2", "p3", 1), ("q3", "p3", 3)]
    assert judgements(benchmark.restrict(["en"])) == [("q1", "p2", 2), ("q4", "p2", 1), ("q4", "p4", 0)]


def test_a_restriction_keeps_the_items_name_and_checksum(benchmark: Benchmark) -> None:
    left = benchmark.restrict(["en", "en", "sw"])
    assert left.query_items.tolist() == [5, 7, 9]
    assert (left.name, left.sha256) == (benchmark.name, benchmark.sha256)


def test_a_restriction_to_all_languages_changes_nothing(benchmark: Benchmark) -> None:
    left = benchmark.restrict(["sw", "en", "de"])
    assert judgements(left) == judgements(benchmark)
    assert languages_by_id(left) == {**QUERIES, **PASSAGES}


def test_titles_follow_their_passages(benchmark: Benchmark) -> None:
    titled = replace(benchmark, passages=replace(benchmark.passages, titles=["one", "two", "three", "four"]))
    assert titled.restrict(["en"]).passages.titles == ["two", "four"]


def test_a_language_that_a_benchmark_lacks_is_said(benchmark: Benchmark) -> None:
    with pytest.raises(PanglotError, match="handmade has no language 'el'"):
        benchmark.restrict(["en", "el"])


def test_a_restriction_without_a_relevant_passage_is_said(make_benchmark: Make) -> None:
    across = make_benchmark({"q1": "en", "q2": "de"}, {"p1": "de", "p2": "en"}, [("q1", "p1", 1)])
    with pytest.raises(PanglotError, match="handmade: no query has a relevant passage"):
        across.restrict(["en"])


def test_an_id_that_stands_twice_is_named(benchmark: Benchmark) -> None:
    with pytest.raises(PanglotError, match="handmade: query id 'q3' occurs twice"):
        replace(benchmark, queries=replace(benchmark.queries, ids=["q1", "q3", "q3", "q4"]))
    with pytest.raises(PanglotError, match="handmade: passage id 'p1' occurs twice"):
        replace(benchmark, passages=replace(benchmark.passages, ids=["p1", "p2", "p3", "p1"]))


def test_a_benchmark_without_texts_is_refused(make_benchmark: Make) -> None:
    for queries, passages in (({}, {"p": "en"}), ({"q": "en"}, {})):
        with pytest.raises(PanglotError, match="handmade: has no queries or no passages"):
            make_benchmark(queries, passages, [])


def test_a_benchmark_that_only_judges_what_is_wrong_is_refused(make_benchmark: Make) -> None:
    with pytest.raises(PanglotError, match="handmade: no query has a relevant passage"):
        make_benchmark({"q": "en"}, {"p": "en"}, [("q", "p", 0)])
