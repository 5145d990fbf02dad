"""``panglot export``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard

Runner = Callable[..., Any]


def test_mteb(panglot: Runner, runs: list[Path], tmp_path: Path) -> None:
    written = panglot("export", "mteb", runs[0], "--output", tmp_path, "--json").results["files"]
    assert len(written) == 4
    assert all(Path(name).is_relative_to(tmp_path) and Path(name).is_file() for name in written)


def test_results_that_would_overwrite_each_other_are_refused(
    panglot: Runner, runs: list[Path], tmp_path: Path
) -> None:
    outcome = panglot("export", "mteb", runs[0], runs[0], "--output", tmp_path / "mteb")
    assert outcome.code == 2
    assert "would overwrite what another of the files writes" in outcome.err
    assert not (tmp_path / "mteb").exists()


def test_model_card(panglot: Runner, runs: list[Path], tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# My model\n")
    outcome = panglot("export", "model-card", runs[0], "--card", card, "--name", "mine")
    assert outcome.code == 0, outcome.err
    found = ModelCard.load(card)
    assert found.data.model_name == "mine"
    assert found.text.strip() == "# My model"
