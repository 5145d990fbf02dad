"""AdamW that touches only the used rows of an embedding table, and clipping that allows for them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from panglot.errors import PanglotError
from panglot.training.config import EmbeddingUpdate


class LazyAdamW(torch.optim.AdamW):
    """AdamW (Loshchilov and Hutter 2019) in which parameters with sparse gradients are updated lazily.

    Rows that a step did not use keep their value and their moments, as in ``torch.optim.SparseAdam``; used
    rows are decayed as in AdamW. With one 131-thousand-row table a step costs what its few thousand
    different pieces cost.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    self._update_rows(parameter, group)
                    parameter.grad = None  # AdamW passes over parameters without a gradient
        return super().step(closure)  # type: ignore[no-any-return]

    def _update_rows(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        step = state["step"].item()
        beta1, beta2 = group["betas"]
        gradient = parameter.grad.coalesce()  # type: ignore[union-attr]
        rows, values = gradient.indices()[0], gradient.values()
        first = state["exp_avg"][rows].lerp_(values, 1 - beta1)
        second = state["exp_avg_sq"][rows].mul_(beta2).addcmul_(values, values, value=1 - beta2)
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = first, second
        root = (second / (1 - beta2**step)).sqrt_().add_(group["eps"])
        updated = parameter[rows] * (1 - group["lr"] * group["weight_decay"])
        parameter[rows] = updated.addcdiv_(first, root, value=-group["lr"] / (1 - beta1**step))


def make_optimizer(
    model: SentenceTransformer,
    learning_rate: float,
    embedding_learning_rate: float | None,
    weight_decay: float,
) -> LazyAdamW:
    """Make the optimizer: matrices are decayed, biases and norms are not, the table has its own rate."""
    table = token_table(model).weight
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            rate = (
                embedding_learning_rate if parameter is table and embedding_learning_rate else learning_rate
            )
            decay = weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    return LazyAdamW(
        [{"params": p, "lr": rate, "weight_decay": decay} for (rate, decay), p in groups.items()],
        lr=learning_rate,
    )


def token_table(model: SentenceTransformer) -> nn.Embedding | nn.EmbeddingBag:
    """Return the model's embedding table of tokens: its largest one.

    Raises:
        PanglotError: it has none, as a model exported for ONNX Runtime.
    """
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    if not tables:
        raise PanglotError(
            "the model has no token embeddings, so it cannot be trained. A model exported for ONNX "
            "Runtime only encodes; train its original."
        )
    return max(tables, key=lambda table: table.num_embeddings)


def set_table_mode(model: SentenceTransformer, mode: EmbeddingUpdate) -> None:
    """Train the token table with sparse gradients, with dense ones, or not at all."""
    table = token_table(model)
    table.sparse = mode == "sparse"
    table.weight.requires_grad_(mode != "frozen")


@contextmanager
def table_mode(model: SentenceTransformer, mode: EmbeddingUpdate) -> Iterator[None]:
    """Set the mode of the token table for a while; see ``set_table_mode``."""
    table = token_table(model)
    sparse, trained = table.sparse, table.weight.requires_grad
    set_table_mode(model, mode)
    try:
        yield
    finally:
        table.sparse = sparse
        table.weight.requires_grad_(trained)


def clip_gradients(parameters: Iterable[nn.Parameter], maximum: float) -> Tensor:
    """Scale all gradients, sparse ones too, down to a joint norm of ``maximum``; return the norm."""
    gradients = []
    for parameter in parameters:
        if parameter.grad is not None:
            if parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
                gradients.append(parameter.grad._values())
            else:
                gradients.append(parameter.grad)
    norm = torch.nn.utils.get_total_norm(gradients)
    torch._foreach_mul_(gradients, torch.clamp(maximum / (norm + 1e-6), max=1.0))
    return norm
