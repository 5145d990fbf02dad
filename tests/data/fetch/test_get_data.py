"""A data set into the cache: fetched, copied, checked, resumed, and never half there."""

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from panglot.data.catalogue.entry import Entry, File
from panglot.data.fetch import get_data
from panglot.errors import PanglotError

Site = Any  # of conftest


def zipped(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def entry(*files: File, **facts: Any) -> Entry:
    given = {"name": "toy", "folder": "toy", "local": ("toy",), "holds": ("corpus.jsonl",)} | facts
    return Entry(
        title="Toy",
        kind="benchmark",
        what="A toy.",
        languages=("en", "sw", "yo"),
        reader="beir",
        files=files,
        **given,
    )


def contents(folder: Path) -> dict[str, str]:
    found = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    found.pop(".panglot.json", None)
    return found


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def said(toy: Entry, **given: Any) -> str:
    with pytest.raises(PanglotError) as caught:
        get_data(toy, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


OFFICIAL = {"toy/corpus.jsonl": "one", "toy/qrels/test.tsv": "two", "README": "three"}
INSIDE = {"corpus.jsonl": "one", "qrels/test.tsv": "two"}


@pytest.fixture
def archive(site: Site) -> Entry:
    """A data set of one zip file that the server has."""
    site.files["toy.zip"] = zipped(OFFICIAL)
    return entry(File(url=site.url("toy.zip"), md5=md5(site.files["toy.zip"]), unpack="zip", inside="toy"))


def test_an_archive_is_fetched_checked_and_unpacked(archive: Entry, own_cache: Path) -> None:
    told: list[str] = []
    folder = get_data(archive, say=told.append)
    assert folder == own_cache / "toy"
    assert contents(folder) == INSIDE
    assert visible(own_cache) == ["toy"]
    note = json.loads((folder / ".panglot.json").read_text())
    assert [fact["md5"] for fact in note.values()] == [archive.files[0].md5]
    assert told == [f"1/1: {archive.files[0].url}"]


def test_what_is_there_is_not_fetched_again_unless_forced(
    archive: Entry, site: Site, own_cache: Path
) -> None:
    get_data(archive)
    site.asked.clear()
    told: list[str] = []
    assert get_data(archive, say=told.append) == own_cache / "toy"
    assert site.asked == []
    assert told == [f"toy is there already: {own_cache / 'toy'} (fetch it anew with --force)"]
    (own_cache / "toy" / "corpus.jsonl").write_text("spoilt")
    (own_cache / "toy" / "stray").write_text("stray")
    get_data(archive, force=True)
    assert contents(own_cache / "toy") == INSIDE
    assert visible(own_cache) == ["toy"]


def test_a_wrong_file_leaves_the_good_copy_alone(archive: Entry, site: Site, own_cache: Path) -> None:
    get_data(archive)
    site.files["toy.zip"] = zipped({"toy/corpus.jsonl": "evil"})
    assert "but the catalogue says" in said(archive, force=True)
    assert contents(own_cache / "toy") == INSIDE


def test_a_broken_archive_leaves_nothing_behind_that_counts(site: Site, own_cache: Path) -> None:
    site.files["toy.zip"] = zipped(OFFICIAL)[:-30]
    toy = entry(File(url=site.url("toy.zip"), unpack="zip"))
    assert "is damaged or cut short" in said(toy)
    assert not (own_cache / "toy").exists()
    site.files["toy.zip"] = zipped({"corpus.jsonl": "one"})
    site.etag = '"two"'
    assert contents(get_data(toy)) == {"corpus.jsonl": "one"}


def test_the_next_try_goes_on_with_the_file_that_broke_off(
    site: Site, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panglot.data.fetch.web.time.sleep", lambda seconds: None)
    site.files = {"a.txt": b"a" * 100, "b.txt": b"b" * 100}
    toy = entry(File(url=site.url("a.txt")), File(url=site.url("b.txt"), to="deep"), holds=("a.txt",))
    site.cuts = [100, 40, 0, 0, 0, 0, 0]
    assert "40 bytes are kept" in said(toy)
    assert not (own_cache / "toy").exists()
    site.asked.clear()
    assert contents(get_data(toy)) == {"a.txt": "a" * 100, "deep/b.txt": "b" * 100}
    assert site.asked == [("/b.txt", "bytes=40-")]


@pytest.fixture
def by_language(site: Site) -> Entry:
    """A data set with one archive for all and one for each of two languages."""
    site.files = {"all.tar.gz": tarred({"corpus.jsonl": "all"})}
    for code in ("sw", "yo"):
        site.files[f"{code}.tar.gz"] = tarred({f"{code}/topics.tsv": code})
    return entry(
        File(url=site.url("all.tar.gz"), unpack="tar"),
        *(File(url=site.url(f"{code}.tar.gz"), unpack="tar", language=code) for code in ("sw", "yo")),
    )


def test_languages_are_added_to_those_that_are_there(by_language: Entry, site: Site, own_cache: Path) -> None:
    get_data(by_language, languages=["sw"])
    assert contents(own_cache / "toy") == {"corpus.jsonl": "all", "sw/topics.tsv": "sw"}
    site.asked.clear()
    get_data(by_language, languages=["yo", "sw"])
    assert [path for path, _ in site.asked] == ["/yo.tar.gz"]
    whole = {"corpus.jsonl": "all", "sw/topics.tsv": "sw", "yo/topics.tsv": "yo"}
    assert contents(own_cache / "toy") == whole
    site.asked.clear()
    get_data(by_language)
    assert site.asked == []
    get_data(by_language, languages=["sw"], force=True)
    assert contents(own_cache / "toy") == whole
    assert visible(own_cache) == ["toy"]


def test_a_language_that_is_not_there_is_said(by_language: Entry, own_cache: Path) -> None:
    assert said(by_language, languages=["sw", "fi"]) == "toy has no language 'fi'; choose among en, sw, yo."


def test_a_copy_in_a_data_folder_is_enough(
    archive: Entry, site: Site, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "toy").mkdir(parents=True)
    (tmp_path / "data" / "toy" / "corpus.jsonl").write_text("mine")
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path / "data"))
    assert get_data(archive) == tmp_path / "data" / "toy"
    assert site.asked == []
    assert get_data(archive, force=True) == own_cache / "toy"


def test_part_of_a_copy_in_a_data_folder_is_not_enough(
    archive: Entry, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "toy").mkdir(parents=True)
    (tmp_path / "data" / "toy" / "corpus.jsonl").write_text("mine")
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path / "data"))
    toy = entry(*archive.files, needs=("corpus.jsonl", "qrels"))
    assert get_data(toy) == own_cache / "toy"


@pytest.mark.parametrize("deep", ["", "toy"])
def test_an_unpacked_copy_is_taken_from_a_folder(
    archive: Entry, site: Site, own_cache: Path, tmp_path: Path, deep: str
) -> None:
    mine = tmp_path / "mine" / deep
    (mine / "qrels").mkdir(parents=True)
    (mine / "corpus.jsonl").write_text("one")
    (mine / "qrels" / "test.tsv").write_text("two")
    assert contents(get_data(archive, source=tmp_path / "mine")) == INSIDE
    assert site.asked == []
    assert (mine / "corpus.jsonl").read_text() == "one"
    assert visible(own_cache) == ["toy"]


def test_an_archive_is_taken_from_a_folder_and_checked(
    archive: Entry, site: Site, own_cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "toy.zip").write_bytes(site.files["toy.zip"])
    assert contents(get_data(archive, source=tmp_path)) == INSIDE
    (tmp_path / "toy.zip").write_bytes(zipped({"toy/corpus.jsonl": "evil"}))
    assert f"{tmp_path / 'toy.zip'}: its MD5 is" in said(archive, source=tmp_path)
    assert contents(own_cache / "toy") == INSIDE
    assert (tmp_path / "toy.zip").exists()
    assert site.asked == []


def test_a_folder_without_the_files_is_said(archive: Entry, own_cache: Path, tmp_path: Path) -> None:
    sentence = said(archive, source=tmp_path)
    assert (
        sentence
        == f"{tmp_path}: holds no official files of toy; name a folder with corpus.jsonl, or toy.zip."
    )
    sentence = said(archive, source=tmp_path / "absent")
    assert sentence.endswith("is not a folder; name the one that holds the official files with --from.")


def test_data_that_can_only_be_had_by_hand_is_said(own_cache: Path) -> None:
    sentence = said(entry(source="https://example.org/form"))
    assert "get it by hand from https://example.org/form" in sentence


def test_a_second_process_is_told_to_wait(archive: Entry, own_cache: Path) -> None:
    own_cache.mkdir(parents=True)
    with FileLock(own_cache / ".toy.lock"):
        assert said(archive) == "another process is fetching toy; wait until it is done."


def test_an_evil_archive_writes_nothing_outside(site: Site, own_cache: Path, tmp_path: Path) -> None:
    site.files["toy.zip"] = zipped({"../../../evil": "evil", "corpus.jsonl": "one"})
    assert "leads out of the folder" in said(entry(File(url=site.url("toy.zip"), unpack="zip")))
    assert not list(tmp_path.rglob("evil"))
    assert not (own_cache / "toy").exists()


def test_the_hub_is_asked_for_the_revision_and_the_files(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def snapshot(repo: str, *, local_dir: Path, **given: Any) -> None:
        asked.append((repo, given["repo_type"], given["revision"], given["allow_patterns"]))
        (local_dir / ".cache").mkdir(parents=True)
        (local_dir / "data").mkdir()
        (local_dir / "data" / "sw.jsonl").write_text("one")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    toy = entry(
        File(hub="maker/toy", path="data/{}.jsonl".format("sw"), revision="abc", to="hub"), holds=("hub",)
    )
    assert contents(get_data(toy)) == {"hub/data/sw.jsonl": "one"}
    assert asked == [("maker/toy", "dataset", "abc", ["data/sw.jsonl"])]
    wrong = entry(File(hub="maker/toy", path="data/*.jsonl", md5="0" * 32), name="b", folder="b")
    assert "its MD5 is" in said(wrong)
    absent = entry(File(hub="maker/toy", path="other/*"), name="c", folder="c")
    assert "the hub has no such file in that data set" in said(absent)


def test_no_hub_is_a_sentence(own_cache: Path) -> None:
    toy = entry(File(hub="maker/toy", path="*.jsonl"))
    assert "hub:maker/toy/*.jsonl: HF_HUB_OFFLINE is set" in said(toy)
