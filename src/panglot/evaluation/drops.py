"""What a change of the queries costs: figures before and after, by setting and by language, paired."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.errors import PanglotError
from panglot.evaluation.cells import Array, cells_of, language_masks, setting_masks, stack, values_of
from panglot.evaluation.confidence import RESAMPLES, bounds, resample
from panglot.evaluation.significance import same_rows


def perturbed_drops(
    before: pa.Table,
    after: pa.Table,
    measure: str,
    changed: Mapping[str, float] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare one model's figures on a benchmark and on its perturbed self.

    Both have the same queries, so that the bootstrap over items is paired: each resample takes the
    differences of the same items. Queries that the change left alone differ by 0 and count.

    Args:
        before: a ``per_query`` table.
        after: that of the perturbed benchmark.
        measure: a column of both.
        changed: share of the queries of each language that read otherwise (``share_changed``).
        resamples: of items.
        seed: of the items drawn.

    Returns:
        ``measure``; ``settings``: by setting ``before``, ``after``, ``change`` (after minus before; below 0
        is a drop), and its 95 % interval ``low`` to ``high``; ``by_language``: by query language the same,
        and ``changed``.

    Raises:
        PanglotError: tables of other queries, or without the measure.
    """
    ordered = same_rows(before, after)
    if ordered is None:
        raise PanglotError("the two evaluations are not of the same queries; perturb the same benchmark.")
    for table in (before, after):
        if measure not in table.column_names:
            raise PanglotError(
                f"the per-query figures have no '{measure}'; evaluate with --measures {measure}."
            )
    cells = cells_of(before)
    of_settings, of_languages = setting_masks(cells), language_masks(cells)
    chosen = np.concatenate([stack(of_settings, cells), stack(of_languages, cells)])
    a, b = values_of(before, measure), values_of(ordered, measure)
    first, _ = resample(cells, a, chosen, 0)
    then, _ = resample(cells, b, chosen, 0)
    differences, _ = resample(cells, b - a, chosen, resamples, seed)
    low, high = bounds(differences)
    figures = [
        _figure(first[0, k], then[0, k], differences[0, k], low[k], high[k]) for k in range(len(chosen))
    ]
    count = len(of_settings)
    by_language: dict[str, dict[str, Any]] = {}
    for (language, setting), figure in zip(of_languages, figures[count:], strict=True):
        by_language.setdefault(language, {})[setting] = figure
    for language, share in (changed or {}).items():
        by_language.setdefault(language, {})["changed"] = share
    return {
        "measure": measure,
        "settings": dict(zip(of_settings, figures[:count], strict=True)),
        "by_language": by_language,
    }


def _figure(before: float, after: float, change: float, low: float, high: float) -> dict[str, float] | None:
    values: Array = np.array([before, after, change, low, high], np.float64)
    if np.isnan(values[:3]).any():
        return None
    return dict(zip(("before", "after", "change", "low", "high"), values.tolist(), strict=True))
