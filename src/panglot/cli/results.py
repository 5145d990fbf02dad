"""``panglot compare``, ``inspect`` and ``report``: what is read from results files."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from panglot import encoders
from panglot.cli import show
from panglot.cli.options import (
    Alpha,
    Baseline,
    Column,
    EveryItem,
    Flips,
    Json,
    Resamples,
    Seed,
    TrustRemoteCode,
    of_pairs,
)
from panglot.errors import PanglotError

WIDEST = 14  # languages whose matrix of changes fits a terminal; --json has any number


def compare(
    results: Annotated[
        list[Path], Argument(help="Two or more results files that 'panglot evaluate --output' wrote.")
    ],
    measure: Annotated[
        str | None, Option(help="Measure to compare. (default: the first in the files)")
    ] = None,
    baseline: Baseline = 1,
    alpha: Alpha = 0.05,
    resamples: Resamples = 1000,
    flips: Flips = 10_000,
    seed: Seed = 0,
    details: Annotated[
        bool, Option("--details", help="Show the changes of languages and language pairs, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Compare results on one benchmark: show which differences are significant.

    The tests are paired and treat all translations of a question as one item. They flip the signs of the
    items' differences at random. Holm's method corrects p over all settings, over all languages, and over all
    language pairs. The intervals come from a bootstrap over items.

    Example:

      panglot compare zero-shot.json hybrid.json --measure nDCG@10 --details
    """
    from panglot.evaluation.comparison import check_drawing, compare_results, run_names
    from panglot.evaluation.results import load_results
    from panglot.report.figures import change_by_language_table, change_matrix_tables, comparison_table

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
    show.table(comparison_table(compared))
    for run in [run for run in compared.runs if details and run != compared.baseline]:
        show.table(change_by_language_table(compared, run))
        for matrix in change_matrix_tables(compared, [run]):
            if 1 < len(matrix.shown) <= WIDEST:
                show.table(matrix)
    if not details:
        show.result("--details shows the changes of languages and language pairs, too.")
    for sentence in compared.notes:
        show.note(sentence)


def inspect(
    results: Annotated[Path, Argument(help="Results file that 'panglot evaluate --output' wrote.")],
    model: Annotated[
        str | None, Option(help="Model that was evaluated. (default: the model in the file)")
    ] = None,
    benchmark: Annotated[
        str | None, Option(help="Name of the benchmark. (default: the benchmark in the file)")
    ] = None,
    data: Annotated[
        Path | None,
        Option(help="Folder or file of the benchmark. (default: what was evaluated, if it is still there)"),
    ] = None,
    column: Column = None,
    every_item: EveryItem = False,
    pairs: Annotated[
        str | None,
        Option(
            help="Language pairs, e.g. en-de,th-all; all-all for every pair. "
            "(default: each query language with the passages in all languages)"
        ),
    ] = None,
    count: Annotated[int, Option(help="Number of queries per language pair.")] = 1,
    depth: Annotated[int, Option(help="Number of passages above the answer to show.")] = 5,
    measure: Annotated[
        str | None, Option(help="Measure that ranks the queries. (default: the first in the file)")
    ] = None,
    max_length: Annotated[
        int | None, Option(help="Cut texts after this many tokens. (default: as in the evaluation)")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Show the queries with the lowest figures, and the passages that rank above the answer.

    The command encodes the passages again, and the queries that it shows.

    Example:

      panglot inspect results.json --pairs th-all,en-de
    """
    from panglot.data import load_benchmark
    from panglot.evaluation.results import load_results

    for name, number in (("--count", count), ("--depth", depth)):
        if number < 1:
            raise PanglotError(f"{name} is {number}; use a number above 0.")
    evaluation = load_results(results)
    # what is below loads torch
    from panglot.evaluation.inspect import (
        as_json,
        check_same,
        embed_for,
        inspect_failures,
        parse_pairs,
        worst_queries,
    )
    from panglot.report.failures import failures_view

    of_run = evaluation.results
    if (model or of_run["model"]["name"]) == "bm25":
        raise PanglotError(f"{results}: is of bm25, which has no embeddings. Name results of an encoder.")
    candidates = _candidates(of_run["benchmark"]["candidate_text"])
    loading = {"data": data, **of_pairs(column, every_item)}
    remembered = of_run["benchmark"].get("loaded", {}) if benchmark is None else {}
    chosen = load_benchmark(
        benchmark or of_run["benchmark"]["name"],
        candidate_text=candidates,
        **{**remembered, **{name: value for name, value in loading.items() if value is not None}},
    )
    if missing := set(chosen.languages) - set(of_run["benchmark"]["languages"]):
        chosen = chosen.restrict([code for code in chosen.languages if code not in missing])
    encoder = encoders.load_encoder(
        model or of_run["model"]["name"],
        max_length=max_length or of_run["model"].get("max_length"),
        truncate_dim=of_run["model"].get("truncate_dim"),
        trust_remote_code=trust_remote_code,
    )
    check_same(of_run, encoder, chosen)
    by = measure or next(iter(of_run["matrix"]))
    wanted = parse_pairs(pairs, chosen) if pairs else None
    worst = worst_queries(chosen, evaluation.per_query, by, wanted, count)
    if not worst:
        raise PanglotError("no query of these language pairs has a relevant passage. Choose other --pairs.")
    with show.bar("encoding", len(worst) + len(chosen.passages)) as advance:
        queries, passages = embed_for(encoder, chosen, worst, of_run, advance)
    failures = inspect_failures(chosen, worst, queries, passages, by, depth)
    if json:
        show.print_json(as_json(failures))
        return
    show.out.print(failures_view(failures))


def _candidates(kind: str) -> str | None:
    """Return the kind of candidates to ask for; None where it is the one that a benchmark has by default."""
    return kind if kind in ("sentence+context", "title+passage") else None


def report(
    results: Annotated[
        list[Path], Argument(help="Results files on one benchmark that 'panglot evaluate --output' wrote.")
    ],
    output: Annotated[Path, Option(help="Write the report to this HTML file.")] = Path("report.html"),
    assets: Annotated[
        Path | None,
        Option(help="Also write charts (SVG, PNG) and tables (CSV, LaTeX, Markdown) into this folder."),
    ] = None,
    reference: Annotated[
        str | None, Option(help="'paper' adds the published figures on xquad-r or mlqa-r.")
    ] = None,
    failures: Annotated[
        list[Path] | None,
        Option(help="Worst queries to show: a file with the output of 'panglot inspect --json'; repeatable."),
    ] = None,
    measure: Annotated[
        str | None, Option(help="Measure of the tests and heatmaps. (default: the first in the files)")
    ] = None,
    baseline: Baseline = 1,
    title: Annotated[str | None, Option(help="Title of the page. (default: models and benchmark)")] = None,
    alpha: Alpha = 0.05,
    resamples: Resamples = 1000,
    flips: Flips = 10_000,
    seed: Seed = 0,
    json: Annotated[
        bool,
        Option(
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
    from panglot.report.tables import to_records

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
        show.table(settings_table(evaluations[0].results))
    else:
        show.table(comparison_table(contents.compared))
    show.result(f"wrote the report to {output}")
    if assets is not None:
        show.result(f"wrote charts and tables to {assets} ({len(written) - 1} files)")
