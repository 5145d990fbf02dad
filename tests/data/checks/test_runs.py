"""A shared run of characters is always found, and nothing else is."""

from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from panglot.data.checks import overlap
from panglot.data.checks.overlap import shared_runs

FEW_LETTERS = st.text("ab", max_size=60)  # that repeat themselves: hard for hashes, rich in short runs
TEXTS = st.lists(st.one_of(FEW_LETTERS, st.text(max_size=40)), max_size=6)


def longest(a: str, b: str) -> int:
    return SequenceMatcher(None, a, b, autojunk=False).find_longest_match().size


def brute_force(a: list[str], b: list[str], run: int) -> set[int]:
    """Return the texts of ``a`` that share a run with any of ``b``, by comparing all pairs of texts."""
    return {k for k, text in enumerate(a) if any(longest(text, other) >= run for other in b)}


@settings(max_examples=200, deadline=None)
@given(a=TEXTS, b=TEXTS, run=st.integers(2, 12))
@example(a=["\0" * 9], b=["\0" * 9], run=8)
@example(a=["ab", "ba"], b=["abba"], run=3)  # a run does not go on in the next text
@example(a=["abba"], b=["ab", "ba"], run=3)
def test_the_texts_that_share_a_run_are_those_of_a_comparison_of_all_pairs(
    a: list[str], b: list[str], run: int
) -> None:
    found = shared_runs(a, b, run)
    assert {shared.a for shared in found} == brute_force(a, b, run)
    assert len(found) == len({shared.a for shared in found})
    for shared in found:
        piece = a[shared.a][shared.a_start : shared.a_start + run]
        assert len(piece) == run
        assert b[shared.b][shared.b_start : shared.b_start + run] == piece


@settings(max_examples=100, deadline=None)
@given(
    before=st.text("abc ", max_size=300),
    planted=st.text("klmnop", min_size=80, max_size=80),
    after=st.text("abc ", max_size=300),
    around=st.lists(st.text("xyz ", max_size=100), max_size=5),
    swapped=st.booleans(),
)
def test_a_planted_run_of_80_characters_is_found_wherever_it_stands(
    before: str, planted: str, after: str, around: list[str], swapped: bool
) -> None:
    ours, theirs = [*around, before + planted + after], ["uvw", "uvw" + planted, *around[:0]]
    if swapped:
        ours, theirs = theirs, ours
    found = shared_runs(ours, theirs, 80)
    assert [shared.a for shared in found] == [1 if swapped else len(around)]
    # of 79 characters nothing is said
    short = [text.replace(planted, planted[:-1] + "q") for text in theirs]
    assert shared_runs(ours, short, 80) == []


def test_texts_are_hashed_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "SLICE", 50)
    texts = [f"text {k} " * 6 for k in range(40)]
    assert [shared.a for shared in shared_runs(texts, [texts[33], texts[7]], 40)] == [7, 33]
    assert [shared.a for shared in shared_runs([texts[33], texts[7]], texts, 40)] == [0, 1]


def test_a_hash_that_stands_for_two_runs_misleads_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "BASE", np.uint64(1))  # then a hash is blind to the order of letters
    assert shared_runs(["abcdef"], ["fedcba"], 4) == []
    assert [shared.b for shared in shared_runs(["xxabcd"], ["dcbaxx", "yyabcd"], 4)] == [1]


def test_nothing_shares_nothing() -> None:
    assert shared_runs([], ["a" * 100], 80) == []
    assert shared_runs(["a" * 100], [], 80) == []
    assert shared_runs(["a" * 79], ["a" * 100], 80) == []
    with pytest.raises(ValueError, match="two characters"):
        shared_runs(["a"], ["a"], 1)
