"""What more training languages buy: for all measured, those always trained on, and the last to be added."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from panglot.evaluation import Evaluation
from panglot.evaluation.cells import ALL
from panglot.experiments.charts import PANELS, curves
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import DISTANCE, Groups, by_seed, compare_groups, compared_grid, figure_of
from panglot.experiments.questions.scaling_plan import (
    ZERO_SHOT,
    Grid,
    equal_pairs,
    equal_steps,
    languages_group,
)
from panglot.experiments.runs import Run
from panglot.report.blocks import Block, Cell, Picture, Section, Sentences, figure
from panglot.report.blocks import Grid as Table
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import listed, measure_title, p_text

STEPS, PAIRS = "equal steps", "equal pairs per language"
MOVES = {"better": "rises", "worse": "falls", None: "does not change significantly"}


@dataclass(frozen=True)
class Subset:
    """Some of the measured languages.

    Attributes:
        title: what answers call it.
        languages: of it.
        inside: only passages in these languages too; False: in all, from and to these languages.
        baseline: how many languages the run has that the others are compared with.
    """

    title: str
    languages: tuple[str, ...]
    inside: bool
    baseline: int


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
        said += _sentences(benchmark, name, whole[name], names, measure)
    for subset in subsets:
        said += _of_subset(benchmark, subset, parts[subset.title][STEPS], budgets[STEPS], measure)
    said += _budget_notes(benchmark, grid, experiment, counts)
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


def _sentences(
    benchmark: str, budget: str, compared: Mapping[str, Any], names: Mapping[int, str], measure: str
) -> Iterator[str]:
    """Say where each setting is best, what the most languages do to it, and whether settings trade off."""
    few, many = min(names), max(names)
    runs = compared["compared"]
    for setting, title in PANELS.items():
        start = figure_of(runs[names[few]], setting)
        if start is None or len(names) < 2:
            continue
        sign, form = (-1, ",.0f") if setting == DISTANCE else (1, ".4f")
        values = {count: figure_of(runs[name], setting) for count, name in names.items()}
        best = max(values, key=lambda count: sign * values[count]["value"])  # type: ignore[index]
        what = title if setting == DISTANCE else f"{title} {measure_title(measure)}"
        if best == few:
            top = f"best with the fewest languages, {few} ({start['value']:{form}})"
        else:
            top = (
                f"best with {best} languages, {values[best]['value']:{form}} "  # type: ignore[index]
                f"against {start['value']:{form}} with {few} ({_change(values[best], form)})"
            )
        end = "" if best == many else f"; with {many}, {_change(values[many], form)}"
        yield f"{benchmark}, at {budget}, {what}: {top}{end}."
    both = [figure_of(runs[names[many]], setting) for setting in ("crosslingual", "multilingual")]
    if len(names) > 1 and all(both):
        yield f"{benchmark}, at {budget}, from {few} to {many} languages: {_trade(*both)}"


def _trade(cross: Any, multi: Any) -> str:
    """Say whether cross-lingual and multilingual quality trade off."""
    if {cross["verdict"], multi["verdict"]} == {"better", "worse"}:
        return (
            f"a trade-off: cross-lingual quality {MOVES[cross['verdict']]} and multilingual quality "
            f"{MOVES[multi['verdict']]}."
        )
    if cross["verdict"] == multi["verdict"]:
        if cross["verdict"] is None:
            return (
                "neither cross-lingual nor multilingual quality changes significantly; no trade-off is seen."
            )
        return f"no trade-off: cross-lingual and multilingual quality both {MOVES[cross['verdict']][:-1]}."
    return (
        f"no trade-off is seen: cross-lingual quality {MOVES[cross['verdict']]}, "
        f"multilingual quality {MOVES[multi['verdict']]}."
    )


def _change(found: Any, form: str) -> str:
    """Give a difference to the baseline with its interval and corrected p."""
    low, high = (format(found[f"difference_{end}"], f"+{form}") for end in ("low", "high"))
    change = format(found["difference"], f"+{form}")
    sure = "" if found["verdict"] else ", not significant"
    return f"{change} [{low}, {high}], {p_text(found['p_holm'])}{sure}"


def _of_subset(
    benchmark: str, subset: Subset, compared: Mapping[str, Any], names: Mapping[int, str], measure: str
) -> Iterator[str]:
    """Say, at equal steps, what more languages do to those always trained on, or to one before and after."""
    runs = compared["compared"]
    many, base = max(names), subset.baseline
    for setting in ("monolingual", "crosslingual"):
        start = figure_of(runs[names[base]], setting)
        if start is None:
            continue
        what = f"{SETTING_NAMES[setting]} {measure_title(measure)}"
        where = f"{benchmark}, {subset.title}, at {STEPS}, {what}"
        end = figure_of(runs[names[many]], setting)
        if subset.inside:
            if many != base:
                began = f"{start['value']:.4f} with {base} languages"
                yield f"{where}: {began}; with {many}, {_change(end, '.4f')}."
            continue
        after = min(count for count in names if count > base)
        plain = figure_of(runs[ZERO_SHOT], setting)
        assert plain is not None
        gained = -plain["difference"]
        sure = "" if plain["verdict"] else ", not significant"
        yield (
            f"{where}: with {base} languages, none of them {listed(subset.languages)}, {start['value']:.4f}, "
            f"{gained:+.4f} against the encoder as it comes ({p_text(plain['p_holm'])}{sure}); with {after}, "
            f"{_change(figure_of(runs[names[after]], setting), '.4f')}."
        )


def _budget_notes(benchmark: str, grid: Grid, experiment: Experiment, counts: Sequence[int]) -> Iterator[str]:
    """Say what equal pairs per language means, and where it does not hold."""
    size = experiment.recipe.batches.size
    wanted = {count: experiment.recipe.training.steps * count / grid.reference for count in counts}
    having = {count: equal_pairs(grid, experiment, count) for count in counts}
    ends = [f"{having[count]:,} steps with {count}" for count in (counts[0], counts[-1])]
    each = size * experiment.recipe.training.steps / grid.reference
    yield (
        f"{benchmark}: equal pairs per language are about {each:,.0f} pairs of each ({listed(ends)} "
        "languages), so more languages also mean more training."
    )
    short = [f"{count}" for count in counts if wanted[count] > grid.max_steps]
    if short:
        yield (
            f"{benchmark}: {listed(short)} languages stop at {grid.max_steps:,} steps, so they have fewer "
            "pairs per language than the others."
        )


def seeds_note(benchmark: str, groups: Groups, measure: str) -> str:
    """Say how far seeds of one run are apart, which intervals and tests do not know of."""
    seeds = max(len(found) for found in groups.values())
    if seeds < 2:
        return f"{benchmark}: figures are of 1 seed; how far another would be from it is not known."
    apart: dict[str, float] = {}
    for found in groups.values():
        for setting, values in by_seed(found, measure).items():
            apart[setting] = max(apart.get(setting, 0.0), max(values) - min(values))
    said = [f"{SETTING_NAMES[s]} {value:.4f}" for s, value in apart.items()]
    return (
        f"{benchmark}: figures are means of {seeds} seeds. Intervals and tests draw items, not seeds; seeds "
        f"of one run are apart in {measure_title(measure)} by up to: {listed(said)}."
    )


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
