"""The length-aware batch: equal texts are encoded once, the rest sorted by length in micro-batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from torch import Tensor, distributed, nn
from torch.utils.checkpoint import checkpoint

from panglot.encoders import Tokenised, fast_attention, token_batches
from panglot.training.distributed import several

Features = dict[str, Any]
Prompted = tuple[str, Sequence[str]]  # a prompt, and the texts that it is before


@dataclass(frozen=True)
class Cut:
    """Texts cut into micro-batches.

    Attributes:
        batches: the model's features of each micro-batch.
        rows: by column, ``(texts,)`` where each text's embedding is among those of all micro-batches.
        tokens: of the texts, equal ones counted once.
        padded: of the micro-batches, padding included.
    """

    batches: list[Features]
    rows: dict[str, Tensor]
    tokens: int
    padded: int


def cut(model: SentenceTransformer, columns: Mapping[str, Prompted], budget: int) -> Cut:
    """Tokenise columns of texts: equal ones once, longest first, up to a budget of tokens together.

    Columns share micro-batches unless the model treats a prompt as more than the beginning of a text.

    Args:
        budget: padded tokens of a micro-batch; a longer text has one of its own.
    """
    joined = _joins_prompts(model)
    places: dict[str, dict[str, int]] = {}  # prompt -> text -> place among its unique texts
    of_column = {}
    for name, (prompt, texts) in columns.items():
        key, own = ("", [prompt + text for text in texts]) if joined else (prompt, list(texts))
        place = places.setdefault(key, {})
        of_column[name] = key, torch.tensor([place.setdefault(text, len(place)) for text in own])
    batches: list[Features] = []
    tokens = padded = done = 0
    positions: dict[str, Tensor] = {}
    for prompt, place in places.items():
        texts = list(place)
        tokenised = Tokenised(model, texts, prompt)
        lengths = tokenised.lengths
        positions[prompt] = torch.empty(len(texts), dtype=torch.long)
        for rows in token_batches(lengths, budget):
            batches.append(tokenised.features(rows))
            positions[prompt][torch.from_numpy(rows)] = torch.arange(done, done + len(rows))
            done += len(rows)
            padded += _size(batches[-1], int(lengths[rows].sum()))
        tokens += int(lengths.sum())
    return Cut(
        batches, {name: positions[key][rows] for name, (key, rows) in of_column.items()}, tokens, padded
    )


@contextmanager
def micro_batched(model: SentenceTransformer, *, cached: bool) -> Iterator[None]:
    """Let a model, for a while, also take the list of micro-batches of a step at once.

    Called with a list, it returns ``(texts, dimension)`` unit vectors, in float32. It has to be the model's
    own forward, since what wraps a model for several processes (DDP, FSDP) allows one call a step.

    Args:
        cached: gradient caching (Gao et al. 2021, arXiv 2101.06983): keep no activations; in the backward
            pass each micro-batch is encoded again, alone. Costs one more forward pass, and the memory of one
            micro-batch instead of all. Dropout is drawn the same both times.
    """
    forward = model.forward

    def both(features: Features | list[Features], **settings: Any) -> Any:
        if isinstance(features, list):
            return embed(forward, features, cached=cached)
        return forward(features, **settings)

    model.forward = both  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:  # accelerate may have put its mixed precision around it, and kept what it found
        for name in ("forward", "_original_forward"):
            model.__dict__.pop(name, None)


def embed(forward: Callable[[Features], Any], batches: Sequence[Features], *, cached: bool = False) -> Tensor:
    """Encode micro-batches into unit vectors, ``(texts, dimension)``; see ``micro_batched``."""
    one = partial(_embed_one, forward)
    if cached and torch.is_grad_enabled():
        parts = [checkpoint(one, features, use_reentrant=False) for features in batches]
    else:
        parts = [one(features) for features in batches]
    return nn.functional.normalize(torch.cat(parts), dim=-1)


def even_out(batches: list[Features]) -> list[Features]:
    """Give all processes equally many micro-batches, which sharded models need.

    What is added (the shortest micro-batch again) is behind all rows, so it has no gradient.
    """
    if not several():
        return batches
    device = next(v.device for v in batches[-1].values() if isinstance(v, Tensor))
    most = torch.tensor(len(batches), device=device)
    distributed.all_reduce(most, distributed.ReduceOp.MAX)
    return batches + [batches[-1]] * (int(most) - len(batches))


def _embed_one(forward: Callable[[Features], Any], features: Features) -> Tensor:
    with fast_attention():
        found: Tensor = forward(dict(features))["sentence_embedding"]  # the modules write into what they get
    return found.float()


def _joins_prompts(model: SentenceTransformer) -> bool:
    """Say whether a prompt is for this model nothing but the beginning of a text."""
    return not any(
        isinstance(module, Router) or getattr(module, "include_prompt", True) is False for module in model
    )


def _size(features: Features, tokens: int) -> int:
    """Return how many tokens the model computes; those of the texts where it pads nothing."""
    ids = features.get("input_ids")
    return int(ids.numel()) if isinstance(ids, Tensor) and ids.ndim == 2 else tokens
