"""The real command, killed and interrupted in the middle of a run."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import warm

from panglot import load_encoder
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import model_sha256
from panglot.training.checkpoints import last_checkpoint

pytestmark = pytest.mark.slow
Runner = Callable[..., Any]


@pytest.fixture
def given(tiny_checkpoint: Path) -> list[str]:
    source = ["--pairs", str(SAMPLE_FOLDER / "train.jsonl"), "--model", str(tiny_checkpoint)]
    return ["train", *source, "--batch-size", "8", "--steps", "40", "--save-every", "4"]


@pytest.fixture
def started(given: list[str], tmp_path: Path) -> warm.Process:
    """A command that has written its first checkpoint."""
    process = warm.start(
        [*given, "--output", str(tmp_path / "run")], env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    )
    while last_checkpoint(tmp_path / "run") is None:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def resumed_and_whole(panglot: Runner, given: list[str], folder: Path) -> tuple[str, str]:
    """Return the hashes of the weights of the resumed run and of one that was never stopped."""
    assert panglot(*given, "--output", folder / "run", "--resume").code == 0
    assert panglot(*given, "--output", folder / "whole").code == 0
    resumed, whole = (load_encoder(str(folder / name), device="cpu") for name in ("run", "whole"))
    return model_sha256(resumed), model_sha256(whole)


def test_a_killed_run_ends_with_the_weights_of_an_uninterrupted_one(
    started: warm.Process, panglot: Runner, given: list[str], tmp_path: Path
) -> None:
    started.kill()
    started.communicate()
    assert not (tmp_path / "run" / "modules.json").exists()
    resumed, whole = resumed_and_whole(panglot, given, tmp_path)
    assert resumed == whole


def test_ctrl_c_saves_and_exits_with_130(
    started: warm.Process, panglot: Runner, given: list[str], tmp_path: Path
) -> None:
    started.send_signal(signal.SIGINT)
    _, said = started.communicate()
    assert started.wait() == 130
    checkpoint = last_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    step = checkpoint.name.removeprefix("checkpoint-")
    assert f"interrupted after step {step}; continue with the same command and --resume." in said
    assert "Traceback" not in said
    assert not (tmp_path / "run" / "modules.json").exists()
    resumed, whole = resumed_and_whole(panglot, given, tmp_path)
    assert resumed == whole
