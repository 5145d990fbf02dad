"""Model cards with results, read back with the library of the hub, and models pushed to a local hub."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import EvalResult
from loopback_hub import LoopbackHub, loopback_hub

from panglot.errors import PanglotError
from panglot.report.export import eval_results, push_model, write_model_index
from panglot.training.card import PLACE

CARD = """---
language:
- en
# a comment that must stay
license:   apache-2.0
model-index:
- name: my-model
  results:
  - task:
      type: fill-mask
    dataset:
      name: Other
      type: other
    metrics:
    - type: accuracy
      value: 0.5
tags: [a,   b]
---

# A title

---
model-index: not front matter
"""


@pytest.fixture
def results(runs: SimpleNamespace) -> dict[str, Any]:
    return dict(runs.evaluations[0].results)


def read(path: Path) -> tuple[str, dict[tuple[str, str | None], EvalResult]]:
    card = ModelCard.load(path)
    assert card.data.eval_results is not None
    found = {(result.metric_type, result.dataset_config): result for result in card.data.eval_results}
    assert len(found) == len(card.data.eval_results)
    return str(card.data.model_name), found


def test_every_measure_has_a_name_on_the_hub(results: dict[str, Any]) -> None:
    figures = {"AP": 0.5, "nDCG@10": 0.5, "R@100": 0.5, "RR@10": 0.5, "Success@1": 0.5, "Complete@20": 0.25}
    found = eval_results({**results, "settings": {"monolingual": figures}})
    names = ["map", "ndcg_at_10", "recall_at_100", "mrr_at_10", "hit_rate_at_1", "complete_at_20"]
    assert [result.metric_type for result in found[:6]] == names


def test_a_new_card_gets_every_figure(results: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    write_model_index(path, [results])
    name, found = read(path)
    assert name == "plain"
    assert len(found) == 16  # five measures in three settings, and rank distance
    for setting, figures in results["settings"].items():
        assert found["ndcg_at_10", setting].metric_value == pytest.approx(figures["nDCG@10"], abs=1e-5)
        assert found["map", setting].dataset_revision == results["benchmark"]["sha256"]
    distance = found["rank_distance", "multilingual"].metric_value
    assert distance == pytest.approx(results["bias"]["rank_distance"], abs=1e-5)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_rest_of_a_card_stays_as_it_is(results: dict[str, Any], tmp_path: Path, newline: str) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(CARD.replace("\n", newline).encode())
    write_model_index(path, [results], dataset="someone/sample")
    text = path.read_bytes().decode()
    for kept in ("# a comment that must stay", "license:   apache-2.0", "tags: [a,   b]", "- en"):
        assert f"{newline}{kept}{newline}" in text
    assert text.endswith(CARD[CARD.index("\n# A title") :].replace("\n", newline))
    assert text.count("\r") == (text.count("\n") if newline == "\r\n" else 0)
    name, found = read(path)
    assert name == "my-model"
    assert found["accuracy", None].metric_value == 0.5
    assert found["map", "monolingual"].dataset_type == "someone/sample"


def test_writing_again_replaces_figures(results: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(CARD)
    write_model_index(path, [results])
    first = path.read_text()
    write_model_index(path, [results])
    assert path.read_text() == first
    better = {**results, "settings": {**results["settings"], "monolingual": {"AP": 0.987}}}
    write_model_index(path, [better])
    _, found = read(path)
    assert found["map", "monolingual"].metric_value == 0.987
    assert len(found) == 17  # and the accuracy that was there


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("---\na: [1\n---\n", "README.md, line .: is not valid YAML"),
        ("---\na: 1\n", "its front matter has no end"),
        ("---\n- a\n---\n", "not a list of names and values"),
        ("---\nmodel-index:\n- results: 3\n---\n", "is not in the hub's form"),
    ],
)
def test_a_card_that_the_hub_could_not_read_is_left_alone(
    results: dict[str, Any], tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(PanglotError, match=sentence):
        write_model_index(path, [results])
    assert path.read_text() == text


def test_results_of_two_models_are_refused(runs: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="are of several models"):
        write_model_index(tmp_path / "README.md", [e.results for e in runs.evaluations])
    with pytest.raises(PanglotError, match="nothing to export"):
        write_model_index(tmp_path / "README.md", [])


def test_models_without_a_checksum_are_told_apart_by_name(results: dict[str, Any], tmp_path: Path) -> None:
    of_mteb = [{**results, "model": {"name": name, "sha256": None}} for name in ("mteb:a/b", "mteb:a/c")]
    with pytest.raises(PanglotError, match="are of several models"):
        write_model_index(tmp_path / "README.md", of_mteb)


def test_two_results_of_one_benchmark_are_refused(results: dict[str, Any], tmp_path: Path) -> None:
    centred = {**results, "model": {**results["model"], "centring": {"means": "corpus"}}}
    with pytest.raises(PanglotError, match="two results files are of the same model and benchmark"):
        write_model_index(tmp_path / "README.md", [results, centred])
    assert not list(tmp_path.iterdir())


def test_a_body_with_other_line_ends_leaves_one_front_matter(results: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(b"---\nlicense: mit\n---\n# A title\n\r\npasted\r\n")
    write_model_index(path, [results])
    written = path.read_bytes()
    assert written.startswith(b"---\nlicense: mit\nmodel-index:\n")
    assert written.endswith(b"---\n# A title\n\r\npasted\r\n")
    assert written.split(b"\n").count(b"---") == 2


def test_names_of_tasks_and_measures(results: dict[str, Any]) -> None:
    first = eval_results(results)[0]
    assert (first.task_name, first.metric_name) == ("monolingual retrieval", "monolingual AP")


REPO = "models/me/hybrid"
TRAINED_CARD = f"---\nlanguage:\n- de\ntags: [a]\n---\n# A model\n\n`{PLACE}`\n"


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
    for name in ("checkpoints/checkpoint-2/model.safetensors", "parts/a/modules.json", "tensorboard/events"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("much")
    (folder / "README.md").write_text(TRAINED_CARD)
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
    assert (model / "README.md").read_text() == TRAINED_CARD
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
    assert hub.repos[REPO]["README.md"].decode() == TRAINED_CARD.replace(PLACE, "me/hybrid")


def test_a_model_without_a_card_leaves_the_card_of_the_repository(hub: LoopbackHub, model: Path) -> None:
    hub.add(REPO, {"README.md": b"# A card"})
    (model / "README.md").unlink()
    push_model(model, "me/hybrid")
    assert hub.repos[REPO]["README.md"] == b"# A card"
    assert hub.repos[REPO]["modules.json"] == b"modules.json"


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
