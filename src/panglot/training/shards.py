"""Models whose weights are sharded over processes (FSDP2)."""

from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor


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
