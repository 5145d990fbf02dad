"""Columns of texts on disk: they are used like lists, whatever their chunks."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.data.text_column import TextColumn, TitledTexts, find, first_twice, joined, pick

TEXT = st.text(alphabet="ab\u00e4\u0e01\U0001f989", max_size=3)
CHUNKS = st.lists(st.lists(TEXT, max_size=5), max_size=5)


def column(chunks: Sequence[Sequence[str]]) -> TextColumn:
    """Make a column of chunks that are slices of larger arrays, as those of a file are."""
    arrays = []
    for chunk in chunks:
        around = pa.array(["before", *chunk, "after"], pa.string())
        arrays.append(around.slice(1, len(chunk)))
    return TextColumn(arrays)


@given(CHUNKS, st.integers(-12, 12), st.integers(-12, 12), st.sampled_from([None, 1, 2, -1]))
def test_a_column_is_indexed_and_sliced_as_a_list(
    chunks: list[list[str]], start: int, stop: int, step: int | None
) -> None:
    texts = [text for chunk in chunks for text in chunk]
    lazy = column(chunks)
    assert len(lazy) == len(texts)
    assert list(lazy) == texts
    assert lazy[start:stop:step] == texts[start:stop:step]
    assert [lazy[k] for k in range(-len(texts), len(texts))] == texts + texts
    for outside in (len(texts), -len(texts) - 1):
        with pytest.raises(IndexError):
            lazy[outside]


@given(CHUNKS, st.data())
def test_some_rows_of_a_column_are_those_of_the_list(chunks: list[list[str]], data: st.DataObject) -> None:
    texts = [text for chunk in chunks for text in chunk]
    rows = np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(texts))))) if texts else []), np.int64)
    expected = [texts[k] for k in rows]
    assert list(pick(column(chunks), rows)) == expected == pick(texts, rows)
    assert column(chunks).take(rows[::-1]) == expected[::-1]


def test_scattered_rows_of_a_long_column() -> None:
    texts = [str(k) for k in range(1000)]
    rows = np.arange(0, 1000, 3)
    assert list(pick(column([texts[:400], texts[400:]]), rows)) == texts[::3]


@given(CHUNKS, st.lists(TEXT, max_size=6))
def test_the_first_row_of_a_text_is_found(chunks: list[list[str]], wanted: list[str]) -> None:
    texts = [text for chunk in chunks for text in chunk]
    expected = [texts.index(text) if text in texts else -1 for text in wanted]
    assert column(chunks).find(wanted).tolist() == expected


def test_rows_are_found_in_lists_too() -> None:
    assert find(["a", "b"], ["b", "c", "b"]).tolist() == [1, -1, 1]


@given(CHUNKS)
def test_a_text_that_stands_twice_is_found(chunks: list[list[str]]) -> None:
    texts = [text for chunk in chunks for text in chunk]
    twice = [text for k, text in enumerate(texts) if text in texts[:k]]
    for both in (column(chunks), texts):
        assert first_twice(both) == (twice[0] if twice else None)


def test_texts_whose_hashes_are_equal_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panglot.data.text_column.hash", lambda text: 0, raising=False)
    assert first_twice(column([["a", "b"], ["c"]])) is None
    assert first_twice(column([["a", "b"], ["b"]])) == "b"


def test_columns_are_joined_in_order() -> None:
    assert joined([column([["a"], ["b"]]), column([]), column([["c"]])])[:] == ["a", "b", "c"]


def test_titles_stand_before_their_texts() -> None:
    for titles, texts in (
        (["One", "", "Three"], ["1", "2", "3"]),
        (column([["One", ""], ["Three"]]), column([["1"], ["2", "3"]])),
    ):
        both = TitledTexts(titles, texts)
        assert list(both) == both[:] == ["One 1", "2", "Three 3"]
        assert (len(both), both[1], both[-1], both[1:2]) == (3, "2", "Three 3", ["2"])
