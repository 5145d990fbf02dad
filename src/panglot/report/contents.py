"""What a report is made of: runs on one benchmark, their figures with intervals, tests and failures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from panglot.errors import PanglotError
from panglot.evaluation import Comparison
from panglot.evaluation.bootstrap import RESAMPLES, SHARE, intervals
from panglot.evaluation.comparison import (
    ALPHA,
    FLIPS,
    check_comparable,
    check_measure,
    compare_results,
    run_names,
)
from panglot.evaluation.groups import group_figures
from panglot.evaluation.measures import DISTANCE
from panglot.evaluation.results import Evaluation, Failure
from panglot.report.failures import failures_by_run
from panglot.report.figures import KEYS, figures_of

AGAINST = ["baseline", "difference", "difference_low", "difference_high", "effect", "p_holm", "verdict"]


@dataclass(frozen=True)
class Run:
    """One model on the benchmark.

    Attributes:
        name: what the report calls it.
        results: as the results file has them.
        table: its ``per_query`` table.
        failures: its worst queries.
    """

    name: str
    results: Mapping[str, Any]
    table: pa.Table
    failures: Sequence[Failure] = ()


@dataclass(frozen=True)
class Contents:
    """All that a report shows.

    Attributes:
        runs: one or more, on one benchmark.
        measure: the one that tests and matrices are of.
        figures: rows of ``figures.figures_of`` for each ``run``, of all measures that every run has, and
            those of groups of languages; with columns of the comparison where there is one.
        compared: the runs against a baseline; None for a single run.
        settings: resamples, seed and so on, to repeat the report.
    """

    runs: Sequence[Run]
    measure: str
    figures: pd.DataFrame
    compared: Comparison | None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def benchmark(self) -> Mapping[str, Any]:
        """What the results files say of the benchmark."""
        found: Mapping[str, Any] = self.runs[0].results["benchmark"]
        return found

    def rows(self, family: str, *measures: str) -> pd.DataFrame:
        """Return the figures of a family, of some measures or all."""
        found = self.figures[self.figures["family"] == family]
        return found[found["measure"].isin(measures)] if measures else found


def gather(
    evaluations: Sequence[Evaluation],
    *,
    paths: Sequence[Path] | None = None,
    failures: Sequence[Sequence[Failure]] = (),
    measure: str | None = None,
    baseline: int = 0,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
    alpha: float = ALPHA,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Contents:
    """Work out all that a report needs. Intervals that the results hold are not computed again.

    Args:
        paths: their files, to name two runs of one model by.
        failures: lists of worst queries; each goes to the run whose figures it has.
        measure: that tests and matrices are of; None: the first that all runs have.
        baseline: position of the run that the others are compared with.
        progress: called with 1 after each run, and after the comparison.

    Raises:
        PanglotError: no runs, other benchmarks, an unknown measure or baseline, or failures of another run.
    """
    if not evaluations:
        raise PanglotError("there is nothing to report; name one results file or more.")
    if len(evaluations) > 1:
        check_comparable(evaluations, baseline)
    elif baseline:
        raise PanglotError(f"there is no run {baseline + 1} to be the baseline; there is one run only.")
    chosen = check_measure(evaluations, measure)
    names = run_names(evaluations, paths)
    settings = {"resamples": resamples, "flips": flips, "alpha": alpha, "seed": seed}
    shared = [name for name in evaluations[0].measures if all(name in e.measures for e in evaluations)]
    runs, frames = [], []
    given = failures_by_run(evaluations, failures)
    for evaluation, name, own in zip(evaluations, names, given, strict=True):
        runs.append(Run(name, evaluation.results, evaluation.per_query, own))
        frames.append(_figures(evaluation, shared, resamples, seed).assign(run=name))
        if progress is not None:
            progress(1)
    figures, compared = pd.concat(frames, ignore_index=True), None
    if len(runs) > 1:
        drawn: Any = {"resamples": resamples, "flips": flips, "alpha": alpha, "seed": seed}
        compared = compare_results(*evaluations, names=names, measure=chosen, baseline=baseline, **drawn)
        figures = figures.merge(compared.figures[["run", *KEYS, *AGAINST]], how="left", on=["run", *KEYS])
    if progress is not None:
        progress(1)
    return Contents(runs, chosen, figures, compared, settings)


def _figures(evaluation: Evaluation, measures: Sequence[str], resamples: int, seed: int) -> pd.DataFrame:
    """Return the figures of one run with those of groups; stored intervals are used if drawn the same way."""
    results, table = evaluation.results, evaluation.per_query
    stored, groups = results.get("intervals") or {}, results.get("groups")
    wanted = {"share": SHARE, "resamples": resamples, "seed": seed}
    if any(stored.get(name) != value for name, value in wanted.items()) or groups is None:
        size = None if "parts" in results else results["benchmark"]["passages"]  # a suite has several pools
        stored = intervals(table, evaluation.measures, passages=size, resamples=resamples, seed=seed)
        groups = group_figures(results, table, resamples=resamples, seed=seed)
    figures = figures_of(results, stored, groups)
    kept = figures["measure"].isin([*measures, DISTANCE]) | (figures["family"] == "bias")
    return figures[kept]
