"""Run by test_two_processes.py: two processes share a batch, and write what they find to a folder."""

import os
import socket
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

from panglot import Optimisation, load_encoder, sample_pairs, train
from panglot.training import info_nce


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


def work(rank: int, folder: Path, port: int, checkpoint: str) -> None:
    """Do what one of the two processes does."""
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
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
    model = load_encoder(checkpoint, device="cpu")
    how = Optimisation(steps=4, learning_rate=1e-3)
    train(model, [sample_pairs()], folder / "trained", batch_size=8, optimisation=how)
    dist.barrier()
    dist.destroy_process_group()


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    start_processes(work, (Path(sys.argv[1]), free_port(), sys.argv[2]), nprocs=2, start_method="fork")  # type: ignore[no-untyped-call]
