"""Compare runs on one benchmark: every figure of each against a baseline, with intervals and tests.

Intervals are a bootstrap over items. A paired randomisation test flips the signs of items. Holm's correction
goes over the figures of a family, for all runs at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from panglot.errors import PanglotError
from panglot.evaluation.aggregate import (
    ARROW,
    STANDARD,
    Aligned,
    Array,
    Cells,
    Grouping,
    Mask,
    align,
    item_sums,
    weighted_sums,
)
from panglot.evaluation.bootstrap import RESAMPLES, SHARE, Draws, bounds, draw
from panglot.evaluation.measures import DISTANCE, LESS_IS_BETTER
from panglot.evaluation.results import Evaluation, as_results, tidy

FLIPS = 10_000
BLOCK = 1 << 22  # signs held at once
ROUNDING = 1e-12  # of the sum of what is flipped: two sums that differ by less are equal
ALPHA = 0.05
AGAINST = ("baseline", "difference", "difference_low", "difference_high", "effect", "p")
VERSUS = (*AGAINST[1:], "p_holm", "verdict")
FIGURE = ["measure", "family", "group", "setting"]
Pairs = Sequence[tuple[str, str]]


def compare(
    table: pd.DataFrame | Aligned,
    groups: Mapping[str, Grouping] = STANDARD,
    baseline: str | Pairs | None = None,
    *,
    draws: Draws | None = None,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
    share: float = SHARE,
    alpha: float = ALPHA,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare runs with a baseline, on every group of languages in every setting.

    Args:
        table: runs on one benchmark (``results.tidy``), or these lined up already. Seeds of a run are
            averaged query by query.
        groups: groupings by the name of the family that Holm's correction goes over.
        baseline: the run that all others are compared with, or pairs of a run and its baseline; None: the
            first run.
        draws: of the same table and groups, where they are at hand.
        resamples, flips, share, alpha, seed: as in ``compare_results``.

    Returns:
        a row for each run and figure: ``measure``, ``family``, ``group``, ``setting``, ``run``, ``value``
        with ``low`` and ``high``, and against ``baseline`` (missing in the rows of runs that are compared
        with none) ``difference`` with ``difference_low`` and ``difference_high``, ``effect`` (in standard
        deviations of items), ``p``, ``p_holm`` and ``verdict``: better, worse, or missing where it is not
        significant.

    Raises:
        PanglotError: an unknown run or measure, or runs on different queries.
    """
    aligned = table if isinstance(table, Aligned) else align(table, list(dict.fromkeys(table["measure"])))
    runs = aligned.runs
    pairs = baseline
    if pairs is None or isinstance(pairs, str):
        pairs = [(run, pairs or runs[0]) for run in runs if run != (pairs or runs[0])]
    for run in (name for pair in pairs for name in pair):
        if run not in runs:
            raise PanglotError(f"there is no run '{run}' to compare; use {', '.join(runs)}.")
    drawn = draws or draw(aligned, groups, resamples=resamples, seed=seed)
    low, high = bounds(drawn.values, share)
    place = {run: k for k, run in enumerate(runs)}
    frames = [
        drawn.figures.assign(run=run, value=drawn.values[0, k], low=low[k], high=high[k])
        for run, k in place.items()
    ]
    rows = []
    parts, effects = _contributions(aligned, drawn, [(place[a], place[b]) for a, b in pairs])
    p = sign_flip_test(parts, flips, seed).reshape(len(pairs), -1) if pairs else np.empty((0, 0))
    for k, (run, other) in enumerate(pairs):
        change = drawn.values[:, place[run]] - drawn.values[:, place[other]]
        ends = bounds(change, share)
        rows.append(
            frames[place[run]].assign(
                baseline=other,
                difference=change[0],
                difference_low=ends[0],
                difference_high=ends[1],
                effect=effects[k],
                p=p[k],
            )
        )
    compared = {run for run, _ in pairs}
    alone = [frame for run, frame in zip(runs, frames, strict=True) if run not in compared]
    found = pd.concat([*alone, *rows])
    found = found.iloc[np.argsort(found["run"].map(place), kind="stable")].reset_index(drop=True)
    found = found.reindex(columns=list(dict.fromkeys([*found.columns, *AGAINST])))
    return correct(found, ["family"], alpha)


def correct(found: pd.DataFrame, family: Sequence[str], alpha: float = ALPHA) -> pd.DataFrame:
    """Add ``p_holm`` and ``verdict`` to compared figures; a family has one value in each of some columns."""
    p_holm = found.groupby(list(family), sort=False)["p"].transform(lambda p: holm(p.to_numpy()))
    up = (found["difference"] > 0) != found["measure"].isin(LESS_IS_BETTER)
    verdict = pd.Series(np.where(up, "better", "worse"), found.index, dtype=object)
    return found.assign(p_holm=p_holm, verdict=verdict.where(p_holm < alpha, None))


def reverse(found: pd.DataFrame) -> pd.DataFrame:
    """Turn comparisons around: a run minus its baseline becomes the baseline minus the run.

    ``value`` with its bounds is left out: it would be that of the other run.
    """
    turned = found[found["baseline"].notna()]
    return turned.drop(columns=["value", "low", "high"]).assign(
        run=turned["baseline"],
        baseline=turned["run"],
        difference=-turned["difference"],
        difference_low=-turned["difference_high"],
        difference_high=-turned["difference_low"],
        effect=-turned["effect"],
        verdict=turned["verdict"].map({"better": "worse", "worse": "better"}).astype(object),
    )


def _contributions(
    aligned: Aligned, drawn: Draws, pairs: Sequence[tuple[int, int]]
) -> tuple[Array, list[Array]]:
    """Return what items add to every difference, ``(I, pairs x F)``, and the effect sizes of each pair."""
    parts, effects = [], []
    means = aligned.means()
    weights = {name: drawn.weights[(drawn.figures["measure"] == name).to_numpy()] for name in means}
    for a, b in pairs:
        of_pair = [
            contributions(aligned.cells, values[a] - values[b], weights[name])
            for name, values in means.items()
        ]
        parts.append(np.concatenate([added for added, _ in of_pair], axis=1))
        effects.append(np.concatenate([effect_sizes(*one) for one in of_pair]))
    return (np.concatenate(parts, axis=1) if parts else np.empty((0, 0))), effects


@dataclass(frozen=True, repr=False)
class Comparison:
    """Runs on one benchmark, compared with a baseline among them.

    Attributes:
        benchmark: what the results say of it.
        measure: that is compared, beside rank distance.
        runs: their names.
        baseline: the name of the one that the others are compared with.
        method: how: numbers of draws, items, sizes of families and so on.
        notes: sentences where no difference, however large, could come out as significant.
        figures: what ``compare`` returns.
    """

    benchmark: Mapping[str, Any]
    measure: str
    runs: Sequence[str]
    baseline: str
    method: Mapping[str, Any]
    notes: Sequence[str]
    figures: pd.DataFrame

    def __repr__(self) -> str:
        """Return one line."""
        found = self.figures[(self.figures["family"] == "settings") & self.figures["baseline"].notna()]
        counts = found["verdict"].value_counts()
        others = ", ".join(run for run in self.runs if run != self.baseline)
        return (
            f"Comparison({others} with {self.baseline} on {self.benchmark['name']}, {self.measure}: "
            f"{counts.get('better', 0)} better and {counts.get('worse', 0)} worse of {len(found)} settings)"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each run and figure; see ``compare``."""
        return self.figures.copy()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as ``panglot compare --json`` prints it.

        ``benchmark``, ``measure``, ``runs``, ``baseline``, ``method``, ``notes``, and in ``compared``, by
        run, ``settings``, ``rank_distance``, ``by_language`` and ``matrix`` of figures.
        """
        compared: dict[str, Any] = {
            run: {"settings": {}, DISTANCE: None, "by_language": {}, "matrix": {}} for run in self.runs
        }
        for row in self.figures.to_dict("records"):
            against = VERSUS if isinstance(row["baseline"], str) else ()
            figure = {
                name: None if pd.isna(row[name]) else row[name] for name in ("value", "low", "high", *against)
            }
            parts = compared[row["run"]]
            last = DISTANCE if row["measure"] == DISTANCE else row["setting"]
            if row["family"] == "matrix":
                x, y = row["group"].split(ARROW)
                parts["matrix"].setdefault(x, {})[y] = figure
            elif row["family"] == "by_language":
                parts["by_language"].setdefault(row["group"], {})[last] = figure
            elif last == DISTANCE:
                parts[DISTANCE] = figure
            else:
                parts["settings"][last] = figure
        facts = {name: value for name, value in vars(self).items() if name != "figures"}
        return {**facts, "runs": list(self.runs), "notes": list(self.notes), "compared": compared}


def compare_results(
    *results: Evaluation | str | Path,
    names: Sequence[str] | None = None,
    measure: str | None = None,
    baseline: int = 0,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
    share: float = SHARE,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Comparison:
    """Compare two or more evaluations on one benchmark with a baseline among them.

    Holm's correction goes over three families, each with every run that is not the baseline: the settings and
    rank distance; the same by query language; the language matrix.

    Args:
        results: with per-query tables, or their files; see ``load_results``.
        names: what to call the runs. (default: what their results call the models; see ``run_names``)
        measure: which to compare; None: the first that the results hold.
        baseline: position of the run that the others are compared with.
        resamples: of items, for the intervals.
        flips: assignments of signs, for the tests.
        share: of the resamples that lie within an interval.
        alpha: a corrected p below it is called significant.
        seed: of what is drawn.

    Raises:
        PanglotError: fewer than two runs, other benchmarks or queries, an unknown measure or baseline.
    """
    evaluations = [as_results(one) for one in results]
    check_comparable(evaluations, baseline)
    paths = [Path(one) for one in results if not isinstance(one, Evaluation)]
    of_files = paths if len(paths) == len(results) else None
    called = list(names) if names is not None else run_names(evaluations, of_files)
    chosen = check_measure(evaluations, measure)
    distance = all(DISTANCE in one.per_query.column_names for one in evaluations)
    measures = [chosen, DISTANCE] if distance else [chosen]
    table = tidy(evaluations, called, measures=measures)
    aligned = align(
        table[table["perturbation"] == ""], [m for m in measures if (table["measure"] == m).any()]
    )
    found = compare(
        aligned,
        baseline=called[baseline],
        resamples=resamples,
        flips=flips,
        share=share,
        alpha=alpha,
        seed=seed,
    )
    sizes = {family: int(found.loc[found["family"] == family, "p"].notna().sum()) for family in STANDARD}
    items = len(aligned.cells.items)
    return Comparison(
        benchmark=evaluations[0].results["benchmark"],
        measure=chosen,
        runs=called,
        baseline=called[baseline],
        method={
            "interval": "bootstrap over items, percentile",
            "share": share,
            "resamples": resamples,
            "test": "randomisation of the signs of items, two-sided",
            "flips": flips,
            "exact": is_exact(items, flips),
            "items": items,
            "correction": "Holm",
            "families": sizes,
            "effect": "mean difference of items over its standard deviation",
            "alpha": alpha,
            "seed": seed,
        },
        notes=power_notes(sizes, items, flips, alpha),
        figures=found,
    )


def power_notes(sizes: Mapping[str, int], items: int, flips: int = FLIPS, alpha: float = ALPHA) -> list[str]:
    """Say where no difference, however large, could come out as significant."""
    exact = is_exact(items, flips)
    smallest = 2 / 2**items if exact else 1 / (flips + 1)
    blind = [name for name, size in sizes.items() if size * smallest >= alpha]
    if not blind:
        return []
    cure = "measure on more items" if exact else f"use {int(max(sizes.values()) / alpha) + 1:,} flips or more"
    return [
        f"no p in {' and '.join(blind)} can be below {alpha} after Holm's correction: {items:,} items and "
        f"{flips:,} flips give none small enough; {cure}."
    ]


def check_drawing(resamples: int, flips: int, alpha: float) -> None:
    """Refuse numbers of draws, or a level of significance, that say nothing."""
    for name, number in (("resamples", resamples), ("flips", flips)):
        if number < 1:
            raise PanglotError(f"{number} {name} cannot be drawn; use a number above 0.")
    if not 0 < alpha < 1:
        raise PanglotError(f"alpha is {alpha:g}; use a number between 0 and 1, such as 0.05.")


def check_comparable(evaluations: Sequence[Evaluation], baseline: int) -> None:
    """Refuse runs that were not made on one benchmark."""
    if len(evaluations) < 2:
        raise PanglotError("one run cannot be compared; name two results files or more.")
    if not 0 <= baseline < len(evaluations):
        raise PanglotError(
            f"there is no run {baseline + 1} to be the baseline; use a number from 1 to {len(evaluations)}."
        )

    def described(benchmark: Mapping[str, Any]) -> str:
        return f"{benchmark['name']} ({benchmark['candidate_text']}, sha256 {benchmark['sha256'][:8]})"

    first = evaluations[0].results["benchmark"]
    for evaluation in evaluations[1:]:
        other = evaluation.results["benchmark"]
        if other["sha256"] != first["sha256"] or other["candidate_text"] != first["candidate_text"]:
            raise PanglotError(
                f"the runs are of different benchmarks, {described(first)} and {described(other)}; "
                "compare runs of the same data."
            )
        if other.get("languages") != first.get("languages"):  # passages in others are other pools
            raise PanglotError(
                f"the runs are in different languages, {', '.join(first['languages'])} and "
                f"{', '.join(other['languages'])}; evaluate both with the same --languages."
            )


def check_measure(evaluations: Sequence[Evaluation], measure: str | None) -> str:
    """Return the measure to compare, which all runs must hold."""
    held = [evaluation.measures for evaluation in evaluations]
    shared = [name for name in held[0] if all(name in names for names in held)]
    if not shared:
        raise PanglotError("the runs have no measure in common; evaluate them with the same --measures.")
    if measure is None:
        return shared[0]
    if measure not in shared:
        raise PanglotError(f"not all runs hold '{measure}'; use {', '.join(shared)}.")
    return measure


def run_names(evaluations: Sequence[Evaluation], paths: Sequence[Path] | None = None) -> list[str]:
    """Name runs by their models; by their files, or else by number, where two models are called the same."""
    models = [str(evaluation.results["model"]["name"]) for evaluation in evaluations]
    short = [name.rstrip("/").rsplit("/", 1)[-1] or name for name in models]
    choices = [short, models]
    if paths is not None:
        choices += [[path.stem for path in paths], [str(path) for path in paths]]
    for names in choices:
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({k})" for k, name in enumerate(short, 1)]


# tests


def contributions(cells: Cells, differences: Array, weights: Array) -> tuple[Array, Mask]:
    """Split differences of figures by item.

    A figure is a mean over cells of means over queries, so it is a sum over items, whose divisors stay the
    same whichever run an item's figures are taken from.

    Args:
        differences: ``(n,)`` one run's value minus the other's, a row each; NaN does not count.
        weights: ``(F, C)`` of the cells that each figure averages.

    Returns:
        ``(I, F)`` what each item adds, whose sum is the difference itself; and whether it has a query in the
        figure at all.
    """
    sums, counts = item_sums(cells, differences)
    total = counts.sum(axis=0)
    known = weights * (total > 0)
    whole = known.sum(axis=1, keepdims=True)
    known = known / np.where(whole > 0, whole, 1)
    added = weighted_sums(sums / np.maximum(total, 1), known)
    return added, weighted_sums(counts, (known > 0).astype(np.float64)) > 0


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
        if exact:  # 1 is kept, 0 flipped
            kept: npt.NDArray[Any] = np.arange(start, start + rows)[:, None] >> np.arange(items) & 1
        else:  # a bit each
            drawn = rng.integers(0, 256, (rows, -(-items // 8)), np.uint8)
            kept = np.unpackbits(drawn, axis=1, count=items)
        sums = 2.0 * (kept.astype(np.float64) @ values) - whole
        as_far += (np.abs(sums) >= found).sum(axis=0)
    return np.asarray(as_far / total if exact else (as_far + 1) / (total + 1), np.float64)


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


def effect_sizes(added: Array, present: Mask) -> Array:
    """Return the mean difference of items over its standard deviation from item to item, ``(F,)``.

    It is Cohen's d for pairs, as Sakai (2014, "Statistical reform in information retrieval?") asks for: the
    pair is what is compared, and d times the root of the number of items is the paired t. An item's
    difference is what it adds to the figure, times the number of items, so that their mean is the difference
    of the figures. NaN where there are fewer than two items or none differs from the others.

    Args:
        added, present: ``(I, F)``, see ``contributions``.
    """
    count = present.sum(axis=0)
    scaled = added * count
    centred = np.where(present, scaled - scaled.sum(axis=0) / np.maximum(count, 1), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt((centred**2).sum(axis=0) / np.where(count > 1, count - 1, np.nan))
        flat = spread <= ROUNDING * np.abs(scaled).sum(axis=0)
        return np.asarray(np.where(flat, np.nan, added.sum(axis=0) / spread), np.float64)
