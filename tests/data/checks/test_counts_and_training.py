"""Counts, coverage, lengths and what goes wrong in training, worked by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from panglot.data import index as data_index
from panglot.data.checks.check import check_items, check_lengths, counts, lengths
from panglot.data.checks.rows import CheckedRows

MakeRows = Callable[..., CheckedRows]

ROWS = [
    ("a", "de", "Wer?", "Ich."),
    ("a", "en", "Who?", "Me."),
    ("b", "en", "Where?", "Here I am."),
    ("c", "de", "Wo?", "Da."),
    ("c", "en", "Where else?", "There."),
    ("c", "fr", "Où ?", "Là."),
]


def test_counts(make_rows: MakeRows) -> None:
    rows = make_rows(ROWS, passage_id=["p", "p", "p", "q", "q", "q"])
    assert counts(rows, rows.pairs().index) == {
        "rows": 6,
        "items": 3,
        "languages": 3,
        "passage_groups": 2,
        "documents": 2,
        "items_in_one_language": 1,
        "items_in_all_languages": 1,
        "rows_with_negatives": 0,
    }


@pytest.mark.parametrize("size", [1, 2, 1 << 18])
def test_coverage_counts_the_items_that_two_languages_share(
    make_rows: MakeRows, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(data_index, "SLICE", size)
    shared = make_rows(ROWS).pairs().index.coverage()
    assert shared.tolist() == [[2, 2, 1], [2, 3, 1], [1, 1, 1]]  # de, en, fr


def test_lengths_are_characters_and_tokens(make_rows: MakeRows) -> None:
    found = lengths(make_rows(ROWS), lambda texts: np.array([len(text.split()) for text in texts]))
    assert found["en"] == {
        "query_characters": {"median": 6, "p95": 11, "max": 11},
        "query_tokens": {"median": 1, "p95": 2, "max": 2},
        "passage_characters": {"median": 6, "p95": 10, "max": 10},
        "passage_tokens": {"median": 1, "p95": 3, "max": 3},
    }
    assert found["fr"]["passage_characters"] == {"median": 3, "p95": 3, "max": 3}


def test_few_items_and_items_in_one_language_are_told(make_rows: MakeRows) -> None:
    index = make_rows(ROWS).pairs().index
    said = [(f.severity, f.check, f.count) for f in check_items(index, 3)]
    assert said == [("note", "parallel", 1), ("note", "small", 3)]


def test_items_that_share_a_passage_are_counted(make_rows: MakeRows) -> None:
    index = make_rows(ROWS, passage_id=["p"] * 6).pairs().index
    sentences = " ".join(f.sentence for f in check_items(index, 2))
    assert "3 items share a passage_id with others (1 groups, the largest of 3)" in sentences
    assert "all items are in one document" in sentences


def test_enough_parallel_items_give_no_finding(make_rows: MakeRows) -> None:
    rows = [(str(k), code, f"q{k}", f"p{k} {code}") for k in range(40) for code in ("de", "en")]
    assert not list(check_items(make_rows(rows).pairs().index, 4))


def test_texts_beyond_the_models_limit_are_told(make_rows: MakeRows) -> None:
    sizes = lengths(make_rows(ROWS), lambda texts: np.array([len(text.split()) for text in texts]))
    (found,) = check_lengths(sizes, 3, "tiny")
    assert "the 3 tokens that tiny reads" in found.sentence
    assert found.sentence.count("en") >= 1
    assert found.count == 1
    assert check_lengths(sizes, 4, "tiny") == []
    assert check_lengths(sizes, None, "tiny") == []
