"""Many texts to embeddings: equal texts once, sorted by length, in batches of a fixed number of tokens."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device

from panglot.data import FloatArray, IntArray
from panglot.encoders.load import max_length_of
from panglot.encoders.precision import bfloat16

TOKEN_BUDGET = 4096
SLICE = 4096  # texts tokenised at a time to learn their lengths


def encode(
    model: SentenceTransformer,
    texts: Sequence[str],
    prompt: str = "",
    *,
    token_budget: int = TOKEN_BUDGET,
    bf16: bool = False,
    progress: Callable[[int], None] | None = None,
) -> FloatArray:
    """Encode texts into unit vectors.

    Args:
        model: any sentence-transformers encoder; its ``truncate_dim`` says how many numbers are kept.
        texts: n texts.
        prompt: put before each text.
        token_budget: padded tokens per batch.
        bf16: compute in bfloat16: faster, and equal to about two digits of a cosine.
        progress: called with the number of texts just finished, n in all.

    Returns:
        ``(n, dimension)`` float32, rows of length 1, so that dot products are cosines.
    """
    position: dict[str, int] = {}
    of_text = np.array([position.setdefault(text, len(position)) for text in texts], np.int64)
    unique = list(position)
    uses = np.bincount(of_text, minlength=len(unique))
    out = np.empty((len(unique), _dimension(model)), np.float32)
    was_training = model.training
    model.eval()
    with torch.inference_mode(), bfloat16(model.device, bf16):
        for rows in token_batches(token_lengths(model, unique, prompt), token_budget):
            features = model.preprocess([unique[k] for k in rows], prompt=prompt or None)
            embeddings = model(batch_to_device(features, model.device))["sentence_embedding"].float()
            embeddings = embeddings[:, : model.truncate_dim]
            out[rows] = torch.nn.functional.normalize(embeddings, dim=-1).cpu().numpy()
            if progress is not None:
                progress(int(uses[rows].sum()))
    model.train(was_training)
    return out if len(unique) == len(texts) else out[of_text]


def token_lengths(model: SentenceTransformer, texts: Sequence[str], prompt: str = "") -> IntArray:
    """Return the number of tokens of each text as the model cuts it; characters where it has no tokenizer."""
    count = _counter(model)
    lengths = np.empty(len(texts), np.int64)
    for start in range(0, len(texts), SLICE):
        lengths[start : start + SLICE] = count([prompt + text for text in texts[start : start + SLICE]])
    limit = max_length_of(model)
    return np.minimum(lengths, limit) if limit else lengths


def token_batches(lengths: IntArray, budget: int) -> Iterator[IntArray]:
    """Cut texts into batches, longest first; a batch's size times its longest text stays in the budget."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + size]
        start += size


def _counter(model: SentenceTransformer) -> Callable[[list[str]], list[int]]:
    """Return a function from texts to their numbers of tokens."""
    own = getattr(model[0], "token_ids", None)
    if own is not None:
        return lambda texts: [len(ids) for ids in own(texts)]
    tokenizer: Any = getattr(model, "tokenizer", None)
    if callable(tokenizer):
        return lambda texts: [len(ids) for ids in tokenizer(texts, truncation=True)["input_ids"]]
    return lambda texts: [len(text) for text in texts]


def _dimension(model: SentenceTransformer) -> int:
    dimension = model.get_embedding_dimension()
    assert dimension is not None
    return dimension
