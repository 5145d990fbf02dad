"""``panglot compare``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show

WIDEST = 14  # languages whose matrix of changes fits a terminal; --json has any number


def compare(
    results: Annotated[
        list[Path], typer.Argument(help="Two or more results files that 'panglot evaluate --output' wrote.")
    ],
    measure: Annotated[
        str | None, typer.Option(help="The measure to compare. (default: the first in the files)")
    ] = None,
    baseline: Annotated[
        int, typer.Option(help="Number of the run that the others are compared with, from 1.")
    ] = 1,
    alpha: Annotated[float, typer.Option(help="A corrected p below it is called significant.")] = 0.05,
    resamples: Annotated[int, typer.Option(help="Resamples of items, for the intervals.")] = 1000,
    flips: Annotated[int, typer.Option(help="Draws of the randomisation test.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON, and nothing else.")
    ] = False,
) -> None:
    """Compare runs on one benchmark: what differs significantly, and which languages gain and lose.

    Tests are paired and go by item (translations of a question are not independent): the signs of items'
    differences are flipped at random; p is corrected by Holm's method over all settings, over all languages,
    and over all language pairs. Intervals are a bootstrap over items.

    Example:

      panglot compare zero-shot.json hybrid.json --measure nDCG@10
    """
    from panglot.evaluation.compare import check_drawing, compare_results, run_names
    from panglot.evaluation.results import load_results
    from panglot.report.compare_tables import (
        change_by_language_table,
        change_matrix_table,
        comparison_table,
    )
    from panglot.report.frames import to_rich

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
        matrix = change_matrix_table(compared, run)
        if 1 < len(matrix.shown) <= WIDEST:
            show.table(to_rich(matrix))
    for sentence in compared.notes:
        show.note(sentence)
