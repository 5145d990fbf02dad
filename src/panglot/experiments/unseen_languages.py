"""How far does each strategy reach languages, scripts and families that are left out of training?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field

from panglot.batches import Strategy
from panglot.data.catalogue import entry_named
from panglot.errors import PanglotError
from panglot.evaluation import compare
from panglot.evaluation.aggregate import Aligned, Grouping
from panglot.evaluation.bootstrap import bounds, draw, interval
from panglot.evaluation.comparison import FIGURE, correct
from panglot.evaluation.groups import named_languages, pair_groups, pair_kinds
from panglot.evaluation.measures import DISTANCE
from panglot.experiments.display import as_differences, compare_all, picture
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import HELD_OUT, ZERO_SHOT, Data, Run, Target, benchmark_of, languages_of
from panglot.languages import branch, family, writing
from panglot.report.charts import dots
from panglot.report.figures import INTERVALS, difference_table, measure_title, with_panels, with_texts
from panglot.report.page import Block, Section
from panglot.report.tables import Table, texts, wide
from panglot.training.config import Part

TITLE = "How far does each strategy reach languages that are left out of training?"
NOTHING = "nothing left out"
NOTE = (
    "Gain: over the zero-shot encoder. Kept: % of the gain with all languages, empty where the interval of "
    "that gain holds zero. ▲ ▼: significantly above or below zero-shot, or the gain with all languages. "
    f"{INTERVALS} p < 0.05 after Holm's correction over all sets, strategies and settings."
)


class LeftOut(Part):
    """A set of languages that is left out of training: whatever any of these contains.

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
        strategies: that are trained on all languages, and without each set; the recipe's own is compared with
            the others.
        languages: trained on where nothing is left out; None: all languages of the sources.
        measured: queries and passages in these, where a benchmark has them; None: in all trained on.
        others: pre-trained encoders (names that ``load_encoder`` takes) and ``bm25``, measured as they are.
    """

    left_out: dict[str, LeftOut] = Field(min_length=1)
    strategies: list[Strategy] = Field(default=["monolingual", "crosslingual", "hybrid"], min_length=1)
    languages: list[str] | None = None
    measured: list[str] | None = None
    others: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class LeftOutSet:
    """A set of languages: what is trained on without it, and which measured languages are in it."""

    name: str
    seen: tuple[str, ...]
    left_out: tuple[str, ...]
    kept: tuple[str, ...]


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder, and each strategy and seed with all languages and without each set."""
    trained = languages_of(data) if grid.languages is None else sorted(set(grid.languages))
    targets = tuple(_target(name, grid, trained, data) for name in experiment.benchmarks)
    untrained = {ZERO_SHOT: {}, **{name: {"model.name": name} for name in grid.others}}
    found = [experiment.untrained(targets, *one) for one in untrained.items()]
    runs = {}
    for name in (None, *grid.left_out):
        left_out = [] if name is None else _left_out(name, grid, trained, targets)
        languages = [code for code in trained if code not in left_out]
        for strategy in grid.strategies:
            runs[run_name(strategy, name)] = {"batches.strategy": strategy, "data.languages": languages}
    return [*found, *experiment.seeded(targets, runs)]


def run_name(strategy: str, left_out: str | None) -> str:
    """Return what runs of a strategy without a set, or with all languages, are called."""
    return f"{strategy} with all languages" if left_out is None else f"{strategy} without {left_out}"


def _target(name: str, grid: Grid, trained: Sequence[str], data: Data) -> Target:
    """Return a benchmark in the wanted languages that it has."""
    wanted = trained if grid.measured is None else grid.measured
    if never := sorted(set(wanted) - set(trained)):
        raise PanglotError(
            f"grid.measured names '{never[0]}', which no run is trained on; "
            "add it to grid.languages, or leave it out of both."
        )
    having = benchmark_of(data, name).languages if name == HELD_OUT else entry_named(name).languages
    languages = tuple(sorted(set(wanted) & set(having)))
    if not languages:
        raise PanglotError(f"{name} has none of the languages {', '.join(wanted)}; measure on others.")
    return Target(name, languages)


def _left_out(name: str, grid: Grid, trained: Sequence[str], targets: Sequence[Target]) -> list[str]:
    """Return the languages of a set that would be trained on, or refuse one that says nothing."""
    found = grid.left_out[name].of(trained)
    where = f"grid.left_out: '{name}'"
    if len(found) > len(trained) - 2:
        raise PanglotError(f"{where} leaves fewer than two languages to train on; leave out less.")
    measured = {code for target in targets for code in target.languages or ()}
    if not measured & set(found):
        raise PanglotError(f"{where} contains no language that is measured; name others, or measure on more.")
    return found


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show what left-out languages gain over the zero-shot encoder, and how much of the gain remains."""
    own = findings.experiment.strategy
    seen = {run.name: tuple(run.recipe.data.languages or ()) for run in findings.runs if run.trained}
    sections = []
    for benchmark, measure, aligned in findings.benchmarks():
        sets = _sets(grid, seen, sorted(set(aligned.cells.frame["query_language"])))
        title, name = f"{measure_title(measure)} on {benchmark}", f"unseen-{benchmark}"
        _, tables = compare_all(name, title, aligned, ZERO_SHOT)
        blocks: list[Block] = []
        if sets:
            parts = [_compared(aligned, one, sets[0], grid.strategies, own) for one in sets]
            found = correct(pd.concat(parts, ignore_index=True), ["kind", "family"])
            blocks = [*_shown(name, benchmark, found, own)]
        sections.append(Section(benchmark, benchmark, [*blocks, *tables]))
    return sections


def _sets(grid: Grid, seen: Mapping[str, tuple[str, ...]], measured: Sequence[str]) -> list[LeftOutSet]:
    """Return the sets of which a benchmark has left-out languages."""
    strategy = grid.strategies[0]
    trained, found = seen[run_name(strategy, None)], []
    for name in grid.left_out:
        rest = seen[run_name(strategy, name)]
        left_out = tuple(code for code in measured if code in trained and code not in rest)
        if left_out:
            found.append(LeftOutSet(name, rest, left_out, tuple(code for code in measured if code in rest)))
    return found


def _compared(
    aligned: Aligned, one: LeftOutSet, first: LeftOutSet, strategies: Sequence[str], own: str
) -> pd.DataFrame:
    """Compare every strategy without a set of languages with other runs.

    Returns:
        rows of ``compare`` with ``left_out`` (the set), ``strategy``, ``kind`` and ``kept`` with its bounds:
        the share of the gain with all languages that remains. Kinds: ``gain`` over zero-shot, that with all
        languages (``full gain``), the ``change`` between these, of the strategy ``own`` against the other
        ``strategies``, and of one set against the first of the ``sets`` (where they leave out the same).
    """
    groups: dict[str, Grouping] = {
        "groups": named_languages({"left out": one.left_out, "kept": one.kept}),
        "languages": named_languages({code: [code] for code in one.left_out}),
        "pairs": pair_groups(pair_kinds(one.seen)["training"]),
    }
    kinds: dict[tuple[str, str], tuple[str, str]] = {}
    for strategy in strategies:
        without, whole = run_name(strategy, one.name), run_name(strategy, None)
        kinds[without, ZERO_SHOT], kinds[whole, ZERO_SHOT] = ("gain", strategy), ("full gain", strategy)
        kinds[without, whole] = ("change", strategy)
        if own in strategies and strategy != own:
            kinds[run_name(own, one.name), without] = ("strategies", strategy)
        if one is not first and one.left_out == first.left_out:
            kinds[without, run_name(strategy, first.name)] = ("sets", strategy)
    drawn = draw(aligned, groups)
    found = compare(aligned, groups, list(kinds), draws=drawn)
    found = found[found["baseline"].notna()]
    named = [kinds[pair] for pair in zip(found["run"], found["baseline"], strict=True)]
    found = found.assign(left_out=one.name, kind=[k for k, _ in named], strategy=[s for _, s in named])
    found = found[found["kind"].isin(["gain", "full gain", "change"]) | (found["group"] == "left out")]
    kept = []
    for row in found[found["kind"] == "change"].to_dict("records"):
        figure = {name: row[name] for name in FIGURE}
        base, rest, full = (drawn.of(run, **figure) for run in (ZERO_SHOT, row["run"], row["baseline"]))
        low, high = bounds(full - base)
        if high < 0 if row["measure"] == DISTANCE else low > 0:
            kept.append(interval((rest - base) / np.where(full == base, np.nan, full - base)))
        else:
            kept.append(dict.fromkeys(("value", "low", "high"), np.nan))
    shares = pd.DataFrame(kept, index=found.index[found["kind"] == "change"])
    names = {"value": "kept", "low": "kept_low", "high": "kept_high"}
    return found.join(shares.rename(columns=names).reindex(columns=list(names.values())))


def _shown(name: str, benchmark: str, found: pd.DataFrame, own: str) -> Iterator[Block]:
    """Give a plot of the gains of left-out languages, and tables of gains and of what is kept of them."""
    gains = found[found["kind"].isin(["gain", "full gain"]) & (found["group"] == "left out")]
    rows = with_panels(as_differences(gains))
    full = rows["kind"] == "full gain"  # the same for all sets that leave out the same measured languages
    rows = rows[~(full & rows.duplicated(["kind", "strategy", "panel", "value"]))]
    alone = not rows[rows["kind"] == "full gain"].duplicated(["strategy", "panel"]).any()
    whole = NOTHING if alone else NOTHING + ", " + rows["left_out"]
    series = rows["left_out"].where(rows["kind"] == "gain", whole)
    heading = f"Gain of left-out languages on {benchmark}, over the zero-shot encoder"
    rows = rows.assign(name=rows["strategy"], series=series)
    names = list(dict.fromkeys(rows["strategy"]))
    yield picture(f"{name}-gain", heading, dots, rows, value="gain", names=names, zero=True)
    for part, title, rows, folded in (
        ("left-out", "Left-out languages", found[found["group"] == "left out"], False),
        ("kept", "Kept languages", found[found["group"] == "kept"], False),
        ("pairs", "Pairs, by what was seen", found[found["family"] == "pairs"], True),
        ("each", "Left-out languages one by one", found[found["family"] == "languages"], True),
    ):
        if len(rows):
            yield _table(f"{name}-{part}", f"{title} on {benchmark}", rows, folded)
    for part, title in (("strategies", f"{own} minus others"), ("sets", "against the first set")):
        rows = found[found["kind"] == part]
        if len(rows):
            heading = f"Left-out languages on {benchmark}: {title}"
            heads = {"left_out": "left out", "strategy": ""}
            note = f"{INTERVALS} ▲ ▼: significant, p < 0.05 after Holm's correction over the table."
            yield difference_table(f"{name}-{part}", heading, rows, heads, note=note, folded=True)


def _table(name: str, title: str, found: pd.DataFrame, folded: bool) -> Table:
    """Show gains and what is kept of them, a row a set and strategy."""
    found = with_panels(found)
    gains, changes = found[found["kind"] == "gain"], found[found["kind"] == "change"]
    kept = changes.assign(
        text=texts(changes, "kept", ".0f", 100, less_is_better=False), panel=changes["panel"] + ", kept %"
    )
    order = [panel for name in dict.fromkeys(gains["panel"]) for panel in (name, f"{name}, kept %")]
    heads = ["left_out", *(["group"] if gains["group"].nunique() > 1 else []), "strategy"]
    shown = wide(pd.concat([with_texts(gains, "difference", ".3f"), kept]), heads, "panel")
    shown = shown[[*heads, *order]].rename(columns={"left_out": "left out", "group": "of"})
    data = found[found["kind"].isin(["gain", "full gain", "change"])].drop(columns="panel")
    return Table(name, title, shown, data, len(heads), NOTE, folded)
