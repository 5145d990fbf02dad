import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.search.look_up import reciprocal_ranks


def test_ranks_of_two_lists_add_up_by_hand() -> None:
    found = reciprocal_ranks([["a", "b", "c"], ["c", "a"]])
    assert [name for name, _ in found] == ["a", "c", "b"]
    # a: 1st and 2nd, c: 3rd and 1st, b: 2nd
    assert dict(found) == pytest.approx({"a": 1 / 61 + 1 / 62, "c": 1 / 63 + 1 / 61, "b": 1 / 62})


def test_ties_keep_the_order_in_which_they_came() -> None:
    assert [name for name, _ in reciprocal_ranks([["x"], ["y"], ["z"]])] == ["x", "y", "z"]


@given(st.lists(st.integers(0, 50), unique=True))
def test_a_list_alone_keeps_its_order(ranked: list[int]) -> None:
    assert [name for name, _ in reciprocal_ranks([ranked])] == ranked


@given(st.lists(st.lists(st.integers(0, 9), unique=True), max_size=4))
def test_every_id_stands_once_and_scores_fall(lists: list[list[int]]) -> None:
    found = reciprocal_ranks(lists)
    assert sorted(name for name, _ in found) == sorted({name for ranked in lists for name in ranked})
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
