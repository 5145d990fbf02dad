"""Downloads from a server of our own: whole, resumed, wrong, refused."""

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from panglot.data.catalogue.entry import File
from panglot.data.fetch import web
from panglot.errors import PanglotError

Site = Any  # of conftest
BODY = bytes(range(256)) * 40
HALF = len(BODY) // 2
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()


Checks = dict[str, Any]  # what is known of a file


def download(url: str, path: Path, checks: Checks | None = None, **options: Any) -> None:
    web.download(File(url=url, **(checks or {})), path, **options)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def said(url: str, path: Path, checks: Checks | None = None) -> str:
    with pytest.raises(PanglotError) as caught:
        download(url, path, checks, pause=0)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_arrives_whole_and_alone(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    arrived: list[int] = []
    checks = {"sha256": SHA256, "md5": MD5, "size": len(BODY)}
    download(site.url("a"), tmp_path / "deep" / "a", checks, progress=arrived.append)
    assert (tmp_path / "deep" / "a").read_bytes() == BODY
    assert left(tmp_path / "deep") == ["a"]
    assert sum(arrived) == len(BODY)


def test_a_cut_connection_goes_on_where_it_broke_off(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    site.cuts = [1000, 24]
    arrived: list[int] = []
    download(site.url("a"), tmp_path / "a", progress=arrived.append, pause=0)
    assert (tmp_path / "a").read_bytes() == BODY
    assert site.asked == [("/a", None), ("/a", "bytes=1000-"), ("/a", "bytes=1024-")]
    assert sum(arrived) == len(BODY)


def test_another_call_goes_on_where_the_first_gave_up(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    site.cuts = [HALF, 0, 0, 0, 0, 0]
    sentence = said(site.url("a"), tmp_path / "a")
    assert f"broke 5 times (0 of {HALF:,} bytes came); {HALF:,} bytes are kept" in sentence
    assert left(tmp_path) == ["a.part", "a.part.json"]
    site.asked.clear()
    download(site.url("a"), tmp_path / "a")
    assert site.asked == [("/a", f"bytes={HALF}-")]
    assert (tmp_path / "a").read_bytes() == BODY
    assert left(tmp_path) == ["a"]


def test_a_file_that_changed_at_its_source_starts_again(site: Site, tmp_path: Path) -> None:
    site.files["a"] = bytes(len(BODY))
    site.cuts = [HALF, 0, 0, 0, 0, 0]
    said(site.url("a"), tmp_path / "a")
    site.files["a"], site.etag = BODY, '"two"'
    download(site.url("a"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_server_without_ranges_sends_all_again(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    site.ranges, site.cuts = False, [HALF]
    download(site.url("a"), tmp_path / "a", pause=0)
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize(("checks", "second"), [({"md5": MD5}, f"bytes={HALF}-"), ({}, None)])
def test_without_a_version_only_a_checksum_allows_to_go_on(
    site: Site, tmp_path: Path, checks: Checks, second: str | None
) -> None:
    site.files["a"] = BODY
    site.etag, site.cuts = None, [HALF]
    download(site.url("a"), tmp_path / "a", checks, pause=0)
    assert [asked for _, asked in site.asked] == [None, second]
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_part_that_is_the_whole_file_is_taken(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    (tmp_path / "a.part").write_bytes(BODY)
    download(site.url("a"), tmp_path / "a", {"sha256": SHA256})
    assert site.asked == [("/a", f"bytes={len(BODY)}-")]
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_part_longer_than_the_file_starts_again(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    (tmp_path / "a.part").write_bytes(BODY + b"more")
    download(site.url("a"), tmp_path / "a", {"sha256": SHA256}, pause=0)
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize(
    ("checks", "sentence"),
    [
        ({"sha256": "0" * 64}, f"its SHA256 is {SHA256}, but the catalogue says {'0' * 64}"),
        ({"md5": "0" * 32}, f"its MD5 is {MD5}, but the catalogue says {'0' * 32}"),
        ({"size": 7}, "has 10,240 bytes, but the catalogue says 7"),
    ],
)
def test_a_wrong_file_is_thrown_away_and_a_good_one_kept(
    site: Site, tmp_path: Path, checks: Checks, sentence: str
) -> None:
    site.files["a"] = BODY
    (tmp_path / "a").write_text("the good one")
    found = said(site.url("a"), tmp_path / "a", checks)
    assert sentence in found
    assert "Fetch it again" in found
    assert (tmp_path / "a").read_text() == "the good one"
    assert left(tmp_path) == ["a"]


def test_a_wrong_file_of_a_person_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(BODY)
    with pytest.raises(PanglotError, match="its MD5 is"):
        web.verify(tmp_path / "a", File(url="a", md5="0" * 32), "a", remove=False)
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize(
    ("code", "meaning"), [(404, "no longer there"), (403, "does not let us have"), (418, "it refuses")]
)
def test_a_refusal_is_a_sentence(site: Site, tmp_path: Path, code: int, meaning: str) -> None:
    site.files["a"] = BODY
    site.refusals = [code]
    sentence = said(site.url("a"), tmp_path / "a")
    assert f"the server answers {code}" in sentence
    assert meaning in sentence
    assert "--from" in sentence


def test_a_busy_server_is_asked_again(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    site.refusals = [503, 429]
    download(site.url("a"), tmp_path / "a", pause=0)
    assert (tmp_path / "a").read_bytes() == BODY


def test_no_connection_is_a_sentence(site: Site, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sentence = said(f"http://127.0.0.1:{port}/a", tmp_path / "a")
    assert f"127.0.0.1:{port} cannot be reached" in sentence
    assert "check the network and the proxy" in sentence


def test_a_proxy_that_is_not_there_is_a_sentence(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert "check the network and the proxy" in said("http://data.example/a", tmp_path / "a")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.org/a", "a"])
def test_only_web_addresses_are_fetched(tmp_path: Path, address: str) -> None:
    assert "is not a web address" in said(address, tmp_path / "a")


def test_a_place_that_cannot_be_written_is_a_sentence(site: Site, tmp_path: Path) -> None:
    site.files["a"] = BODY
    (tmp_path / "file").write_text("")
    assert "is already there" in said(site.url("a"), tmp_path / "file" / "a")
