"""Two processes that share a batch do what one process does."""

import json
import runpy
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import warm
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from panglot import load_encoder, make_sampler, sample_pairs
from panglot.training import info_nce
from panglot.training.dataset import Steps
from panglot.training.micro_batches import even_out

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]  # two processes may have to share one core
SCRIPT = Path(__file__).with_name("two_processes.py")
TOOLS: dict[str, Any] = runpy.run_path(str(SCRIPT))
NEGATIVES = {"plain": (0, 0), "as-many": (2, 2), "more-on-one": (3, 1), "all-on-one": (0, 3)}


TAUGHT = {"distillation": 1.0, "pull": 0.5}
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "gradient-checkpointing": {"how": {"gradient_checkpointing": True}},
    "hard-negatives": {"how": {"micro_batch_tokens": 60}, "negatives": True},
    "one-text-at-a-time": {"how": {"micro_batch_tokens": 1, "gradient_cache": True}, "negatives": True},
    "guidance": {"taught": TAUGHT},
    "all-at-once": {
        "how": {"micro_batch_tokens": 100, "gradient_cache": True, "embedding_update": "dense"},
        "negatives": True,
        "taught": TAUGHT | {"pivot": ""},
    },
    "lora": {"how": {"lora": {"rank": 2}}},
    "bfloat16": {"how": {"bf16": True}},
}
RESUMED: dict[str, dict[str, Any]] = {
    "how": {"steps": 4, "save_steps": 2, "gradient_cache": True, "micro_batch_tokens": 60},
    "taught": TAUGHT,
}


def possible(name: str) -> bool:
    return name != "lora" or find_spec("peft") is not None


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
def folder(tmp_path_factory: pytest.TempPathFactory, still_checkpoint: Path, tiny_checkpoint: Path) -> Path:
    """The folder into which two processes wrote what they found."""
    folder = tmp_path_factory.mktemp("two-processes")
    for name, negatives in NEGATIVES.items():
        for masked in (False, True):
            torch.save(make_case(negatives, masked), folder / f"case-{name}-{masked}.pt")
    (folder / "runs.json").write_text(json.dumps({name: RUNS[name] for name in RUNS if possible(name)}))
    (folder / "resumed.json").write_text(json.dumps(RESUMED))
    where = [str(path) for path in (folder, still_checkpoint, tiny_checkpoint)]
    code, _, said = warm.run(where, code=SCRIPT.read_text(encoding="utf-8"))
    assert code == 0, said
    return folder


def found(folder: Path, process: int = 0) -> dict[str, Any]:
    return dict(json.loads((folder / f"process-{process}.json").read_text()))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", NEGATIVES)
def test_averaged_gradients_equal_those_of_the_whole_batch(folder: Path, name: str, masked: bool) -> None:
    found = torch.load(folder / f"found-{name}-{masked}.pt")
    loss, gradient = on_one_process(make_case(NEGATIVES[name], masked))
    assert float(found["loss"]) == pytest.approx(float(loss), abs=1e-9)
    assert (found["gradient"] - gradient).abs().max() < 1e-9
    assert gradient.abs().max() > 1e-3


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def farthest(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return max(float((a[name] - value).abs().max()) for name, value in b.items())


def terms(log: list[dict[str, float]]) -> dict[str, float]:
    """Return the loss and its terms, the means over all steps."""
    (line,) = [entry for entry in log if "loss" in entry]
    return {name: line[name] for name in ("loss", "info_nce", "distillation", "pull") if name in line}


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_the_weights_of_one(
    folder: Path, still_checkpoint: Path, tmp_path: Path, name: str
) -> None:
    if not possible(name):
        pytest.skip("PEFT is not installed")
    before = weights(load_encoder(str(still_checkpoint), device="cpu"))
    outcome, model = TOOLS["run_case"](RUNS[name], str(still_checkpoint), tmp_path / "run")
    alone, shared = weights(model), load_encoder(str(folder / f"run-{name}"), device="cpu").state_dict()
    near = 2e-2 if RUNS[name].get("how", {}).get("bf16") else 3e-4  # the log has four decimals
    assert terms(found(folder)[name]["log"]) == pytest.approx(terms(outcome.log), abs=near)
    assert len(terms(outcome.log)) == (4 if "taught" in RUNS[name] else 2)
    assert farthest(alone, before) > 1e-3
    if near < 1e-3:
        assert farthest(alone, shared) < 5e-5
    # both processes end with the same model
    assert found(folder, 0)[name]["sha256"] == found(folder, 1)[name]["sha256"]


@pytest.mark.parametrize("name", ["hard-negatives", "one-text-at-a-time", "all-at-once"])
def test_the_two_processes_have_different_numbers_of_micro_batches(
    still_encoder: SentenceTransformer, name: str
) -> None:
    pairs = TOOLS["with_negatives"]() if RUNS[name].get("negatives") else sample_pairs()
    budget = RUNS[name]["how"]["micro_batch_tokens"]
    steps = Steps(
        make_sampler([pairs], batch_size=8), [pairs], still_encoder, 4, ranks=2, token_budget=budget
    )
    counts = [len(steps[entry]["micro_batches"]) for entry in range(len(steps))]
    assert any(first != second for first, second in zip(counts[::2], counts[1::2], strict=True))


def test_micro_batches_are_evened_out_with_the_last_again(folder: Path) -> None:
    assert [found(folder, process)["evened"] for process in (0, 1)] == [[0, 0, 0], [0, 1, 2]]
    batches = [{"rows": torch.tensor([0])}]
    assert even_out(batches) == batches  # one process has nobody to be even with


def test_an_interrupted_run_of_two_processes_ends_with_the_weights_of_an_uninterrupted_one(
    folder: Path, tiny_checkpoint: Path
) -> None:
    for process in (0, 1):
        assert min(found(folder, process)["made"]) == RESUMED["how"]["save_steps"] + 1
    whole, resumed = (
        load_encoder(str(folder / name), device="cpu").state_dict() for name in ("whole", "crashed")
    )
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
    assert farthest(whole, load_encoder(str(tiny_checkpoint), device="cpu").state_dict()) > 1e-3
    assert not (folder / "crashed" / "checkpoints").exists()
