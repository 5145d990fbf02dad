"""Which texts are equal, and which items are joined by them."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.data import equality, pairs_from_rows
from panglot.data.equality import Fingerprints, canonical, connected, fingerprints


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("soft\u00adhyphen \ufeffmark", "softhyphen mark"),
        ("\u0e20\u0e32\u0e29\u0e32\u200b\u0e44\u0e17\u0e22", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22"),
        ("  two\u3000 words\n", "two words"),
        ("x\u00b2", "x\u00b2"),  # not x2: that means something else
    ],
)
def test_texts_that_look_alike_have_one_form(written: str, plain: str) -> None:
    assert canonical(written) == canonical(plain) == plain
    one, other, third = fingerprints([written, plain, plain + "."])
    assert one == other != third


@given(text=st.text())
def test_forms_and_spaces_do_not_change_the_form(text: str) -> None:
    assert canonical(canonical(text)) == canonical(text)
    assert canonical(unicodedata.normalize("NFD", text)) == canonical(text)
    assert canonical(f" {text}\u200b\n") == canonical(text)


@given(
    links=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=12),
    others=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=12),
)
def test_nodes_are_joined_by_chains_of_codes(
    links: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    first, second = (np.array(pairs, np.int64).reshape(-1, 2).T for pairs in (links, others))
    found = connected(8, (first[0], first[1]), (second[0], second[1]))
    number = list(range(8))
    for _ in range(8):
        for pairs in (links, others):
            for a, code in pairs:
                for b, same in pairs:
                    if code == same:
                        number[a] = number[b] = min(number[a], number[b])
    assert found.tolist() == number


def test_the_texts_of_items_are_those_in_all_their_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, object]] = [
        {"item_id": item, "language": language, "query": f"{item}{language}?", "passage": "p"}
        for item, language in [("a", "de"), ("b", "en"), ("a", "en"), ("c", "de")]
    ]
    expected = fingerprints(["cde?", "ade?", "aen?"])
    for remembered in (100, 0):
        monkeypatch.setattr(equality, "REMEMBERED", remembered)
        known = Fingerprints(pairs_from_rows(rows, "mine"))
        for _ in range(2):
            position, found = known.of_items("query", [2, 0])
            assert position.tolist() == [0, 1, 1]
            assert found.tolist() == expected.tolist()
