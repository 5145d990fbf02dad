"""Counting in a tile, against comparing everything."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.evaluation import ranks
from panglot.evaluation.ranks import CHUNK, Pairs, count_above


def slow(
    tile: np.ndarray, row: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[list[int], list[tuple[int, int]]]:
    above = [int((tile[r] > limit).sum()) for r, limit in zip(row, high, strict=True)]
    near = [
        (k, c) for k, r in enumerate(row) for c in range(tile.shape[1]) if low[k] <= tile[r, c] <= high[k]
    ]
    return above, near


def test_by_hand() -> None:
    tile = torch.full((2, CHUNK), -torch.inf)
    tile[0, :4] = torch.tensor([0.9, 0.5, 0.4, 0.1])
    tile[1, :4] = torch.tensor([-0.0, 0.0, -0.2, 0.3])
    pairs = Pairs(np.array([0, 0, 1]), np.array([2, 1]))
    low, high = np.array([0.4, 0.95, 0.0], np.float32), np.array([0.45, 0.96, 0.0], np.float32)
    above, near = count_above(tile, pairs, low, high)
    found = [(int(k), int(c)) for ks, cs in near for k, c in zip(ks, cs, strict=True)]
    assert above.tolist() == [2, 0, 1]
    assert sorted(found) == [(0, 2), (2, 0), (2, 1)]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**31),
    counts=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    chunks=st.integers(1, 3),
    levels=st.sampled_from([2, 6, 1000]),
    many=st.sampled_from([0, 3, 64]),
    cached=st.sampled_from([1, 2 * CHUNK, 1 << 18]),
    expanded=st.sampled_from([1, 50, 1 << 20]),
)
def test_counts_and_near_columns_equal_those_of_comparing_everything(
    seed: int, counts: list[int], chunks: int, levels: int, many: int, cached: int, expanded: int
) -> None:
    rng = np.random.default_rng(seed)
    counts = sorted(counts, reverse=True)
    width = chunks * CHUNK
    tile = (rng.integers(-levels, levels + 1, (len(counts), width)) / levels).astype(np.float32)
    tile[:, rng.integers(1, width + 1) :] = -np.inf
    row = np.repeat(np.arange(len(counts)), counts)
    low = (rng.integers(-levels, levels + 1, len(row)) / levels).astype(np.float32)
    high = low + rng.choice(np.array([0, 0.25, 1], np.float32), len(row))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "MANY", many)
        patch.setattr(ranks, "CACHED", cached)
        patch.setattr(ranks, "EXPANDED", expanded)
        patch.setattr(ranks, "FOUND", expanded)
        above, near = count_above(torch.from_numpy(tile), Pairs(row, np.array(counts)), low, high)
        found = [(int(k), int(c)) for ks, cs in near for k, c in zip(ks, cs, strict=True)]
    assert (above.tolist(), sorted(found)) == slow(tile, row, low, high)


def test_sorting_keeps_the_widest_tiles_apart() -> None:
    # the greatest row, score and column of a tile must fit one integer beside each other
    rows, width = 2, 1 << ranks.COLUMN_BITS
    tile = torch.zeros(rows, width)
    tile[1, -1] = torch.finfo(torch.float32).max
    above, near = ranks._by_sorting(
        tile, np.array([0, 1]), np.array([0.5, 0.5], np.float32), np.array([0.6, 0.6], np.float32)
    )
    assert above.tolist() == [0, 1]
    assert [len(k) for k, _ in near] == [0]
    assert 13 + ranks.COLUMN_BITS + ranks.SCORE_BITS <= 63
