"""Columns of texts on disk, used like lists; and pools of passages that are written into the cache."""

import json
import os
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data import Benchmark, Texts, text_column
from panglot.data.text_column import (
    Row,
    TextColumn,
    TitledTexts,
    cached_texts,
    digest,
    find,
    first_twice,
    joined,
    pick,
)
from panglot.errors import PanglotError

TEXT = st.text(alphabet="ab\u00e4\u0e01\U0001f989", max_size=3)
CHUNKS = st.lists(st.lists(TEXT, max_size=5), max_size=5)


def column(chunks: Sequence[Sequence[str]]) -> TextColumn:
    """Make a column of chunks that are slices of larger arrays, as those of a file are."""
    arrays = []
    for chunk in chunks:
        around = pa.array(["before", *chunk, "after"], pa.string())
        arrays.append(around.slice(1, len(chunk)))
    return TextColumn(arrays)


@settings(deadline=None)  # the first array of numbers imports pandas
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


def files_in(cache: Path) -> list[Path]:
    """Return the files of the cache but its locks."""
    return [path for path in cache.rglob("*.*") if path.suffix != ".lock"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def rows(path: Path) -> Iterator[Row]:
    """Read lines of id, title and text with bars between them."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name, title, text = line.split("|")
        yield number, name, title, text


def write(folder: Path, name: str, *lines: str) -> Path:
    (folder / name).write_text("\n".join(lines))
    return folder / name


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    files = [write(tmp_path, "b", "1|One|eins", "2||zwei"), write(tmp_path, "a", "3|Three|drei")]
    table = cached_texts(files, rows, "bars", "de:")
    assert list(table.ids) == ["de:1", "de:2", "de:3"]
    assert list(table.titles) == ["One", "", "Three"]
    assert list(table.texts) == ["eins", "zwei", "drei"]
    assert table.titled
    assert not cached_texts([write(tmp_path, "c", "1||x")], rows, "bars").titled


def test_a_table_is_made_once_and_again_when_anything_changes(tmp_path: Path) -> None:
    path = write(tmp_path, "a", "1|t|x")
    reads: list[Path] = []

    def counted(path: Path) -> Iterator[Row]:
        reads.append(path)
        return rows(path)

    for _ in range(3):
        assert list(cached_texts([path], counted, "bars").texts) == ["x"]
    assert len(reads) == 1
    cached_texts([path], counted, "bars", "en:")
    cached_texts([path], counted, "other")
    assert len(reads) == 3
    write(tmp_path, "a", "1|t|y")
    os.utime(path, ns=(1, 1))
    assert list(cached_texts([path], counted, "bars").texts) == ["y"]


def test_batches_of_rows_and_of_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_column, "BATCH_ROWS", 3)
    monkeypatch.setattr(text_column, "BATCH_CHARACTERS", 10)
    texts = ["a" * 11, "b", "c", "d", "e", "f" * 20, "g"]
    path = write(tmp_path, "a", *(f"{k}||{text}" for k, text in enumerate(texts)))
    table = cached_texts([path], rows, "bars")
    assert list(table.texts) == texts
    assert [len(chunk) for chunk in table.texts.chunks] == [1, 3, 2, 1]


def test_an_id_that_stands_twice_is_named_with_both_lines(tmp_path: Path, cache: Path) -> None:
    files = [write(tmp_path, "a", "1||x", "2||y"), write(tmp_path, "b", "3||z", "2||w")]
    with pytest.raises(PanglotError, match=r"b, line 2: id '2' is already in .*a, line 2"):
        cached_texts(files, rows, "bars", "en:")
    assert not files_in(cache), "nothing half-written is left"


def test_what_a_reader_refuses_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    def broken(path: Path) -> Iterator[Row]:
        yield from rows(path)
        raise PanglotError("line 3: is broken")

    with pytest.raises(PanglotError, match="line 3: is broken"):
        cached_texts([write(tmp_path, "a", "1||x")], broken, "bars")
    assert not files_in(cache)


def test_a_checksum_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    # printf x > a; sha256sum a | sha256sum
    checksum = "4a4b874a1e9776a52e38fd82a053825f309f46187a803a0fc0c6670c6670e768"
    assert digest([write(tmp_path, "a", "x")]) == checksum


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "docs.jsonl"

    def many(count: int) -> Path:
        with path.open("w") as file:
            for k in range(count):
                file.write(json.dumps({"id": str(k), "text": f"passage {k} " * 5}) + "\n")
        return path

    def lines(path: Path) -> Iterator[Row]:
        with path.open() as file:
            for number, line in enumerate(file, 1):
                value = json.loads(line)
                yield number, value["id"], "", value["text"]

    peaks = []
    cached_texts([many(10)], lines, "warm up")
    for count in (10_000, 80_000):
        many(count)
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        table = cached_texts([path], lines, f"{count}")
        assert sum(1 for _ in table.texts) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert table.texts[count - 1].startswith(f"passage {count - 1} ")
        assert pa.total_allocated_bytes() - before < 1 << 20, "what is read is mapped, not copied"
    # a row more costs its hash, sorted (16 bytes) and not its text (more than 100)
    assert peaks[1] - peaks[0] < 70_000 * 40


def on_disk(tmp_path: Path) -> Benchmark:
    files = {"de": ["1|Eins|a", "2||b"], "en": ["1|One|c", "2||d", "3||e"], "sw": ["1||f"]}
    tables = [
        cached_texts([write(tmp_path, code, *lines)], rows, "bars", f"{code}:")
        for code, lines in files.items()
    ]
    columns = {
        name: TextColumn([chunk for table in tables for chunk in getattr(table, name).chunks])
        for name in ("ids", "titles", "texts")
    }
    passages = Texts(
        columns["ids"], np.array([0, 0, 1, 1, 1, 2], np.int16), columns["texts"], columns["titles"]
    )
    return Benchmark(
        name="disk",
        languages=("de", "en", "sw"),
        queries=Texts(["q", "r"], np.array([1, 2]), ["c?", "f?"]),
        passages=passages,
        query_items=np.array([0, 1]),
        judged_query=np.array([0, 0, 1]),
        judged_passage=np.array([0, 3, 5]),
        gains=np.array([1, 0, 2]),
    )


def test_a_benchmark_on_disk_is_restricted_without_lists(tmp_path: Path) -> None:
    left = on_disk(tmp_path).restrict(["de", "sw"])
    assert isinstance(left.passages.ids, TextColumn)
    assert list(left.passages.ids) == ["de:1", "de:2", "sw:1"]
    assert list(left.passages.titled()) == ["Eins a", "b", "f"]
    assert left.passages.languages.tolist() == [0, 0, 1]
    assert (left.judged_passage.tolist(), left.gains.tolist()) == ([2], [2])


def test_an_id_that_stands_twice_on_disk_is_named(tmp_path: Path) -> None:
    good = on_disk(tmp_path)
    twice = TextColumn([*good.passages.ids.chunks, *good.passages.ids.chunks[1:2]])  # type: ignore[attr-defined]
    passages = Texts(twice, np.zeros(len(twice), np.int64), ["-"] * len(twice))
    with pytest.raises(PanglotError, match="disk: passage id 'en:1' occurs twice"):
        Benchmark(
            name="disk",
            languages=("de",),
            queries=good.queries,
            passages=passages,
            query_items=good.query_items,
            judged_query=good.judged_query,
            judged_passage=good.judged_passage,
            gains=good.gains,
        )
