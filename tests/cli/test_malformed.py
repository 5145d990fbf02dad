"""Malformed inputs of every kind end in one sentence: a small part of ``benchmarks/sweep.py``."""

import gzip
import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmarks.sweep import MUTATIONS, make_files, odd_copies, special_files
from panglot.data.pairs_files.read import read_rows
from panglot.errors import PanglotError
from panglot.files import largest_row, lines_of, said_of
from panglot.parse import parse_json, parse_toml, parse_yaml, validated

Runner = Callable[..., Any]
NESTED = "[" * 5000 + "]" * 5000


def is_one_sentence(outcome: Any) -> bool:
    return outcome.code in (0, 2) and "Traceback" not in outcome.err and "error in panglot" not in outcome.err


FILES = ["pairs.jsonl", "pairs.jsonl.gz", "pairs.csv", "pairs.tsv", "pairs.parquet", "lareqa", "squad"]
FILES += ["captions", "mkqa", "mtop", "beir corpus", "beir judgements"]
FILES += ["documents.md", "documents.jsonl", "documents.parquet"]


@pytest.mark.parametrize("name", FILES)
def test_a_malformed_file_is_one_sentence(
    panglot: Runner, tmp_path: Path, tiny_checkpoint: Path, name: str
) -> None:
    target = next(found for found in make_files(tmp_path, tiny_checkpoint) if found.name == name)
    valid, rng = target.file.read_bytes(), random.Random(name)
    assert panglot(*target.command).code == 0
    codes = set()
    for _ in range(10):
        target.file.write_bytes(rng.choice(MUTATIONS[target.kind])(valid, rng))
        outcome = panglot(*target.command)
        assert is_one_sentence(outcome), (target.file.read_bytes()[:500], outcome.err)
        codes.add(outcome.code)
    assert 2 in codes or name == "documents.md"  # nearly all bytes are Markdown
    for kind in special_files(target.file):
        assert panglot(*target.command).code == 2 or kind in ("missing", "empty file")


PARSERS: dict[str, Callable[[str], Any]] = {
    "json": lambda text: parse_json(text, "x"),
    "toml": lambda text: parse_toml(text, "x"),
    "yaml": lambda text: parse_yaml(text, "x"),
}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", NESTED),
        ("json", "[" * 101 + "]" * 101),
        ("json", "9" * 41),
        ("json", '"\\ud800"'),
        ("json", '{"a": 1,}'),
        ("toml", f"a = {NESTED}"),
        ("toml", "[" + "a." * 200 + "a]"),
        ("toml", "a = " + "9" * 5000),
        ("yaml", NESTED),
        ("yaml", "&a [*a]"),
        ("yaml", "!!timestamp x"),
        ("yaml", "a: " + "9" * 5000),
    ],
)
def test_parsers_are_bounded(kind: str, text: str) -> None:
    with pytest.raises(PanglotError, match=r"^x"):
        PARSERS[kind](text)


def test_what_is_within_the_bounds_is_read() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": [1, "\\ud83d\\ude00"]}', "x") == {"a": [1, "\U0001f600"]}
    assert parse_json("[" * 100 + "]" * 100, "x") == eval("[" * 100 + "]" * 100)  # noqa: S307
    assert parse_yaml("a: &b [1]\nc: *b", "x") == {"a": [1], "c": [1]}
    assert parse_yaml("a: 1", "x", texts=True) == {"a": "1"}


@pytest.mark.parametrize(
    ("form", "value", "place"),
    [
        (dict[str, int], {"a": "1"}, "a is wrong"),
        (list[int], [1, True], "1 is wrong"),
        (int, 2.5, "is wrong"),
    ],
)
def test_nothing_is_taken_for_another_type(form: Any, value: Any, place: str) -> None:
    with pytest.raises(PanglotError, match=rf"^file: .*{place}"):
        validated(form, value, "file")


def test_a_row_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_MAX_ROW_MB", "1")
    assert largest_row() == 1 << 20
    row = json.dumps({"item_id": "a", "language": "en", "query": "q", "passage": "p"}).encode()
    fits, too_long = row.ljust((1 << 20) - 1) + b"\n", row.ljust(1 << 20) + b"\n"
    for name, pack in (("a.jsonl", bytes), ("a.jsonl.gz", gzip.compress)):
        path = tmp_path / name
        path.write_bytes(pack(fits))
        assert [len(line) for line in lines_of(path)] == [1 << 20]
        path.write_bytes(pack(fits + too_long))
        with pytest.raises(PanglotError, match=rf"{name}, line 2: is longer than 1 MB"):
            list(read_rows(path))
    table = tmp_path / "a.csv"
    table.write_text('item_id,language,query,passage\na,en,q,"' + "x\n" * (1 << 19) + '"\n')
    with pytest.raises(PanglotError, match=r"a\.csv, line 2: .*longer than 1 MB"):
        list(read_rows(table))
    monkeypatch.setenv("PANGLOT_MAX_ROW_MB", "much")
    with pytest.raises(PanglotError, match="'much' is not a number of megabytes"):
        largest_row()


def test_a_small_file_that_unpacks_to_much_is_not_unpacked(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    content = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(256)) + packer.flush()
    (tmp_path / "bomb.jsonl.gz").write_bytes(content)
    before = pa.total_allocated_bytes()
    with pytest.raises(PanglotError, match=r"bomb\.jsonl\.gz, line 1: is longer than 16 MB"):
        next(lines_of(tmp_path / "bomb.jsonl.gz"))
    assert pa.total_allocated_bytes() == before


@pytest.mark.parametrize("option", ["--alpha", "--resamples", "--flips", "--seed", "--baseline"])
@pytest.mark.parametrize("value", ["nan", "inf", "9" * 22, "-1", "", "x"])
def test_a_number_out_of_range_is_refused(panglot: Runner, runs: list[Path], option: str, value: str) -> None:
    outcome = panglot("compare", *runs, option, value)
    assert outcome.code == 2 and "Traceback" not in outcome.err


def test_arguments_that_are_not_utf8_are_refused(panglot: Runner) -> None:
    for words in (["search", "\udcff", "--index", "x"], ["evaluate", "\udcff"], ["train", "--model", "a\0b"]):
        outcome = panglot(*words)
        assert outcome.code == 2 and "Traceback" not in outcome.err


def test_nothing_outside_a_folder_is_copied(
    panglot: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_checkpoint: Path
) -> None:
    make_files(tmp_path, tiny_checkpoint)
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    for command in odd_copies(tmp_path):
        outcome = panglot(*command)
        assert outcome.code == 2 and "Traceback" not in outcome.err
    assert not (tmp_path / "cache" / "data" / "arcd").exists()


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ValueError("odd\nmore"), 1, "ValueError: odd. This is an error in panglot. Please report it"),
        (OSError(28, "No space left on device", "/x"), 2, "/x: the disk is full"),
        (OSError(5, "Input/output error", "/x"), 2, "/x: Input/output error"),
        (MemoryError(), 2, "not enough memory"),
        (RuntimeError("CUDA out of memory"), 2, "not enough memory"),
        (BrokenPipeError(), 1, ""),
        (KeyboardInterrupt(), 130, ""),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_what_is_left_is_one_sentence_and_debug_shows_more(
    panglot: Runner,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    sentence: str,
    debug: bool,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("panglot.data.catalogue.catalogue", fail)
    monkeypatch.setenv("PANGLOT_DEBUG", "")
    outcome = panglot(*(["--debug"] if debug else []), "data", "list")
    assert outcome.code == code
    assert sentence in outcome.err
    if isinstance(error, Exception) and not isinstance(error, BrokenPipeError):
        assert ("Traceback" in outcome.err) == debug


def test_a_copy_that_fails_is_told_by_its_first_error() -> None:
    import shutil

    error = shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])
    assert said_of(error, "b").startswith("b: the disk is full")


def test_escape_sequences_reach_no_terminal(panglot: Runner, runs: list[Path]) -> None:
    for path in runs:
        found = json.loads(path.read_text(encoding="utf-8"))
        found["model"]["name"] = f"\x1b[31mred\x9b2J\u202e{path.stem}"
        path.write_text(json.dumps(found), encoding="utf-8")
    for more in (["--details"], ["--json"]):
        outcome = panglot("compare", *runs, "--resamples", "5", "--flips", "5", *more)
        assert outcome.code == 0 and "red" in outcome.out
        assert not {"\x1b", "\x9b", "\u202e"} & set(outcome.out + outcome.err)
    assert any("\x1b" in run for run in outcome.results["runs"])
