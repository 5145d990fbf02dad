"""``panglot data list``, ``info`` and ``get``."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Data = Callable[..., Any]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path / "data"))


@pytest.fixture
def run(panglot: Callable[..., Any]) -> Data:
    """Run ``panglot data ARGUMENTS...``; return what it prints, parsed where that is JSON."""

    def run(*arguments: object) -> Any:
        outcome = panglot("data", *arguments)
        assert outcome.code == 0, outcome.err
        return outcome.results if "--json" in arguments else outcome.out

    return run


@pytest.fixture
def said(panglot: Callable[..., Any]) -> Data:
    """Run ``panglot data ARGUMENTS...``; return its error."""

    def run(*arguments: object) -> str:
        outcome = panglot("data", *arguments)
        assert outcome.code == 2
        return str(outcome.err)

    return run


@pytest.fixture
def nfcorpus(tmp_path: Path) -> Path:
    """A toy of NFCorpus in the official layout."""
    folder = tmp_path / "mine" / "nfcorpus"
    (folder / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (folder / name).write_text("x\n")
    return folder


def test_the_list_has_a_line_for_each_entry_and_family(run: Data) -> None:
    lines = run("list").splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    assert {"xquad-r", "miracl", "beir", "beir-nl", "mfaq"} <= set(names)
    assert not {"nfcorpus", "beir-nl-nq"} & set(names)
    assert names.count("beir") == 1


def test_the_list_can_be_narrowed(run: Data, said: Data) -> None:
    training = run("list", "--kind", "pairs", "--json")
    assert {entry["kind"] for entry in training} == {"pairs"}
    yoruba = {entry["name"] for entry in run("list", "--language", "yo", "--json")}
    assert {"miracl", "ciral", "afriqa", "belebele"} <= yoruba
    assert not {"xquad-r", "nfcorpus"} & yoruba
    assert "'model' is unknown" in said("list", "--kind", "model")
    assert "miracl" in {entry["name"] for entry in run("list", "--language", "yor", "--json")}
    assert "'yoruba-ish' is not a language code" in said("list", "--language", "yoruba-ish")


def test_info_tells_what_is_known_and_what_is_not(run: Data) -> None:
    facts = run("info", "nfcorpus", "--json")
    assert facts["files"][0]["md5"] == "a89dba18a62ef92f7d323ec890a0d38d"
    assert facts["files"][0]["sha256"] is None
    assert (facts["found"], facts["sizes"]["passages"]) == (None, 3633)
    text = run("info", "miracl")
    assert "106,332,152 passages" in text
    assert "nowhere yet" in text
    assert "no checksum known" in text


def test_info_says_where_a_copy_is_and_what_it_lacks(run: Data, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "miracl"
    folder.mkdir(parents=True)
    (folder / "topics.miracl-v1.0-sw-dev.tsv").write_text("")
    facts = run("info", "miracl", "--json")
    assert facts["found"] == str(folder)
    assert facts["missing"] == ["**/qrels.miracl-*.tsv", "**/docs-*.jsonl*"]
    assert "(without **/qrels.miracl-*.tsv, **/docs-*.jsonl*)" in run("info", "miracl")
    assert "in part" in run("list")


def test_info_of_a_family_lists_its_members(run: Data, said: Data) -> None:
    assert "webis-touche2020" in run("info", "beir")
    members = run("info", "beir-pl", "--json")
    assert "beir-pl-nfcorpus" in {entry["name"] for entry in members}
    assert "is not a benchmark that panglot knows" in said("info", "squid")


def test_get_takes_a_copy(run: Data, nfcorpus: Path, tmp_path: Path) -> None:
    text = run("get", "nfcorpus", "--from", str(nfcorpus.parent))
    folder = tmp_path / "cache" / "data" / "nfcorpus"
    assert (folder / "qrels" / "test.tsv").read_text() == "x\n"
    assert f"nfcorpus is in {folder}" in text
    assert "licence: each set's own" in text
    assert run("info", "nfcorpus", "--json")["found"] == str(folder)
    facts = run("get", "nfcorpus", "--from", str(nfcorpus), "--json")
    assert facts["folder"] == str(folder)


def test_get_says_what_is_wrong(said: Data, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "nfcorpus.zip", "w") as archive:
        archive.writestr("nfcorpus/corpus.jsonl", "")
    assert "but the catalogue says" in said("get", "nfcorpus", "--from", str(tmp_path))
    assert not (tmp_path / "cache" / "data" / "nfcorpus").exists()
