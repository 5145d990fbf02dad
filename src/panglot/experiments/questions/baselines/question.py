"""One leaderboard: encoders tuned with hybrid batches against encoders as they come, and BM25."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from panglot.data import Suite
from panglot.data.catalogue import entry_named
from panglot.errors import PanglotError
from panglot.experiments.answer import Answer
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import Findings, by_seed
from panglot.experiments.questions.baselines.board import (
    Board,
    as_plain,
    make_board,
    mean_ranks,
    shared_places,
)
from panglot.experiments.questions.baselines.encoders import (
    AS_IT_COMES,
    HYBRID,
    Encoder,
    check_loadable,
    on_this_machine,
)
from panglot.experiments.questions.baselines.tables import leaderboard, tuning
from panglot.experiments.questions.baselines.words import (
    bm25_sentences,
    leader_sentences,
    left_out_sentences,
    rank_sentence,
    seed_sentence,
    tuning_sentences,
)
from panglot.experiments.runs import HELD_OUT, Measured, Places, Run, benchmark_of
from panglot.report.blocks import Section, Sentences
from panglot.search.bm25 import BM25
from panglot.training import Recipe, override
from panglot.training.settings import Part, checked

TITLE = "Hybrid-tuned encoders against encoders as they come, and BM25"
BM25_TITLE = "BM25"


class Grid(Part):
    """What is compared.

    Attributes:
        encoders: the lines of the leaderboard.
        bm25: a line more; it does not rank suites (Tatoeba).
        baseline: the line that marks compare with; None: the first.
        languages: tuned on these only; None: all that the pairs have.
        measures: by benchmark, where it is not the experiment's.
        measured_languages: by benchmark; without a line all.
    """

    encoders: list[Encoder] = Field(min_length=1)
    bm25: bool = True
    baseline: str | None = None
    languages: list[str] | None = None
    measures: dict[str, str] = Field(default_factory=dict)
    measured_languages: dict[str, list[str]] = Field(default_factory=dict)


def plan(experiment: Experiment, places: Places) -> list[Run]:
    """Return the encoders as they come, BM25, and a run for every tuned encoder and seed."""
    grid = checked(Grid, experiment.grid, "grid")
    _check_tables(grid, experiment, places)
    benchmarks = tuple(_measured(grid, name) for name in experiment.benchmarks)
    shared = override(experiment.recipe, {"batches.strategy": "hybrid", "data.languages": grid.languages})
    kept = _kept(grid, experiment.recipe)
    found = [
        Run(title, encoder.recipe(shared), benchmarks, trained=False)
        for title, encoder in kept.items()
        if AS_IT_COMES in encoder.runs
    ]
    if grid.bm25:
        ranked = tuple(m for m in benchmarks if not _is_suite(places, m))
        found.append(Run(BM25_TITLE, override(shared, {"model.name": BM25}), ranked, trained=False))
    for title, encoder in kept.items():
        for seed in range(experiment.seeds) if HYBRID in encoder.runs else ():
            recipe = override(encoder.recipe(shared), {"training.seed": seed})
            found.append(Run(_tuned(title), recipe, benchmarks))
    groups = {run.group for run in found}
    if len(groups) < 2:
        raise PanglotError("grid: a leaderboard needs two lines or more; add an encoder, or bm25 = true.")
    if grid.baseline is not None and grid.baseline not in groups:
        raise PanglotError(f"grid: baseline '{grid.baseline}' is none of {', '.join(sorted(groups))}.")
    return found


def answer(experiment: Experiment, runs: Sequence[Run], findings: Findings) -> Answer:
    """Say which line leads where, what tuning changes in each encoder, and where BM25 is ahead."""
    grid = checked(Grid, experiment.grid, "grid")
    groups = list(dict.fromkeys(run.group for run in runs))
    boards = [
        make_board(title, of_lines, grid.measures.get(title, experiment.measure))
        for title, of_lines in findings.items()
    ]
    places = shared_places(boards)
    ranks = mean_ranks(boards, places)
    baseline = grid.baseline or groups[0]
    titles = [encoder.title(experiment.recipe) for encoder in grid.encoders]
    tuned = {title: line for title in dict.fromkeys(titles) if (line := _tuned(title)) in groups}
    pairs = {title: line for title, line in tuned.items() if title in groups}
    left_out = _left_out(grid, experiment.recipe, groups)
    unranked = [b.benchmark for b in boards if BM25_TITLE in groups and BM25_TITLE not in b.lines]

    leading = [*rank_sentence(ranks, places), *leader_sentences(boards)]
    changed = [said for title, line in pairs.items() for said in tuning_sentences(boards, line, title)]
    of_bm25 = list(bm25_sentences(boards, BM25_TITLE))
    open_ = [
        *seed_sentence(findings, list(tuned.values()), boards),
        *left_out_sentences(left_out, unranked, BM25_TITLE),
    ]
    first = leaderboard(boards, ranks, places, baseline, [*leading, *open_])
    sections = [Section("leaderboard", "Leaderboard", first)]
    if pairs:
        sections.append(Section("tuning", "What hybrid tuning changes", tuning(boards, pairs, changed)))
    if of_bm25:
        sections.append(Section("bm25", BM25_TITLE, [Sentences(of_bm25, listed=True)]))
    figures = {
        "baseline": baseline,
        "mean_rank": ranks if places else {},
        "ranked_in": [list(place) for place in places],
        "left_out": left_out,
        "benchmarks": {board.benchmark: _plain(board, findings) for board in boards},
    }
    return Answer([*leading, *changed, *of_bm25, *open_], sections, figures)


def _plain(board: Board, findings: Findings) -> dict[str, Any]:
    of_lines = findings[board.benchmark]
    return {
        **as_plain(board),
        "by_seed": {line: by_seed(found, board.measure) for line, found in of_lines.items()},
    }


def _left_out(grid: Grid, recipe: Recipe, groups: Sequence[str]) -> list[str]:
    """Return the models of encoders that have no run."""
    return [
        encoder.loaded(recipe)
        for encoder in grid.encoders
        if not {encoder.title(recipe), _tuned(encoder.title(recipe))} & set(groups)
    ]


def _kept(grid: Grid, recipe: Recipe) -> dict[str, Encoder]:
    """Return the encoders that can be had here, by title."""
    kept: dict[str, Encoder] = {}
    for encoder in grid.encoders:
        model, title = encoder.loaded(recipe), encoder.title(recipe)
        if encoder.optional and (title in kept or not on_this_machine(model)):
            continue
        if title in kept or title == BM25_TITLE:
            raise PanglotError(f"grid.encoders: two lines are called '{title}'; give one a name of its own.")
        check_loadable(model)
        kept[title] = encoder
    return kept


def _measured(grid: Grid, name: str) -> Measured:
    languages = grid.measured_languages.get(name)
    return Measured(name, None if languages is None else tuple(languages))


def _is_suite(places: Places, measured: Measured) -> bool:
    return isinstance(benchmark_of(places, measured.name, measured.languages), Suite)


def _tuned(title: str) -> str:
    return f"{title} ({HYBRID})"


def _check_tables(grid: Grid, experiment: Experiment, places: Places) -> None:
    """Refuse benchmarks that are not known, and measures that no evaluation holds."""
    for name in (*grid.measures, *grid.measured_languages):
        if name != HELD_OUT:
            entry_named(name)
    for measure in (experiment.measure, *grid.measures.values()):
        if measure not in places.measures:
            raise PanglotError(f"'{measure}' is not measured; use {', '.join(places.measures)}.")
