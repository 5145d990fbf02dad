"""``panglot inspect``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.errors import PanglotError


def inspect(
    results: Annotated[Path, typer.Argument(help="A results file that 'panglot evaluate --output' wrote.")],
    model: Annotated[
        str | None, typer.Option(help="The model that was evaluated. (default: the one that the file names)")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="Its benchmark by name. (default: the one that the file names)")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="The benchmark's folder or file; 'sample' needs none.")
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(
            help="Language pairs such as en-de,th-all; all-all for every pair. "
            "(default: each language against the passages in all languages)"
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Queries of each pair.")] = 1,
    depth: Annotated[int, typer.Option(help="Passages to show above the answer.")] = 5,
    measure: Annotated[str | None, typer.Option(help="What is worst by. (default: the file's first)")] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Cut texts at so many tokens, as in the evaluation.")
    ] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the failures as JSON, and nothing else.")
    ] = False,
) -> None:
    """Look at the queries that went worst: what ranked above the answer, in which language, how close.

    The passages are encoded again, and of the queries only those that are shown.

    Example:

      panglot inspect results.json --model runs/hybrid --data lareqa/xquad-r --pairs th-all,en-de
    """
    from panglot.data import load_benchmark
    from panglot.encoders import load_encoder
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
    chosen = load_benchmark(
        benchmark or of_run["benchmark"]["name"], data, _candidates(of_run["benchmark"]["candidate_text"])
    )
    if missing := set(chosen.languages) - set(of_run["benchmark"]["languages"]):
        chosen = chosen.restrict([code for code in chosen.languages if code not in missing])
    encoder = load_encoder(
        model or of_run["model"]["name"],
        max_length=max_length or of_run["model"]["max_length"],
        trust_remote_code=trust_remote_code,
    )
    check_same(of_run, encoder, chosen)
    by = measure or next(iter(of_run["matrix"]))
    wanted = parse_pairs(pairs, chosen) if pairs else None
    worst = worst_queries(chosen, evaluation.per_query, by, wanted, count)
    if not worst:
        raise PanglotError(
            "no query of these pairs has a relevant passage in the pool; choose other --pairs."
        )
    with show.bar("encoding", len(worst) + len(chosen.passages)) as advance:
        queries, passages = embed_for(encoder, chosen, worst, of_run, advance)
    failures = inspect_failures(chosen, worst, queries, passages, by, depth)
    if json:
        show.print_json(as_json(failures))
        return
    show.out.print(failures_view(failures))


def _candidates(kind: str) -> str | None:
    """Return what LAReQA's candidates are made of; other benchmarks have one kind, with no option."""
    return kind if kind.startswith("sentence") else None
