"""Where data is looked for, and in which order."""

import os
from pathlib import Path

import pytest

from panglot.data.catalogue.entry import Entry, find_data, in_cache, missing, where_is
from panglot.errors import PanglotError

TOY = Entry(
    name="toy", title="Toy", kind="benchmark", what="A toy.", languages=("en",), reader="beir", folder="toy",
    local=("sets/toy", "toy"), holds=("topics.tsv", "docs-*.jsonl"), needs=("topics.tsv", "docs-*.jsonl"),
)  # fmt: skip


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("")
    return folder


@pytest.fixture(autouse=True)
def _two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PANGLOT_DATA", os.pathsep.join([str(tmp_path / "one"), "", str(tmp_path / "two")]))


def test_nothing_anywhere_names_the_three_ways(tmp_path: Path) -> None:
    put(tmp_path / "one" / "toy", "unrelated.txt")
    assert where_is(TOY) is None
    with pytest.raises(PanglotError) as caught:
        find_data(TOY)
    for way in ("--data", "'panglot data get toy'", "PANGLOT_DATA", "sets/toy or toy"):
        assert way in str(caught.value)


def test_the_first_whole_copy_is_taken(tmp_path: Path) -> None:
    cached = put(in_cache(TOY), "topics.tsv", "docs-0.jsonl")
    assert find_data(TOY) == cached
    second = put(tmp_path / "two" / "toy", "topics.tsv", "docs-0.jsonl")
    assert find_data(TOY) == second
    first = put(tmp_path / "one" / "toy", "topics.tsv", "docs-0.jsonl")
    assert find_data(TOY) == first
    assert find_data(TOY, second) == second


def test_a_whole_copy_goes_before_one_in_part(tmp_path: Path) -> None:
    part = put(tmp_path / "one" / "sets" / "toy", "topics.tsv")
    assert find_data(TOY) == part
    assert missing(TOY, part) == ["docs-*.jsonl"]
    whole = put(in_cache(TOY), "topics.tsv", "docs-0.jsonl")
    assert find_data(TOY) == whole
    assert missing(TOY, whole) == []


def test_a_named_folder_is_taken_as_it_is_or_looked_into(tmp_path: Path) -> None:
    inner = put(tmp_path / "mine" / "toy", "topics.tsv")
    assert find_data(TOY, tmp_path / "mine") == inner
    assert find_data(TOY, inner) == inner
    other = put(tmp_path / "other", "a.json")
    assert find_data(TOY, other) == other
    with pytest.raises(PanglotError, match="no such file or folder; check --data"):
        find_data(TOY, tmp_path / "absent")
