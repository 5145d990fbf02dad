"""A hub on this machine: it answers the Hugging Face hub's own client as the hub does."""

import base64
import hashlib
import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "a" * 40
GONE = "gone"  # a revision that no repository has
API = re.compile(r"/api/(?P<repo>(models|datasets)/[^/]+/[^/]+)(/(?P<action>[a-z-]+)/(?P<rest>.+))?")
FILE = re.compile(r"/(?P<kind>datasets/)?(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class LoopbackHub:
    """What the hub has, and what it was asked for.

    Attributes:
        address: of the server.
        repos: files by path of each repository, by ``models/owner/name`` or ``datasets/owner/name``.
        gated: repositories whose terms nobody has accepted.
        cuts: how often the transfer of a file (by its path) is cut in the middle.
        refuse: answer everything with this status.
        asked: method and path of every request, with the range that was wanted.
        made: bodies of the requests for a new repository; ``branches``: that were made; ``committed_to``.
    """

    address: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    cuts: dict[str, int] = field(default_factory=dict)
    refuse: int | None = None
    asked: list[str] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)
    branches: list[str] = field(default_factory=list)
    committed_to: list[str] = field(default_factory=list)

    def add(self, repo: str, files: Path | Mapping[str, bytes]) -> None:
        """Put a folder, or files by path, into a repository."""
        if isinstance(files, Path):
            paths = [path for path in files.rglob("*") if path.is_file()]
            files = {path.relative_to(files).as_posix(): path.read_bytes() for path in paths}
        self.repos.setdefault(repo, {}).update(files)

    def environment(self, home: Path) -> dict[str, str]:
        """Return the variables that make another process ask this hub."""
        return {"HF_ENDPOINT": self.address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "no_proxy": "*"}

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Answer anything but a file."""
        path = unquote(urlsplit(target).path)
        if self.refuse is not None:
            return _json({"error": "no"}, self.refuse)
        if path == "/api/validate-yaml":
            return _json({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            wanted = json.loads(body)
            self.made.append(wanted)
            name = f"{wanted['organization']}/{wanted['name']}"
            self.repos.setdefault(f"models/{name}", {})
            return _json({"url": f"{self.address}/{name}", "id": "1", "name": name})
        found = API.fullmatch(path)
        if found is None or found["repo"] not in self.repos:
            return _error(404, "RepoNotFound")
        action, rest = found["action"], found["rest"] or ""
        if method == "POST" and action in ("branch", "preupload", "commit"):
            return self._take(found["repo"], action, rest, body)
        if found["repo"] in self.gated:
            return _error(403, "GatedRepo")
        revision, _, below = rest.partition("/")
        if revision == GONE:
            return _error(404, "RevisionNotFound")
        files = self.repos[found["repo"]]
        if action == "tree":
            return _json([_entry(name, data) for name, data in files.items() if name.startswith(below)])
        if action == "paths-info":
            wanted = json.loads(body)["paths"] if body.startswith(b"{") else parse_qs(body.decode())["paths"]
            return _json([_entry(name, data) for name, data in files.items() if name in wanted])
        names = [{"rfilename": name} for name in files]
        about = {"_id": "1", "id": found["repo"].split("/", 1)[1], "sha": COMMIT, "siblings": names}
        return _json({**about, "private": False, "gated": False, "tags": [], "downloads": 0, "likes": 0})

    def _take(self, repo: str, action: str, revision: str, body: bytes) -> Answer:
        """Take what is pushed."""
        if action == "branch":
            self.branches.append(revision)
            return _json({})
        if action == "preupload":
            how = {"uploadMode": "regular", "shouldIgnore": False}
            return _json({"files": [{**file, **how} for file in json.loads(body)["files"]]})
        self.committed_to.append(revision)
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.repos[repo][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        name = repo.split("/", 1)[1]
        return _json(
            {"commitUrl": f"{self.address}/{name}/commit/abc", "commitOid": "abc", "pullRequestUrl": None}
        )

    def file(self, target: str, wanted: str | None) -> tuple[Answer, bool] | None:
        """Answer with a file, and say whether the transfer is cut; None where the address is none's."""
        found = FILE.fullmatch(unquote(urlsplit(target).path))
        if found is None or self.refuse is not None:
            return None
        repo = f"{found['kind'] or 'models/'}{found['name']}"
        if repo not in self.repos:
            return _error(404, "RepoNotFound"), False
        if repo in self.gated:
            return _error(403, "GatedRepo"), False
        if found["revision"] == GONE:
            return _error(404, "RevisionNotFound"), False
        data = self.repos[repo].get(found["path"])
        if data is None:
            return _error(404, "EntryNotFound"), False
        headers = {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(data))}
        cut = self.cuts.get(found["path"], 0) > 0
        if wanted is None or not (start := int(wanted.removeprefix("bytes=").split("-")[0])):
            return (200, headers, data), cut
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return (206, headers, data[start:]), cut


def _oid(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()


def _entry(name: str, data: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(data), "oid": _oid(data)}


def _json(value: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _error(status: int, code: str) -> Answer:
    return status, {"X-Error-Code": code, "X-Error-Message": code}, b""


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """Serve a hub that has nothing yet."""
    hub = LoopbackHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range") if self.command == "GET" else None
            hub.asked.append(f"{self.command} {self.path}{f' {wanted}' if wanted else ''}")
            body = self.body()
            found = hub.file(self.path, wanted)
            answer, cut = found or (hub.answer(self.command, self.path, body), False)
            status, headers, data = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "HEAD":
                return
            if cut:
                path = unquote(urlsplit(self.path).path)
                hub.cuts[next(name for name in hub.cuts if path.endswith(name))] -= 1
                data = data[: len(data) // 2]
                self.close_connection = True
            self.wfile.write(data)
            if cut:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

        do_HEAD = do_POST = do_GET  # noqa: N815  (the names that http.server calls)

        def body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hub.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
