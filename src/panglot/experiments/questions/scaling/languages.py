"""What more training languages buy: for all measured, those always trained on, and the last to be added."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from panglot.evaluation import Evaluation
from panglot.evaluation.cells import ALL
from panglot.experiments.charts import PANELS, curves
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import Groups, by_seed, compare_groups, compared_grid, figure_of
from panglot.experiments.questions.scaling.plan import Grid, equal_pairs, equal_steps, languages_group
from panglot.experiments.questions.scaling.words import (
    PAIRS,
    STEPS,
    Subset,
    budget_words,
    seeds_note,
    subset_words,
    whole_words,
)
from panglot.experiments.runs import ZERO_SHOT, Run
from panglot.report.blocks import Block, Cell, Picture, Section, Sentences, figure
from panglot.report.blocks import Grid as Table
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import listed, measure_title


def languages_section(
    experiment: Experiment, grid: Grid, runs: Sequence[Run], benchmark: str, groups: Groups
) -> tuple[Section, list[str], dict[str, Any]]:
    """Answer for one benchmark: section, sentences and figures."""
    measure = experiment.measure
    counts = counts_of(runs, groups)
    budgets = {
        STEPS: {count: languages_group(count, equal_steps(experiment)) for count in counts},
        PAIRS: {count: languages_group(count, equal_pairs(grid, experiment, count)) for count in counts},
    }
    few = counts[0]
    whole = {name: _compared(groups, names, few, measure) for name, names in budgets.items()}
    subsets = subsets_of(grid, counts)
    parts = {
        subset.title: {
            name: _compared(_only(groups, subset), names, subset.baseline, measure)
            for name, names in budgets.items()
        }
        for subset in subsets
    }
    said: list[str] = []
    for name, names in budgets.items():
        said += whole_words(benchmark, name, whole[name], names, measure)
    for subset in subsets:
        said += subset_words(benchmark, subset, parts[subset.title][STEPS], budgets[STEPS], measure)
    said += budget_words(benchmark, grid, experiment, counts)
    said.append(seeds_note(benchmark, groups, measure))
    title = f"{measure_title(measure)} on {benchmark} by number of training languages"
    blocks: list[Block] = [
        Sentences(said, listed=True),
        _picture(f"languages-{benchmark}", title, whole, budgets, PANELS),
        *_tables(benchmark, whole, measure),
    ]
    for k, subset in enumerate(subsets):
        of_subset = f"{title}: {subset.title}"
        name = f"languages-{benchmark}-{k + 1}"
        blocks.append(_picture(name, of_subset, parts[subset.title], budgets, SETTING_NAMES))
        blocks.append(_subset_table(name, of_subset, parts[subset.title], budgets))
    figures = {
        "budgets": {name: {str(c): group for c, group in names.items()} for name, names in budgets.items()},
        "compared": whole,
        "subsets": parts,
        "by_seed": {name: by_seed(found, measure) for name, found in groups.items()},
    }
    return Section(f"languages-{benchmark}", f"Training languages: {benchmark}", blocks), said, figures


def counts_of(runs: Sequence[Run], groups: Groups) -> list[int]:
    """Return the numbers of training languages that were run, ascending."""
    names = {run.group for run in runs if run.trained and run.group in groups}
    return sorted({int(name.split()[0].replace(",", "")) for name in names if " languages, " in name})


def subsets_of(grid: Grid, counts: Sequence[int]) -> list[Subset]:
    """Return the measured languages that all runs were trained on, and those that were added last."""
    enters = {code: _enters(grid, code, counts) for code in grid.measured}
    always = tuple(code for code in grid.measured if enters[code] == counts[0])
    last = max(enters.values())
    late = tuple(code for code in grid.measured if enters[code] == last)
    found = []
    if always:
        found.append(Subset(f"{listed(always)}, always trained on", always, inside=True, baseline=counts[0]))
    if last > counts[0]:
        before = max(count for count in counts if count < last)
        title = f"{listed(late)}, trained on from {last} languages on"
        found.append(Subset(title, late, inside=False, baseline=before))
    return found


def _enters(grid: Grid, code: str, counts: Sequence[int]) -> int:
    """Return from how many languages on one is trained on; what is not in the grid comes with all."""
    place = grid.languages.index(code) if code in grid.languages else max(counts)
    return next((count for count in counts if count > place), max(counts))


def _only(groups: Groups, subset: Subset) -> Groups:
    """Keep what is about a subset's languages: their own pools, pools between, and their queries in all."""
    chosen = pa.array(subset.languages, pa.string())

    def cut(evaluation: Evaluation) -> Evaluation:
        table = evaluation.per_query
        asked = pc.is_in(table["query_language"], chosen)
        found = pc.is_in(table["pool"], chosen)
        every = pc.equal(table["pool"], ALL)
        in_matrix = pc.and_(asked, found) if subset.inside else pc.or_(asked, found)
        kept = pc.or_(pc.and_(asked, every), pc.and_(in_matrix, pc.invert(every)))
        return Evaluation(evaluation.results, table.filter(kept))

    return {name: [cut(evaluation) for evaluation in found] for name, found in groups.items()}


def _compared(groups: Groups, names: Mapping[int, str], baseline: int, measure: str) -> dict[str, Any]:
    """Compare the runs of a budget, and the encoder as it comes, with one of them."""
    wanted = {name: groups[name] for name in (ZERO_SHOT, *names.values())}
    return compare_groups(wanted, names[baseline], measure)


def _tables(benchmark: str, whole: Mapping[str, Any], measure: str) -> list[Table]:
    return [
        compared_grid(
            f"languages-{benchmark}-{name.split()[1]}",
            f"{measure_title(measure)} on {benchmark} at {name}",
            compared,
        )
        for name, compared in whole.items()
    ]


def _subset_table(
    name: str, title: str, parts: Mapping[str, Any], budgets: Mapping[str, Mapping[int, str]]
) -> Table:
    settings = [s for s in SETTING_NAMES if any(_all(parts, budgets, s))]
    rows = [
        [
            Cell(budget if k else ZERO_SHOT),
            Cell(str(count) if k else ""),
            *(_cell(parts[budget]["compared"][group], setting) for setting in settings),
        ]
        for budget, names in budgets.items()
        for k, (count, group) in enumerate([(0, ZERO_SHOT), *names.items()])
        if k or budget == STEPS
    ]
    base = parts[STEPS]["baseline"].split(",")[0]
    note = (
        f"▲ better and ▼ worse than {base} at the same budget, p < {parts[STEPS]['method']['alpha']} after "
        "Holm's correction over the settings."
    )
    columns = ["budget", "languages", *(SETTING_NAMES[s] for s in settings)]
    return Table(name, title, columns, rows, heads=2, note=note, folded=True)


def _all(parts: Mapping[str, Any], budgets: Mapping[str, Mapping[int, str]], setting: str) -> Iterator[bool]:
    for budget, names in budgets.items():
        for group in names.values():
            yield figure_of(parts[budget]["compared"][group], setting) is not None


def _cell(of_run: Mapping[str, Any], setting: str) -> Cell:
    found = figure_of(of_run, setting)
    if found is None:
        return figure(None)
    return figure(found["value"], (found["low"], found["high"]), ".4f", verdict=found.get("verdict"))


def _picture(
    name: str,
    title: str,
    parts: Mapping[str, Any],
    budgets: Mapping[str, Mapping[int, str]],
    settings: Mapping[str, str],
) -> Picture:
    """Draw both budgets over the number of languages, and the encoder as it comes as a level line."""
    rows: list[dict[str, Any]] = []
    panels: list[str] = []
    for setting, panel in settings.items():
        for budget, names in budgets.items():
            series = {budget: dict(names.items())}
            if budget == STEPS:
                series[ZERO_SHOT] = dict.fromkeys((min(names), max(names)), ZERO_SHOT)
            for called, groups in series.items():
                for count, group in groups.items():
                    found = figure_of(parts[budget]["compared"][group], setting)
                    if found is not None:
                        panels = panels if panel in panels else [*panels, panel]
                        ends = {key: found[key] for key in ("value", "low", "high")}
                        rows.append({"x": count, "series": called, "panel": panel, **ends})
    order = [STEPS, PAIRS, ZERO_SHOT]
    spec = curves(
        rows, title, x="training languages (logarithmic)", y="", series=order, panels=panels, logarithmic=True
    )
    alt = f"{title}: a curve a budget, with 95 % intervals; the numbers are in the tables."
    return Picture(f"{name}-curve", title, alt, spec)
