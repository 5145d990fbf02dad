"""Computing in bfloat16, where that is both safe and fast."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


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
