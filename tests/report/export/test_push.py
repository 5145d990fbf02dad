"""Pushing a model, against a server on this machine that answers as the hub does."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from panglot.errors import PanglotError
from panglot.report.export import push_model
from panglot.training.card import PLACE

CARD = f"---\nlanguage:\n- de\ntags: [a]\n---\n# A model\n\n`{PLACE}`\n"


class Hub:
    """What a fake hub was asked: repositories and branches made, and the files of the commit."""

    def __init__(self) -> None:
        self.repos: list[dict[str, Any]] = []
        self.branches: list[str] = []
        self.files: dict[str, bytes] = {}
        self.committed_to: list[str] = []
        self.refuse: int | None = None
        self.address = ""

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.refuse is not None:
            return self.refuse, {"error": "no"}
        if path == "/api/repos/create":
            self.repos.append(json.loads(body))
            return 200, {"url": f"{self.address}/me/hybrid", "id": "1", "name": "me/hybrid"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        *_, action, revision = path.split("/")
        if action == "branch":
            self.branches.append(revision)
            return 200, {}
        if action == "preupload":
            files = [
                {**file, "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(body)["files"]
            ]
            return 200, {"files": files}
        assert action == "commit"
        self.committed_to.append(revision)
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        return 200, {
            "commitUrl": f"{self.address}/me/hybrid/commit/abc",
            "commitOid": "abc",
            "pullRequestUrl": None,
        }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    fake = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, value = fake.answer(self.path, body)
            text = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    fake.address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", fake.address)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a finished run, as far as pushing looks at it."""
    folder = tmp_path / "hybrid"
    for name in (
        "modules.json",
        "model.safetensors",
        "1_Pooling/config.json",
        "run.json",
        "run.lock",
        ".part",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for name in ("checkpoints/checkpoint-2/model.safetensors", "tensorboard/events"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("much")
    (folder / "README.md").write_text(CARD)
    return folder


def test_a_model_is_pushed_in_one_commit_with_results_in_its_card(
    hub: Hub, model: Path, runs: SimpleNamespace, tmp_path: Path
) -> None:
    results = dict(runs.evaluations[0].results)
    address = push_model(
        model, "me/hybrid", results=[results], licence="mit", private=True, revision="second"
    )
    assert address == f"{hub.address}/me/hybrid/commit/abc"
    (made,) = hub.repos
    assert (made["organization"], made["name"]) == ("me", "hybrid")
    assert "private" in (
        made.get("visibility"),
        made.get("private") and "private",
    )  # by the library's version
    assert (hub.branches, hub.committed_to) == (["second"], ["second"])
    names = {"modules.json", "model.safetensors", "1_Pooling/config.json", "run.json", "README.md"}
    assert hub.files.keys() == names
    assert hub.files["model.safetensors"] == b"model.safetensors"
    assert (model / "README.md").read_text() == CARD
    pushed = tmp_path / "README.md"
    pushed.write_bytes(hub.files["README.md"])
    card: Any = ModelCard.load(pushed)
    assert (card.data.license, card.data.language, card.data.tags) == ("mit", ["de"], ["a"])
    assert card.data.model_name == "hybrid"
    found = {(one.metric_type, one.dataset_config): one.metric_value for one in card.data.eval_results}
    assert found["map", "multilingual"] == pytest.approx(results["settings"]["multilingual"]["AP"], abs=1e-5)
    assert card.text.endswith("# A model\n\n`me/hybrid`\n")


def test_without_options_the_card_stays_and_the_branch_is_main(hub: Hub, model: Path) -> None:
    push_model(model, "me/hybrid")
    assert (hub.branches, hub.committed_to) == ([], ["main"])
    assert not {"visibility", "private"} & hub.repos[0].keys()  # the hub's default
    assert hub.files["README.md"].decode() == CARD.replace(PLACE, "me/hybrid")


@pytest.mark.parametrize("repo", ["hybrid", "me/hybrid/x", "me/", "/hybrid", "me/hy brid", ""])
def test_what_is_no_repository_is_refused(hub: Hub, model: Path, repo: str) -> None:
    with pytest.raises(PanglotError, match="write OWNER/NAME"):
        push_model(model, repo)
    assert not hub.repos


def test_a_folder_without_a_model_is_refused(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="holds no finished model"):
        push_model(tmp_path, "me/hybrid")
    assert not hub.repos


@pytest.mark.parametrize(
    ("status", "words"), [(401, "hf auth login"), (403, "hf auth login"), (400, "refuses")]
)
def test_a_refusal_of_the_hub_is_one_sentence(hub: Hub, model: Path, status: int, words: str) -> None:
    hub.refuse = status
    with pytest.raises(PanglotError, match=words) as raised:
        push_model(model, "me/hybrid")
    assert "\n" not in str(raised.value)


def test_a_hub_that_cannot_be_reached_is_one_sentence(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PanglotError, match="cannot be reached") as raised:
        push_model(model, "me/hybrid")
    assert "\n" not in str(raised.value)
