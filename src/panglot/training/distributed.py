"""Several processes that train one model: the one that prints, what all agree on, shards."""

import gc
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import Trainer

from panglot.errors import PanglotError
from panglot.files import sha256_of

T = TypeVar("T")
PATIENCE = timedelta(seconds=5)  # with the launcher's store, which is there or not


def is_first() -> bool:
    """Say whether this process writes and prints for all: the first of a launch, or the only one."""
    if several():
        return distributed.get_rank() == 0
    return int(os.environ.get("RANK", "0")) == 0


def of_first(value: T) -> T:
    """Return the first process's value on all of them; it must be picklable."""
    if not several():
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


def decided_by_first(decide: Callable[[], T]) -> T:
    """Call a function on the first process alone; return its result, or raise its error, on all.

    The others wait for it.

    Raises:
        PanglotError: that of the first process.
    """
    outcome, error = None, None
    if is_first():
        try:
            outcome = decide()
        except PanglotError as raised:
            error = raised
    outcome, error = of_first((outcome, error))
    if error is not None:
        raise error
    return outcome  # type: ignore[return-value]


def on_any(here: bool) -> bool:
    """Say on all processes whether something is so on one of them."""
    if not several():
        return here
    cuda = "nccl" in distributed.get_backend()  # which knows no other tensors
    found = torch.tensor(int(here), device="cuda" if cuda else "cpu")
    distributed.all_reduce(found, distributed.ReduceOp.MAX)
    return bool(found)


def wait_for_all() -> None:
    """Wait until all processes have come here."""
    if several():
        distributed.barrier()


def leave() -> None:
    """Let go of the other processes; nothing can be shared with them afterwards.

    A sharded model that is left in a circle of references keeps threads of its process group alive until
    the interpreter's very end, where they abort the process; so what nobody holds is dropped first.
    """
    if several():
        gc.collect()
        distributed.destroy_process_group()


def first_to_report(message: str) -> bool:
    """Say whether no other process has reported this message, so that bad input is reported once.

    A process may fail before it has met the others, and the launcher ends the others as soon as one is
    gone; so nobody waits, and the first one prints its error. Processes ask the store of torchrun (which
    accelerate uses too); where there is none, each speaks for itself.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return True
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    key = f"panglot/{attempt}/{sha256_of(message)}"
    try:
        store = distributed.TCPStore(host, port, is_master=False, timeout=PATIENCE)  # type: ignore[attr-defined]
        return int(store.add(key, 1)) == 1
    except (distributed.DistError, RuntimeError):
        return True


def several() -> bool:
    """Say whether several processes train together, and have met."""
    return distributed.is_available() and distributed.is_initialized()


def close_shards(model: nn.Module) -> None:
    """Let go of the whole weights that a forward pass without a backward pass leaves behind."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def gather_weights(model: nn.Module) -> None:
    """Put whole weights in the place of shards, on all processes; does nothing to a model that has none.

    Meant for saving: what sharded the model does not know of it, so the model can no longer be called.
    """
    close_shards(model)
    for module in model.modules():
        for name, value in list(module.named_parameters(recurse=False)):
            if isinstance(value, DTensor):
                setattr(module, name, nn.Parameter(value.full_tensor().cpu(), value.requires_grad))


def check_shards(trainer: Trainer, checkpoint: Path | None) -> None:
    """Refuse what sharded models (FSDP) cannot do."""
    if not trainer.is_fsdp_enabled:
        return
    if not trainer.accelerator.is_fsdp2:
        raise PanglotError("only version 2 of FSDP can shard a model here; launch with --fsdp_version 2.")
    if checkpoint or trainer.args.save_strategy != "no":
        raise PanglotError(
            "sharded models (FSDP) have no checkpoints to measure or resume from; "
            "set eval_steps and save_steps to 0 and leave --resume out, or launch without FSDP."
        )
