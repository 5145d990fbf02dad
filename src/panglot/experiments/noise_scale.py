"""The gradient-noise scale (McCandlish et al. 2018, arXiv 1812.06162): where larger batches stop paying."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from panglot.batches import make_sampler
from panglot.data import ParallelPairs
from panglot.encoders import cut_at
from panglot.training import InfoNCE, TrainingConfig
from panglot.training.adapters import prepared
from panglot.training.config import chosen_precision
from panglot.training.dataset import Steps
from panglot.training.trainer import token_budget

Array = npt.NDArray[np.float64]
NORMAL = 1.96  # standard errors to either side of a 95 % interval
OTHER_DRAWS = 1_000_003  # added to the seed: batches that training does not see


@dataclass(frozen=True)
class NoiseScale:
    """How far the gradients of batches of one size are from their mean.

    Attributes:
        size: pairs in a batch.
        gradients: how many batches it was estimated from.
        squared: ``|G|^2``, of the mean gradient; below 0 where it is lost in the noise.
        trace: ``tr(Sigma)``, of the covariance of the gradient of one pair: size times that of a batch.
        scale: ``tr(Sigma) / |G|^2``, in pairs; None where ``squared`` is not above 0.
        low: of a 95 % interval, a jackknife over the gradients on a logarithmic scale; None: too few of
            them, or lost.
        high: of the same.
    """

    size: int
    gradients: int
    squared: float
    trace: float
    scale: float | None
    low: float | None = None
    high: float | None = None


def noise_scale(products: Array, size: int) -> NoiseScale:
    """Estimate the simple noise scale, ``B_simple = tr(Sigma) / |G|^2``, from gradients of one batch size.

    For gradients ``g_1 .. g_K`` of independent batches of B pairs the mean of ``g_i g_j`` over ``i != j`` has
    the expectation ``|G|^2``, and the mean of ``|g_i|^2`` that plus ``tr(Sigma) / B``. It is the same as the
    paper's appendix A.1 with batches of B and their mean, of K B pairs.

    The paper's loss is a mean over independent examples. With in-batch negatives it is not: the loss
    itself depends on B, as does what languages a batch shares. So the scale holds for its size alone.

    Args:
        products: ``(K, K)`` of all pairs of gradients, K of 2 or more.
    """
    count, own, every = len(products), np.diag(products), products.sum()
    squared, trace = (float(part) for part in _moments(own.sum(), every, count))
    scale = size * trace / squared if squared > 0 else None
    low = high = None
    if scale is not None and count > 2:
        rows = products.sum(axis=1)
        left = _moments(own.sum() - own, every - 2 * rows + own, count - 1)  # (K,) without each gradient
        if (np.array(left) > 0).all():
            logs = np.log(left[1] / left[0])
            error = float(np.sqrt((count - 1) / count * ((logs - logs.mean()) ** 2).sum()))
            low, high = (float(scale * np.exp(end * NORMAL * error)) for end in (-1, 1))
    return NoiseScale(size, count, squared, size * trace, scale, low, high)


def _moments(own: Any, every: Any, count: int) -> tuple[Any, Any]:
    """Return ``|G|^2`` and the trace of a batch's covariance, of gradients with these sums of products."""
    others = (every - own) / (count * (count - 1))
    return others, own / count - others


def gradient_products(
    model: SentenceTransformer, sources: Sequence[ParallelPairs], recipe: TrainingConfig, count: int
) -> Array:
    """Return the products of all pairs of gradients of InfoNCE at a model, ``(count, count)``.

    Batches are drawn, cut and computed as in training by the recipe, but are others than it sees. A teacher
    and adapters are left out. All gradients are held at once; those of a sparse token table are small.
    """
    how, batches = recipe.training, recipe.batches.sampler_settings()
    sampler = make_sampler(sources, seed=how.seed + OTHER_DRAWS, steps=count, **batches)
    device = model.device
    budget = token_budget(how, cuda=device.type == "cuda")
    steps = Steps(sampler, sources, model, count, token_budget=budget)
    held: list[list[Tensor | None]] = []
    products = np.zeros((count, count))
    training = model.training
    plain = how.model_copy(update={"lora": None, "compile": False})
    with prepared(model, plain), cut_at(model, how.max_length):
        in_bf16 = torch.autocast(device.type, torch.bfloat16, enabled=chosen_precision(how.bf16))
        model.forward = in_bf16(model.forward)  # type: ignore[method-assign]
        loss = InfoNCE(model, recipe.loss.temperature)
        model.train()
        for i in range(count):
            model.zero_grad(set_to_none=True)
            sum(loss(_moved(steps[i], device)).values()).backward()
            gradients = [p.grad for p in model.parameters()]
            held.append([g.coalesce() if g is not None and g.is_sparse else g for g in gradients])
            for j in range(i + 1):
                products[i, j] = products[j, i] = _product(held[i], held[j])
    model.zero_grad(set_to_none=True)
    model.train(training)
    return products


def _product(one: Sequence[Tensor | None], other: Sequence[Tensor | None]) -> float:
    pairs = zip(one, other, strict=True)
    return sum(_dot(a, b) for a, b in pairs if a is not None and b is not None)


def _dot(a: Tensor, b: Tensor) -> float:
    if not a.is_sparse:
        return float(torch.dot(a.flatten(), b.flatten()))
    of_a, of_b = a.indices()[0], b.indices()[0]  # rows, ascending
    place = torch.searchsorted(of_a, of_b).clamp(max=len(of_a) - 1)
    same = of_a[place] == of_b
    return float((a.values()[place[same]] * b.values()[same]).sum())


def _moved(value: Any, device: torch.device) -> Any:
    """Move all tensors in the features of a step to a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _moved(part, device) for name, part in value.items()}
    if isinstance(value, list):
        return [_moved(part, device) for part in value]
    return value
