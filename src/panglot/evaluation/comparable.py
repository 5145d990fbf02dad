"""Whether runs can be compared: one benchmark, the same queries, a measure that all hold; and their names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.errors import PanglotError
from panglot.evaluation.cells import Array
from panglot.evaluation.results import Evaluation
from panglot.evaluation.significance import same_rows


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
    first = evaluations[0].results["benchmark"]
    for evaluation in evaluations[1:]:
        other = evaluation.results["benchmark"]
        if other["sha256"] != first["sha256"] or other["candidate_text"] != first["candidate_text"]:
            raise PanglotError(
                f"the runs are of different benchmarks, {_benchmark(first)} and {_benchmark(other)}; "
                "compare runs of the same data."
            )


def _benchmark(benchmark: dict[str, Any]) -> str:
    return f"{benchmark['name']} ({benchmark['candidate_text']}, sha256 {benchmark['sha256'][:8]})"


def check_measure(evaluations: Sequence[Evaluation], measure: str | None) -> str:
    """Return the measure to compare, which all runs must hold."""
    held: list[list[str]] = [
        next((list(figures) for figures in e.results["settings"].values() if figures), [])
        for e in evaluations
    ]
    shared = [name for name in held[0] if all(name in names for names in held)]
    if not shared:
        raise PanglotError("the runs have no measure in common; evaluate them with the same --measures.")
    if measure is None:
        return shared[0]
    if measure not in shared:
        raise PanglotError(f"not all runs hold '{measure}'; use {', '.join(shared)}.")
    return measure


def check_known(values: dict[str, Array], names: Sequence[str]) -> None:
    """Refuse runs of which one has a figure for a query where another has none."""
    for column, of_runs in values.items():
        missing = np.isnan(of_runs)
        for k in range(1, len(of_runs)):
            if (missing[k] != missing[0]).any():
                raise PanglotError(
                    f"{names[0]} and {names[k]} have '{column}' for different queries; "
                    "evaluate both with one version of panglot."
                )


def aligned_tables(evaluations: Sequence[Evaluation], names: Sequence[str]) -> list[pa.Table]:
    """Return the per-query tables with rows in the order of the first, or refuse other queries."""
    first = evaluations[0].per_query
    tables = [first]
    for evaluation, name in zip(evaluations[1:], names[1:], strict=True):
        table = same_rows(first, evaluation.per_query)
        if table is None:
            raise PanglotError(
                f"{names[0]} and {name} were measured on different queries or pools; "
                "evaluate both with the same --languages."
            )
        tables.append(table)
    return tables


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
