"""``panglot report``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.options import Alpha, Baseline, Flips, Resamples, Seed
from panglot.errors import PanglotError


def report(
    results: Annotated[
        list[Path],
        typer.Argument(help="Results files on one benchmark that 'panglot evaluate --output' wrote."),
    ],
    output: Annotated[Path, typer.Option(help="Write the report to this HTML file.")] = Path("report.html"),
    assets: Annotated[
        Path | None,
        typer.Option(help="Also write charts (SVG, PNG) and tables (CSV, LaTeX, Markdown) into this folder."),
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="'paper' adds the published figures on xquad-r or mlqa-r.")
    ] = None,
    failures: Annotated[
        list[Path] | None,
        typer.Option(
            help="Worst queries to show: a file with the output of 'panglot inspect --json'; repeatable."
        ),
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="Measure of the tests and heatmaps. (default: the first in the files)")
    ] = None,
    baseline: Baseline = 1,
    title: Annotated[
        str | None, typer.Option(help="Title of the page. (default: models and benchmark)")
    ] = None,
    alpha: Alpha = 0.05,
    resamples: Resamples = 1000,
    flips: Flips = 10_000,
    seed: Seed = 0,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print only JSON: the figures of the settings, the comparison and the names of the files.",
        ),
    ] = False,
) -> None:
    """Write a report on one or more results files: one HTML file for a browser, a phone, or print.

    The report has the three settings with intervals and tests, heatmaps of over-represented languages, of
    language pairs and of their differences, language bias, groups of languages, the worst queries, and the
    commands and versions to repeat it.

    Example:

      panglot report zero-shot.json hybrid.json --output report.html --assets figures --reference paper
    """
    from panglot.evaluation.comparison import check_drawing
    from panglot.evaluation.results import load_results
    from panglot.report import gather, read_failures, reference_for, write_report
    from panglot.report.charts import check_installed
    from panglot.report.figures import comparison_table, settings_table
    from panglot.report.tables import to_records, to_rich

    check_installed()
    check_drawing(resamples, flips, alpha)
    if reference not in (None, "paper"):
        raise PanglotError(f"--reference: '{reference}' is unknown. Use paper, or leave the option out.")
    evaluations = [load_results(path) for path in results]
    beside = reference_for(evaluations[0].results["benchmark"]) if reference else None
    with show.bar("computing", len(evaluations) + 1) as advance:
        contents = gather(
            evaluations,
            paths=results,
            failures=[read_failures(path) for path in failures or []],
            measure=measure,
            baseline=baseline - 1,
            resamples=resamples,
            flips=flips,
            alpha=alpha,
            seed=seed,
            progress=advance,
        )
    written = write_report(contents, output, assets=assets, reference=beside, title=title)
    if json:
        files = [str(path) for path in written]
        compared = contents.compared.to_dict() if contents.compared else None
        summary = to_records(contents.rows("settings").dropna(axis="columns", how="all"))
        show.print_json({"summary": summary, "compared": compared, "files": files})
        return
    if contents.compared is None:
        show.table(to_rich(settings_table(evaluations[0].results)))
    else:
        show.table(to_rich(comparison_table(contents.compared)))
    show.tell(f"wrote the report to {output}")
    if assets is not None:
        show.tell(f"wrote charts and tables to {assets} ({len(written) - 1} files)")
