"""``panglot index`` and ``panglot search``."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

Runner = Callable[..., Any]
Results = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("small_by_default")


@pytest.fixture
def run(panglot: Runner) -> Results:
    """Run a command with ``--json``; return what it prints."""

    def run(*arguments: object) -> Any:
        outcome = panglot(*arguments, "--json")
        assert outcome.code == 0, outcome.err
        return outcome.results

    return run


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    rows = [
        {"id": "1", "text": "The cat sleeps on the mat.", "language": "en", "year": 1991},
        {"id": "2", "text": "Die Katze schläft auf der Matte.", "language": "de", "year": 1991},
        {"id": "3", "text": "Stock markets fell sharply today.", "language": "en", "year": 2001},
    ]
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_index_then_search_then_delete_and_export(run: Results, texts: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "index")
    made = run("index", "--index", place, "--engine", "exact", "--input", str(texts))
    assert (made["passages"], made["languages"], made["changes"]["added"]) == (3, ["de", "en"], 3)
    assert made["recall"]["recall"] == 1.0
    found = run("search", "Does the cat sleep on the mat?", "--index", place, "-k", "1")["results"]
    assert [(hit["id"], hit["snippet"]) for hit in found] == [("1", "The cat sleeps on the mat.")]
    found = run("search", "cat", "--index", place, "--where", "year=2001", "--hybrid")["results"]
    assert [hit["id"] for hit in found] == ["3"]
    found = run("search", "cat", "--index", place, "--languages", "de", "--balanced", "turns")["results"]
    assert [hit["id"] for hit in found] == ["2"]
    again = run("index", "--index", place, "--input", str(texts), "--recall", "0")
    assert (again["changes"]["encoded"], again["changes"]["unchanged"]) == (0, 3)
    out = str(tmp_path / "v.parquet")
    gone = run("index", "--index", place, "--delete", "3", "--export", out)
    assert (gone["deleted"], gone["passages"], gone["exported"]) == (1, 2, 2)
    table = pq.read_table(out)
    assert table.column("id").to_pylist() == ["1", "2"]
    assert json.loads(table.column("metadata")[0].as_py()) == {"year": 1991}
    run("index", "--index", place, "--export", str(tmp_path / "v.npy"))
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.shape == (2, 384)
    assert np.array(table.column("vector").to_pylist(), np.float32) == pytest.approx(vectors)
    assert (tmp_path / "v.ids.txt").read_text() == "1\n2\n"


def test_a_mistake_shows_before_anything_is_written_or_deleted(
    panglot: Runner, run: Results, texts: Path, tmp_path: Path
) -> None:
    place = str(tmp_path / "index")
    begin = ("index", "--index", place, "--engine", "exact", "--input", str(texts))
    assert panglot(*begin, "--export", str(tmp_path / "v.csv")).code == 2
    assert panglot(*begin, "--among", "en,ti").code == 2
    assert not (tmp_path / "index").exists()
    whole = run(*begin)["passages"]
    more = ("index", "--index", place, "--delete", "1", "--input", str(tmp_path / "missing.jsonl"))
    assert panglot(*more).code == 2
    assert run("index", "--index", place, "--recall", "3")["passages"] == whole


def test_an_index_remembers_to_which_dimension_vectors_are_cut(
    panglot: Runner, run: Results, texts: Path, tmp_path: Path
) -> None:
    place, vectors = str(tmp_path / "index"), tmp_path / "vectors.npy"
    begin = ("index", "--index", place, "--engine", "exact", "--input", str(texts))
    run(*begin, "--truncate-dim", "64", "--export", str(vectors))
    found = np.load(vectors)
    assert found.shape == (3, 64)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5
    assert run(*begin)["changes"]["unchanged"] == 3  # without the option, the index's own dimension
    (best, *_) = run("search", "Does the cat sleep on the mat?", "--index", place)["results"]
    assert best["id"] == "1"
    refused = panglot(*begin, "--truncate-dim", "32")
    assert refused.code == 2 and "made with the dimension 64, not 32" in refused.err


def test_people_read_lines(panglot: Runner, texts: Path, tmp_path: Path) -> None:
    place = tmp_path / "index"
    assert panglot("index", "--index", place, "--engine", "exact", "--input", texts).code == 0
    assert (place / "index.json").exists()
    assert panglot("search", "cat", "--index", place).code == 0


def test_a_folder_of_any_files_is_indexed_and_what_has_no_text_is_listed(
    panglot: Runner, tmp_path: Path
) -> None:
    folder, place = tmp_path / "texts", tmp_path / "index"
    folder.mkdir()
    for name, content in {
        b"page.html": b"<html lang=de><head><title>Hafen</title><h1>Hafen</h1><p>Schiffe laden Kohle.",
        b"caf\xe9.txt": b"Coffee is roasted, ground and brewed.",
        b"menu.html": b"<html lang=en><title>Menu</title><nav>Home</nav><footer>Imprint</footer>",
        b"latin.txt": "Straße".encode("latin-1"),
        b"tricks\x1b[2J.txt": b"\xff",
    }.items():
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(content)
    made = panglot("index", "--index", place, "--engine", "exact", "--input", folder, "--language", "en")
    assert made.code == 0, made.err
    assert "3 documents; passages: 2 added" in made.out
    notes = [line for line in made.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2
    assert "latin.txt" in notes[0] and "tricks\\x1b[2J.txt" in notes[0]
    assert "menu.html" in notes[1] and "page.html" not in notes[1]
    assert "\x1b" not in made.out + made.err
    found = panglot("search", "Wo laden Schiffe?", "--index", place, "--json").results["results"]
    assert {hit["document"][:4] for hit in found} == {"page", "caf\\"}


def test_search_reranks_and_reads_columns_with_other_names(
    panglot: Runner, run: Results, tmp_path: Path, tiny_reranker: Path
) -> None:
    rows = [{"nr": str(k), "body": f"The text of number {k}.", "lang": "en"} for k in range(4)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    place = str(tmp_path / "index")
    columns = ("--column", "id=nr", "--column", "text=body")
    made = run("index", "--index", place, "--input", str(path), *columns)
    assert made["passages_by_language"] == {"en": 4}
    plain = run("search", "number 2", "--index", place)["results"]
    found = run("search", "number 2", "--index", place, "--rerank", str(tiny_reranker))["results"]
    assert {hit["id"] for hit in found} == {hit["id"] for hit in plain} == {"0", "1", "2", "3"}
    scores = [hit["score"] for hit in found]
    assert scores == sorted(scores, reverse=True) != [hit["score"] for hit in plain]
    refused = panglot("index", "--index", tmp_path / "other", "--input", path, "--column", "text=nothing")
    assert refused.code == 2 and "--column text=NAME" in refused.err
