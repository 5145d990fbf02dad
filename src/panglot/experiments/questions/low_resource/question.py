"""Does hybrid training help low-resource languages, zero-shot, against the other strategies?"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from panglot.errors import PanglotError
from panglot.evaluation import Evaluation
from panglot.evaluation.compare import ALPHA
from panglot.evaluation.groups import group_figures, training_languages
from panglot.experiments.answer import Answer
from panglot.experiments.charts import dots
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import (
    Findings,
    Groups,
    averaged,
    by_seed,
    compare_groups,
    compared_grid,
)
from panglot.experiments.questions.low_resource.groups import Key, contrasts, gain_figures, paired
from panglot.experiments.questions.low_resource.words import (
    HYBRID,
    Gains,
    class_text,
    of_classes,
    of_contrast,
    of_pairs,
    of_question,
    of_settings,
    pair_name,
)
from panglot.experiments.runs import ZERO_SHOT, Measured, Places, Run
from panglot.report.blocks import Cell, Grid, Picture, Section, Sentences, figure
from panglot.report.tables import SETTING_NAMES
from panglot.report.words import measure_title
from panglot.training import override
from panglot.training.settings import Part, checked

TITLE = "Does hybrid training help low-resource languages?"
PAIRS = "pairs, by their lower class"
Rows = Sequence[tuple[Sequence[str], Mapping[str, Any]]]  # heads, and a figure of ``gain_figures``


class Asked(Part):
    """What is compared.

    Attributes:
        strategies: of batches; ``hybrid`` must be among them.
        languages: trained on these only; None: all.
        measured: by benchmark, the languages it is measured in; all where it is not named.
        measures: by benchmark, the measure of its answers, in place of the experiment's.
    """

    strategies: Annotated[list[str], Field(min_length=2)]
    languages: list[str] | None = None
    measured: dict[str, list[str]] = Field(default_factory=dict)
    measures: dict[str, str] = Field(default_factory=dict)


def plan(experiment: Experiment, places: Places) -> list[Run]:
    """Return the encoder as it comes, and a run for every strategy and seed."""
    grid = _grid(experiment)
    benchmarks = tuple(
        Measured(name, tuple(grid.measured[name]) if name in grid.measured else None)
        for name in experiment.benchmarks
    )
    recipe = override(experiment.recipe, {"data.languages": grid.languages})
    found = [Run(ZERO_SHOT, recipe, benchmarks, trained=False)]
    for strategy in grid.strategies:
        for seed in range(experiment.seeds):
            chosen = override(recipe, {"batches.strategy": strategy, "training.seed": seed})
            found.append(Run(strategy, chosen, benchmarks))
    return found


def _grid(experiment: Experiment) -> Asked:
    grid = checked(Asked, experiment.grid, "grid")
    if HYBRID not in grid.strategies:
        raise PanglotError("grid: strategies lack 'hybrid', which the others are compared with; add it.")
    return grid


def answer(experiment: Experiment, runs: Sequence[Run], findings: Findings) -> Answer:
    """Say where hybrid is ahead of every other strategy: overall, by resource class and by language pair."""
    grid = _grid(experiment)
    first: list[str] = []
    others: list[str] = []
    sections, figures = [], {}
    for benchmark, groups in findings.items():
        measure = grid.measures.get(benchmark, experiment.measure)
        seen = _seen(grid, groups)
        compared = compare_groups(groups, HYBRID, measure)
        seeds = {name: by_seed(evaluations, measure) for name, evaluations in groups.items()}
        gains = paired(groups, HYBRID, measure, seen)
        found = gain_figures(gains)
        contrast = contrasts(gains, ("side", "low"), ("side", "high"))
        overall = list(of_settings(benchmark, compared, seeds, measure))
        first += of_question(benchmark, found, measure) or overall
        first += of_contrast(benchmark, contrast, measure)
        by_class = list(of_classes(benchmark, found, measure))
        by_pair = list(of_pairs(benchmark, found, measure))
        others += [said for said in (*overall, *by_class, *by_pair) if said not in first]
        whole = compared_grid(
            f"low-resource-{benchmark}", f"{measure_title(measure)} on {benchmark} by strategy", compared
        )
        sections.append(Section(benchmark, benchmark, [Sentences(overall, listed=True), whole]))
        sections += _by_class(benchmark, found, measure, by_class)
        sections += _by_pair(benchmark, found, measure, by_pair)
        figures[benchmark] = {
            "measure": measure,
            "trained_on": seen,
            "compared": compared,
            "by_seed": seeds,
            "groups": {name: _groups(groups[name], name, measure, seen) for name in groups},
            "hybrid_minus": {" ".join(key): gain for key, gain in found.items()},
            "low_minus_other_pairs": contrast,
        }
    first.append(_how(experiment.seeds, grid))
    return Answer(
        [*first, *others], [Section("answer", "Answer", [Sentences(first, listed=True)]), *sections], figures
    )


def _how(seeds: int, grid: Asked) -> str:
    runs = f"a mean over {seeds} seeds" if seeds > 1 else "of one seed"
    disagree = "; where seeds disagree on the sign of a difference, that is said" if seeds > 1 else ""
    english = " All draw from the same languages, english from English only." * ("english" in grid.strategies)
    return (
        f"Every figure of a trained model is {runs}. Intervals and tests are over items, not over seeds"
        f"{disagree}.{english}"
    )


def _seen(grid: Asked, groups: Groups) -> list[str]:
    """Return the languages of the training data, as the recipe or else a trained run says."""
    if grid.languages is not None:
        return sorted(grid.languages)
    return training_languages(groups[HYBRID][0].results) or []


def _groups(
    evaluations: Sequence[Evaluation], name: str, measure: str, seen: Sequence[str]
) -> dict[str, Any]:
    """Return figures by script, family, resource class and training of the languages, of one measure."""
    mean = averaged(evaluations, name)
    settings = {
        setting: figures and {measure: figures[measure]}
        for setting, figures in mean.results["settings"].items()
    }
    results = {**mean.results, "settings": settings}
    return group_figures(results, mean.per_query, trained_on=seen)


def _by_class(benchmark: str, found: Gains, measure: str, words: Sequence[str]) -> list[Section]:
    """Show what hybrid is ahead of others by resource class; no section where there is one at most."""
    parts = [key[1] for key in found if key[0] == "training"]
    classes = {
        key: gain
        for key, gain in found.items()
        if key[0] in ("class", "language") or (key[0] == "training" and parts.count(key[1]) > 1)
    }
    if len(classes) < 2:
        return []
    title = f"{measure_title(measure)} on {benchmark} by resource class"
    rows = [(_class_heads(key), gain) for key, gain in classes.items()]
    table = _table(f"low-resource-{benchmark}-classes", title, ("of", "class", "trained on"), rows)
    blocks = (Sentences(words, listed=True), _picture(benchmark, classes, measure), table)
    return [Section(f"{benchmark}-classes", f"{benchmark} by resource class", blocks)]


def _by_pair(benchmark: str, found: Gains, measure: str, words: Sequence[str]) -> list[Section]:
    """Show what hybrid is ahead of others pair by pair, from the lowest class up."""
    pairs = sorted((class_text(key), key) for key in found if key[0] == "pair")
    if not pairs:
        return []
    title = f"{measure_title(measure)} on {benchmark} by language pair"
    rows = [((pair_name(key), lower), found[key]) for lower, key in pairs]
    table = _table(f"low-resource-{benchmark}-pairs", title, ("pair", "lower class"), rows)
    return [
        Section(f"{benchmark}-pairs", f"{benchmark} by language pair", [Sentences(words, listed=True), table])
    ]


def _class_heads(key: Key) -> tuple[str, str, str]:
    if key[0] == "language":
        return f"queries, {SETTING_NAMES[key[2]]}", key[1], "all"
    return "pairs", key[1], key[2] if key[0] == "training" else "all"


def _table(name: str, title: str, heads: Sequence[str], rows: Rows) -> Grid:
    """Show hybrid, and hybrid minus each other, a row a group."""
    others = list(rows[0][1]["against"])
    cells = []
    for names, gain in rows:
        own = figure(gain["value"], (gain["low"], gain["high"]))
        against = [
            figure(f["difference"], (f["low"], f["high"]), "+.3f", verdict=f["verdict"])
            for f in gain["against"].values()
        ]
        cells.append([*(Cell(text) for text in names), own, *against])
    note = (
        "Hybrid, and hybrid minus each other, with 95 % intervals of a bootstrap over items. ▲ hybrid is "
        f"better, ▼ worse, p < {ALPHA} after Holm's correction over all rows of a kind. The class of a pair "
        "is the lower one of its two languages; both directions count."
    )
    columns = [*heads, HYBRID, *(f"minus {other}" for other in others)]
    return Grid(name, title, columns, cells, heads=len(heads), note=note)


def _picture(benchmark: str, classes: Gains, measure: str) -> Picture:
    """Draw what hybrid is ahead of each trained strategy, by resource class; a panel a setting."""
    rows: list[dict[str, Any]] = []
    for key, gain in classes.items():
        if key[0] == "training" or key[-1] == "crosslingual":
            continue
        panel = PAIRS if key[0] == "class" else f"{SETTING_NAMES[key[2]]} queries, by class"
        for name, against in gain["against"].items():
            if name != ZERO_SHOT:
                ends = {"value": against["difference"], "low": against["low"], "high": against["high"]}
                rows.append({"name": f"class {key[1]}", "series": f"minus {name}", "panel": panel, **ends})
    title = f"Hybrid minus each strategy on {benchmark}, by resource class"
    spec = dots(
        rows,
        title,
        value=f"difference of {measure_title(measure)}",
        names=sorted({row["name"] for row in rows}),
        series=list(dict.fromkeys(row["series"] for row in rows)),
        panels=list(dict.fromkeys(row["panel"] for row in rows)),
        zero=True,
    )
    alt = f"{title}: differences with 95 % intervals, and a line at 0; the numbers are in the table."
    return Picture(f"low-resource-{benchmark}-classes-dots", title, alt, spec)
