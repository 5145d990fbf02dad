"""Run by test_two_processes.py: two processes share a batch, and write what they find to a folder."""

import json
import os
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from sentence_transformers import SentenceTransformer
from torch.multiprocessing.spawn import start_processes

from panglot import ParallelPairs, load_encoder, sample_pairs, train
from panglot.data import pairs_from_rows
from panglot.encoders import model_sha256
from panglot.training import Lora, StepReport, Training, info_nce
from panglot.training.micro_batches import even_out

CRASH = 3  # the step after which a run is interrupted, and in which nothing is saved


def with_negatives() -> ParallelPairs:
    """Items in two languages, of which every third brings as many as five hard negatives."""
    lines: list[dict[str, object]] = [
        {
            "item_id": f"i{k}",
            "language": language,
            "query": f"{'where' if language == 'en' else 'wo'} {'ab' * (k % 5)} {k}",
            "passage": f"{language} {'a road ' * (k % 4)} {k}",
            "negatives": [f"{'no ' * n} {k}" for n in range(k % 6)] if k % 3 == 0 else None,
        }
        for k in range(24)
        for language in ("de", "en")
    ]
    return pairs_from_rows(lines, "negatives")


def run_case(
    case: dict[str, Any], checkpoint: str, output: Path, **settings: Any
) -> tuple[Training, SentenceTransformer]:
    """Train a checkpoint as a case says: ``how``, ``taught`` and whether there are ``negatives``."""
    how: dict[str, Any] = {"steps": 3, "learning_rate": 1e-3, **case.get("how", {})}
    if "lora" in how:
        how["lora"] = Lora(**how["lora"])
    if "taught" in case:
        settings |= {"teacher": load_encoder(checkpoint, device="cpu"), **case["taught"]}
    model = load_encoder(checkpoint, device="cpu")
    sources = [with_negatives() if case.get("negatives") else sample_pairs()]
    return train(model, sources, output, batch_size=8, **how, **settings), model


def gradient(case: dict[str, torch.Tensor], part: slice, negatives: slice) -> dict[str, torch.Tensor]:
    """Return the loss and the gradient of a linear encoder on a part of a batch."""
    weight = case["weight"].clone().requires_grad_()

    def embed(name: str, rows: slice) -> torch.Tensor:
        return torch.nn.functional.normalize(case[name][rows] @ weight, dim=-1)

    some = len(case["negatives"][negatives]) > 0
    loss = info_nce(
        embed("queries", part),
        embed("passages", part),
        case["keys"][part],
        case["keys"][part],
        0.1,
        embed("negatives", negatives) if some else None,
        case["negative_keys"][negatives] if some else None,
    )
    loss.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    return {"loss": loss.detach(), "gradient": weight.grad}


def gradients(rank: int, folder: Path) -> None:
    """Find the gradients of each case on the half of a process, and write their mean."""
    for path in sorted(folder.glob("case-*.pt")):
        case = torch.load(path)
        half, first = len(case["queries"]) // 2, int(case["first_negatives"])
        parts = slice(0, half), slice(half, None)
        negatives = slice(0, first), slice(first, None)
        found = gradient(case, parts[rank], negatives[rank])
        for value in found.values():
            dist.all_reduce(value)
            value /= 2
        if rank == 0:
            torch.save(found, path.with_name(path.name.replace("case", "found")))


def interrupted(folder: Path, checkpoint: str, case: dict[str, Any]) -> list[int]:
    """Train in one go, then with an interruption; return the steps that were made after it."""

    def crash(report: StepReport) -> None:
        if report.step == CRASH:
            raise KeyError("crash")

    run_case(case, checkpoint, folder / "whole")
    try:
        run_case(case, checkpoint, folder / "crashed", progress=crash)
    except KeyError:
        dist.barrier()
    made: list[int] = []
    run_case(
        case, checkpoint, folder / "crashed", resume=True, progress=lambda report: made.append(report.step)
    )
    return made


def work(rank: int, folder: Path, port: int, still: str, drops: str) -> None:
    """Do what one of the two processes does."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", timeout=timedelta(seconds=600))
    gradients(rank, folder)
    found: dict[str, Any] = {}
    evened = even_out([{"rows": torch.tensor([number])} for number in range(1 + 2 * rank)])
    found["evened"] = [int(batch["rows"]) for batch in evened]
    for name, case in json.loads((folder / "runs.json").read_text()).items():
        outcome, model = run_case(case, still, folder / f"run-{name}")
        found[name] = {"log": outcome.log, "sha256": model_sha256(model)}
    found["made"] = interrupted(folder, drops, json.loads((folder / "resumed.json").read_text()))
    (folder / f"process-{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    where, *checkpoints = sys.argv[1:]
    start_processes(work, (Path(where), free_port(), *checkpoints), nprocs=2, start_method="fork")  # type: ignore[no-untyped-call]
