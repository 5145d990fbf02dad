"""A disk that fills up during a run: one sentence, and nothing that was done before is lost."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, load_encoder, sample_pairs, train
from panglot.encoders import model_sha256
from panglot.training.checkpoints import last_checkpoint

HOW: dict[str, Any] = {"steps": 4, "learning_rate": 1e-3, "save_steps": 1}
FULL = (
    OSError(errno.ENOSPC, "No space left on device"),
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
)


def fails_from_call(number: int, error: Exception, real: Callable[..., Any]) -> Callable[..., Any]:
    calls = 0

    def write(*arguments: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= number:
            raise error
        return real(*arguments, **settings)

    return write


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of the weights of a run that had space enough."""
    model = load_encoder(str(tiny_checkpoint), device="cpu")
    run(model, tmp_path_factory.mktemp("whole"))
    return model_sha256(model)


def run(model: SentenceTransformer, output: Path, **settings: Any) -> None:
    train(model, [sample_pairs()], output, batch_size=8, **HOW, **settings)


@pytest.mark.parametrize("error", FULL)
def test_a_disk_that_fills_up_leaves_the_last_whole_checkpoint(
    error: Exception,
    tiny_encoder: SentenceTransformer,
    tiny_checkpoint: Path,
    whole: str,
    tmp_path: Path,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "save", fails_from_call(5, error, torch.save))  # some three a checkpoint
        with pytest.raises(PanglotError, match="the disk is full"):
            run(tiny_encoder, tmp_path / "run")
    left = list((tmp_path / "run" / "checkpoints").iterdir())
    assert left == [last_checkpoint(tmp_path / "run")]
    resumed = load_encoder(str(tiny_checkpoint), device="cpu")
    run(resumed, tmp_path / "run", resume=True)
    assert model_sha256(resumed) == whole


@pytest.mark.parametrize("error", FULL)
def test_a_model_that_does_not_fit_leaves_no_half_of_it(
    error: Exception,
    tiny_encoder: SentenceTransformer,
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = SentenceTransformer.save_pretrained

    def save(self: SentenceTransformer, path: str, *arguments: Any, **settings: Any) -> None:
        if not Path(path).name.startswith("checkpoint-"):
            (Path(path) / "half").parent.mkdir(parents=True)
            (Path(path) / "half").write_text("of a model")
            raise error
        real(self, path, *arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(SentenceTransformer, "save_pretrained", save)
        with pytest.raises(PanglotError, match="the disk is full"):
            run(tiny_encoder, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "log.json", "checkpoints"}
    run(load_encoder(str(tiny_checkpoint), device="cpu"), tmp_path, resume=True)
    assert (tmp_path / "modules.json").exists()


def test_other_errors_of_a_run_are_not_taken_for_a_full_disk(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = RuntimeError("a bug in a library")
    monkeypatch.setattr(torch, "save", fails_from_call(1, broken, torch.save))
    with pytest.raises(RuntimeError, match="a bug in a library"):
        run(tiny_encoder, tmp_path)
