"""Ask a question: plan its runs, finish them, and answer from what they found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panglot.errors import PanglotError
from panglot.experiments.answer import Answer, write_answer
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import read_findings
from panglot.experiments.grid import Tell, run_grid
from panglot.experiments.questions import question
from panglot.experiments.runs import Places, Run, forget_data, missing_results
from panglot.report.charts import check_installed


@dataclass(frozen=True)
class Asked:
    """What came of an experiment.

    Attributes:
        answer: in sentences, tables and plots.
        summary: the content of ``summary.json``.
        written: the files, the page first.
    """

    answer: Answer
    summary: dict[str, Any]
    written: list[Path]


def planned(experiment: Experiment, places: Places) -> list[Run]:
    """Return the runs that answer an experiment's question."""
    runs: list[Run] = question(experiment.question).plan(experiment, places)
    if any(run.trained for run in runs) and not places.pairs:
        raise PanglotError("there is nothing to train on; name parallel pairs with --pairs.")
    if not any(run.benchmarks for run in runs):
        raise PanglotError("there is nothing to measure on; name a benchmark with --benchmark.")
    if experiment.measure not in places.measures:
        raise PanglotError(
            f"the answer is wanted in {experiment.measure}, but {', '.join(places.measures)} are measured."
        )
    return runs


def unfinished(runs: Sequence[Run], places: Places, folder: Path) -> list[Run]:
    """Return the runs that were not trained, or not measured on all benchmarks, yet."""
    return [run for run in runs if missing_results(run, places, folder)]


def ask(
    experiment: Experiment,
    places: Places,
    output: str | Path,
    *,
    runs_folder: str | Path | None = None,
    workers: int = 1,
    tell: Tell | None = None,
) -> Asked:
    """Run what an experiment needs and write its answer.

    May be stopped at any time: the same call goes on, and never repeats a finished run.

    Args:
        experiment: see ``read_experiment``.
        places: of the data.
        output: folder of the answer: ``report.html``, ``report.md``, ``summary.json``, plots and tables.
        runs_folder: of the runs; several experiments may share one. (default: ``runs`` in ``output``)
        workers: runs at once; see ``run_grid``.
        tell: told how far it is.

    Raises:
        KeyboardInterrupt: a run was interrupted.
        PanglotError: settings or data that cannot work.
    """
    check_installed()
    forget_data()
    output = Path(output)
    folder = output / "runs" if runs_folder is None else Path(runs_folder)
    runs = planned(experiment, places)
    run_grid(runs, places, folder, workers=workers, tell=tell)
    asked = question(experiment.question)
    more = {"prepared": asked.prepare(experiment, places, folder)} if hasattr(asked, "prepare") else {}
    answer: Answer = asked.answer(experiment, runs, read_findings(runs, places, folder), **more)
    written = write_answer(answer, asked.TITLE, experiment, runs, places, folder, output)
    return Asked(answer, json.loads((output / "summary.json").read_text(encoding="utf-8")), written)
