"""Figures of left-out and of kept languages: over resampled items, tested in pairs, as shares of a gain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from panglot.evaluation import Evaluation
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
from panglot.evaluation.comparable import aligned_tables, check_measure
from panglot.evaluation.compare import ALPHA
from panglot.evaluation.confidence import bounds, resample
from panglot.evaluation.groups import pair_kinds
from panglot.evaluation.significance import contributions, holm, sign_flip_test
from panglot.experiments.findings import DISTANCE, Groups

PAIRS = ("neither seen", "one seen", "both seen")
Where = tuple[tuple[str, ...], str]  # query languages and a setting; or languages seen and a kind of pair


@dataclass(frozen=True)
class LeftOutSet:
    """A set of languages that was left out, as a benchmark shows it.

    Attributes:
        name: of the set.
        seen: trained on without the set.
        left_out: of the measured languages, those in the set.
        kept: the other measured ones.
    """

    name: str
    seen: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """Group ``a`` minus group ``b``, in one place."""

    a: str
    b: str
    where: Where


@dataclass(frozen=True)
class Values:
    """A measure and rank distance, query by query.

    Attributes:
        cells: where the n rows stand.
        masks: ``(C,)`` the cells that each figure averages.
        measure: the column of all figures but rank distance.
        rows: by group and column, ``(seeds, n)``.
        drawn: by group and figure, ``(resamples + 1,)``: first the figure, then one a resample of items.
    """

    cells: Cells
    masks: Mapping[Where, Mask]
    measure: str
    rows: Mapping[tuple[str, str], Array]
    drawn: Mapping[tuple[str, Where], Array]

    def column(self, where: Where) -> str:
        """Return the column that a figure is made of."""
        return DISTANCE if where[1] == DISTANCE else self.measure

    def by_seed(self, group: str, where: Where) -> list[float]:
        """Return a figure of every seed's model."""
        chosen = self.masks[where][None]
        rows = self.rows[group, self.column(where)]
        return [float(averages(cell_means(self.cells, row), chosen)[0]) for row in rows]


def measured_languages(groups: Groups) -> tuple[str, ...]:
    """Return the languages of a benchmark's queries."""
    first = next(iter(groups.values()))[0]
    return tuple(sorted(set(first.per_query.column("query_language").to_pylist())))


def values_at(groups: Groups, measure: str, sets: Sequence[LeftOutSet]) -> Values:
    """Gather all figures of a benchmark that speak of left-out and of kept languages.

    Raises:
        PanglotError: the runs were measured on different queries, or lack the measure.
    """
    named = [(name, evaluation) for name, evaluations in groups.items() for evaluation in evaluations]
    check_measure([evaluation for _, evaluation in named], measure)
    tables = aligned_tables([evaluation for _, evaluation in named], [name for name, _ in named])
    cells = cells_of(tables[0])
    columns = [measure, *([DISTANCE] if DISTANCE in tables[0].column_names else [])]
    rows = {
        (group, column): np.array(
            [values_of(table, column) for (of, _), table in zip(named, tables, strict=True) if of == group]
        )
        for group in groups
        for column in columns
    }
    masks = _masks(cells, named[0][1], sets)
    drawn: dict[tuple[str, Where], Array] = {}
    for (group, column), of_seeds in rows.items():
        wheres = [where for where in masks if (where[1] == DISTANCE) == (column == DISTANCE)]
        found, _ = resample(cells, of_seeds.mean(axis=0), stack({w: masks[w] for w in wheres}, cells))
        drawn |= {(group, where): found[:, k] for k, where in enumerate(wheres)}
    known = {w for w in masks if all((g, w) in drawn and not np.isnan(drawn[g, w][0]) for g in groups)}
    return Values(
        cells,
        {where: mask for where, mask in masks.items() if where in known},
        measure,
        rows,
        {key: found for key, found in drawn.items() if key[1] in known},
    )


def _masks(cells: Cells, evaluation: Evaluation, sets: Sequence[LeftOutSet]) -> dict[Where, Mask]:
    """Say which cells each figure averages: by query languages and setting, by what was seen of a pair."""
    of_settings = {
        name: mask for name, mask in setting_masks(cells).items() if evaluation.results["settings"].get(name)
    }
    if "multilingual" in of_settings:
        of_settings[DISTANCE] = of_settings["multilingual"]
    found: dict[Where, Mask] = {}
    for one in sets:
        for codes in (one.left_out, one.kept, *((code,) for code in one.left_out)):
            own = np.isin(cells.query_language, [*codes, ALL])  # never empty; no query is in all languages
            found |= {(codes, name): own & mask for name, mask in of_settings.items()}
        if "crosslingual" in of_settings:
            kind = pair_kinds(one.seen)["training"]
            named = np.array(
                [
                    "" if y in (x, ALL) else kind(x, y)
                    for x, y in zip(cells.query_language.tolist(), cells.pool.tolist(), strict=True)
                ]
            )
            found |= {(one.seen, name): named == name for name in PAIRS}
    return found


def tested(values: Values, wanted: Sequence[Difference]) -> dict[Difference, dict[str, Any]]:
    """Test differences of one family: paired by item, intervals of a bootstrap, Holm's correction over all.

    Returns:
        ``value``, ``low``, ``high``, ``by_seed``, ``p``, ``p_holm`` and ``verdict`` of ``a`` against ``b``:
        better, worse, or None where it is not significant. Seed k of ``a`` is set against seed k of ``b``, or
        against the mean of ``b`` where they have different numbers.
    """
    together: dict[tuple[str, str, str], list[Difference]] = {}
    for one in wanted:
        together.setdefault((one.a, one.b, values.column(one.where)), []).append(one)
    items = []
    for (a, b, column), ones in together.items():
        change = values.rows[a, column].mean(axis=0) - values.rows[b, column].mean(axis=0)
        chosen = stack({one.where: values.masks[one.where] for one in ones}, values.cells)
        items.append(contributions(values.cells, change, chosen).values)
    if not items:
        return {}
    order = [one for ones in together.values() for one in ones]
    p = sign_flip_test(np.concatenate(items, axis=1))
    return {
        one: _difference(values, one, float(p[k]), float(corrected))
        for k, (one, corrected) in enumerate(zip(order, holm(p), strict=True))
    }


def _difference(values: Values, one: Difference, p: float, p_holm: float) -> dict[str, Any]:
    resampled = values.drawn[one.a, one.where] - values.drawn[one.b, one.where]
    figure = figure_of(resampled)
    a, b = values.by_seed(one.a, one.where), values.by_seed(one.b, one.where)
    others = b if len(b) == len(a) else [float(np.mean(b))] * len(a)
    better = (figure["value"] > 0) != (one.where[1] == DISTANCE)
    return {
        **figure,
        "by_seed": [x - y for x, y in zip(a, others, strict=True)],
        "p": p,
        "p_holm": p_holm,
        "verdict": None if p_holm >= ALPHA else "better" if better else "worse",
    }


def retained(
    values: Values, without: str, whole: str, baseline: str, where: Where
) -> dict[str, float] | None:
    """Return the share of the gain with all languages that remains; None where there is no such gain.

    There is one where the interval of the gain leaves out zero on the better side. The share's interval is
    that of the ratio over resamples of items.
    """
    gain = values.drawn[whole, where] - values.drawn[baseline, where]
    low, high = bounds(gain)
    if high >= 0 if where[1] == DISTANCE else low <= 0:
        return None
    rest = values.drawn[without, where] - values.drawn[baseline, where]
    return figure_of(rest / np.where(gain == 0, np.nan, gain))


def figure_of(resampled: Array) -> dict[str, float]:
    """Return a figure with its 95 % interval."""
    low, high = bounds(resampled)
    return {"value": float(resampled[0]), "low": float(low), "high": float(high)}
