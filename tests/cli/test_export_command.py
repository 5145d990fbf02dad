"""``panglot export``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from panglot.encoders import model_sha256
from panglot.evaluation import Evaluation, load_results

Runner = Callable[..., Any]


def test_mteb(panglot: Runner, runs: list[Path], tmp_path: Path) -> None:
    written = panglot("export", "mteb", runs[0], "--output", tmp_path, "--json").results["files"]
    assert len(written) == 4
    assert all(Path(name).is_relative_to(tmp_path) and Path(name).is_file() for name in written)


def test_model_card(panglot: Runner, runs: list[Path], tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# My model\n")
    outcome = panglot("export", "model-card", runs[0], "--card", card, "--name", "mine")
    assert outcome.code == 0, outcome.err
    found = ModelCard.load(card)
    assert found.data.model_name == "mine"
    assert found.text.strip() == "# My model"


def test_results_of_another_model_are_not_pushed(
    panglot: Runner, runs: list[Path], tiny_encoder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_encoder.save(str(tmp_path / "model"))
    monkeypatch.setattr("panglot.report.export.push_model", lambda *_, **__: "an address")
    command = ["push", tmp_path / "model", "me/model", "--license", "mit", "--results"]
    outcome = panglot(*command, runs[0])
    assert outcome.code == 2
    assert f"{runs[0]}: is of another model than {tmp_path / 'model'}" in outcome.err
    own = load_results(runs[0])
    found = {**own.results, "model": {"name": "tiny", "sha256": model_sha256(tiny_encoder)}}
    Evaluation(found, own.per_query).save(tmp_path / "own.json")
    assert panglot(*command, tmp_path / "own.json").code == 0
