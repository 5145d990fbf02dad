"""Compare runs on one benchmark: every figure of each against a baseline, with intervals and tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panglot.data import IntArray
from panglot.evaluation.cells import (
    Array,
    Cells,
    Mask,
    cells_of,
    language_masks,
    matrix_places,
    setting_masks,
    stack,
    values_of,
)
from panglot.evaluation.comparable import (
    aligned_tables,
    check_comparable,
    check_known,
    check_measure,
    run_names,
)
from panglot.evaluation.confidence import RESAMPLES, SHARE, bias_columns, bounds, resample
from panglot.evaluation.results import Evaluation
from panglot.evaluation.significance import (
    FLIPS,
    contributions,
    holm,
    is_exact,
    sign_flip_test,
    standardised,
)

DISTANCE = "rank_distance"
ALPHA = 0.05
FAMILIES = ("settings", "by_language", "matrix")


@dataclass(frozen=True)
class Compared:
    """F figures of R runs.

    Attributes:
        keys: of the figures: (column, setting), (column, language, setting) or (column, language, pool).
        family: ``(F,)`` which of ``FAMILIES`` each is tested in.
        value: ``(R, F)``.
        ends: ``(2, R, F)`` bounds of the values.
        difference: ``(R, F)`` to the baseline, whose own row is 0.
        difference_ends: ``(2, R, F)``.
        effect: ``(R, F)`` the difference in standard deviations of items; NaN where there is none.
        p: ``(R, F)`` of the test; NaN for the baseline.
        p_holm: ``(R, F)`` corrected within the family.
    """

    keys: list[tuple[str, ...]]
    family: IntArray
    value: Array
    ends: Array
    difference: Array
    difference_ends: Array
    effect: Array
    p: Array
    p_holm: Array


def compare(
    evaluations: Sequence[Evaluation],
    *,
    names: Sequence[str] | None = None,
    measure: str | None = None,
    baseline: int = 0,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
    share: float = SHARE,
    alpha: float = ALPHA,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare two or more runs on one benchmark with a baseline among them.

    Intervals are a bootstrap over items, drawn alike for all runs. Tests flip signs of items
    (``significance.sign_flip_test``). Holm's correction goes over three families, each with every run that
    is not the baseline: the settings and rank distance; the same by query language; the language matrix.

    Args:
        evaluations: with results and per-query tables; see ``load_results``.
        names: what to call the runs. (default: what their results call the models)
        measure: which to compare; None: the first that the results hold.
        baseline: position of the run that the others are compared with.
        resamples: of items, for the intervals.
        flips: assignments of signs, for the tests.
        share: of the resamples that lie within an interval.
        alpha: a corrected p below it is called significant.
        seed: of what is drawn.

    Returns:
        plain data: ``benchmark``, ``measure``, ``runs`` (names), ``baseline`` (a name), ``method``,
        ``notes`` (sentences), and in ``compared``, by run, ``settings``, ``rank_distance``, ``by_language``
        and ``matrix`` of figures with ``value``, ``low``, ``high`` and, but for the baseline, ``difference``
        (with ``difference_low`` and ``_high``), ``effect``, ``p``, ``p_holm`` and ``verdict``: better, worse,
        or None where it is not significant.

    Raises:
        PanglotError: fewer than two runs, other benchmarks or queries, an unknown measure or baseline.
    """
    check_comparable(evaluations, baseline)
    called = list(names) if names is not None else run_names(evaluations)
    chosen = check_measure(evaluations, measure)
    tables = aligned_tables(evaluations, called)
    cells = cells_of(tables[0])
    columns = [chosen, *([DISTANCE] if DISTANCE in bias_columns(tables[0], [chosen]) else [])]
    values = {column: np.array([values_of(table, column) for table in tables]) for column in columns}
    check_known(values, called)
    found = _compared(cells, values, baseline, resamples, flips, share, seed)
    runs: dict[str, Any] = {}
    for k, run in enumerate(called):
        parts: dict[str, Any] = {"settings": {}, DISTANCE: None, "by_language": {}, "matrix": {}}
        for place, (key, family) in enumerate(zip(found.keys, found.family, strict=True)):
            figure = _figure(found, k, place, k == baseline, alpha)
            last = key[-1] if key[0] == chosen else DISTANCE
            if FAMILIES[family] != "settings":
                parts[FAMILIES[family]].setdefault(key[1], {})[last] = figure
            elif last == DISTANCE:
                parts[DISTANCE] = figure
            else:
                parts["settings"][last] = figure
        runs[run] = parts
    return {
        "benchmark": dict(evaluations[0].results["benchmark"]),
        "measure": chosen,
        "runs": called,
        "baseline": called[baseline],
        "method": {
            "interval": "bootstrap over items, percentile",
            "share": share,
            "resamples": resamples,
            "test": "randomisation of the signs of items, two-sided",
            "flips": flips,
            "exact": is_exact(len(cells.items), flips),
            "items": len(cells.items),
            "correction": "Holm",
            "families": {
                name: int((~np.isnan(found.p[:, found.family == k])).sum()) for k, name in enumerate(FAMILIES)
            },
            "effect": "mean difference of items over its standard deviation",
            "alpha": alpha,
            "seed": seed,
        },
        "notes": _notes(found, len(cells.items), flips, alpha),
        "compared": runs,
    }


def _compared(
    cells: Cells,
    values: dict[str, Array],
    baseline: int,
    resamples: int,
    flips: int,
    share: float,
    seed: int,
) -> Compared:
    """Compare all figures of all runs; the first column has a language matrix, others do not."""
    of_settings, of_languages = setting_masks(cells), language_masks(cells)
    places = matrix_places(cells)
    kept = list(places.values())
    chosen = stack({**of_settings, **of_languages}, cells)
    family_of = np.repeat([0, 1, 2], [len(of_settings), len(of_languages), len(places)])
    keys: list[tuple[str, ...]] = []
    families, figures, items, effects = [], [], [], []
    for column, of_runs in values.items():
        with_matrix = not keys
        count = len(chosen) + with_matrix * len(places)
        names = [*((name,) for name in of_settings), *of_languages, *places][:count]
        of_column = [
            _one_run(cells, of_run, of_runs[baseline], chosen, kept if with_matrix else [], resamples, seed)
            for of_run in of_runs
        ]
        resampled, differences, standard = (np.array(part) for part in zip(*of_column, strict=True))
        known = ~np.isnan(resampled[0, 0])
        keys += [(column, *name) for name, is_known in zip(names, known, strict=True) if is_known]
        families.append(family_of[:count][known])
        figures.append(resampled[:, :, known])
        items.append(differences[:, :, known])
        effects.append(standard[:, known])
    family = np.concatenate(families)
    resampled = np.concatenate(figures, axis=2).transpose(1, 0, 2)
    changes = resampled - resampled[:, baseline : baseline + 1]
    p = _tested(np.concatenate(items, axis=2), baseline, flips, seed)
    p_holm = np.full_like(p, np.nan)
    for k in range(len(FAMILIES)):
        p_holm[:, family == k] = holm(p[:, family == k].reshape(-1)).reshape(len(p), -1)
    return Compared(
        keys=keys,
        family=family,
        value=resampled[0],
        ends=bounds(resampled, share),
        difference=changes[0],
        difference_ends=bounds(changes, share),
        effect=np.concatenate(effects, axis=1),
        p=p,
        p_holm=p_holm,
    )


def _one_run(
    cells: Cells, values: Array, of_baseline: Array, chosen: Mask, kept: list[int], resamples: int, seed: int
) -> tuple[Array, Array, Array]:
    """Return a run's figures over resamples, what items add to their differences, and effect sizes.

    Figures are those of the masks ``chosen``, then the cells ``kept``.
    """
    figures, of_cells = resample(cells, values, chosen, resamples, seed, keep_cells=bool(kept))
    by_mask = contributions(cells, values - of_baseline, chosen)
    if of_cells is None:
        return figures, by_mask.values, standardised(by_mask)
    by_cell = contributions(cells, values - of_baseline)
    return (
        np.concatenate([figures, of_cells[:, kept]], axis=1),
        np.concatenate([by_mask.values, by_cell.values[:, kept]], axis=1),
        np.concatenate([standardised(by_mask), standardised(by_cell)[kept]]),
    )


def _tested(items: Array, baseline: int, flips: int, seed: int) -> Array:
    """Return the p of every run and figure, ``(R, F)``, from ``(R, I, F)``; signs are drawn once for all."""
    runs, _, figures = items.shape
    p = np.full((runs, figures), np.nan)
    others = [k for k in range(runs) if k != baseline]
    together = np.concatenate([items[k] for k in others], axis=1)
    p[others] = sign_flip_test(together, flips, seed).reshape(len(others), figures)
    return p


def _notes(found: Compared, items: int, flips: int, alpha: float) -> list[str]:
    """Say where no difference, however large, could come out as significant."""
    exact = is_exact(items, flips)
    smallest = 2 / 2**items if exact else 1 / (flips + 1)
    sizes = [int((~np.isnan(found.p[:, found.family == k])).sum()) for k in range(len(FAMILIES))]
    blind = [name for name, size in zip(FAMILIES, sizes, strict=True) if size * smallest >= alpha]
    if not blind:
        return []
    cure = "measure on more items" if exact else f"use {int(max(sizes) / alpha) + 1:,} flips or more"
    return [
        f"no p in {' and '.join(blind)} can be below {alpha} after Holm's correction: {items:,} items and "
        f"{flips:,} flips give none small enough; {cure}."
    ]


def _figure(found: Compared, run: int, place: int, is_baseline: bool, alpha: float) -> dict[str, Any]:
    """Return one figure of one run, and how it differs from the baseline's."""
    at = (run, place)
    figure: dict[str, Any] = {
        "value": float(found.value[at]),
        "low": float(found.ends[0][at]),
        "high": float(found.ends[1][at]),
    }
    if is_baseline:
        return figure
    change, effect = float(found.difference[at]), float(found.effect[at])
    up = (change > 0) == (found.keys[place][0] != DISTANCE)
    return {
        **figure,
        "difference": change,
        "difference_low": float(found.difference_ends[0][at]),
        "difference_high": float(found.difference_ends[1][at]),
        "effect": None if np.isnan(effect) else effect,
        "p": float(found.p[at]),
        "p_holm": float(found.p_holm[at]),
        "verdict": ("better" if up else "worse") if found.p_holm[at] < alpha else None,
    }
