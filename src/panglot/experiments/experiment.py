"""An experiment: a question, the runs that it plans, one comparison of their results, tables and plots.

A question is a module with ``TITLE``, ``Grid`` (its own settings), ``plan`` (its runs) and ``answer``
(sections of tables and plots made of their results).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
from pydantic import Field

from panglot.batches import Strategy
from panglot.data.catalogue import entry_named
from panglot.errors import PanglotError
from panglot.evaluation import DEFAULT_MEASURES, describe_run
from panglot.evaluation.aggregate import Aligned, align
from panglot.evaluation.measures import DISTANCE, parse_measure
from panglot.experiments.runs import (
    HELD_OUT,
    ZERO_SHOT,
    Data,
    Remedy,
    Run,
    Target,
    benchmark_of,
    folder_of,
    forget_data,
    key_of,
    read_table,
    sources_of,
)
from panglot.files import write_json
from panglot.parse import read_toml
from panglot.report.charts import check_installed
from panglot.report.page import Section, markdown, page, write_assets, write_page
from panglot.report.tables import Table, to_records
from panglot.training import TrainingConfig, override
from panglot.training.config import Part, Precision, checked, chosen_precision, renamed, with_precision

if TYPE_CHECKING:
    from panglot.experiments.sweep import OnProgress

BY_BENCHMARK = ("measures", "measured", "measured_languages")  # settings of a grid by name of a benchmark
DEFAULTS = Path(__file__).with_name("defaults")
NAMES = tuple(path.stem for path in sorted(DEFAULTS.glob("*.toml")))  # a recipe a question


class Experiment(Part):
    """What a recipe of an experiment says.

    Attributes:
        question: its module; a recipe asks one of ``NAMES``.
        benchmarks: of the catalogue, that all runs are measured on unless the question says otherwise.
        seeds: runs of every trained model.
        measure: the one that answers are given in, as ir_measures names it; ``grid.measures`` may name
            another for single benchmarks.
        bf16: encode in bfloat16 when measuring; ``auto``: if this machine is faster with it.
        recipe: of a training run, shared by all; its data part and its seed are not used. Its strategy is
            the one in question: others are compared with it.
        grid: settings of the question; its module says which.
    """

    question: str
    benchmarks: list[str]
    seeds: Annotated[int, Field(ge=1)] = 3
    measure: str = "AP"
    bf16: Precision = False
    recipe: TrainingConfig = TrainingConfig()
    grid: dict[str, Any] = Field(default_factory=dict)

    @property
    def module(self) -> Any:
        """The module of the question."""
        return import_module(f"panglot.experiments.{self.question.replace('-', '_')}")

    @property
    def strategy(self) -> Strategy:
        """The strategy of the recipe, with which others are compared."""
        return self.recipe.batches.strategy

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures of every evaluation: the usual ones, and the experiment's."""
        return tuple(dict.fromkeys([*DEFAULT_MEASURES, self.measure]))

    def settings(self) -> Any:
        """Return the question's own settings, checked."""
        return checked(self.module.Grid, self.grid, "grid")

    def measure_of(self, benchmark: str) -> str:
        """Return the measure that a benchmark's answers are given in."""
        return str((self.grid.get("measures") or {}).get(benchmark, self.measure))

    def data(self, pairs: Iterable[Any], places: Mapping[str, str] | None = None, **settings: Any) -> Data:
        """Return what its runs are trained and measured on, in its precision and by its measures.

        Args:
            pairs: sources to train on.
            places: folders of benchmarks by name.
            settings: others of ``Data``.
        """
        how = {"bf16": self.bf16, "measures": self.measures, **settings}
        return Data(tuple(map(str, pairs)), tuple((places or {}).items()), **how)

    def targets(
        self,
        languages: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
        *,
        remedy: Remedy = "",
        added: str = "",
    ) -> tuple[Target, ...]:
        """Return all benchmarks as what a run is measured on.

        Args:
            languages: of queries and passages, alike on all benchmarks or by name; None: all.
            remedy: see ``Target``.
            added: put behind the name of each, in answers.
        """
        chosen = languages if isinstance(languages, Mapping) else dict.fromkeys(self.benchmarks, languages)
        return tuple(
            Target(
                name,
                None if (codes := chosen.get(name)) is None else tuple(codes),
                remedy=remedy,
                label=f"{name}, {added}" if added else "",
            )
            for name in self.benchmarks
        )

    def untrained(
        self, targets: Sequence[Target], name: str = ZERO_SHOT, settings: Mapping[str, Any] | None = None
    ) -> Run:
        """Return a run of an encoder as it is: the recipe's, if no settings name another."""
        return Run(name, override(self.recipe, settings or {}), tuple(targets), trained=False)

    def seeded(self, targets: Sequence[Target], runs: Mapping[str, Mapping[str, Any]]) -> list[Run]:
        """Return a trained run for every name and seed: the shared recipe with its settings laid over it."""
        if own := [name for name, settings in runs.items() if "training.seed" in settings]:
            raise PanglotError(f"'{own[0]}' sets training.seed, and every run has its own; leave it out.")
        return [
            Run(name, override(self.recipe, {**settings, "training.seed": seed}), tuple(targets))
            for name, settings in runs.items()
            for seed in range(self.seeds)
        ]


def read_experiment(
    name: str | Path, overrides: Mapping[str, Any] | None = None, *, question: str | None = None
) -> Experiment:
    """Read an experiment by its name, or from a file of one's own, and lay single settings over it.

    Args:
        name: one of ``NAMES``, or a TOML file.
        overrides: ``seeds``, ``benchmarks``, ``measure``, ``bf16``, ``grid.NAME``, or a setting of the
            training recipe as ``panglot train --set`` names it, such as ``{"training.steps": 50}``.
        question: the one that it must ask; None: any of ``NAMES``.

    Raises:
        PanglotError: there is no such file, or a setting is unknown or out of bounds.
    """
    path = Path(name)
    known = str(name) in NAMES
    if not known and not path.exists():
        raise PanglotError(
            f"{path}: no such file, and no experiment of that name; use one of {', '.join(NAMES)}."
        )
    values = read_toml(DEFAULTS / f"{name}.toml" if known else path)
    of_recipe = {}
    for key, value in (overrides or {}).items():
        part, _, setting = key.partition(".")
        if part == "grid" and setting:
            grid = values.setdefault("grid", {})
            if isinstance(grid, dict):
                grid[setting] = value
        elif part in Experiment.model_fields and not setting:
            values[part] = value
        else:
            of_recipe[key.removeprefix("recipe.")] = value
    if isinstance(recipe := values.get("recipe"), dict):
        values["recipe"] = renamed(recipe)
    found = checked(Experiment, values, str(name))
    parse_measure(found.measure)
    _check_question(found, name, question)
    return found.model_copy(update={"recipe": override(found.recipe, check_used(of_recipe))})


def _check_question(found: Experiment, name: str | Path, question: str | None) -> None:
    """Refuse a recipe of another question, and mistakes in its settings, without loading torch."""
    if found.question not in NAMES:
        raise PanglotError(f"{name}: unknown question '{found.question}'; use one of {', '.join(NAMES)}.")
    if question not in (None, found.question):
        asks = found.question
        raise PanglotError(f"{name}: the recipe is for '{asks}'. Use panglot experiment {asks}.")
    found.settings()
    for benchmark in found.benchmarks:
        if benchmark != HELD_OUT:
            entry_named(benchmark)


def check_used(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings to lay over a recipe; refuse those that an experiment has in place of the recipe."""
    for name in settings:
        if name == "training.seed" or name.startswith("data."):
            raise PanglotError(
                f"{name} has no effect in an experiment; "
                "use its own options (--pairs, --held-out, --seeds) or grid.languages."
            )
    return settings


@dataclass(frozen=True)
class Findings:
    """What finished runs found.

    Attributes:
        experiment: the settings.
        runs: all.
        table: their results, tidy; ``benchmark`` holds titles of targets.
        data: that was trained and measured on.
        folder: of the runs.
    """

    experiment: Experiment
    runs: Sequence[Run]
    table: pd.DataFrame
    data: Data
    folder: Path

    def benchmarks(self) -> Iterator[tuple[str, str, Aligned]]:
        """Give each benchmark's title, the measure of its answers, and its runs lined up."""
        for title in dict.fromkeys(target.title for run in self.runs for target in run.targets):
            measure = self.experiment.measure_of(title)
            rows = self.table[(self.table["benchmark"] == title) & (self.table["perturbation"] == "")]
            names = [measure, *([DISTANCE] if (rows["measure"] == DISTANCE).any() else [])]
            yield title, measure, align(rows, names)


@dataclass(frozen=True)
class Answer:
    """The outcome of an experiment.

    Attributes:
        sections: tables and plots.
        summary: the content of ``summary.json``.
        written: the files, the page first.
    """

    sections: Sequence[Section]
    summary: Mapping[str, Any]
    written: Sequence[Path]

    @property
    def tables(self) -> list[Table]:
        """All tables."""
        return _tables(self.sections)


def _tables(sections: Sequence[Section]) -> list[Table]:
    return [block for section in sections for block in section.blocks if isinstance(block, Table)]


def with_precisions(experiment: Experiment, data: Data) -> tuple[Experiment, Data]:
    """Say whether to compute in bfloat16 here, in place of ``auto``; that loads torch.

    Mistakes are looked for before: in the plan, the pairs and the benchmarks.

    Raises:
        PanglotError: see ``plan_runs``; or pairs or a benchmark cannot be read.
    """
    targets = dict.fromkeys(target for run in plan_runs(experiment, data) for target in run.targets)
    sources_of(data)
    for target in targets:
        benchmark_of(data, target.name, target.languages)
    here = {"recipe": with_precision(experiment.recipe), "bf16": chosen_precision(experiment.bf16)}
    return experiment.model_copy(update=here), replace(data, bf16=chosen_precision(data.bf16))


def plan_runs(experiment: Experiment, data: Data) -> list[Run]:
    """Return the runs that answer an experiment's question; torch is not loaded.

    Raises:
        PanglotError: settings that cannot work: a setting names a benchmark that the catalogue lacks, say.
    """
    for setting in BY_BENCHMARK:
        given = experiment.grid.get(setting)
        for name in given if isinstance(given, dict) else ():
            if name != HELD_OUT:
                entry_named(name)
    if twice := [name for k, name in enumerate(experiment.benchmarks) if name in experiment.benchmarks[:k]]:
        raise PanglotError(f"benchmark '{twice[0]}' is named twice; name it once.")
    runs: list[Run] = experiment.module.plan(experiment, experiment.settings(), data)
    if any(run.trained for run in runs) and not data.pairs:
        raise PanglotError("there is nothing to train on; name parallel pairs with --pairs.")
    if not any(run.targets for run in runs):
        raise PanglotError("there is nothing to measure on; name a benchmark with --benchmark.")
    for measure in _measures(experiment, runs):
        if measure not in data.measures:
            raise PanglotError(f"'{measure}' is not measured; use {', '.join(data.measures)}.")
    return runs


def _measures(experiment: Experiment, runs: Sequence[Run]) -> list[str]:
    titles = [target.title for run in runs for target in run.targets]
    return list(dict.fromkeys([experiment.measure, *map(experiment.measure_of, titles)]))


def run_experiment(
    experiment: Experiment,
    data: Data,
    output: str | Path,
    *,
    runs_folder: str | Path | None = None,
    workers: int = 1,
    progress: "OnProgress | None" = None,
) -> Answer:
    """Run what an experiment needs and write its answer.

    It may be stopped at any time: the same call continues, and never repeats a finished run.

    Args:
        output: folder of the answer: ``report.html``, ``report.md``, ``summary.json``, plots and tables.
        runs_folder: of the runs; several experiments may share one. (default: ``runs`` in ``output``)
        workers: runs at once; see ``sweep``.

    Raises:
        KeyboardInterrupt: a run was interrupted.
        PanglotError: settings or data that cannot work, or what draws is not installed.
    """
    check_installed()
    forget_data()
    output = Path(output)
    folder = output / "runs" if runs_folder is None else Path(runs_folder)
    experiment, data = with_precisions(experiment, data)
    from panglot.experiments.sweep import sweep  # loads torch

    runs = plan_runs(experiment, data)
    sweep(runs, data, folder, workers=workers, progress=progress)
    perturbed = any(target.perturb for run in runs for target in run.targets)
    # changed queries are measured by the first measure alone
    measures = [*_measures(experiment, runs), *(data.measures[:1] if perturbed else ()), DISTANCE]
    table = read_table(runs, data, folder, list(dict.fromkeys(measures)))
    findings = Findings(experiment, runs, table, data, folder)
    sections = experiment.module.answer(experiment.settings(), findings)
    return _write(sections, findings, output)


def _write(sections: Sequence[Section], findings: Findings, output: Path) -> Answer:
    """Write ``summary.json``, ``report.html`` and ``report.md`` with its plots and tables beside it."""
    summary = _summary(sections, findings)
    title, described = findings.experiment.module.TITLE, _subtitle(findings.runs, summary)
    texts = {  # all is drawn before anything is written
        "report.html": page(title, described, sections),
        "report.md": markdown(title, described, sections),
    }
    assets = write_assets(sections, output)
    for name, text in texts.items():
        write_page(output / name, text)
    write_json(output / "summary.json", summary)
    return Answer(sections, summary, [*(output / name for name in (*texts, "summary.json")), *assets])


def _summary(sections: Sequence[Section], findings: Findings) -> dict[str, Any]:
    """Return the content of ``summary.json``: settings, data and runs, and all tables."""
    data, runs = findings.data, findings.runs
    sources, held_out = sources_of(data)
    found = {
        **describe_run(),
        "experiment": findings.experiment.model_dump(mode="json"),
        "sources": {source.name: source.sha256 for source in sources},
        "held_out": data.held_out if held_out else 0,
        "benchmarks": {
            target.title: {
                "languages": list(benchmark.languages),
                "sha256": [part.sha256 for part in getattr(benchmark, "parts", [benchmark])],
            }
            for target in {target.title: target for run in runs for target in run.targets}.values()
            for benchmark in [benchmark_of(data, target.name, target.languages)]
        },
        "runs": [
            {
                "name": run.title,
                "folder": folder_of(run, data, findings.folder).name,
                "key": key_of(run, data),
            }
            for run in runs
        ],
        "tables": {
            table.name: {"title": table.title, "rows": to_records(table.data)} for table in _tables(sections)
        },
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
