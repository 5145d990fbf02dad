"""Which batches help low-resource languages, zero-shot?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import pandas as pd
from pydantic import Field

from panglot.errors import PanglotError
from panglot.evaluation import compare
from panglot.evaluation.aggregate import Aligned, Array, Grouping
from panglot.evaluation.bootstrap import Draws, draw, interval
from panglot.evaluation.groups import language_kinds, pair_groups, pair_kinds, query_groups
from panglot.experiments.display import as_differences, compare_all, picture
from panglot.experiments.experiment import Experiment, Findings
from panglot.experiments.runs import ZERO_SHOT, Data, Run, languages_of
from panglot.languages import resource_class
from panglot.report.charts import dots
from panglot.report.figures import INTERVALS, difference_table, legend, measure_title, with_panels
from panglot.report.page import Block, Picture, Section
from panglot.report.tables import Table, texts
from panglot.training.config import Part

TITLE = "Which batches help low-resource languages?"
LOW = 2  # languages up to this resource class are called low-resource here
CLASSES = ("queries, by class", "pairs, by lower class")
DETAILS = ("pairs", "queries, by training", "queries, by script", "queries, by family")
NOTE = "The class of a pair is the lower one of its two languages; both directions count."


class Grid(Part):
    """What is compared.

    Attributes:
        strategies: of batches; that of the recipe must be among them.
        languages: trained on these only; None: all.
        measured: by benchmark, the languages it is measured in; all where it is not named.
        measures: by benchmark, the measure of its answers, in place of the experiment's.
    """

    strategies: Annotated[list[str], Field(min_length=2)]
    languages: list[str] | None = None
    measured: dict[str, list[str]] = Field(default_factory=dict)
    measures: dict[str, str] = Field(default_factory=dict)


def plan(experiment: Experiment, grid: Grid, data: Data) -> list[Run]:
    """Return the zero-shot encoder, and a run for every strategy and seed."""
    if (own := experiment.strategy) not in grid.strategies:
        raise PanglotError(f"grid.strategies lacks '{own}', which the others are compared with; add it.")
    targets = experiment.targets(grid.measured)
    shared = {"data.languages": grid.languages}
    runs = {strategy: {**shared, "batches.strategy": strategy} for strategy in grid.strategies}
    return [experiment.untrained(targets), *experiment.seeded(targets, runs)]


def groupings(seen: Sequence[str]) -> Mapping[str, Grouping]:
    """Return the families of groups: classes of queries and of pairs, pairs one by one, scripts and so on."""
    seen_pair, kinds = pair_kinds(seen)["training"], language_kinds(seen)

    def of_pair(x: str, y: str) -> str:
        return "–".join(sorted((x, y), key=lambda code: (code == "en", code)))

    def trained(x: str, y: str) -> str | None:
        found = pair_class(x, y)
        return found and f"{found}, {seen_pair(x, y)}"

    def side(x: str, y: str) -> str | None:
        found = pair_class(x, y)
        return found and ("low" if int(found) <= LOW else "high")

    return {
        CLASSES[0]: query_groups(kinds["resource"]),
        CLASSES[1]: pair_groups(pair_class),
        "pairs, by lower class and training": pair_groups(trained),
        "pairs, low-resource or not": pair_groups(side),
        "pairs": pair_groups(of_pair),
        **{f"queries, by {name}": query_groups(kinds[name]) for name in ("training", "script", "family")},
    }


def pair_class(x: str, y: str) -> str | None:
    """Return the lower resource class of two languages; None where one is not known."""
    a, b = resource_class(x), resource_class(y)
    return None if a is None or b is None else str(min(a, b))


def answer(grid: Grid, findings: Findings) -> Sequence[Section]:
    """Show where the recipe's strategy is ahead of others: overall, by resource class, by language pair."""
    own = findings.experiment.strategy
    seen = sorted(grid.languages) if grid.languages is not None else languages_of(findings.data)
    groups, sections = groupings(seen), []
    for benchmark, measure, aligned in findings.benchmarks():
        name, title = f"low-resource-{benchmark}", f"{measure_title(measure)} on {benchmark}"
        _, tables = compare_all(name, f"{title} by strategy", aligned, own)
        one = Aligned(aligned.cells, aligned.columns, {measure: aligned.values[measure]})
        drawn = draw(one, groups)
        others = [run for run in one.runs if run != own]
        gains = compare(one, groups, [(own, other) for other in others], draws=drawn)
        gains = gains[gains["run"] == own]
        details, heading = gains["family"].isin(DETAILS), f"{title}: {own} minus each other"
        blocks: list[Block] = [
            *_classes(f"{name}-classes-dots", f"{own} minus each strategy on {benchmark}", measure, gains),
            *tables,
            _gains(f"{name}-classes", heading, gains[~details]),
            _gains(f"{name}-groups", f"{heading}, in detail", gains[details], folded=True),
            *_contrast(f"{name}-contrast", title, drawn, own, others),
        ]
        sections.append(Section(benchmark, benchmark, blocks))
    return sections


def _classes(name: str, title: str, measure: str, gains: pd.DataFrame) -> Iterator[Picture]:
    """Draw differences from the other strategies by resource class, where there are several."""
    rows = with_panels(as_differences(gains[gains["family"].isin(CLASSES)]))
    if rows["group"].nunique() < 2:
        return
    of_queries = rows["family"] == CLASSES[0]
    rows = rows.assign(
        name="class " + rows["group"],
        series="minus " + rows["baseline"],
        panel=rows["panel"].where(of_queries, "pairs") + rows["family"].str.partition(",")[2],
    )
    # across languages, pairs say more than queries
    rows = rows[(rows["baseline"] != ZERO_SHOT) & ~(of_queries & (rows["setting"] == "crosslingual"))]
    heading = f"{title}, by resource class"
    yield picture(name, heading, dots, rows, value=f"difference of {measure_title(measure)}", zero=True)


def _gains(name: str, title: str, gains: pd.DataFrame, folded: bool = False) -> Table:
    """Show differences from the other strategies, a row a group and setting."""
    heads = {"family": "of", "group": "group", "panel": "setting"}
    note = f"{legend('the other', 'all rows of a kind')} {NOTE}"
    rows = gains.assign(minus="minus " + gains["baseline"])
    return difference_table(name, title, rows, heads, column="minus", note=note, folded=folded)


def _contrast(name: str, title: str, drawn: Draws, own: str, others: Sequence[str]) -> list[Table]:
    """Show whether a strategy gains more on low-resource pairs than on others, where there are both."""
    family = "pairs, low-resource or not"
    if set(drawn.figures.loc[drawn.figures["family"] == family, "group"]) != {"low", "high"}:
        return []

    def gain(other: str, group: str) -> Array:
        of = {"family": family, "group": group}
        return drawn.of(own, **of) - drawn.of(other, **of)

    rows = [{"against": name, **interval(gain(name, "low") - gain(name, "high"))} for name in others]
    data = pd.DataFrame(rows)
    shown = pd.DataFrame({"against": data["against"], "difference": texts(data, form="+.3f")})
    heading = f"{title}: what {own} gains on low-resource pairs (class {LOW} or less) minus on all others"
    return [Table(name, heading, shown, data, note=INTERVALS)]
