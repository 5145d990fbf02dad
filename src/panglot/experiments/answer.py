"""The answer to an experiment's question, written for people and programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panglot.evaluation import describe_run
from panglot.experiments.experiment import Experiment
from panglot.experiments.runs import Places, Run, benchmark_of, folder_of, key_of, sources_of
from panglot.files import write_json, written_whole
from panglot.report.blocks import Section
from panglot.report.charts import check_installed
from panglot.report.html import page
from panglot.report.markdown import markdown
from panglot.report.write import write_assets


@dataclass(frozen=True)
class Answer:
    """What a question's module makes of its findings.

    Attributes:
        sentences: what was found, in words that follow from the figures.
        sections: tables and plots, in the order of a page.
        figures: the same for programs; plain data.
    """

    sentences: Sequence[str]
    sections: Sequence[Section]
    figures: Mapping[str, Any]


def write_answer(
    answer: Answer,
    title: str,
    experiment: Experiment,
    runs: Sequence[Run],
    places: Places,
    runs_folder: Path,
    output: Path,
) -> list[Path]:
    """Write ``summary.json``, ``report.html`` and ``report.md`` with its pictures and tables beside it.

    Returns:
        the files written, the page first.

    Raises:
        PanglotError: what draws is not installed, or a file cannot be written.
    """
    check_installed()
    summary = summarised(answer, experiment, runs, places, runs_folder)
    described = _subtitle(runs, summary)
    texts = {  # all is drawn before anything is written
        "report.html": page(title, described, answer.sections),
        "report.md": markdown(title, described, answer.sections),
    }
    assets = write_assets(answer.sections, output)
    for name, text in texts.items():
        with written_whole(output / name) as part:
            part.write_text(text, encoding="utf-8")
    write_json(output / "summary.json", summary)
    return [*(output / name for name in (*texts, "summary.json")), *assets]


def summarised(
    answer: Answer, experiment: Experiment, runs: Sequence[Run], places: Places, runs_folder: Path
) -> dict[str, Any]:
    """Return the content of ``summary.json``: what was asked and found, and all that repeating it takes."""
    sources, held_out = sources_of(places)
    measured = {m.title: m for run in runs for m in run.benchmarks}
    found = {
        **describe_run(),
        "experiment": experiment.model_dump(mode="json"),
        "sources": {source.name: source.sha256 for source in sources},
        "held_out": places.held_out if held_out else 0,
        "benchmarks": {
            title: {
                "languages": list(benchmark_of(places, m.name, m.languages).languages),
                "sha256": [
                    part.sha256
                    for found in [benchmark_of(places, m.name, m.languages)]
                    for part in getattr(found, "parts", [found])
                ],
            }
            for title, m in measured.items()
        },
        "runs": [
            {
                "name": run.name,
                "folder": folder_of(run, places, runs_folder).name,
                "key": key_of(run, places),
            }
            for run in runs
        ],
        "sentences": list(answer.sentences),
        "answer": answer.figures,
    }
    # JSON has neither infinity, which settings may be, nor NaN
    plain: dict[str, Any] = json.loads(
        json.dumps(found), parse_constant=lambda word: None if word == "NaN" else word
    )
    return plain


def _subtitle(runs: Sequence[Run], summary: Mapping[str, Any]) -> str:
    trained = [run for run in runs if run.trained]
    models = sorted({run.recipe.model.name for run in runs})
    seeds = len({run.recipe.training.seed for run in trained})
    of_seeds = f", {seeds} seed{'' if seeds == 1 else 's'}" if trained else ""
    count = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    return f"{', '.join(models)}; {count}{of_seeds}; measured on {', '.join(summary['benchmarks'])}."
