"""Whether runs differ by more than chance: what items add to a difference, sign flips, Holm, effect sizes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panglot.evaluation.aggregate import Array, Cells, Mask, item_sums, weighted_sums

FLIPS = 10_000
BLOCK = 1 << 22  # signs held at once
ROUNDING = 1e-12  # of the sum of what is flipped: two sums that differ by less are equal


@dataclass(frozen=True)
class Contributions:
    """What each of I items adds to the differences of F figures between two runs.

    Attributes:
        values: ``(I, F)``; their sum over items is the difference itself.
        present: ``(I, F)`` whether an item has a query in the figure at all.
    """

    values: Array
    present: Mask

    @property
    def difference(self) -> Array:
        """The differences of the figures, ``(F,)``; NaN where no item has a query."""
        return np.where(self.present.any(axis=0), self.values.sum(axis=0), np.nan)


def contributions(cells: Cells, differences: Array, weights: Array) -> Contributions:
    """Split differences of figures by item.

    A figure is a mean over cells of means over queries, so it is a sum over items, whose divisors stay the
    same whichever run an item's figures are taken from.

    Args:
        differences: ``(n,)`` one run's value minus the other's, a row each; NaN does not count.
        weights: ``(F, C)`` of the cells that each figure averages.
    """
    sums, counts = item_sums(cells, differences)
    total = counts.sum(axis=0)
    known = weights * (total > 0)
    whole = known.sum(axis=1, keepdims=True)
    known = known / np.where(whole > 0, whole, 1)
    return Contributions(
        weighted_sums(sums / np.maximum(total, 1), known),
        weighted_sums(counts, (known > 0).astype(np.float64)) > 0,
    )


def sign_flip_test(values: Array, flips: int = FLIPS, seed: int = 0) -> Array:
    """Test sums of paired differences against zero by flipping the signs of items (Fisher 1935).

    If two runs were the same, each item's differences (in all its languages and pools at once, since
    translations are not independent) could as well have had the other sign. The two-sided p is the share of
    assignments of signs whose sum is at least as far from zero as the one that was found. All assignments
    are gone through where there are no more than ``flips``; else so many are drawn and the one that was
    found counts as one more, so that p is never 0 (Phipson and Smyth 2010).

    Args:
        values: ``(I, F)`` what each item adds to the difference of each of F figures.

    Returns:
        ``(F,)`` p; 1 where the two runs are the same.
    """
    values = values[(values != 0).any(axis=1)]
    items = len(values)
    exact = is_exact(items, flips)
    whole = values.sum(axis=0)
    found = np.abs(whole) - ROUNDING * np.abs(values).sum(axis=0)
    total = 2**items if exact else flips
    rng = np.random.default_rng(seed)
    at_once = max(1, BLOCK // max(1, items))
    as_far = np.zeros(values.shape[1], np.int64)
    for start in range(0, total, at_once):
        rows = min(at_once, total - start)
        kept = _all_signs(start, rows, items) if exact else _drawn_signs(rng, rows, items)
        sums = 2.0 * (kept.astype(np.float64) @ values) - whole
        as_far += (np.abs(sums) >= found).sum(axis=0)
    return np.asarray(as_far / total if exact else (as_far + 1) / (total + 1), np.float64)


def _all_signs(start: int, rows: int, items: int) -> npt.NDArray[np.uint8]:
    """Return the assignments of signs from number ``start`` on, ``(rows, items)``: 1 is kept, 0 flipped."""
    return np.asarray((np.arange(start, start + rows)[:, None] >> np.arange(items)) & 1, np.uint8)


def _drawn_signs(rng: np.random.Generator, rows: int, items: int) -> npt.NDArray[np.uint8]:
    """Draw assignments of signs, a bit each, ``(rows, items)``."""
    return np.unpackbits(rng.integers(0, 256, (rows, -(-items // 8)), np.uint8), axis=1, count=items)


def is_exact(items: int, flips: int) -> bool:
    """Say whether all assignments of signs to so many items can be gone through."""
    return items < 63 and 2**items <= flips


def holm(p: Array) -> Array:
    """Correct the p of one family so that the chance of any false alarm in it is kept (Holm 1979).

    The smallest p is multiplied by the number m of tests, the next by m - 1, and so on; none comes out
    smaller than one before it, or above 1. NaN, a test that could not be made, does not count.
    """
    corrected = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected


def standardised(found: Contributions) -> Array:
    """Return the mean difference of items over its standard deviation from item to item, ``(F,)``.

    It is Cohen's d for pairs, as Sakai (2014, "Statistical reform in information retrieval?") asks for: the
    pair is what is compared, and d times the root of the number of items is the paired t. An item's
    difference is what it adds to the figure, times the number of items, so that their mean is the difference
    of the figures. NaN where there are fewer than two items or none differs from the others.
    """
    count = found.present.sum(axis=0)
    scaled = found.values * count
    centred = np.where(found.present, scaled - scaled.sum(axis=0) / np.maximum(count, 1), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((centred**2).sum(axis=0) / np.where(count > 1, count - 1, np.nan))
        flat = spread <= ROUNDING * np.abs(scaled).sum(axis=0)
        return np.asarray(np.where(flat, np.nan, found.difference / spread), np.float64)
