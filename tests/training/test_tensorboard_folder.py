"""What TensorBoard shows outlives the checkpoints."""

import os
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, sample_pairs, train
from panglot.training.callbacks import TENSORBOARD, tensorboard_in


def test_its_files_are_still_there_when_the_run_is_finished(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    how: dict[str, Any] = {"steps": 2, "save_steps": 1, "report_to": ["tensorboard"]}
    train(tiny_encoder, [sample_pairs()], tmp_path, batch_size=2, **how)
    assert not (tmp_path / "checkpoints").exists()
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
    assert TENSORBOARD not in os.environ


def test_a_folder_that_the_environment_names_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(TENSORBOARD, "elsewhere")
    with tensorboard_in(tmp_path):
        assert os.environ[TENSORBOARD] == "elsewhere"
    assert os.environ[TENSORBOARD] == "elsewhere"


def test_an_unknown_tracker_is_refused_before_anything_is_written(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"steps": 2, "report_to": ["tensorbord"]}
    with pytest.raises(PanglotError, match="'tensorbord' cannot be used: tensorbord is not supported"):
        train(tiny_encoder, [sample_pairs()], tmp_path / "run", batch_size=2, **how)
    assert not (tmp_path / "run").exists()
