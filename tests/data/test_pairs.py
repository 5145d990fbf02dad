"""Parallel pairs: texts by (item, language), selections, and splits by document."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import ParallelPairs, build_index, pairs_from_rows
from panglot.data.pairs import codes_of
from panglot.errors import PanglotError

Cell = tuple[str, str]  # item id, language
Row = dict[str, object]

CELLS = st.lists(
    st.tuples(st.sampled_from([f"item {k}" for k in range(9)]), st.sampled_from(["ar", "en", "sw", "ti-ER"])),
    unique=True,
    min_size=1,
)


def row(item: str, language: str, **more: object) -> Row:
    texts = {"query": f"query {item} {language}", "passage": f"passage {item} {language}"}
    return {"item_id": item, "language": language, **texts, **more}


def pairs_of(cells: Sequence[Cell]) -> ParallelPairs:
    return pairs_from_rows([row(item, language) for item, language in cells], "mine")


def cells_in(pairs: ParallelPairs) -> dict[Cell, tuple[str, str]]:
    """Look up the texts of every item in every language that the index lists it in."""
    found: dict[Cell, tuple[str, str]] = {}
    for code, language in enumerate(pairs.languages):
        items = pairs.index.items_in(code)
        rows = pairs.rows(items, np.full(len(items), code))
        ids = pairs.texts("item_id", rows)
        texts = zip(pairs.texts("query", rows), pairs.texts("passage", rows), strict=True)
        found.update(zip([(i, language) for i in ids], texts, strict=True))
    return found


def texts_of(cells: Sequence[Cell]) -> dict[Cell, tuple[str, str]]:
    return {(i, k): (f"query {i} {k}", f"passage {i} {k}") for i, k in cells}


def item_ids(pairs: ParallelPairs) -> set[str]:
    return {item for item, _ in cells_in(pairs)}


@settings(max_examples=50, deadline=None)
@given(CELLS)
def test_the_texts_of_an_item_in_a_language_are_its_own(cells: list[Cell]) -> None:
    pairs = pairs_of(cells)
    assert cells_in(pairs) == texts_of(cells)
    assert len(pairs) == len({item for item, _ in cells})
    assert pairs.languages == tuple(sorted({language for _, language in cells}))


@settings(max_examples=50, deadline=None)
@given(CELLS, st.sets(st.sampled_from(["ar", "en", "sw", "ti-ER"]), min_size=1))
def test_a_selection_of_languages_drops_the_rest(cells: list[Cell], wanted: set[str]) -> None:
    left = [cell for cell in cells if cell[1] in wanted]
    selected = pairs_of(cells).select(languages=sorted(wanted))
    assert cells_in(selected) == texts_of(left)
    assert len(selected) == len({item for item, _ in left})
    assert selected.languages == tuple(sorted({language for _, language in left}))


def test_a_selection_of_a_selection_is_one_of_the_whole() -> None:
    cells = [("a", "sw"), ("b", "en"), ("a", "en"), ("c", "sw"), ("c", "en"), ("d", "ar")]
    once = pairs_of(cells).select(items=[0, 2, 3])
    assert cells_in(once) == texts_of([("a", "sw"), ("a", "en"), ("c", "sw"), ("c", "en"), ("d", "ar")])
    assert cells_in(once.select(languages=["sw"])) == texts_of([("a", "sw"), ("c", "sw")])
    assert cells_in(once.select(items=[1])) == texts_of([("c", "sw"), ("c", "en")])


def test_an_item_that_lacks_a_language_has_no_row_there() -> None:
    pairs = pairs_of([("a", "en"), ("b", "en"), ("b", "sw")])
    with pytest.raises(KeyError) as caught:
        pairs.rows(np.array([1, 0]), np.array([1, 1]))
    assert caught.value.args == ((0, "sw"),)


def test_negatives_are_those_of_the_row() -> None:
    pairs = pairs_from_rows([row("a", "en"), row("b", "en", negatives=["no", "never"])], "mine")
    assert pairs.has_negatives
    assert pairs.negatives(np.array([1, 0, 1])) == [["no", "never"], [], ["no", "never"]]
    assert not pairs_of([("a", "en")]).has_negatives


def groups(rows: list[Row]) -> list[list[str]]:
    """Return the item ids of each passage group."""
    return sorted_ids(pairs_from_rows(rows, "mine"), "groups_of")


def documents(rows: list[Row]) -> list[list[str]]:
    return sorted_ids(pairs_from_rows(rows, "mine"), "documents_of")


def sorted_ids(pairs: ParallelPairs, which: str) -> list[list[str]]:
    found: dict[int, list[str]] = {}
    items = np.arange(len(pairs))
    for item, number in zip(items, getattr(pairs.index, which)(items).tolist(), strict=True):
        start = pairs.index.item_offsets[item]
        place = start if pairs.index.entry_row is None else pairs.index.entry_row[start]
        found.setdefault(number, []).extend(pairs.texts("item_id", np.array([place])))
    return sorted(sorted(ids) for ids in found.values())


def test_without_ids_of_passages_each_item_stands_alone() -> None:
    rows = [row("b", "en"), row("a", "en"), row("b", "sw")]
    assert groups(rows) == [["a"], ["b"]]
    assert documents(rows) == [["a"], ["b"]]


def test_items_of_one_passage_share_a_group_and_by_default_a_document() -> None:
    rows = [row("a", "en", passage_id="p"), row("b", "en", passage_id="q"), row("c", "sw", passage_id="p")]
    assert groups(rows) == [["a", "c"], ["b"]]
    assert documents(rows) == [["a", "c"], ["b"]]


def test_an_item_without_a_passage_id_has_its_own_id_for_one() -> None:
    rows = [row("a", "en", passage_id="p"), row("b", "en"), row("c", "en", passage_id="b"), row("d", "en")]
    assert groups(rows) == [["a"], ["b", "c"], ["d"]]


def test_an_item_without_a_document_id_has_its_passage_id_for_one() -> None:
    rows = [
        row("a", "en", passage_id="p", document_id="x"),
        row("b", "en", passage_id="q"),
        row("c", "en", passage_id="q"),
        row("d", "en", document_id="x"),
        row("e", "en"),
    ]
    assert documents(rows) == [["a", "d"], ["b", "c"], ["e"]]
    assert groups(rows) == [["a"], ["b", "c"], ["d"], ["e"]]


def test_a_conflict_names_both_lines() -> None:
    rows = [row("b", "en", passage_id="p"), row("a", "en", passage_id="p"), row("b", "sw", passage_id="q")]
    with pytest.raises(PanglotError, match=r"mine, line 3: item 'b' has passage_id 'q' .* 'p' in line 1"):
        pairs_from_rows(rows, "mine")


def ten_by_ten() -> ParallelPairs:
    """100 items in 10 documents of 10, in two languages."""
    cells = [(f"{k:02d}", language) for k in range(100) for language in ("en", "sw")]
    return pairs_from_rows([row(i, k, document_id=i[0]) for i, k in cells], "mine")


@pytest.mark.parametrize(("share", "items"), [(0.0001, 10), (0.1, 10), (0.25, 30), (0.5, 50), (0.9999, 90)])
def test_a_split_holds_out_as_few_documents_as_reach_the_share(share: float, items: int) -> None:
    rest, out = ten_by_ten().split(share, seed=3)
    assert (len(rest), len(out)) == (100 - items, items)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=30).filter(lambda found: len(set(found)) > 1),
    st.floats(0.01, 0.99),
    st.integers(0, 99),
)
def test_a_split_holds_out_whole_documents(documents: list[int], share: float, seed: int) -> None:
    document = {f"{k:02d}": str(d) for k, d in enumerate(documents)}
    pairs = pairs_from_rows([row(i, "en", document_id=d) for i, d in document.items()], "mine")
    rest, out = (item_ids(part) for part in pairs.split(share, seed))
    assert rest
    assert out
    assert rest | out == set(document)
    assert not {document[i] for i in rest} & {document[i] for i in out}
    again = [item_ids(part) for part in pairs.split(share, seed)]
    assert again == [rest, out]


def test_a_split_depends_on_the_seed() -> None:
    pairs = ten_by_ten()
    held_out = {frozenset(item_ids(pairs.split(0.2, seed)[1])) for seed in range(10)}
    assert len(held_out) > 1


def test_items_of_one_passage_are_never_split() -> None:
    pairs = pairs_from_rows([row(str(k), "en", passage_id=str(k % 2)) for k in range(6)], "mine")
    rest, out = (item_ids(part) for part in pairs.split(0.1))
    assert sorted([sorted(rest), sorted(out)]) == [["0", "2", "4"], ["1", "3", "5"]]


def test_one_document_cannot_be_split() -> None:
    pairs = pairs_from_rows([row(i, "en", document_id="d") for i in "abc"], "mine")
    with pytest.raises(PanglotError, match="mine: all items are in one document, so none can be held out"):
        pairs.split(0.5)


def test_texts_of_more_than_two_gigabytes_are_looked_up() -> None:
    texts = [f"{k} " + "x" * 40_000 for k in range(1_000)]
    chunk = pa.table({"query": texts, "negatives": [[text] for text in texts]})
    table = pa.concat_tables([chunk] * 60)  # which share their memory
    count = table.num_rows
    index = build_index(["en"], np.arange(count), np.zeros(count, np.int64), items=count)
    pairs = ParallelPairs("long", index, table)
    rows = np.array([59_999, 0, 30_001, 59_999])
    expected = [texts[999], texts[0], texts[1], texts[999]]
    assert pairs.texts("query", rows) == expected
    assert pairs.negatives(rows) == [[text] for text in expected]
    assert pairs.take(rows[:0]).num_rows == 0


@given(st.lists(st.lists(st.sampled_from(["a", "b", "", "ä", "long text"]), max_size=4), max_size=5))
def test_texts_are_numbered_in_the_order_in_which_they_first_occur(chunks: list[list[str]]) -> None:
    codes, texts = codes_of(pa.chunked_array(chunks, pa.string()))
    flat = [text for chunk in chunks for text in chunk]
    assert texts == list(dict.fromkeys(flat))
    assert [texts[code] for code in codes] == flat
