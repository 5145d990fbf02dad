"""How sure a figure is: a bootstrap over items, since translations of one item are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from panglot.evaluation.settings import ALL

Array = npt.NDArray[np.float64]
SETTINGS = ("monolingual", "crosslingual", "multilingual")


@dataclass(frozen=True)
class Interval:
    """A figure and the bounds that a share of its resamples lies between."""

    value: float
    low: float
    high: float


def resampled_settings(
    tables: Sequence[pa.Table], column: str, resamples: int = 1000, seed: int = 0
) -> dict[str, Array]:
    """Compute a column's mean in each setting, again and again over resampled items (Efron 1979).

    Items are drawn with replacement; all rows of an item, in all languages and pools, go with it. Means are
    taken as in ``settings.summarise``: over queries in each (query language, pool), then over those. Several
    tables (one a seed, of the same benchmark) are averaged query by query first.

    Returns:
        by setting, ``(resamples + 1,)``: first the figure itself, then one a resample. The same seed draws
        the same items, so that two results may be subtracted.
    """
    first = tables[0]
    for table in tables[1:]:
        if not (
            table.column("query_id").equals(first.column("query_id"))
            and table.column("pool").equals(first.column("pool"))
        ):
            raise ValueError("the tables are not of the same queries and pools")
    values = np.mean([t.column(column).to_numpy(zero_copy_only=False).astype(float) for t in tables], axis=0)
    known = ~np.isnan(values)
    x = np.array(first.column("query_language").to_pylist())[known]
    y = np.array(first.column("pool").to_pylist())[known]
    cells, cell = np.unique(np.stack([x, y]), axis=1, return_inverse=True)
    items, item = np.unique(first.column("item").to_numpy()[known], return_inverse=True)
    shape = (len(items), cells.shape[1])
    flat = item * shape[1] + cell.reshape(-1)
    sums = np.bincount(flat, values[known], shape[0] * shape[1]).reshape(shape)
    counts = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(items), (resamples, len(items)))
    weights = np.ones((resamples + 1, len(items)))
    for k in range(resamples):
        weights[k + 1] = np.bincount(drawn[k], minlength=len(items))
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (weights @ sums) / (weights @ counts)
    own, every = cells[0] == cells[1], cells[1] == ALL
    masks = zip(SETTINGS, (own, ~own & ~every, every), strict=True)
    return {setting: np.nanmean(means[:, mask], axis=1) for setting, mask in masks if mask.any()}


def interval(resampled: Array, share: float = 0.95) -> Interval:
    """Return the figure with its percentile interval."""
    low, high = np.quantile(resampled[1:], [(1 - share) / 2, (1 + share) / 2])
    return Interval(float(resampled[0]), float(low), float(high))
