"""The index of an incomplete grid of items and languages, against a plain dict."""

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import IntArray, PairIndex, build_index

LANGUAGES = ["de", "el", "en", "sw", "zh-Hant"]


class Grid(NamedTuple):
    languages: list[str]
    rows: dict[tuple[int, int], int]  # (item, language) -> row of the table
    items: int


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    languages = LANGUAGES[: draw(st.integers(1, len(LANGUAGES)))]
    spread = st.sets(st.integers(0, len(languages) - 1), min_size=1)
    items = draw(st.lists(spread, min_size=1, max_size=12))
    cells = [(item, language) for item, found in enumerate(items) for language in sorted(found)]
    return Grid(
        languages, dict(zip(draw(st.permutations(cells)), range(len(cells)), strict=True)), len(items)
    )


def build(grid: Grid) -> PairIndex:
    item, language = np.array(list(grid.rows)).T
    return build_index(grid.languages, item, language, items=grid.items)


def looked_up(index: PairIndex, items: int) -> dict[tuple[int, str], int]:
    """Look up every (item, language) of the full grid at once; leave out those that are not there."""
    item, language = (a.ravel() for a in np.indices((items, len(index.languages))))
    rows = index.rows_of(item, language)
    found = zip(item.tolist(), language.tolist(), rows.tolist(), strict=True)
    return {(i, index.languages[k]): row for i, k, row in found if row >= 0}


def ints(values: IntArray) -> list[int]:
    return [int(value) for value in values]


@settings(max_examples=60, deadline=None)
@given(grids())
def test_a_lookup_is_that_of_a_dict(grid: Grid) -> None:
    expected = {(i, grid.languages[k]): row for (i, k), row in grid.rows.items()}
    assert looked_up(build(grid), grid.items) == expected


@settings(max_examples=60, deadline=None)
@given(grids())
def test_both_directions_list_the_same_entries(grid: Grid) -> None:
    index = build(grid)
    assert (index.items, index.entries) == (grid.items, len(grid.rows))
    for language in range(len(grid.languages)):
        expected = sorted(i for i, k in grid.rows if k == language)
        assert ints(index.items_in(language)) == expected
    for item in range(grid.items):
        own = index.entry_language[index.item_offsets[item] : index.item_offsets[item + 1]]
        assert ints(own) == sorted(k for i, k in grid.rows if i == item)


@settings(max_examples=60, deadline=None)
@given(grids(), st.data())
def test_a_selection_keeps_just_the_wanted_rows(grid: Grid, data: st.DataObject) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=grid.items, max_size=grid.items)))
    wanted = data.draw(st.lists(st.sampled_from(LANGUAGES)))
    left = {(i, k): r for (i, k), r in grid.rows.items() if mask[i] and grid.languages[k] in wanted}
    items = sorted({i for i, _ in left})
    selected = build(grid).select(mask, wanted)
    assert selected.languages == tuple(sorted({grid.languages[k] for _, k in left}))
    assert selected.items == len(items)
    expected = {(items.index(i), grid.languages[k]): row for (i, k), row in left.items()}
    assert looked_up(selected, len(items)) == expected


def test_groups_and_documents_follow_a_selection() -> None:
    index = build_index(
        ["en"],
        np.arange(4),
        np.zeros(4, int),
        items=4,
        item_group=np.array([7, 8, 7, 9]),
        item_document=np.array([1, 1, 2, 3]),
    )
    selected = index.select(np.array([False, True, True, True]), ["en"])
    assert ints(selected.groups_of(np.arange(3))) == [8, 7, 9]
    assert ints(selected.documents_of(np.arange(3))) == [1, 2, 3]


def test_without_groups_each_item_is_its_own() -> None:
    index = build_index(["en"], np.arange(3), np.zeros(3, int), items=3)
    assert ints(index.groups_of(np.array([2, 0]))) == [2, 0]
    assert ints(index.documents_of(np.array([2, 0]))) == [2, 0]


def test_rows_in_order_need_no_row_numbers() -> None:
    in_order = build_index(["de", "en"], np.array([0, 0, 1]), np.array([0, 1, 1]), items=2)
    assert in_order.entry_row is None
    turned = build_index(["de", "en"], np.array([0, 0, 1]), np.array([1, 0, 1]), items=2)
    assert turned.entry_row is not None
    assert ints(turned.rows_of(np.array([0, 0, 1]), np.array([0, 1, 1]))) == [1, 0, 2]


def test_an_index_lists_items_in_types_that_can_be_looked_up_again() -> None:
    # 256 items fit one byte each; the offset after the last one does not
    index = build_index(["en"], np.arange(256), np.zeros(256, int), items=256)
    items = index.items_in(0)
    assert items.dtype == np.uint8
    assert ints(index.rows_of(items, np.zeros(256, int))) == list(range(256))


def test_an_entry_takes_few_bytes() -> None:
    # 1000 items in 2 languages: offsets 8 * 1001 + 8 * 3, language 1 * 2000, item 2 * 2000, rows left out
    item, language = np.divmod(np.arange(2000), 2)
    assert build_index(["de", "en"], item, language, items=1000).nbytes == 8 * 1001 + 8 * 3 + 2000 + 4000
