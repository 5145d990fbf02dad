"""``panglot export``."""

import json
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from panglot.cli.export import app
from panglot.data import sample_benchmark
from panglot.evaluation import Evaluation, describe_run, evaluate_embeddings
from panglot.evaluation.results import describe_benchmark


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs on the sample in two languages."""
    folder = tmp_path_factory.mktemp("runs")
    benchmark = sample_benchmark().restrict(["en", "ar"])
    rng = np.random.default_rng(0)
    paths = []
    for name in ("first", "second"):
        vectors = [rng.normal(size=(len(texts), 16)) for texts in (benchmark.queries, benchmark.passages)]
        unit = [(v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in vectors]
        found = evaluate_embeddings(benchmark, *unit)
        described = {
            **describe_run(),
            "model": {"name": name, "sha256": name},
            "benchmark": describe_benchmark(benchmark),
        }
        paths.append(folder / f"{name}.json")
        Evaluation({**described, **found.results}, found.per_query).save(paths[-1])
    return paths


def test_mteb(files: list[Path], tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["mteb", *map(str, files[:1]), "--output", str(tmp_path), "--json"])
    written = json.loads(outcome.stdout)["files"]
    assert len(written) == 4
    assert all(Path(name).is_relative_to(tmp_path) and Path(name).is_file() for name in written)


def test_model_card(files: list[Path], tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("# My model\n")
    outcome = CliRunner().invoke(app, ["model-card", str(files[0]), "--card", str(card), "--name", "mine"])
    assert outcome.exit_code == 0, outcome.output
    found = ModelCard.load(card)
    assert found.data.model_name == "mine"
    assert found.text.strip() == "# My model"
