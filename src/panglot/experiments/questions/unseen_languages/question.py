"""How far does each strategy reach languages, scripts and families that are left out of training?"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from panglot.batches import Strategy
from panglot.data.catalogue import entry_named
from panglot.errors import PanglotError
from panglot.experiments.answer import Answer
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import Findings
from panglot.experiments.questions.unseen_languages.figures import reach
from panglot.experiments.questions.unseen_languages.sections import blocks
from panglot.experiments.questions.unseen_languages.values import LeftOutSet, measured_languages, values_at
from panglot.experiments.questions.unseen_languages.words import about_seeds, headlines, sentences
from panglot.experiments.runs import HELD_OUT, ZERO_SHOT, Measured, Places, Run, benchmark_of, sources_of
from panglot.languages import branch, family, writing
from panglot.report.blocks import Section, Sentences
from panglot.training import override
from panglot.training.settings import Part, checked

TITLE = "How far does each strategy reach languages that are left out of training?"


class LeftOut(Part):
    """A set of languages that is left out of training: whatever any of these takes in.

    Attributes:
        languages: codes; one without script and region takes those with them along.
        scripts: as ``panglot.languages.writing`` gives them.
        families: families, or branches of families.
    """

    languages: list[str] = Field(default_factory=list)
    scripts: list[str] = Field(default_factory=list)
    families: list[str] = Field(default_factory=list)

    def of(self, codes: Sequence[str]) -> list[str]:
        """Return those of some languages that are left out."""
        return [
            code
            for code in codes
            if {code, code.split("-")[0]} & set(self.languages)
            or writing(code) in self.scripts
            or {family(code), branch(code)} & set(self.families)
        ]


class Grid(Part):
    """What is compared.

    Attributes:
        left_out: sets of languages, by name.
        strategies: that are trained on all languages, and without each set.
        languages: trained on where nothing is left out; None: all languages of the sources.
        measured: queries and passages in these, where a benchmark has them; None: in all trained on.
    """

    left_out: dict[str, LeftOut] = Field(min_length=1)
    strategies: list[Strategy] = Field(default=["monolingual", "crosslingual", "hybrid"], min_length=1)
    languages: list[str] | None = None
    measured: list[str] | None = None


def plan(experiment: Experiment, places: Places) -> list[Run]:
    """Return the encoder as it comes, and each strategy and seed with all languages and without each set."""
    grid = checked(Grid, experiment.grid, "grid")
    trained = _trained(grid, places)
    benchmarks = tuple(_measured(name, grid, trained, places) for name in experiment.benchmarks)
    found = [Run(ZERO_SHOT, experiment.recipe, benchmarks, trained=False)]
    for name in (None, *grid.left_out):
        left_out = [] if name is None else _left_out(name, grid, trained, benchmarks)
        languages = [code for code in trained if code not in left_out]
        for strategy in grid.strategies:
            for seed in range(experiment.seeds):
                settings = {
                    "batches.strategy": strategy,
                    "data.languages": languages,
                    "training.seed": seed,
                }
                found.append(Run(group(strategy, name), override(experiment.recipe, settings), benchmarks))
    return found


def answer(experiment: Experiment, runs: Sequence[Run], findings: Findings) -> Answer:
    """Say what left-out languages gain over the encoder as it comes, and how much of the gain remains."""
    grid = checked(Grid, experiment.grid, "grid")
    seen = {run.group: tuple(run.recipe.data.languages or ()) for run in runs if run.trained}
    said = [about_seeds(experiment.seeds)]
    sections = []
    figures: dict[str, Any] = {}
    for benchmark, groups in findings.items():
        sets = _sets(grid, seen, measured_languages(groups))
        if not sets:
            said.append(f"{benchmark}: has no language that was left out.")
            continue
        values = values_at(groups, experiment.measure, sets)
        figures[benchmark] = reach(values, sets, grid.strategies, ZERO_SHOT, group)
        own = sentences(benchmark, figures[benchmark], experiment.measure)
        said += headlines(benchmark, figures[benchmark], experiment.measure)
        shown = blocks(benchmark, figures[benchmark], experiment.measure)
        sections.append(Section(benchmark, benchmark, [Sentences(own, listed=True), *shown]))
    return Answer(said, sections, figures)


def _sets(grid: Grid, seen: Mapping[str, tuple[str, ...]], measured: Sequence[str]) -> list[LeftOutSet]:
    """Return the sets of which a benchmark has left-out languages."""
    strategy = grid.strategies[0]
    trained = seen[group(strategy, None)]
    found = []
    for name in grid.left_out:
        rest = seen[group(strategy, name)]
        left_out = tuple(code for code in measured if code in trained and code not in rest)
        if left_out:
            found.append(LeftOutSet(name, rest, left_out, tuple(code for code in measured if code in rest)))
    return found


def group(strategy: str, left_out: str | None) -> str:
    """Return what runs of a strategy without a set, or with all languages, are called."""
    return f"{strategy} with all languages" if left_out is None else f"{strategy} without {left_out}"


def _trained(grid: Grid, places: Places) -> list[str]:
    """Return the languages that are trained on where nothing is left out."""
    if grid.languages is not None:
        return sorted(set(grid.languages))
    return sorted({code for source in sources_of(places)[0] for code in source.languages})


def _measured(name: str, grid: Grid, trained: Sequence[str], places: Places) -> Measured:
    """Return a benchmark in the wanted languages that it has."""
    wanted = trained if grid.measured is None else grid.measured
    if never := sorted(set(wanted) - set(trained)):
        raise PanglotError(
            f"grid.measured names '{never[0]}', which is in no training at all; "
            "add it to grid.languages, or leave it out of both."
        )
    having = benchmark_of(places, name).languages if name == HELD_OUT else entry_named(name).languages
    languages = tuple(sorted(set(wanted) & set(having)))
    if not languages:
        raise PanglotError(f"{name} has none of the languages {', '.join(wanted)}; measure on others.")
    return Measured(name, languages)


def _left_out(name: str, grid: Grid, trained: Sequence[str], benchmarks: Sequence[Measured]) -> list[str]:
    """Return the languages of a set that would be trained on, or refuse one that says nothing."""
    found = grid.left_out[name].of(trained)
    where = f"grid.left_out: '{name}'"
    if len(found) > len(trained) - 2:
        raise PanglotError(f"{where} leaves fewer than two languages to train on; leave out less.")
    measured = {code for benchmark in benchmarks for code in benchmark.languages or ()}
    if not measured & set(found):
        raise PanglotError(f"{where} takes in no language that is measured; name others, or measure on more.")
    return found
