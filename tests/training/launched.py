"""Run by test_launch.py with torchrun: two processes train together, and each writes what it saw."""

import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import still_gc  # noqa: F401  # before what takes long to import
import torch
from sentence_transformers import SentenceTransformer
from torch.distributed.fsdp import fully_shard

from panglot import PanglotError, load_encoder, sample_pairs, train
from panglot.cli import main as panglot
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import model_sha256
from panglot.training import StepReport, Training, run
from panglot.training.distributed import (
    close_shards,
    decided_by_first,
    gather_weights,
    is_first,
    leave,
    of_first,
    on_any,
)

RANK = int(os.environ["RANK"])
HOW: dict[str, Any] = {"steps": 6, "learning_rate": 1e-3, "save_steps": 2}  # of a model with dropout
STEADY: dict[str, Any] = {
    "steps": 4,
    "learning_rate": 1e-3,
    "save_steps": 2,
    "dropout": 0.0,
}  # as in test_launch.py
Found = dict[str, Any]


def message_of(call: Callable[[], object]) -> str | None:
    """Return what a ``PanglotError`` of a call says; None where there is none."""
    try:
        call()
    except PanglotError as error:
        return str(error)
    return None


def train_tiny(
    checkpoint: str, output: Path, how: dict[str, Any] = HOW, **settings: Any
) -> tuple[Training, SentenceTransformer]:
    """Train the tiny BERT in batches of eight."""
    model = load_encoder(checkpoint, device="cpu")
    return train(model, [sample_pairs()], output, batch_size=8, **how, **settings), model


def interrupted_and_resumed(folder: Path, checkpoint: str) -> Found:
    """Press Ctrl-C in the second process alone, resume, and compare with a run that nobody stopped."""

    def press_ctrl_c(report: StepReport) -> None:
        if RANK == 1 and report.step == 3 and not report.figures:
            signal.raise_signal(signal.SIGINT)

    _, whole = train_tiny(checkpoint, folder / "whole")
    stopped, _ = train_tiny(checkpoint, folder / "run", progress=press_ctrl_c)
    resumed, model = train_tiny(checkpoint, folder / "run", resume=True)
    return {
        "stopped": [stopped.finished, stopped.steps],
        "resumed": [resumed.finished, resumed.steps],
        "exact": model_sha256(model) == model_sha256(whole),
        "refused": message_of(lambda: train_tiny(checkpoint, folder / "whole")),
    }


def resumed_elsewhere(folder: Path, checkpoint: str) -> Found:
    """Continue what one process began; then one of which only the first process has the folder."""
    notes: list[str] = []
    _, model = train_tiny(checkpoint, folder / "alone", STEADY, resume=True, note=notes.append)
    if RANK == 0:
        torch.save(model.state_dict(), folder / "together.pt")
    machine = folder / f"machine-{RANK}"  # stands for a disk of its own
    machine.mkdir(exist_ok=True)
    os.chdir(machine)
    return {
        "notes": notes,
        "refused": message_of(lambda: train_tiny(checkpoint, Path("begun"), STEADY, resume=True)),
    }


def disagreeing_figures(folder: Path, checkpoint: str) -> Found:
    """Measure what falls on the first process and rises on the second, with patience for two."""
    figures = iter([5.0, 4.0, 3.0, 2.0, 1.0, 0.0] if RANK == 0 else [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    run.measure_of = lambda *_: lambda _: {"AP": next(figures)}  # type: ignore[attr-defined]
    how: dict[str, Any] = {"steps": 6, "learning_rate": 1e-3, "eval_steps": 1, "patience": 2}
    outcome, _ = train_tiny(checkpoint, folder / "patient", how, held_out=[sample_pairs()])
    return {"steps": outcome.steps}


def gathered_shards(checkpoint: str) -> Found:
    """Shard a model, run it, and gather its weights."""
    model = load_encoder(checkpoint, device="cpu")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    bert: Any = model[0].model
    for layer in bert.encoder.layer:
        fully_shard(layer)
    fully_shard(model)
    own = sum(p.to_local().numel() for p in model.parameters())  # type: ignore[attr-defined]
    with torch.no_grad():
        model(model.preprocess(["a text"]))
    close_shards(model)
    gather_weights(model)
    after = model.state_dict()
    same = before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)
    return {"share": own / sum(p.numel() for p in model.parameters()), "same": same}


def decisions() -> Found:
    """Let the first process decide."""
    called: list[int] = []

    def decide() -> str:
        called.append(RANK)
        return f"process {RANK}"

    def refuse() -> None:
        raise PanglotError(f"process {RANK} refuses.")

    return {
        "first": is_first(),
        "decided": decided_by_first(decide),
        "called": called,
        "refused": message_of(lambda: decided_by_first(refuse)),
        "of_first": of_first(RANK + 10),
        "on_any": [on_any(RANK == 1), on_any(False)],
    }


def command(checkpoint: str, output: Path, batch_size: int) -> None:
    """Run ``panglot train`` in this process."""
    source = ["--pairs", str(SAMPLE_FOLDER / "train.jsonl"), "--model", checkpoint]
    how = ["--batch-size", str(batch_size), "--steps", "2", "--output", str(output), "--json"]
    sys.argv = ["panglot", "train", *source, *how]
    panglot()


def said_by_command(folder: Path, checkpoint: str) -> Found:
    """Run a command that succeeds; return its code and what this process wrote to the two outputs.

    It stays in the group: one made again in the same store may find the addresses of the old one, and hang.
    """
    paths = {1: folder / f"printed-{RANK}", 2: folder / f"said-{RANK}"}
    before = {number: os.dup(number) for number in paths}
    for number, path in paths.items():
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    try:
        with mock.patch("panglot.training.distributed.leave"):
            command(checkpoint, folder / "command", 8)
    except SystemExit as ended:
        code = ended.code
    for number, file in before.items():
        os.dup2(file, number)
    return {"code": code, "printed": paths[1].read_text(), "said": paths[2].read_text()}


def main(folder: Path, checkpoint: str) -> None:
    """Do everything in turn, write what this process found, and end with a command that is refused."""
    gc.freeze()
    gc.enable()
    found = {
        "interrupted": interrupted_and_resumed(folder, checkpoint),
        "elsewhere": resumed_elsewhere(folder, checkpoint),
        "disagreeing": disagreeing_figures(folder, checkpoint),
        "shards": gathered_shards(checkpoint),
        "decisions": decisions(),
        "command": said_by_command(folder, checkpoint),
    }
    (folder / f"process-{RANK}.json").write_text(json.dumps(found))
    try:
        command(checkpoint, folder / "refused", 7)
    finally:
        leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
