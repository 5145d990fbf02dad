"""``panglot data list``, ``info`` and ``get``."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from panglot.cli.data.catalogue import get, info, list_
from panglot.errors import PanglotError

app = typer.Typer()
app.command("list")(list_)
app.command()(info)
app.command()(get)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("panglot.cli.show.out.width", 200, raising=False)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    outcome = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert outcome.exit_code == 0
    return outcome.stdout  # a warning may stand in the other stream


def said(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, list(arguments))
    assert isinstance(outcome.exception, PanglotError)
    return str(outcome.exception)


def parsed(text: str) -> Any:
    return json.loads(text)


@pytest.fixture
def nfcorpus(tmp_path: Path) -> Path:
    """A toy of NFCorpus in the official layout."""
    folder = tmp_path / "mine" / "nfcorpus"
    (folder / "qrels").mkdir(parents=True)
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        (folder / name).write_text("x\n")
    return folder


def test_the_list_has_a_line_for_each_entry_and_family(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(capsys, "list").splitlines()
    names = [line.split()[0] for line in lines if line.strip()]
    assert {"xquad-r", "miracl", "beir", "beir-nl", "mfaq"} <= set(names)
    assert not {"nfcorpus", "beir-nl-nq"} & set(names)
    assert names.count("beir") == 1


def test_the_list_can_be_narrowed(capsys: pytest.CaptureFixture[str]) -> None:
    training = parsed(run(capsys, "list", "--kind", "pairs", "--json"))
    assert {entry["kind"] for entry in training} == {"pairs"}
    yoruba = {entry["name"] for entry in parsed(run(capsys, "list", "--language", "yo", "--json"))}
    assert {"miracl", "ciral", "afriqa", "belebele"} <= yoruba
    assert not {"xquad-r", "nfcorpus"} & yoruba
    assert "'model' is unknown" in said("list", "--kind", "model")
    assert "miracl" in {entry["name"] for entry in parsed(run(capsys, "list", "--language", "yor", "--json"))}
    assert "'yoruba-ish' is not a language code" in said("list", "--language", "yoruba-ish")


def test_info_tells_what_is_known_and_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    facts = parsed(run(capsys, "info", "nfcorpus", "--json"))
    assert facts["files"][0]["md5"] == "a89dba18a62ef92f7d323ec890a0d38d"
    assert facts["files"][0]["sha256"] is None
    assert (facts["found"], facts["sizes"]["passages"]) == (None, 3633)
    text = run(capsys, "info", "miracl")
    assert "106,332,152 passages" in text
    assert "nowhere yet" in text
    assert "no checksum known" in text


def test_info_says_where_a_copy_is_and_what_it_lacks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "miracl"
    folder.mkdir(parents=True)
    (folder / "topics.miracl-v1.0-sw-dev.tsv").write_text("")
    facts = parsed(run(capsys, "info", "miracl", "--json"))
    assert facts["found"] == str(folder)
    assert facts["missing"] == ["**/qrels.miracl-*.tsv", "**/docs-*.jsonl*"]
    assert "(without **/qrels.miracl-*.tsv, **/docs-*.jsonl*)" in run(capsys, "info", "miracl")
    assert "in part" in run(capsys, "list")


def test_info_of_a_family_lists_its_members(capsys: pytest.CaptureFixture[str]) -> None:
    assert "webis-touche2020" in run(capsys, "info", "beir")
    members = parsed(run(capsys, "info", "beir-pl", "--json"))
    assert "beir-pl-nfcorpus" in {entry["name"] for entry in members}
    assert "is not a benchmark that panglot knows" in said("info", "squid")


def test_get_takes_a_copy(capsys: pytest.CaptureFixture[str], nfcorpus: Path, tmp_path: Path) -> None:
    text = run(capsys, "get", "nfcorpus", "--from", str(nfcorpus.parent))
    folder = tmp_path / "cache" / "data" / "nfcorpus"
    assert (folder / "qrels" / "test.tsv").read_text() == "x\n"
    assert f"nfcorpus is in {folder}" in text
    assert "licence: each set's own" in text
    assert parsed(run(capsys, "info", "nfcorpus", "--json"))["found"] == str(folder)
    facts = parsed(run(capsys, "get", "nfcorpus", "--from", str(nfcorpus), "--json"))
    assert facts["folder"] == str(folder)


def test_get_says_what_is_wrong(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "nfcorpus.zip", "w") as archive:
        archive.writestr("nfcorpus/corpus.jsonl", "")
    assert "but the catalogue says" in said("get", "nfcorpus", "--from", str(tmp_path))
    assert not (tmp_path / "cache" / "data" / "nfcorpus").exists()
    assert "has no language 'xx'" in said("get", "miracl", "--languages", "sw,xx")
    assert said("get", "pairs") == "'pairs' needs no download."
    assert "'beir' is several benchmarks" in said("get", "beir")
