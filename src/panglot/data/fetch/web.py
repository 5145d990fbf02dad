"""One file from a web server: resumed where it broke off, checked, and renamed only when it is whole.

The part that has arrived lies beside the file (``.part``), with a note of the server's version of it; another
call goes on from there if the server still has that version. (pooch would start again from nothing.)
"""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from panglot.data.catalogue.entry import File
from panglot.errors import PanglotError
from panglot.files import explained, read_note, write_json

Progress = Callable[[int], None]
BLOCK = 1 << 20
TRIES = 5  # in a row without a new byte
TIMEOUT = 60.0  # seconds without an answer
OTHER_WAYS = "copy the files by other means and give their folder with --from, or in PANGLOT_DATA"


class _CutError(Exception):
    """The connection broke off, or the server was busy: worth another try."""


def download(file: File, path: Path, *, progress: Progress | None = None, pause: float = 1.0) -> None:
    """Fetch a file to ``path``; go on from ``path``'s part if an earlier call left one.

    A file that is there stays until the new one is whole and checked. ``pause`` is in seconds, before the
    first new try; it doubles.

    Raises:
        PanglotError: no connection, the server's refusal, or another file than was promised.
    """
    url = str(file.url)
    if urlsplit(url).scheme not in ("http", "https"):
        raise PanglotError(f"{url}: is not a web address; it must start with http:// or https://.")
    part = path.with_name(path.name + ".part")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(file, part, progress or (lambda _: None), pause)
        verify(part, file, url)
        part.replace(path)
        _note(part).unlink(missing_ok=True)


def verify(path: Path, file: File, name: str, *, remove: bool = True) -> None:
    """Compare a file with what it must be; remove it (unless told not to) and raise where it differs."""
    sentence = None
    if file.size is not None and path.stat().st_size != file.size:
        sentence = f"has {path.stat().st_size:,} bytes, but the catalogue says {file.size:,}"
    for kind, expected in (("sha256", file.sha256), ("md5", file.md5)):
        if sentence is None and expected is not None:
            with path.open("rb") as opened:
                found = hashlib.file_digest(opened, kind).hexdigest()
            if found != expected:
                sentence = f"its {kind.upper()} is {found}, but the catalogue says {expected}"
    if sentence is None:
        return
    if remove:
        path.unlink()
        _note(path).unlink(missing_ok=True)
    raise PanglotError(
        f"{name}: {sentence}; it was damaged in transit, or it changed at its source. Fetch it again; "
        "if that does not help, get the right file in another way and give its folder with --from."
    )


def _fetch(file: File, part: Path, progress: Progress, pause: float) -> None:
    left, reported = TRIES, 0

    def advance(size: int) -> None:
        nonlocal reported
        if size > reported:
            progress(size - reported)
            reported = size

    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _request(file, part, advance)
            return
        except _CutError as error:
            after = part.stat().st_size if part.exists() else 0
            left = TRIES if after > before else left - 1
            if not left:
                raise PanglotError(
                    f"{file.url}: the connection broke {TRIES} times ({error}); {after:,} bytes are kept. "
                    f"Run the command again to continue from there, or {OTHER_WAYS}."
                ) from error
            time.sleep(pause * 2 ** (TRIES - left))


def _request(file: File, part: Path, advance: Progress) -> None:
    url = str(file.url)
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "panglot", "Accept-Encoding": "identity"}
    version = read_note(_note(part)).get("version")
    if have and (version or file.sha256 is not None or file.md5 is not None):
        headers["Range"] = f"bytes={have}-"
        if version:
            headers["If-Range"] = version
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            _receive(answer, part, have, advance)
    except urllib.error.HTTPError as error:
        _refused(url, part, error, have)
    except (http.client.IncompleteRead, ConnectionError, TimeoutError) as error:
        raise _CutError(type(error).__name__) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionResetError | TimeoutError):
            raise _CutError(str(error.reason)) from error
        raise PanglotError(
            f"{url}: {urlsplit(url).netloc} cannot be reached ({error.reason}); check the network and the "
            f"proxy (https_proxy), or {OTHER_WAYS}."
        ) from error
    except http.client.HTTPException as error:
        raise _CutError(str(error) or type(error).__name__) from error


def _receive(answer: Any, part: Path, have: int, advance: Progress) -> None:
    """Write a body to ``part``: after what is there if the server sends the rest, else from the start."""
    sent = answer.headers.get("Content-Range") or ""
    appended = answer.status == 206 and sent.startswith(f"bytes {have}-")
    if answer.status == 206 and not appended:
        part.unlink(missing_ok=True)
        raise _CutError("the server sent another part than was asked for")
    length = answer.headers.get("Content-Length")
    expected = None if length is None else int(length)
    if not appended:
        etag = answer.headers.get("ETag")
        strong = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified")
        write_json(_note(part), {"version": strong})
    got = 0
    with part.open("ab" if appended else "wb") as file:
        while block := answer.read1(BLOCK):
            file.write(block)
            got += len(block)
            advance((have if appended else 0) + got)
    if expected is not None and got != expected:
        raise _CutError(f"{got:,} of {expected:,} bytes came")


def _refused(url: str, part: Path, error: urllib.error.HTTPError, have: int) -> None:
    """Say what a server's refusal means; return if it means that the file is whole already."""
    if error.code == 416:
        total = (error.headers.get("Content-Range") or "").rpartition("/")[2]
        if total == str(have):
            return
        part.unlink(missing_ok=True)
        raise _CutError("the file became shorter at its source") from error
    if error.code in (408, 425, 429) or error.code >= 500:
        raise _CutError(f"the server answers {error.code} {error.reason}") from error
    meaning = {
        401: "it asks for a name and password",
        403: "it does not let us have the file",
        404: "the file is no longer there",
        407: "the proxy asks for a name and password",
        410: "the file is no longer there",
    }.get(error.code, "it refuses")
    raise PanglotError(f"{url}: the server answers {error.code}: {meaning}; {OTHER_WAYS}.") from error


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")
