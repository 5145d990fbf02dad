"""Files are opened by their ending, and written whole or not at all."""

import errno
import gzip
import hashlib
import json
import os
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot import files, load_pairs
from panglot.errors import PanglotError
from panglot.files import atomic_write, open_bytes, sampled_sha256, sha256, write_json

TEXT = "eins\nδύο\nสาม\n".encode() * 200


def write_part(path: Path, error: OSError) -> None:
    with atomic_write(path) as part:
        part.write_text("half")
        raise error


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    with atomic_write(path) as part:
        part.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert list(path.parent.iterdir()) == [path]


def test_a_written_file_has_the_rights_of_any_other(tmp_path: Path) -> None:
    other, path = tmp_path / "other", tmp_path / "path"
    other.write_text("")
    with atomic_write(path) as part:
        part.write_text("")
    assert path.stat().st_mode == other.stat().st_mode


def test_a_failure_keeps_what_was_there_and_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as part:
        part.write_text("half")
        _ = 1 // 0
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


REFUSALS = [(errno.ENOSPC, "full"), (errno.EDQUOT, "full")]
REFUSALS += [(number, "not allowed") for number in (errno.EACCES, errno.EPERM, errno.EROFS)]


@pytest.mark.parametrize(("number", "said"), REFUSALS)
def test_a_place_that_takes_no_file_is_named_and_no_part_is_left(
    tmp_path: Path, number: int, said: str
) -> None:
    with pytest.raises(PanglotError, match=rf"a\.txt: .*{said}"):
        write_part(tmp_path / "a.txt", OSError(number, "no"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_at_the_renaming_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(PanglotError, match="the disk is full"):
        write_json(tmp_path / "a.json", {})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_known_by_what_other_libraries_say_of_it(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(PanglotError, match=r"model\.safetensors: the disk is full"), atomic_write(path):
        raise RuntimeError("I/O error: No space left on device (os error 28)")
    assert list(tmp_path.iterdir()) == []


def test_something_else_of_that_name_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    (tmp_path / "folder").mkdir()
    for place in ("runs/results.json", "runs/deeper/results.json", "folder"):
        with pytest.raises(PanglotError, match="something with that name is already there"):
            write_json(tmp_path / place, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "runs"]


def test_another_error_of_the_system_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="a broken wire"):
        write_part(tmp_path / "a.txt", OSError(errno.EIO, "a broken wire"))
    assert list(tmp_path.iterdir()) == []


def test_json_is_written_readably_in_utf8(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Ελληνικά", "n": [1]})
    text = (tmp_path / "a.json").read_bytes().decode("utf-8")
    assert "Ελληνικά" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "Ελληνικά", "n": [1]}


def test_sha256_is_that_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # the example of FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "abc") == expected


def test_plain_gz_and_zst_open_alike_whole_or_in_members(tmp_path: Path) -> None:
    parts = [TEXT[:700], TEXT[700:1500], TEXT[1500:]]
    kinds: dict[str, Callable[[bytes], bytes]]
    kinds = {"a": bytes, "a.gz": gzip.compress, "a.zst": zstandard.compress}
    for name, compress in kinds.items():
        for content in (compress(TEXT), b"".join(compress(part) for part in parts)):
            (tmp_path / name).write_bytes(content)
            with open_bytes(tmp_path / name) as file:
                assert list(file) == TEXT.splitlines(keepends=True), name


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_compressed_file_cut_anywhere_is_never_taken_for_whole(data: st.DataObject) -> None:
    ending = data.draw(st.sampled_from([".gz", ".zst"]))
    whole = gzip.compress(TEXT) if ending == ".gz" else zstandard.compress(TEXT)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{ending}"
        path.write_bytes(whole[:cut])
        with open_bytes(path) as file, pytest.raises((EOFError, OSError)):
            file.read()


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match=r"absent\.jsonl: no such file"):
        open_bytes(tmp_path / "absent.jsonl")
    with pytest.raises(PanglotError, match="is a folder"):
        open_bytes(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.zst"])
def test_a_file_that_may_not_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_text("")

    def locked(self: Path, mode: str = "r") -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(PanglotError, match=f"{name}: not allowed to read it"):
        open_bytes(tmp_path / name)


def test_a_large_file_is_known_by_samples_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WHOLE", 1000)
    monkeypatch.setattr(files, "SAMPLES", 3)
    monkeypatch.setattr(files, "BLOCK", 10)
    path = tmp_path / "large"
    path.write_bytes(bytes(range(250)) * 8)
    blocks = path.read_bytes()[:10] + path.read_bytes()[995:1005] + path.read_bytes()[-10:]
    expected = hashlib.sha256(b"2000" + blocks).hexdigest()
    assert sampled_sha256(path) == expected
    assert sampled_sha256(path) != files.sha256(path)


@pytest.mark.parametrize("damage", ["flipped", "cut short", "missing", "note"])
def test_a_damaged_table_of_the_cache_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"item_id": "a", "language": "en", "query": "Who?", "passage": "A cat."}\n')
    texts = load_pairs(source).table.to_pylist()
    (table,) = (tmp_path / "cache" / "pairs").glob("*.arrow")
    if damage == "missing":
        table.unlink()
    elif damage == "note":
        table.with_suffix(".json").write_text("[" * 100_000)
    else:
        content = bytearray(table.read_bytes())
        at = content.index(b"A cat.")
        content[at] ^= 1
        table.write_bytes(content[:at] if damage == "cut short" else content)
    assert load_pairs(source).table.to_pylist() == texts


def test_changed_content_of_the_same_size_and_time_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "pairs.jsonl"
    checksums = set()
    for animal in ("cat", "dog"):
        source.write_text(
            f'{{"item_id": "a", "language": "en", "query": "Who?", "passage": "A {animal}."}}\n'
        )
        os.utime(source, ns=(10**18, 10**18))
        pairs = load_pairs(source)
        assert pairs.table.column("passage").to_pylist() == [f"A {animal}."]
        checksums.add(pairs.sha256)
    assert len(checksums) == 2


def test_reading_a_parquet_file_keeps_little_of_it_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    group = pa.table({"text": [os.urandom(1 << 9).hex() for _ in range(256)]})  # a quarter of a megabyte
    with pq.ParquetWriter(path, group.schema, compression="none", use_dictionary=False) as writer:
        for _ in range(64):
            writer.write_table(group)
    tracemalloc.start()  # the bytes come through a file of Python's
    with files.parquet(path) as file:
        rows = sum(len(batch) for batch in files.parquet_batches(file, 100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 64 * 256
    assert peak < 4 << 20 < path.stat().st_size / 4
