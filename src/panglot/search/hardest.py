"""The best ranked of many candidates, in blocks, without those that may be answers."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from panglot.data import FloatArray, IntArray

# queries and candidates scored at a time: on a processor what its cache holds, on a GPU some 2 GiB
BLOCKS = {"cpu": (512, 2048), "cuda": (4096, 16384)}
REASONS = ("same", "duplicate", "margin")
LAST = (1 << 32) - 1  # the lower half of a key
NEVER = torch.iinfo(torch.int64).min  # the key of what may not be taken


def hardest(
    queries: FloatArray,
    passages: FloatArray,
    kin: IntArray,
    asking: IntArray,
    pool: IntArray,
    *,
    margin: float,
    absolute_margin: float,
    duplicate: float,
    depth: int,
    device: torch.device,
) -> tuple[IntArray, IntArray]:
    """Rank the pool for the queries that ask, in blocks.

    Args:
        queries: ``(N, d)``.
        passages: ``(N, d)``, each query's own.
        kin: ``(N,)`` equal for what may not be each other's negative.
        asking: ``(n,)`` rows of the queries.
        pool: ``(p,)`` rows of the passages.

    Returns:
        ``(n, depth)`` positions in the pool, best first, -1 where there are no more; and ``(3,)`` how many
        candidates were excluded for each of ``REASONS``.
    """
    candidates, pool_kin = (torch.from_numpy(values[pool]).to(device) for values in (passages, kin))
    best = np.empty((len(asking), depth), np.int64)
    excluded = torch.zeros(len(REASONS), dtype=torch.int64, device=device)
    height, width = BLOCKS[device.type]
    for start in range(0, len(asking), height):
        rows = asking[start : start + height]
        query, own, own_kin = (torch.from_numpy(v[rows]).to(device) for v in (queries, passages, kin))
        score = (query * own).sum(1, keepdim=True)
        limit = torch.minimum(score - (1 - margin) * score.abs(), score - absolute_margin)
        keys = torch.full((len(rows), depth), NEVER, device=device)
        for first in range(0, len(pool), width):
            block = candidates[first : first + width]
            scores = query @ block.t()
            same = own_kin[:, None] == pool_kin[first : first + width]
            near = torch.zeros_like(same)
            if duplicate < 1:
                near = (normalize(own) @ normalize(block).t() > duplicate) & ~same
            above = (scores > limit) & ~same & ~near
            excluded += torch.stack([same.sum(), near.sum(), above.sum()])
            found = _keys(scores, first).masked_fill_(same | near | above, NEVER)
            found = found.topk(min(depth, found.shape[1]), dim=1).values
            keys = torch.cat([keys, found], dim=1).topk(depth, dim=1).values
        best[start : start + height] = torch.where(keys == NEVER, -1, LAST - (keys & LAST)).cpu().numpy()
    return best, excluded.cpu().numpy()


def _keys(scores: Tensor, first: int) -> Tensor:
    """Return integers in the order of ``(q, c)`` scores, ties to the lower column, which starts at ``first``.

    The bits of a float32 are in the order of its values if those below its sign are turned round in negative
    numbers; they are the upper half of a key, and the column counted from behind is the lower.
    """
    bits = (scores + 0.0).view(torch.int32)  # -0.0 + 0.0 is 0.0
    order = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()
    columns = torch.arange(first, first + scores.shape[1], device=scores.device)
    return (order << 32) + (LAST - columns)
