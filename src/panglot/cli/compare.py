"""``panglot compare``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.options import Alpha, Baseline, Flips, Json, Resamples, Seed

WIDEST = 14  # languages whose matrix of changes fits a terminal; --json has any number


def compare(
    results: Annotated[
        list[Path], typer.Argument(help="Two or more results files that 'panglot evaluate --output' wrote.")
    ],
    measure: Annotated[
        str | None, typer.Option(help="Measure to compare. (default: the first in the files)")
    ] = None,
    baseline: Baseline = 1,
    alpha: Alpha = 0.05,
    resamples: Resamples = 1000,
    flips: Flips = 10_000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare results on one benchmark: show significant differences, and the languages that gain and lose.

    The tests are paired and treat all translations of a question as one item. They flip the signs of the
    items' differences at random. Holm's method corrects p over all settings, over all languages, and over all
    language pairs. The intervals come from a bootstrap over items.

    Example:

      panglot compare zero-shot.json hybrid.json --measure nDCG@10
    """
    from panglot.evaluation.comparison import check_drawing, compare_results, run_names
    from panglot.evaluation.results import load_results
    from panglot.report.figures import change_by_language_table, change_matrix_tables, comparison_table
    from panglot.report.tables import to_rich

    check_drawing(resamples, flips, alpha)
    evaluations = [load_results(path) for path in results]
    compared = compare_results(
        *evaluations,
        names=run_names(evaluations, results),
        measure=measure,
        baseline=baseline - 1,
        resamples=resamples,
        flips=flips,
        alpha=alpha,
        seed=seed,
    )
    if json:
        show.print_json(compared.to_dict())
        return
    show.table(to_rich(comparison_table(compared)))
    for run in compared.runs:
        if run == compared.baseline:
            continue
        show.table(to_rich(change_by_language_table(compared, run)))
        for matrix in change_matrix_tables(compared, [run]):
            if 1 < len(matrix.shown) <= WIDEST:
                show.table(to_rich(matrix))
    for sentence in compared.notes:
        show.note(sentence)
