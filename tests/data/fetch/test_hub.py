"""The hub's real client against a small hub of our own: files, revisions, terms, and no answer."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

COMMIT = "a" * 40
FILES = {"data/sw.jsonl": b"one\n", "data/yo.jsonl": b"two\n", "README.md": b"three\n"}
TREE = [
    {"type": "file", "path": path, "size": len(body), "oid": f"{len(body):040d}"}
    for path, body in FILES.items()
]
ABOUT = {"id": "maker/toy", "sha": COMMIT, "siblings": [{"rfilename": path} for path in FILES]}
ASK = """
import json, sys
from pathlib import Path
from panglot.data.fetch.hub import fetch_from_hub
from panglot.errors import PanglotError
outcomes = []
for repo, pattern, revision in json.loads(sys.argv[2]):
    folder = Path(sys.argv[1]) / str(len(outcomes))
    try:
        found = fetch_from_hub(repo, pattern, folder, revision)
        texts = {str(path.relative_to(folder)): path.read_text() for path in found}
        outcomes.append({**texts, "all": len(list(folder.rglob("*")))})
    except PanglotError as error:
        outcomes.append(str(error))
print(json.dumps(outcomes))
"""


class Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/datasets/maker/terms"):
            self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif path == "/api/datasets/maker/toy/revision/gone":
            self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif path.startswith(f"/api/datasets/maker/toy/tree/{COMMIT}"):
            self.answer(200, json.dumps(TREE).encode(), {})
        elif path.startswith("/api/datasets/maker/toy"):
            self.answer(200, json.dumps(ABOUT).encode(), {})
        elif path.startswith(f"/datasets/maker/toy/resolve/{COMMIT}/"):
            body = FILES[path.removeprefix(f"/datasets/maker/toy/resolve/{COMMIT}/")]
            self.answer(200, body, {"ETag": f'"{len(body):040d}"', "X-Repo-Commit": COMMIT})
        else:
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815  (the name that http.server calls)

    def answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def outcomes(endpoint: str, folder: Path, *asked: tuple[str, str, str | None]) -> list[Any]:
    """Ask in a process of its own, since the client reads the hub's address when it is imported."""
    own = {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder / "home"), "no_proxy": "*"}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(folder), json.dumps(asked)],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_the_hubs_client_brings_what_is_asked_for_or_a_sentence(hub: str, tmp_path: Path) -> None:
    one, two, terms, gone, unknown, absent = outcomes(
        hub,
        tmp_path,
        ("maker/toy", "data/s*.jsonl", "v1"),
        ("maker/toy", "data/*", None),
        ("maker/terms", "*", None),
        ("maker/toy", "*", "gone"),
        ("maker/other", "*", None),
        ("maker/toy", "other/*", None),
    )
    assert one == {"data/sw.jsonl": "one\n", "all": 2}
    assert two == {"data/sw.jsonl": "one\n", "data/yo.jsonl": "two\n", "all": 3}
    assert terms.startswith("hub:maker/terms/*: its owners ask you to accept terms first")
    assert "the hub no longer has that revision" in gone
    assert "the hub has no such data set, or it is private" in unknown
    assert "the hub has no such file in that data set" in absent
    for sentence in (terms, gone, unknown, absent):
        assert "\n" not in sentence
        assert "--from" in sentence


@pytest.mark.slow
def test_no_answer_is_a_sentence(tmp_path: Path) -> None:
    [sentence] = outcomes("http://127.0.0.1:9", tmp_path, ("maker/toy", "*", None))
    assert "check the network and the proxy" in sentence
    assert "\n" not in sentence
