"""A file of pairs with their negatives: every format, whole or not at all."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panglot import PanglotError
from panglot.data import load_pairs, pairs_from_rows
from panglot.search import mine as module
from panglot.search.mine import Mined

ROWS: list[dict[str, Any]] = [
    {"item_id": "b", "language": "sw", "query": "Nani?", "passage": "Mwalimu.", "passage_id": "p"},
    {"item_id": "a", "language": "el", "query": "Ποιος;", "passage": "Ο φούρναρης.", "negatives": ["Όχι."]},
    {"item_id": "b", "language": "el", "query": "Ποια;", "passage": "Η δασκάλα.", "passage_id": "p"},
    {"item_id": "c", "language": "el", "query": "Τι;", "passage": "Το ψωμί.", "document_id": "d"},
]
FOUND = [[-1, -1], [2, 3], [1, -1], [2, 1]]  # the second row keeps its own
EXPECTED = [None, ["Όχι."], ["Ο φούρναρης."], ["Η δασκάλα.", "Ο φούρναρης."]]
ENDINGS = [".jsonl", ".json", ".jsonl.gz", ".jsonl.zst", ".parquet"]


def handmade() -> Mined:
    excluded = {"same": 5, "duplicate": 1, "margin": 2}
    kept = np.array([False, True, False, False])
    return Mined(pairs_from_rows(ROWS, "handmade"), np.array(FOUND), kept, excluded)


@pytest.mark.parametrize("rows_at_a_time", [1, 3, 100])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_can_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, rows_at_a_time: int
) -> None:
    monkeypatch.setattr(module, "ROWS", rows_at_a_time)
    place = tmp_path / "new" / f"pairs{ending}"
    handmade().save(place)
    rows = load_pairs(place).table.to_pylist()
    assert [row["negatives"] for row in rows] == EXPECTED
    for row, given in zip(rows, ROWS, strict=True):
        assert {**given, "negatives": row["negatives"]} == {
            name: value for name, value in row.items() if name in given or name == "negatives"
        }
        assert all(row[name] is None for name in row.keys() - given.keys() - {"negatives"})
    assert [path.name for path in place.parent.iterdir()] == [place.name]


def test_json_lines_are_plain_and_leave_out_what_is_absent(tmp_path: Path) -> None:
    handmade().save(tmp_path / "pairs.jsonl")
    first, second, *_ = (tmp_path / "pairs.jsonl").read_text(encoding="utf-8").splitlines()
    assert first == (
        '{"item_id": "b", "passage_id": "p", "language": "sw", "query": "Nani?", "passage": "Mwalimu."}'
    )
    assert second.endswith('"passage": "Ο φούρναρης.", "negatives": ["Όχι."]}')


@pytest.mark.parametrize("ending", ENDINGS)
def test_equal_pairs_make_equal_files(tmp_path: Path, ending: str) -> None:
    for name in ("one", "two"):
        handmade().save(tmp_path / f"{name}{ending}")
    assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


def test_only_selected_pairs_are_written(tmp_path: Path) -> None:
    whole = handmade()
    some = whole.pairs.select(languages=["el"], items=[0, 2])
    Mined(some, whole.rows, whole.kept, whole.excluded).save(tmp_path / "pairs.jsonl")
    rows = load_pairs(tmp_path / "pairs.jsonl").table.to_pylist()
    assert [row["passage"] for row in rows] == ["Η δασκάλα.", "Το ψωμί."]


def test_the_summary_leaves_out_rows_that_keep_their_negatives() -> None:
    assert handmade().summary() == {
        "source": "handmade",
        "sha256": "",
        "items": 3,
        "languages": 2,
        "rows": 4,
        "rows_kept": 1,
        "rows_without": 1,
        "negatives_per_row": 1.0,  # none, one and two
        "excluded": {"same": 5, "duplicate": 1, "margin": 2},
    }


@pytest.mark.parametrize("name", ["pairs.csv", "pairs", "pairs.parquet.gz", "pairs.jsonl.bz2"])
def test_another_ending_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PanglotError, match=r"names no kind of pairs file"):
        handmade().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").mkdir()
    with pytest.raises(PanglotError, match="is a folder"):
        handmade().save(tmp_path / "pairs.jsonl")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_failure_leaves_an_earlier_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    place = tmp_path / f"pairs{ending}"
    handmade().save(place)
    before = place.read_bytes()
    monkeypatch.setattr(module, "ROWS", 2)
    broken = handmade()
    broken.rows[3] = 99  # no such row
    with pytest.raises(IndexError):
        broken.save(place)
    assert place.read_bytes() == before
    assert list(tmp_path.iterdir()) == [place]
