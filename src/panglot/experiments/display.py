"""What all experiments show: tables of comparisons, and pictures beside them."""

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

WHOLE: dict[str, Grouping] = {"settings": all_cells, "by_language": by_language}


def rows_on(table: pd.DataFrame, benchmark: str) -> pd.DataFrame:
    """Return the rows of a benchmark, with what a target's label adds (``, centred``) put behind the run."""
    title = table["benchmark"].astype(str)
    rows = table[(title == benchmark) | title.str.startswith(f"{benchmark}, ")]
    added = rows["benchmark"].astype(str).str.removeprefix(benchmark)
    return rows.assign(run=rows["run"].astype(str) + added, benchmark=benchmark)


def as_differences(found: pd.DataFrame) -> pd.DataFrame:
    """Put differences in the place of values; that of the baseline itself is 0."""
    names = {"value": "difference", "low": "difference_low", "high": "difference_high"}
    return found.assign(**{name: found[column].fillna(0) for name, column in names.items()})


def comparison_tables(
    name: str, title: str, found: pd.DataFrame, aligned: Aligned, baseline: str
) -> list[Table]:
    """Show a comparison with one baseline: all settings, and folded by query language and by seed.

    Args:
        found: what ``compare`` returned of the families ``WHOLE``.
    """
    settings, languages = (found[found["family"] == family] for family in WHOLE)
    sizes = {"settings": int(settings["p"].notna().sum())}
    note = " ".join([legend(baseline, "settings"), *power_notes(sizes, len(aligned.cells.items))])
    tables = [figure_table(name, title, settings, {"run": ""}, note=note)]
    if languages["group"].nunique() > 1:
        heads, note = {"run": "", "group": "query language"}, legend(baseline, "languages and settings")
        of, heading = f"{name}-languages", f"{title}, by query language"
        tables.append(figure_table(of, heading, languages, heads, note=note, folded=True))
    return [*tables, *seed_tables(name, title, aligned)]


def targets_compared(
    findings: Findings, benchmark: str, baseline: str, name: str
) -> tuple[Aligned, str, list[Block]]:
    """Compare all runs on a benchmark, with and without what its targets' labels add.

    Returns:
        what was compared, a heading, and a plot and tables.
    """
    rows = rows_on(findings.table, benchmark)
    aligned = align(rows, list(dict.fromkeys(rows["measure"])))
    found = compare(aligned, WHOLE, baseline)
    heading = f"{measure_title(findings.experiment.measure)} on {benchmark}"
    drawn = with_panels(found[found["family"] == "settings"]).assign(series="")
    spec = dots(drawn.assign(name=drawn["run"]), heading, value="", names=aligned.runs)
    tables = comparison_tables(name, heading, found, aligned, baseline)
    return aligned, heading, [picture(name, heading, spec), *tables]


def seed_tables(name: str, title: str, aligned: Aligned) -> list[Table]:
    """Show the figures of every seed, folded; nothing where no run has two."""
    if len(aligned.columns) == len(aligned.runs):
        return []
    seeds = aligned.by_seed({"settings": all_cells})
    heads = {"run": "", "seed": "seed"}
    return [figure_table(f"{name}-seeds", f"{title}, by seed", seeds, heads, folded=True)]


def picture(name: str, title: str, spec: dict[str, Any]) -> Picture:
    """Return a plot that a table says in numbers."""
    return Picture(name, title, "The table has the numbers.", spec)
