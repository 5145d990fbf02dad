"""What all experiments show: tables of comparisons, and pictures beside them."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from panglot.evaluation import compare
from panglot.evaluation.aggregate import Aligned, Grouping, align, all_cells, by_language
from panglot.evaluation.comparison import power_notes
from panglot.experiments.experiment import Findings
from panglot.report.charts import dots
from panglot.report.figures import figure_table, legend, measure_title, with_panels
from panglot.report.page import Block, Picture
from panglot.report.tables import Table

SETTINGS: dict[str, Grouping] = {"settings": all_cells}
WHOLE: dict[str, Grouping] = {**SETTINGS, "by_language": by_language}


def as_differences(found: pd.DataFrame) -> pd.DataFrame:
    """Put differences in the place of values; that of the baseline itself is 0."""
    names = {"value": "difference", "low": "difference_low", "high": "difference_high"}
    return found.assign(**{name: found[column].fillna(0) for name, column in names.items()})


def picture(name: str, title: str, draw: Callable[..., dict[str, Any]], rows: Any, **options: Any) -> Picture:
    """Return a plot, by a function of ``report.charts``, of what a table says in numbers."""
    return Picture(name, title, "The table has the numbers.", draw(rows, title, **options))


def compare_all(name: str, title: str, aligned: Aligned, baseline: str) -> tuple[pd.DataFrame, list[Table]]:
    """Compare all runs with one, in all settings and by query language.

    Returns:
        what ``compare`` returns of the families ``WHOLE``; and tables of all settings and, folded, by query
        language and by seed.
    """
    found = compare(aligned, WHOLE, baseline)
    settings, languages = (found[found["family"] == family] for family in WHOLE)
    sizes = {"settings": int(settings["p"].notna().sum())}
    note = " ".join([legend(baseline, "settings"), *power_notes(sizes, len(aligned.cells.items))])
    tables = [figure_table(name, title, settings, {"run": ""}, note=note)]
    if languages["group"].nunique() > 1:
        heads, note = {"run": "", "group": "query language"}, legend(baseline, "languages and settings")
        of, heading = f"{name}-languages", f"{title}, by query language"
        tables.append(figure_table(of, heading, languages, heads, note=note, folded=True))
    return found, [*tables, *seed_tables(name, title, aligned)]


def seed_tables(name: str, title: str, aligned: Aligned) -> list[Table]:
    """Show the figures of every seed, folded; nothing where no run has two."""
    if len(aligned.columns) == len(aligned.runs):
        return []
    heads = {"run": "", "seed": "seed"}
    seeds = aligned.by_seed(SETTINGS)
    return [figure_table(f"{name}-seeds", f"{title}, by seed", seeds, heads, folded=True)]


def compare_targets(
    findings: Findings, benchmark: str, baseline: str, name: str
) -> tuple[Aligned, str, list[Block]]:
    """Compare all runs on a benchmark, with and without what targets' labels add to its name (``, centred``).

    Returns:
        what was compared (the additions are behind the names of the runs), a heading, and a plot and tables.
    """
    title = findings.table["benchmark"].astype(str)
    rows = findings.table[(title == benchmark) | title.str.startswith(f"{benchmark}, ")]
    added = rows["benchmark"].astype(str).str.removeprefix(benchmark)
    rows = rows.assign(run=rows["run"].astype(str) + added, benchmark=benchmark)
    aligned = align(rows, list(dict.fromkeys(rows["measure"])))
    heading = f"{measure_title(findings.experiment.measure)} on {benchmark}"
    found, tables = compare_all(name, heading, aligned, baseline)
    settings = with_panels(found[found["family"] == "settings"])
    drawn = settings.assign(name=settings["run"], series="")
    return aligned, heading, [picture(name, heading, dots, drawn, value="", names=aligned.runs), *tables]
