"""Pushing a model to a hub on this machine."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import ModelCard
from loopback_hub import LoopbackHub, loopback_hub

from panglot.errors import PanglotError
from panglot.report.export import push_model
from panglot.training.card import PLACE

REPO = "models/me/hybrid"
CARD = f"---\nlanguage:\n- de\ntags: [a]\n---\n# A model\n\n`{PLACE}`\n"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with loopback_hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield hub


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
    hub: LoopbackHub, model: Path, runs: SimpleNamespace, tmp_path: Path
) -> None:
    results = dict(runs.evaluations[0].results)
    address = push_model(
        model, "me/hybrid", results=[results], licence="mit", private=True, revision="second"
    )
    assert address == f"{hub.address}/me/hybrid/commit/abc"
    (made,) = hub.made
    assert (made["organization"], made["name"]) == ("me", "hybrid")
    assert "private" in (
        made.get("visibility"),
        made.get("private") and "private",
    )  # by the library's version
    assert (hub.branches, hub.committed_to) == (["second"], ["second"])
    names = {"modules.json", "model.safetensors", "1_Pooling/config.json", "run.json", "README.md"}
    assert hub.repos[REPO].keys() == names
    assert hub.repos[REPO]["model.safetensors"] == b"model.safetensors"
    assert (model / "README.md").read_text() == CARD
    pushed = tmp_path / "README.md"
    pushed.write_bytes(hub.repos[REPO]["README.md"])
    card: Any = ModelCard.load(pushed)
    assert (card.data.license, card.data.language, card.data.tags) == ("mit", ["de"], ["a"])
    assert card.data.model_name == "hybrid"
    found = {(one.metric_type, one.dataset_config): one.metric_value for one in card.data.eval_results}
    assert found["map", "multilingual"] == pytest.approx(results["settings"]["multilingual"]["AP"], abs=1e-5)
    assert card.text.endswith("# A model\n\n`me/hybrid`\n")


def test_without_options_the_card_stays_and_the_branch_is_main(hub: LoopbackHub, model: Path) -> None:
    push_model(model, "me/hybrid")
    assert (hub.branches, hub.committed_to) == ([], ["main"])
    assert not {"visibility", "private"} & hub.made[0].keys()  # the hub's default
    assert hub.repos[REPO]["README.md"].decode() == CARD.replace(PLACE, "me/hybrid")


@pytest.mark.parametrize("repo", ["hybrid", "me/hybrid/x", "me/", "/hybrid", "me/hy brid", ""])
def test_what_is_no_repository_is_refused(hub: LoopbackHub, model: Path, repo: str) -> None:
    with pytest.raises(PanglotError, match="write OWNER/NAME"):
        push_model(model, repo)
    assert not hub.made


def test_a_folder_without_a_model_is_refused(hub: LoopbackHub, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="holds no finished model"):
        push_model(tmp_path, "me/hybrid")
    assert not hub.made


@pytest.mark.parametrize(
    ("status", "words"), [(401, "hf auth login"), (403, "hf auth login"), (400, "refuses")]
)
def test_a_refusal_of_the_hub_is_one_sentence(hub: LoopbackHub, model: Path, status: int, words: str) -> None:
    hub.refuse = status
    with pytest.raises(PanglotError, match=words) as raised:
        push_model(model, "me/hybrid")
    assert "\n" not in str(raised.value)


def test_a_hub_that_cannot_be_reached_is_one_sentence(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(PanglotError, match="cannot be reached") as raised:
        push_model(model, "me/hybrid")
    assert "\n" not in str(raised.value)
