"""``panglot evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.centre import means_for
from panglot.errors import PanglotError

WIDEST = 20  # languages whose matrix fits a terminal; the results file has any number


def evaluate(
    model: Annotated[str, typer.Argument(help="use-multilingual, a model's folder, or a hub id.")],
    benchmark: Annotated[
        str, typer.Option(help="sample (bundled), xquad-r, mlqa-r, or pairs (any file of parallel pairs).")
    ] = "sample",
    data: Annotated[
        Path | None, typer.Option(help="The benchmark's folder or file; 'sample' needs none.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Write the results here (JSON), and per-query figures beside it (Parquet)."),
    ] = None,
    measures: Annotated[
        str, typer.Option(help="AP, nDCG@k, R@k, RR@k, Success@k; separated by commas.")
    ] = "AP,nDCG@10,R@100,RR@10,Success@1",
    languages: Annotated[
        str | None, typer.Option(help="Only queries and passages in these languages, e.g. en,de,sw.")
    ] = None,
    candidate_text: Annotated[
        str | None, typer.Option(help="LAReQA: sentence (the default) or sentence+context.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Cut texts at so many tokens. (default: the model's limit)")
    ] = None,
    centre: Annotated[
        str | None,
        typer.Option(
            help="Take each language's mean embedding away: corpus (means of the benchmark's own texts), "
            "model (those kept with the model), or a file of parallel pairs or of means. (default: nothing)"
        ),
    ] = None,
    bf16: Annotated[
        bool, typer.Option("--bf16", help="Encode in bfloat16: faster; figures differ by a few .0001.")
    ] = False,
    runs: Annotated[Path | None, typer.Option(help="Write TREC runs and qrels into this folder.")] = None,
    run_depth: Annotated[int, typer.Option(help="Passages per list in the runs; 0: all of them.")] = 100,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON, and nothing else.")
    ] = False,
) -> None:
    """Measure an encoder in three settings: monolingual, cross-lingual, and one multilingual pool.

    Prints mean figures, figures by query language with rank distance (worst minus best rank of a query's
    right passages in the multilingual pool: how much the model ranks by language), and the language matrix.

    Example:

      panglot evaluate runs/hybrid --benchmark xquad-r --data lareqa/xquad-r --output results.json
    """
    from panglot.data import load_benchmark
    from panglot.encoders import load_encoder
    from panglot.evaluation import evaluate as run_evaluation
    from panglot.evaluation import parse_measure
    from panglot.report import languages_table, matrix_table, settings_table
    from panglot.training import training_of

    names = [name.strip() for name in measures.split(",") if name.strip()]
    for name in names:
        parse_measure(name)
    if run_depth < 0:
        raise PanglotError(f"the run depth is {run_depth}; use 0 for all passages, or a number above.")
    chosen = load_benchmark(benchmark, data, candidate_text)
    if languages:
        chosen = chosen.restrict(languages.split(","))
    encoder = load_encoder(model, max_length=max_length, trust_remote_code=trust_remote_code)
    means = None if centre is None else means_for(centre, model, encoder, chosen.languages)
    with show.bar("encoding", len(chosen.queries) + len(chosen.passages)) as advance:
        evaluation = run_evaluation(
            encoder,
            chosen,
            name=model,
            measures=names,
            training=training_of(model),
            runs=runs,
            run_depth=run_depth or None,
            centre=means,
            bf16=bf16,
            progress=advance,
            note=show.note,
        )
    if output is not None:
        evaluation.save(output)
    if json:
        show.print_json(evaluation.results)
        return
    show.out.print(settings_table(evaluation.results))
    show.out.print(languages_table(evaluation.results, names[0]))
    if 1 < len(chosen.languages) <= WIDEST:
        show.out.print(matrix_table(evaluation.results, names[0]))
    if centring := evaluation.results["model"]["centring"]:
        origins = ", ".join(source["name"] for source in centring["sources"])
        show.tell(f"embeddings are centred by language, with means of {origins}")
    if output is not None:
        show.tell(f"results: {output} and {output.with_suffix('.parquet')}")
    if runs is not None:
        show.tell(f"runs and qrels: {runs}")
