"""What is done to an encoder before it is trained: its token table, adapters, dropout, compilation, ..."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from panglot.errors import PanglotError, needs
from panglot.training.config import Lora, TrainingPart
from panglot.training.micro_batches import micro_batched
from panglot.training.optimizer import table_mode


@contextmanager
def prepared(model: SentenceTransformer, how: TrainingPart) -> Iterator[None]:
    """Make a model ready to be trained as asked, and a plain one again."""
    with (
        table_mode(model, how.embedding_update),
        adapted(model, how.lora, how.seed),
        dropout_of(model, how.dropout),
        without_checkpointing_after(model),
        compiled(model, how.compile),
        micro_batched(model, cached=how.gradient_cache),
    ):
        yield


@contextmanager
def adapted(model: SentenceTransformer, lora: Lora | None, seed: int = 0) -> Iterator[None]:
    """Train low-rank adapters alone for a while; then merge them into the weights.

    A model is a plain one again afterwards, as fast and as easily loaded as before. Its other modules (a
    Dense layer after the pooling) are frozen too.
    """
    if lora is None:
        yield
        return
    needs("lora", "peft")
    from peft import LoraConfig, get_peft_model

    transformer: Any = getattr(model[0], "model", None)
    if not hasattr(transformer, "config"):
        raise PanglotError("low-rank adapters need a transformers model; leave lora out for this encoder.")
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
    )
    torch.manual_seed(seed)
    with _frozen(model):
        try:
            wrapped = get_peft_model(transformer, config)  # the layers are changed in place
        except ValueError as error:
            raise PanglotError(f"low-rank adapters cannot be put in: {error}") from error
        try:
            yield
        finally:
            wrapped.merge_and_unload()


@contextmanager
def _frozen(model: SentenceTransformer) -> Iterator[None]:
    before = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.requires_grad_(False)
    try:
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(before.get(name, True))


@contextmanager
def dropout_of(model: SentenceTransformer, share: float | None) -> Iterator[None]:
    """Give all of a model's dropout layers another rate for a while; None leaves them alone."""
    layers = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    before = [layer.p for layer in layers]
    if share is not None:
        for layer in layers:
            layer.p = share
    try:
        yield
    finally:
        for layer, rate in zip(layers, before, strict=True):
            layer.p = rate


@contextmanager
def without_checkpointing_after(model: SentenceTransformer) -> Iterator[None]:
    """Switch off, in the end, the gradient checkpointing that the Trainer switches on."""
    try:
        yield
    finally:
        for module in model.modules():
            if getattr(module, "gradient_checkpointing", False) is True:
                module.gradient_checkpointing = False  # type: ignore[assignment]


@contextmanager
def compiled(model: SentenceTransformer, wanted: bool) -> Iterator[None]:
    """Compile the transformer, for a while, for texts of any number and length (torch.compile)."""
    module: Any = getattr(model[0], "model", model[0])
    if wanted:
        torch.nn.Module.compile(module, dynamic=True)
    try:
        yield
    finally:
        if wanted:
            vars(module).pop("_compiled_call_impl", None)
