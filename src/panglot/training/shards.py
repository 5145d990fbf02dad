"""Models whose weights are sharded over processes (FSDP2)."""

from pathlib import Path

from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import Trainer

from panglot.errors import PanglotError


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
        raise PanglotError("models are sharded by FSDP's second version only; launch with --fsdp_version 2.")
    if checkpoint or trainer.args.save_strategy != "no":
        raise PanglotError(
            "sharded models (FSDP) have no checkpoints to measure or resume from; "
            "set evaluate_every and save_every to 0 and leave --resume out, or launch without FSDP."
        )
