"""Many texts to embeddings: equal texts once, sorted by length, in batches of a fixed number of tokens.

In float32, or in bfloat16 where that is both safe and fast.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device
from torch import nn
from torch.overrides import TorchFunctionMode

from panglot.data import FloatArray
from panglot.data.index import numbered
from panglot.encoders.load import as_encoder
from panglot.encoders.tokenised import Tokenised, token_batches

TOKEN_BUDGET, GPU_TOKEN_BUDGET = 4096, 32_768  # padded tokens of a batch


def encode(
    model: SentenceTransformer | str | Path,
    texts: Sequence[str],
    prompt: str = "",
    *,
    token_budget: int | None = None,
    bf16: bool = False,
    progress: Callable[[int], None] | None = None,
) -> FloatArray:
    """Encode texts into unit vectors.

    Args:
        model: any sentence-transformers encoder, or what ``load_encoder`` takes; its ``truncate_dim`` says
            how many numbers are kept.
        texts: n texts.
        prompt: put before each text.
        token_budget: padded tokens per batch; None: what suits a CPU or a GPU.
        bf16: compute in bfloat16: faster, and equal to about two digits of a cosine.
        progress: called with the number of texts just finished, n in all.

    Returns:
        ``(n, dimension)`` float32, rows of length 1, so that dot products are cosines.
    """
    model = as_encoder(model)
    of_text, unique = numbered(texts)
    uses = np.bincount(of_text, minlength=len(unique))
    dimension = model.get_embedding_dimension()
    assert dimension is not None
    out = np.empty((len(unique), dimension), np.float32)
    if token_budget is None:
        token_budget = TOKEN_BUDGET if model.device.type == "cpu" else GPU_TOKEN_BUDGET
    was_training = model.training
    model.eval()
    with torch.inference_mode(), bfloat16(model.device, bf16):
        tokenised = Tokenised(model, unique, prompt)
        for rows in token_batches(tokenised.lengths, token_budget):
            features = batch_to_device(tokenised.features(rows), model.device)
            embeddings = model(features)["sentence_embedding"].float()
            embeddings = embeddings[:, : model.truncate_dim]
            out[rows] = torch.nn.functional.normalize(embeddings, dim=-1).cpu().numpy()
            if progress is not None:
                progress(int(uses[rows].sum()))
    model.train(was_training)
    return out if len(unique) == len(texts) else out[of_text]


# bfloat16


@contextmanager
def bfloat16(device: torch.device, wanted: bool = True) -> Iterator[None]:
    """Compute matrix products in bfloat16 (autocast), sums and norms in float32."""
    if wanted:
        warn_of_slow_bfloat16()
    with torch.autocast(device.type, torch.bfloat16, enabled=wanted), fast_attention():
        yield


@contextmanager
def fast_attention() -> Iterator[None]:
    """Under bfloat16 autocast on a CPU, compute attention in float32: its bfloat16 kernel is slower."""
    with _Float32Attention() if torch.is_autocast_enabled("cpu") else nullcontext():
        yield


@cache
def computes_bfloat16() -> bool:
    """Say whether this machine multiplies bfloat16 matrices faster than float32 ones."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # older ones lack it
    if not any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")):
        return False
    # some processors have the instructions and are slower with them: those that are faster are so by far
    return _product_seconds(torch.bfloat16) < 0.8 * _product_seconds(torch.float32)


@cache
def warn_of_slow_bfloat16() -> None:
    """Say once that somebody wants bfloat16 on a machine that is slower with it, some of them forty times."""
    if not computes_bfloat16():
        logging.getLogger("panglot").warning(
            "this machine computes bfloat16 more slowly than float32. "
            'Leave --bf16 out, or write bf16 = "auto" in the recipe.'
        )


def _product_seconds(dtype: torch.dtype) -> float:
    """Return the time of a matrix product of a small transformer's shape: the best of five."""
    left, right = torch.ones(1024, 384, dtype=dtype), torch.ones(384, 1536, dtype=dtype)
    spent = []
    for _ in range(5):
        start = time.perf_counter()
        left @ right
        spent.append(time.perf_counter() - start)
    return min(spent)


class _Float32Attention(TorchFunctionMode):
    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        settings = kwargs or {}
        if function is not nn.functional.scaled_dot_product_attention:
            return function(*args, **settings)
        with torch.autocast("cpu", enabled=False):
            mask = settings.get("attn_mask")
            if mask is not None and mask.is_floating_point():
                settings = settings | {"attn_mask": mask.float()}
            return function(*[part.float() for part in args], **settings)
