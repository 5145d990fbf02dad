"""``panglot inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.options import Column, EveryItem, Json, TrustRemoteCode, of_pairs
from panglot.errors import PanglotError


def inspect(
    results: Annotated[Path, typer.Argument(help="Results file that 'panglot evaluate --output' wrote.")],
    model: Annotated[
        str | None, typer.Option(help="Model that was evaluated. (default: the model in the file)")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Name of the benchmark. (default: the benchmark in the file)")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder or file of the benchmark. (default: what was evaluated, if it is still there)"
        ),
    ] = None,
    column: Column = None,
    every_item: EveryItem = False,
    pairs: Annotated[
        str | None,
        typer.Option(
            help="Language pairs, e.g. en-de,th-all; all-all for every pair. "
            "(default: each query language with the passages in all languages)"
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Number of queries per language pair.")] = 1,
    depth: Annotated[int, typer.Option(help="Number of passages above the answer to show.")] = 5,
    measure: Annotated[
        str | None, typer.Option(help="Measure that ranks the queries. (default: the first in the file)")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Cut texts after this many tokens. (default: as in the evaluation)")
    ] = None,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Show the queries with the lowest figures, and the passages that rank above the answer.

    The command encodes the passages again, and the queries that it shows.

    Example:

      panglot inspect results.json --pairs th-all,en-de
    """
    from panglot import encoders
    from panglot.data import load_benchmark
    from panglot.evaluation.inspect import (
        as_json,
        check_same,
        embed_for,
        inspect_failures,
        parse_pairs,
        worst_queries,
    )
    from panglot.evaluation.results import load_results
    from panglot.report.failures import failures_view

    for name, number in (("count", count), ("depth", depth)):
        if number < 1:
            raise PanglotError(f"the {name} is {number}; use a number above 0.")
    evaluation = load_results(results)
    of_run = evaluation.results
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
    """Return the kind of LAReQA's candidates; other benchmarks have one kind and no option."""
    return kind if kind.startswith("sentence") else None
