"""Archives: what is unpacked, and what is refused."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.data.fetch.archives import unpack
from panglot.errors import PanglotError

Kind = Literal["zip", "tar"]
FILES = {"set/corpus.jsonl": b"one\n", "set/qrels/test.tsv": b"two\n", "other": b"three\n"}
PACKING: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


def make_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED  # as it is: nothing is mended
            archive.writestr(info, body)
    return path


def make_tar(path: Path, files: Mapping[str, bytes], packing: str = "gz") -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    path.write_bytes(PACKING[packing](buffer.getvalue()))
    return path


MAKE: dict[Kind, Callable[[Path, Mapping[str, bytes]], Path]] = {"zip": make_zip, "tar": make_tar}
KINDS: tuple[Kind, Kind] = ("zip", "tar")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(archive: Path, kind: Kind, limit: int | None = None, inside: str | None = None) -> str:
    before = sorted(archive.parent.iterdir())
    with pytest.raises(PanglotError) as caught:
        unpack(archive, archive.parent / "out", kind, limit=limit, inside=inside)
    assert sorted(archive.parent.iterdir()) == before, "something half-written is left behind"
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_all_or_one_folder_is_unpacked(tmp_path: Path, kind: Kind) -> None:
    archive = MAKE[kind](tmp_path / "a", FILES)
    unpack(archive, tmp_path / "all", kind)
    assert contents(tmp_path / "all") == FILES
    unpack(archive, tmp_path / "set", kind, inside="set")
    assert contents(tmp_path / "set") == {"corpus.jsonl": b"one\n", "qrels/test.tsv": b"two\n"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "all", "set"]


@pytest.mark.parametrize("packing", PACKING)
def test_every_packing_of_tar_is_read(tmp_path: Path, packing: str) -> None:
    unpack(make_tar(tmp_path / "a", FILES, packing), tmp_path / "out", "tar")
    assert contents(tmp_path / "out") == FILES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["/etc/evil", "../evil", "a/../../evil", "C:/evil", "c:evil", "..\\evil", "\\evil"]
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, kind: Kind, name: str) -> None:
    (tmp_path / "deep").mkdir()
    archive = MAKE[kind](tmp_path / "deep" / "a", {"good": b"", name: b"evil"})
    assert "leads out of the folder" in refused(archive, kind)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "deep"]


@pytest.mark.parametrize("target", ["/etc", "../..", "good"])
@pytest.mark.parametrize("type_", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_a_tar_is_refused(tmp_path: Path, type_: bytes, target: str) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        archive.addfile(tarfile.TarInfo("good"), io.BytesIO(b""))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = type_, target
        archive.addfile(link)
    assert "'link' is a link or a device" in refused(tmp_path / "a", "tar")


def test_a_device_in_a_tar_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a", "w") as archive:
        device = tarfile.TarInfo("pipe")
        device.type = tarfile.FIFOTYPE
        archive.addfile(device)
    assert "'pipe' is a link or a device" in refused(tmp_path / "a", "tar")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert "'link' is a link or a device" in refused(tmp_path / "a", "zip")


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_refused(tmp_path: Path, kind: Kind) -> None:
    archive = MAKE[kind](tmp_path / "a", {"zeros": bytes(5_000_000), "more": bytes(5_000_000)})
    assert archive.stat().st_size < 30_000
    assert "would unpack to more than 9,000,000 bytes" in refused(archive, kind, limit=9_000_000)
    unpack(archive, tmp_path / "fits", kind, limit=10_000_000)
    assert (tmp_path / "fits" / "more").stat().st_size == 5_000_000


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a", {"zeros": bytes(1_000_000)})
    body = archive.read_bytes()
    true_size, small = (1_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little")
    assert body.count(true_size) == 2  # in the file's header and in the directory
    archive.write_bytes(body.replace(true_size, small))
    assert "damaged" in refused(archive, "zip", limit=1000)  # zipfile stops at the promised 100 bytes


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_is_refused(tmp_path: Path, kind: Kind) -> None:
    archive = MAKE[kind](tmp_path / "a", {"text": bytes(range(256)) * 500})
    archive.write_bytes(archive.read_bytes()[:-600])
    assert "is damaged or cut short" in refused(archive, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_archive_is_refused(tmp_path: Path, kind: Kind) -> None:
    (tmp_path / "a").write_text("<html>Please log in</html>" * 100)
    assert "is damaged or cut short" in refused(tmp_path / "a", kind)


def test_wrong_bytes_in_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr("text", "the right words")
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes().replace(b"right", b"wrong"))
    assert "is damaged" in refused(tmp_path / "a", "zip")


def test_a_password_is_said(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "a", {"text": b"words"})
    body = bytearray(archive.read_bytes())
    body[body.index(b"PK\x03\x04") + 6] |= 1
    body[body.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(body))
    assert "'text' needs a password" in refused(archive, "zip")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_without_the_wanted_folder_is_refused(tmp_path: Path, kind: Kind) -> None:
    archive = MAKE[kind](tmp_path / "a", FILES)
    assert "holds no files in the folder 'absent'" in refused(archive, kind, inside="absent")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("second", ["a", "a/b", "./a"])
def test_one_name_for_two_things_is_refused(tmp_path: Path, kind: Kind, second: str) -> None:
    archive = _twice(tmp_path / "a", kind, second)
    assert "twice, or as a file and a folder" in refused(archive, kind)


def _twice(path: Path, kind: Kind, second: str) -> Path:
    if kind == "zip":
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
            warnings.simplefilter("ignore")  # zipfile warns of the name that occurs twice
            archive.writestr("a", "1")
            archive.writestr(second, "2")
        return path
    with tarfile.open(path, "w") as tar:
        for name in ("a", second):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"1"))
    return path


PARTS = st.sampled_from(["a", "b", "..", ".", "", "/", "\\", "C:", "~", "a b", "é", "...", "nul"])
NAMES = st.builds("/".join, st.lists(PARTS, min_size=1, max_size=5)) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12
)


@given(
    files=st.dictionaries(NAMES, st.binary(max_size=20), min_size=1, max_size=4), kind=st.sampled_from(KINDS)
)
@settings(max_examples=200, deadline=None)
def test_whatever_the_names_nothing_lands_outside(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], kind: Kind
) -> None:
    home = tmp_path_factory.mktemp("archive")
    (home / "x" / "y").mkdir(parents=True)
    archive = MAKE[kind](home / "x" / "y" / "archive", files)
    out = home / "x" / "y" / "out"
    try:
        unpack(archive, out, kind)
    except PanglotError:
        assert not out.exists()
    else:
        assert sorted(contents(out).values()) == sorted(
            body for name, body in files.items() if not name.endswith("/") or kind == "tar"
        )
    assert {path for path in home.rglob("*") if not path.is_relative_to(out)} == {
        home / "x",
        home / "x" / "y",
        archive,
    }


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("panglot.data.fetch.archives.MOST_FILES", 1)
    sentence = refused(MAKE["zip"](tmp_path / "a", FILES), "zip")
    assert sentence.endswith("has more than 1 files; it is not the official archive.")
