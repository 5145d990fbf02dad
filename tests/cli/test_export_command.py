"""``panglot export``."""

import json
from pathlib import Path

from huggingface_hub import ModelCard
from typer.testing import CliRunner

from panglot.cli.export import app


def test_mteb(runs: list[Path], tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["mteb", *map(str, runs[:1]), "--output", str(tmp_path), "--json"])
    written = json.loads(outcome.stdout)["files"]
    assert len(written) == 4
    assert all(Path(name).is_relative_to(tmp_path) and Path(name).is_file() for name in written)


def test_model_card(runs: list[Path], tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# My model\n")
    outcome = CliRunner().invoke(app, ["model-card", str(runs[0]), "--card", str(card), "--name", "mine"])
    assert outcome.exit_code == 0, outcome.output
    found = ModelCard.load(card)
    assert found.data.model_name == "mine"
    assert found.text.strip() == "# My model"
