"""What runs are ahead of others on groups of language pairs: by resource class, and one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panglot.errors import PanglotError
from panglot.evaluation.cells import (
    ALL,
    Array,
    Cells,
    Mask,
    averages,
    cell_means,
    cells_of,
    setting_masks,
    stack,
    values_of,
)
from panglot.evaluation.compare import ALPHA
from panglot.evaluation.confidence import bounds, resample
from panglot.evaluation.groups import language_kinds, pair_kinds
from panglot.evaluation.significance import contributions, holm, same_rows, sign_flip_test
from panglot.experiments.findings import Groups, averaged
from panglot.languages import resource_class

LOW = 2  # languages up to this resource class are called low-resource here
Key = tuple[str, ...]  # a kind of group, and the group's name


@dataclass(frozen=True)
class Paired:
    """F figures of a reference and what it is ahead of B baselines, over R resamples of items.

    Attributes:
        keys: of the figures.
        reference: ``(R + 1, F)``; the first is the figure itself, as in ``confidence.resample``.
        gains: by baseline, the reference minus it, ``(R + 1, F)``.
        p_holm: by baseline, ``(F,)``: p of a paired test, corrected over all figures of a kind.
        by_seed: by baseline, ``(S, F)`` the gain of each seed; over its mean where it has other seeds.
    """

    keys: Sequence[Key]
    reference: Array
    gains: Mapping[str, Array]
    p_holm: Mapping[str, Array]
    by_seed: Mapping[str, Array]


def pair_class(x: str, y: str) -> int | None:
    """Return the lower resource class of two languages; None where one is not known."""
    classes = [resource_class(code) for code in (x, y)]
    return None if None in classes else min(c for c in classes if c is not None)


def group_masks(cells: Cells, seen: Sequence[str]) -> dict[Key, Mask]:
    """Say which cells the groups average, ``(C,)`` each; groups without cells are left out.

    Args:
        cells: of a per-query table.
        seen: languages of the training data.

    Returns:
        by key: ``("language", class, setting)``: queries in languages of a resource class. All others are of
        pairs of two different languages: ``("class", class)`` by the lower class of the two,
        ``("training", class, group)`` by that and by how many of the two are in ``seen``, ``("side", "low")``
        and ``("side", "high")`` up to class ``LOW`` and above, ``("pair", x, y)`` both ways of one pair.
    """
    found: dict[Key, Mask] = {}

    def put(key: Key, place: int) -> None:
        found.setdefault(key, np.zeros(len(cells), bool))[place] = True

    class_of = language_kinds(None)["resource"]
    training = pair_kinds(seen)["training"]
    settings = setting_masks(cells)
    for place, (x, y) in enumerate(zip(cells.query_language.tolist(), cells.pool.tolist(), strict=True)):
        own = class_of(x)
        if own is not None:
            setting = next(name for name, mask in settings.items() if mask[place])
            put(("language", own, setting), place)
        if y in (x, ALL):
            continue
        first, second = sorted((x, y), key=lambda code: (code == "en", code))
        put(("pair", first, second), place)
        lower = pair_class(x, y)
        if lower is not None:
            put(("class", str(lower)), place)
            put(("training", str(lower), str(training(x, y))), place)
            put(("side", "low" if lower <= LOW else "high"), place)
    return dict(sorted(found.items()))


def paired(groups: Groups, reference: str, measure: str, seen: Sequence[str]) -> Paired:
    """Compare a group of runs with all others over the groups of language pairs.

    Seeds are averaged query by query; items are drawn alike for all, and their signs flipped by
    ``significance.sign_flip_test``. Holm's correction goes over all figures and baselines of a kind of group.

    Args:
        groups: by name, evaluations of one benchmark, one a seed.
        reference: the group that is compared with all others.
        measure: a column of the per-query tables.
        seen: languages of the training data.

    Raises:
        PanglotError: the evaluations are not of the same queries.
    """
    first = groups[reference][0].per_query
    cells = cells_of(first)
    values: dict[str, Array] = {}
    seeds: dict[str, list[Array]] = {}
    for name, evaluations in groups.items():
        tables = [same_rows(first, e.per_query) for e in (*evaluations, averaged(evaluations, name))]
        columns = [values_of(table, measure) for table in tables if table is not None]
        if len(columns) < len(tables):
            raise PanglotError(f"'{name}' was not measured on the same queries as '{reference}'.")
        values[name], seeds[name] = columns[-1], columns[:-1]
    of_cells = cell_means(cells, values[reference])
    masks = {
        key: mask for key, mask in group_masks(cells, seen).items() if not np.isnan(of_cells[mask]).all()
    }
    keys = list(masks)
    chosen = stack(masks, cells)
    own, _ = resample(cells, values[reference], chosen)
    others = [name for name in groups if name != reference]
    items = [contributions(cells, values[reference] - values[name], chosen).values for name in others]
    p = sign_flip_test(np.concatenate(items, axis=1)).reshape(len(others), len(keys))
    return Paired(
        keys=keys,
        reference=own,
        gains={name: own - resample(cells, values[name], chosen)[0] for name in others},
        p_holm=dict(zip(others, _corrected(p, keys), strict=True)),
        by_seed={name: _by_seed(cells, seeds[reference], seeds[name], chosen) for name in others},
    )


def gain_figures(found: Paired) -> dict[Key, dict[str, Any]]:
    """Return the figures as plain data, by key.

    Returns:
        ``value``, ``low`` and ``high`` of the reference and, in ``against``, by baseline, ``difference`` (the
        reference minus it), ``low``, ``high``, ``p_holm``, ``by_seed`` and ``verdict``: the reference is
        ``better``, ``worse``, or None where that is not significant.
    """
    low, high = bounds(found.reference)
    ends = {name: bounds(gain) for name, gain in found.gains.items()}
    return {
        key: {
            "value": float(found.reference[0, k]),
            "low": float(low[k]),
            "high": float(high[k]),
            "against": {
                name: {
                    "difference": float(gain[0, k]),
                    "low": float(ends[name][0, k]),
                    "high": float(ends[name][1, k]),
                    "p_holm": float(found.p_holm[name][k]),
                    "by_seed": found.by_seed[name][:, k].tolist(),
                    "verdict": verdict(float(gain[0, k]), float(found.p_holm[name][k])),
                }
                for name, gain in found.gains.items()
            },
        }
        for k, key in enumerate(found.keys)
    }


def contrasts(found: Paired, one: Key, other: Key) -> dict[str, dict[str, float]]:
    """Return, by baseline, how much greater the gain in one group is than in another, with bounds.

    Empty where a group is missing.
    """
    if one not in found.keys or other not in found.keys:
        return {}
    a, b = list(found.keys).index(one), list(found.keys).index(other)
    contrasted = {}
    for name, gain in found.gains.items():
        drawn = gain[:, a] - gain[:, b]
        low, high = bounds(drawn)
        contrasted[name] = {"difference": float(drawn[0]), "low": float(low), "high": float(high)}
    return contrasted


def verdict(difference: float, p: float) -> str | None:
    """Say whether a difference is for the ``better`` or ``worse``; None where it is not significant."""
    return ("better" if difference > 0 else "worse") if p < ALPHA else None


def _corrected(p: Array, keys: Sequence[Key]) -> Array:
    """Correct p ``(B, F)`` over each kind of group."""
    kinds = np.array([key[0] for key in keys])
    corrected = np.full_like(p, np.nan)
    for kind in np.unique(kinds):
        own = kinds == kind
        corrected[:, own] = holm(p[:, own].reshape(-1)).reshape(len(p), -1)
    return corrected


def _by_seed(cells: Cells, ours: Sequence[Array], theirs: Sequence[Array], chosen: Mask) -> Array:
    """Return the gain of each seed, ``(S, F)``."""
    of_ours, of_theirs = (
        np.array([averages(cell_means(cells, values), chosen) for values in seeds])
        for seeds in (ours, theirs)
    )
    if len(of_theirs) != len(of_ours):
        of_theirs = of_theirs.mean(axis=0, keepdims=True)
    return np.asarray(of_ours - of_theirs, np.float64)
