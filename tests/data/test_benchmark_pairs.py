"""Pairs made into a benchmark, and a benchmark made into pairs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import (
    Benchmark,
    ParallelPairs,
    benchmark_from_pairs,
    load_benchmark,
    pairs_from_benchmark,
    pairs_from_rows,
)
from panglot.data.catalogue.load import read_pairs_file

Make = Callable[..., Benchmark]


def row(item: str, language: str, passage: str, group: str | None = None) -> dict[str, object]:
    query = f"query {item} {language}"
    return {"item_id": item, "language": language, "query": query, "passage": passage, "passage_id": group}


def judged(benchmark: Benchmark) -> dict[str, set[str]]:
    """Return the relevant passage ids of each query id."""
    found: dict[str, set[str]] = {query: set() for query in benchmark.queries.ids}
    for q, p in zip(benchmark.judged_query, benchmark.judged_passage, strict=True):
        found[benchmark.queries.ids[q]].add(benchmark.passages.ids[p])
    return found


ROWS = [
    row("owls", "en", "They fly.", "wings"),
    row("bread", "sw", "Unga.", "oven"),
    row("owls", "de", "Sie fliegen.", "wings"),
    row("bread", "en", "Flour.", "oven"),
    row("bats", "en", "They fly by night.", "wings"),
    row("bats", "el", "Πετούν.", "wings"),
    row("cake", "en", "Flour.", "cake"),
    row("cake", "de", "Mehl.", "cake"),
]


def test_each_query_looks_for_its_passage_in_every_language_of_its_item() -> None:
    benchmark = benchmark_from_pairs(pairs_from_rows(ROWS, "mine"))
    # bats shares owls' passage group and is behind it: left out, and Greek with it
    assert benchmark.languages == ("de", "en", "sw")
    # bread and cake have the same English passage: it is one, and its translations answer both
    flour = {"bread:en", "bread:sw", "cake:de"}
    assert judged(benchmark) == {
        "owls:de": {"owls:de", "owls:en"},
        "owls:en": {"owls:de", "owls:en"},
        **dict.fromkeys(("bread:en", "bread:sw", "cake:de", "cake:en"), flour),
    }
    passages = dict(zip(benchmark.passages.ids, benchmark.passages.texts, strict=True))
    assert passages == {
        "owls:de": "Sie fliegen.",
        "owls:en": "They fly.",
        "bread:en": "Flour.",
        "bread:sw": "Unga.",
        "cake:de": "Mehl.",
    }
    assert set(benchmark.gains.tolist()) == {1}


def test_queries_keep_their_text_language_and_item() -> None:
    benchmark = benchmark_from_pairs(pairs_from_rows(ROWS, "mine"), name="held-out")
    assert benchmark.name == "held-out"
    items: dict[str, set[int]] = {}
    for k, label in enumerate(benchmark.queries.ids):
        item, language = label.split(":")
        assert benchmark.queries.texts[k] == f"query {item} {language}"
        assert benchmark.languages[benchmark.queries.languages[k]] == language
        items.setdefault(item, set()).add(int(benchmark.query_items[k]))
    assert [len(numbers) for numbers in items.values()] == [1, 1, 1]
    assert len(set.union(*items.values())) == 3


def test_a_passage_in_two_languages_is_two_passages() -> None:
    rows = [row("sun", "en", "Sol."), row("sun", "es", "Sol."), row("star", "es", "Sol.")]
    assert judged(benchmark_from_pairs(pairs_from_rows(rows, "mine"))) == {
        "sun:en": {"sun:en", "sun:es"},
        "sun:es": {"sun:en", "sun:es"},
        "star:es": {"sun:en", "sun:es"},
    }


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["en", "el", "sw"]), st.integers(0, 4)),
        min_size=1,
        unique_by=lambda cell: cell[:2],
    )
)
def test_a_query_is_answered_by_the_passages_of_its_item_and_of_those_that_share_one(
    cells: list[tuple[str, str, int]],
) -> None:
    pairs = pairs_from_rows([row(i, k, f"passage {p} {k}") for i, k, p in cells], "mine")
    benchmark = benchmark_from_pairs(pairs)
    texts = dict(zip(benchmark.passages.ids, benchmark.passages.texts, strict=True))
    assert len(set(texts.values())) == len(texts)
    found = {query: {texts[p] for p in passages} for query, passages in judged(benchmark).items()}
    own = {i: {(p, m) for j, m, p in cells if j == i} for i, _, _ in cells}
    for _ in own:  # join whatever shares a passage, over and over
        own = {i: set().union(*(mine for mine in own.values() if mine & own[i])) for i in own}
    assert found == {f"{i}:{k}": {f"passage {p} {m}" for p, m in own[i]} for i, k, _ in cells}


def asked(item: str, language: str, query: str, passage: str) -> dict[str, object]:
    return {"item_id": item, "language": language, "query": query, "passage": passage}


def test_items_with_an_equal_query_answer_each_other() -> None:
    rows = [
        asked("q1-a", "en", "When is the bakery open?", "From seven to noon."),
        asked("q1-a", "de", "Wann ist die Bäckerei offen?", "Von sieben bis zwölf."),
        asked("q1-b", "en", "When is the bakery open?", "It closes on Mondays."),
        asked("q1-b", "de", "Wann hat der Bäcker auf?", "Montags ist er zu."),
        asked("q2", "en", "Who owns it?", "Two sisters."),
    ]
    both = {"q1-a:en", "q1-a:de", "q1-b:en", "q1-b:de"}
    assert judged(benchmark_from_pairs(pairs_from_rows(rows, "mine"))) == {
        **dict.fromkeys(both, both),
        "q2:en": {"q2:en"},
    }


@pytest.mark.parametrize("twin", ["Café  olé", "Ca­fé olé​", "Café olé "])
def test_a_passage_written_in_another_form_is_one_passage(twin: str) -> None:
    rows = [asked("a", "fr", "Quoi ?", "Café olé"), asked("b", "fr", "Et quoi ?", twin)]
    assert judged(benchmark_from_pairs(pairs_from_rows(rows, "mine"))) == {"a:fr": {"a:fr"}, "b:fr": {"a:fr"}}


def groups(pairs: ParallelPairs) -> dict[str, set[str]]:
    """Return the items of each passage_id; one item has one."""
    found: dict[str, set[str]] = {}
    for line in pairs.table.to_pylist():
        found.setdefault(line["passage_id"], set()).add(line["item_id"])
    return found


def partition(pairs: ParallelPairs) -> list[list[str]]:
    return sorted(sorted(items) for items in groups(pairs).values())


def test_a_question_becomes_an_item_with_its_first_passage_in_each_language(make_benchmark: Make) -> None:
    benchmark = make_benchmark(
        {"q1:de": "de", "q1:en": "en", "q2:en": "en", "q3:en": "en"},
        {"p1": "de", "p2": "en", "p3": "en", "p4": "en", "p5": "de"},
        [
            ("q1:de", "p1", 1),
            ("q1:de", "p2", 1),
            ("q1:en", "p1", 1),
            ("q1:en", "p2", 1),
            ("q2:en", "p2", 0),  # judged not relevant
            ("q2:en", "p3", 1),
            ("q2:en", "p4", 2),
            ("q3:en", "p5", 1),  # nothing in its own language
        ],
        items=[4, 4, 6, 7],
    )
    pairs = pairs_from_benchmark(benchmark)
    lines = {(line["item_id"], line["language"]): line for line in pairs.table.to_pylist()}
    assert {key: (line["query"], line["passage"]) for key, line in lines.items()} == {
        ("4", "de"): ("the text of q1:de", "the text of p1"),
        ("4", "en"): ("the text of q1:en", "the text of p2"),
        ("6", "en"): ("the text of q2:en", "the text of p3"),
    }
    assert (pairs.name, pairs.sha256) == ("handmade", benchmark.sha256)


def test_questions_joined_by_a_chain_of_passages_share_a_group(make_benchmark: Make) -> None:
    # items 0 and 1 share p1 in German, 1 and 2 share p4 in English; 3 stands alone
    queries = {f"q{i}:{k}": k for i in range(4) for k in ("de", "en")}
    passages = {"p1": "de", "p2": "de", "p3": "en", "p4": "en", "p5": "de", "p6": "en"}
    own = {"q0": ("p1", "p3"), "q1": ("p1", "p4"), "q2": ("p2", "p4"), "q3": ("p5", "p6")}
    judgements = [(query, p, 1) for query in queries for p in own[query[:2]]]
    benchmark = make_benchmark(queries, passages, judgements, items=[0, 0, 1, 1, 2, 2, 3, 3])
    assert partition(pairs_from_benchmark(benchmark)) == [["0", "1", "2"], ["3"]]


def test_a_passage_shared_in_another_language_or_place_joins_too(make_benchmark: Make) -> None:
    benchmark = make_benchmark(
        {"q0": "en", "q1": "en", "q2": "en", "q3": "en"},
        {"p0": "en", "p1": "en", "p2": "en", "p3": "en", "de": "de", "more": "en"},
        [
            *[("q0", "p0", 1), ("q0", "de", 1)],
            *[("q1", "p1", 1), ("q1", "de", 1), ("q1", "more", 1)],
            *[("q2", "p2", 1), ("q2", "more", 1)],  # neither's first one
            *[("q3", "p3", 1), ("q3", "p2", 0)],  # judged not relevant: no bond
        ],
    )
    assert partition(pairs_from_benchmark(benchmark)) == [["0", "1", "2"], ["3"]]


def test_passages_that_read_the_same_join_their_questions(make_benchmark: Make) -> None:
    benchmark = make_benchmark(
        {"q0": "en", "q1": "en", "q2": "de"},
        {"p0": "en", "p1": "en", "p2": "de"},
        [("q0", "p0", 1), ("q1", "p1", 1), ("q2", "p2", 1)],
    )
    assert partition(pairs_from_benchmark(benchmark)) == [["0"], ["1"], ["2"]]
    same = replace(benchmark, passages=replace(benchmark.passages, texts=["1969.", "1969.", "1969."]))
    # the German one is another passage: it is in another language
    assert partition(pairs_from_benchmark(same)) == [["0", "1"], ["2"]]


@pytest.mark.shared
@pytest.mark.parametrize(("name", "questions"), [("xquad-r", 1190), ("mlqa-r", 1148)])
def test_no_text_of_lareqa_stands_in_two_groups(shared_data: Path, name: str, questions: int) -> None:
    pairs = pairs_from_benchmark(load_benchmark(name, shared_data / "lareqa" / name))
    assert len(pairs) == questions
    group_of: dict[tuple[str, str], str] = {}
    for line in pairs.table.to_pylist():
        key = line["language"], line["passage"]
        assert group_of.setdefault(key, line["passage_id"]) == line["passage_id"], key


def test_items_that_share_a_passage_id_are_left_out_with_a_note_or_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [
        row("a", "en", "The baker bakes. The cook cooks.", "p"),
        row("b", "en", "The cook cooks.", "p"),
        row("c", "en", "Water.", "q"),
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert len(read_pairs_file(path).queries) == 2
    assert "1 of 3 items share a passage id" in caplog.messages[0]
    assert len(read_pairs_file(path, every_item=True).queries) == 3
    assert len(caplog.messages) == 1
