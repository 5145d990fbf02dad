"""Two processes that share a batch do what one process does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from panglot import Optimisation, load_encoder, sample_pairs, train
from panglot.training import info_nce

pytestmark = pytest.mark.slow
NEGATIVES = {"plain": (0, 0), "as-many": (2, 2), "more-on-one": (3, 1), "all-on-one": (0, 3)}


def make_case(negatives: tuple[int, int], masked: bool) -> dict[str, Tensor]:
    count = sum(negatives)
    generator = torch.Generator().manual_seed(count)
    keys = torch.arange(8)[:, None].repeat(1, 3)
    if masked:
        keys[5] = keys[1]  # a pair of each process shares an item
    negative_keys = torch.full((count, 3), -1)
    negative_keys[:1] = keys[6]
    return {
        "weight": torch.randn(5, 4, generator=generator, dtype=torch.double),
        "queries": torch.randn(8, 5, generator=generator, dtype=torch.double),
        "passages": torch.randn(8, 5, generator=generator, dtype=torch.double),
        "negatives": torch.randn(count, 5, generator=generator, dtype=torch.double),
        "keys": keys,
        "negative_keys": negative_keys,
        "first_negatives": torch.tensor(negatives[0]),
    }


def on_one_process(case: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    weight = case["weight"].clone().requires_grad_()
    q, p, n = (
        nn.functional.normalize(case[k] @ weight, dim=-1) for k in ("queries", "passages", "negatives")
    )
    loss = info_nce(q, p, case["keys"], case["keys"], 0.1, n, case["negative_keys"])
    loss.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    return loss.detach(), weight.grad


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Path:
    """The tiny BERT without dropout, which each process would draw for itself."""
    folder = tmp_path_factory.mktemp("checkpoint") / "bert"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Path:
    """The folder into which two processes wrote what they found."""
    folder = tmp_path_factory.mktemp("two-processes")
    for name, negatives in NEGATIVES.items():
        for masked in (False, True):
            torch.save(make_case(negatives, masked), folder / f"case-{name}-{masked}.pt")
    script = Path(__file__).with_name("two_processes.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(checkpoint)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", NEGATIVES)
def test_averaged_gradients_equal_those_of_the_whole_batch(folder: Path, name: str, masked: bool) -> None:
    found = torch.load(folder / f"found-{name}-{masked}.pt")
    loss, gradient = on_one_process(make_case(NEGATIVES[name], masked))
    assert float(found["loss"]) == pytest.approx(float(loss), abs=1e-9)
    assert (found["gradient"] - gradient).abs().max() < 1e-9
    assert gradient.abs().max() > 1e-3


def test_two_processes_train_the_weights_of_one(folder: Path, checkpoint: Path, tmp_path: Path) -> None:
    model = load_encoder(str(checkpoint), device="cpu")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    how = Optimisation(steps=4, learning_rate=1e-3)
    train(model, [sample_pairs()], tmp_path / "run", batch_size=8, optimisation=how)
    shared = load_encoder(str(folder / "trained"), device="cpu").state_dict()
    far = {k: float((shared[k] - value).abs().max()) for k, value in model.state_dict().items()}
    moved = {k: float((before[k] - value).abs().max()) for k, value in model.state_dict().items()}
    assert max(moved.values()) > 1e-3
    assert max(far.values()) < 1e-5, far
