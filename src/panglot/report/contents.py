"""What a report is written from: runs on one benchmark with intervals, groups, tests and failures."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from typing_extensions import TypedDict

from panglot.errors import PanglotError
from panglot.evaluation.bootstrap import RESAMPLES, intervals
from panglot.evaluation.comparison import (
    ALPHA,
    check_comparable,
    check_measure,
    compare_results,
    run_names,
)
from panglot.evaluation.groups import group_figures
from panglot.evaluation.results import Evaluation
from panglot.evaluation.significance import FLIPS
from panglot.parse import Count, Number, read_form


class Listed(TypedDict):
    """A passage in the list of a query that failed."""

    rank: Count
    score: Number
    id: str
    language: str
    text: str
    relevance: int


class Failure(TypedDict):
    """A query that failed, as ``panglot inspect --json`` has it."""

    query_id: str
    query_language: str
    query: str
    pool: str
    measure: str
    value: Number
    answer: Listed
    above: list[Listed]


@dataclass(frozen=True)
class Run:
    """One model on the benchmark.

    Attributes:
        name: what the report calls it.
        results: as the results file has them.
        table: its ``per_query`` table.
        bounds: of its figures; see ``confidence.intervals``.
        groups: see ``groups.group_figures``.
        failures: its worst queries, as ``panglot inspect --json`` gives them.
    """

    name: str
    results: Mapping[str, Any]
    table: pa.Table
    bounds: Mapping[str, Any]
    groups: Mapping[str, Any]
    failures: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Contents:
    """Everything that a report says something about.

    Attributes:
        runs: one or more, on one benchmark.
        measure: the one that tests and matrices are of.
        measures: all that every run has.
        compared: the runs against a baseline; None for a single run. See ``evaluation.compare``.
        settings: resamples, seed and so on, to repeat the report.
    """

    runs: Sequence[Run]
    measure: str
    measures: Sequence[str]
    compared: Mapping[str, Any] | None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def benchmark(self) -> Mapping[str, Any]:
        """What the results files say of the benchmark."""
        found: Mapping[str, Any] = self.runs[0].results["benchmark"]
        return found

    @property
    def languages(self) -> list[str]:
        """The benchmark's languages."""
        return list(self.benchmark["languages"])


def gather(
    evaluations: Sequence[Evaluation],
    *,
    paths: Sequence[Path] | None = None,
    failures: Sequence[Sequence[Mapping[str, Any]]] = (),
    measure: str | None = None,
    baseline: int = 0,
    resamples: int = RESAMPLES,
    flips: int = FLIPS,
    alpha: float = ALPHA,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Contents:
    """Work out all that a report needs.

    Args:
        evaluations: one or more on the same benchmark.
        paths: their files, to name two runs of one model by.
        failures: lists of worst queries; each goes to the run whose figures it has.
        measure: that tests and matrices are of; None: the first that all runs have.
        baseline: position of the run that the others are compared with.
        resamples: of items, for the intervals.
        flips: assignments of signs, for the tests.
        alpha: a corrected p below it is called significant.
        seed: of what is drawn.
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
    held = [e.measures for e in evaluations]
    shared = [name for name in held[0] if all(name in names_ for names_ in held)]
    given = _by_run(evaluations, failures)
    runs = []
    for evaluation, name, own in zip(evaluations, names, given, strict=True):
        results, table = evaluation.results, evaluation.per_query
        size = results["benchmark"]["passages"]
        runs.append(
            Run(
                name=name,
                results=results,
                table=table,
                bounds=intervals(table, shared, passages=size, resamples=resamples, seed=seed),
                groups=group_figures(results, table, resamples=resamples, seed=seed),
                failures=own,
            )
        )
        if progress is not None:
            progress(1)
    compared = None
    if len(runs) > 1:
        compared = compare_results(
            *evaluations,
            names=names,
            measure=chosen,
            baseline=baseline,
            resamples=resamples,
            flips=flips,
            alpha=alpha,
            seed=seed,
        ).to_dict()
    if progress is not None:
        progress(1)
    return Contents(runs, chosen, shared, compared, settings)


def read_failures(path: Path) -> list[dict[str, Any]]:
    """Read what ``panglot inspect --json`` printed.

    Raises:
        PanglotError: something else is in the file.
    """
    fix = f"write it with 'panglot inspect RESULTS --json > {path.name}'"
    return [dict(failure) for failure in read_form(path, list[Failure], fix=fix)]


def _by_run(
    evaluations: Sequence[Evaluation], failures: Sequence[Sequence[Mapping[str, Any]]]
) -> list[list[Mapping[str, Any]]]:
    """Give each list of failures to the run whose per-query figures it has."""
    given: list[list[Mapping[str, Any]]] = [[] for _ in evaluations]
    for listed in failures:
        fitting = [k for k, evaluation in enumerate(evaluations) if _fits(listed, evaluation.per_query)]
        if not fitting:
            raise PanglotError(
                "the figures of the worst queries are not those of any of the results; "
                "inspect the same results files."
            )
        given[next((k for k in fitting if not given[k]), fitting[0])].extend(listed)
    return given


def _fits(failures: Sequence[Mapping[str, Any]], table: pa.Table) -> bool:
    """Say whether each failure has the figure that the table has for its query and pool."""
    measures = {failure["measure"] for failure in failures}
    if not measures.issubset(table.column_names):
        return False
    ids = pa.array({failure["query_id"] for failure in failures}, pa.string())
    few = table.filter(pa.compute.is_in(table.column("query_id"), value_set=ids))
    keys = list(zip(few.column("query_id").to_pylist(), few.column("pool").to_pylist(), strict=True))
    figures = {measure: dict(zip(keys, few.column(measure).to_pylist(), strict=True)) for measure in measures}
    for failure in failures:
        value = figures[failure["measure"]].get((failure["query_id"], failure["pool"]))
        if value is None or abs(value - failure["value"]) > 1e-6:
            return False
    return True
