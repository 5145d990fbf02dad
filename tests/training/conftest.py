"""What several tests of training need: a tiny BERT without dropout, and a short run of it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from panglot import load_encoder, sample_pairs, train
from panglot.training import Training

Runner = Callable[..., tuple[Training, SentenceTransformer]]


@pytest.fixture(scope="session")
def still_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    """The folder of the tiny BERT without dropout: a batch has one loss, however it is cut or shared."""
    folder = tmp_path_factory.mktemp("still") / "bert"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture
def still_encoder(still_checkpoint: Path) -> SentenceTransformer:
    """The tiny BERT without dropout; a fresh one for each test."""
    return load_encoder(str(still_checkpoint), device="cpu")


@pytest.fixture(scope="session")
def run(tiny_checkpoint: Path) -> Runner:
    """Train a fresh tiny BERT (``checkpoint``: another one) on the sample in batches of 8."""

    def start(
        output: Path, how: dict[str, Any], checkpoint: Path = tiny_checkpoint, **settings: Any
    ) -> tuple[Training, SentenceTransformer]:
        model = load_encoder(str(checkpoint), device="cpu")
        settings = {"batch_size": 8, "sources": [sample_pairs()], **settings}
        sources = settings.pop("sources")
        return train(model, sources, output, **how, **settings), model

    return start
