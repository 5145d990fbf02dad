"""``panglot evaluate``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from panglot import encoders, training
from panglot.cli import show
from panglot.cli.guard import BM25, MTEB
from panglot.cli.models import check_centre, means_for
from panglot.cli.options import (
    Balance,
    CandidateText,
    Column,
    Data,
    EveryItem,
    Json,
    MaxLength,
    Rerank,
    RerankDepth,
    TruncateDim,
    TrustRemoteCode,
    of_pairs,
    reranker_of,
)
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from panglot.data import Benchmark, Suite
    from panglot.evaluation import Evaluation

WIDEST = 20  # languages whose matrix fits a terminal; the results file has any number


def evaluate(
    model: Annotated[
        str,
        Argument(
            help="multilingual-e5-small, a model folder, a hub id, mteb:NAME (a model of mteb's registry), "
            "or bm25 (word matching without a model)."
        ),
    ],
    benchmark: Annotated[
        str, Option(help="Name of the benchmark; 'panglot data list' shows all.")
    ] = "sample",
    data: Data = None,
    output: Annotated[
        Path | None,
        Option(
            help="Write the results to this JSON file, and figures per query to a Parquet file beside it."
        ),
    ] = None,
    measures: Annotated[
        str | None,
        Option(
            help="AP, nDCG@k, R@k, RR@k, Success@k, Complete@k; separated by commas. "
            "(default: the benchmark's own)"
        ),
    ] = None,
    languages: Annotated[
        str | None, Option(help="Use only queries and passages in these languages, e.g. en,de,sw.")
    ] = None,
    split: Annotated[str | None, Option(help="Benchmark split. (default: the one papers report)")] = None,
    candidate_text: CandidateText = None,
    column: Column = None,
    every_item: EveryItem = False,
    store: Annotated[
        Path | None, Option(help="Store of encoded passages that 'panglot encode' wrote, for large pools.")
    ] = None,
    max_length: MaxLength = None,
    truncate_dim: TruncateDim = None,
    centre: Annotated[
        str | None,
        Option(
            help="Subtract the mean embedding of each language: corpus (means of the benchmark's texts), "
            "model (means stored with the model), or a file of pairs or means. (default: no centring)"
        ),
    ] = None,
    bf16: Annotated[
        bool, Option("--bf16", help="Encode in bfloat16: faster, and figures change by a few .0001.")
    ] = False,
    perturb: Annotated[
        str | None,
        Option(
            help="Measure changed queries, too. Kinds of change, separated by commas: typos, no-diacritics, "
            "romanised, wrong-layout, lower-case, no-question-mark, code-switch."
        ),
    ] = None,
    lexicon: Annotated[
        Path | None,
        Option(
            help="File or folder of word pairs for code-switch, one pair a line; see docs/guides/bias.md."
        ),
    ] = None,
    rerank: Rerank = None,
    rerank_depth: RerankDepth = 100,
    balanced: Balance = None,
    seed: Annotated[int, Option(help="Random seed of --perturb.")] = 0,
    runs: Annotated[Path | None, Option(help="Write TREC runs and qrels into this folder.")] = None,
    run_depth: Annotated[
        int, Option(min=0, help="Passages per query in the TREC runs; 0 writes all passages.")
    ] = 100,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Evaluate an encoder in three settings: monolingual, cross-lingual, and multilingual.

    The command prints the mean of each measure, the figures of each query language with its rank distance,
    and the matrix of query and passage languages. Rank distance is the worst minus the best rank of a query's
    relevant passages in the multilingual pool. It is high if the model ranks passages by their language.

    Examples:

      panglot evaluate runs/tuned --benchmark xquad-r --data lareqa/xquad-r --output results.json

      panglot evaluate runs/tuned --benchmark xquad-r --perturb typos,no-diacritics

      panglot evaluate runs/tuned --benchmark xquad-r --rerank BAAI/bge-reranker-v2-m3 --rerank-depth 30
    """
    from panglot.data.catalogue import load_data
    from panglot.data.perturb import parse_kinds
    from panglot.evaluation.results import check_results_path, table_of
    from panglot.search.balanced import check_balance

    names = _measures(measures, benchmark)
    check_results_path(output)
    check_balance(balanced)
    kinds = parse_kinds(perturb) if perturb else []
    if centre is not None:
        check_centre(centre)
    codes = languages.split(",") if languages else None
    pairs_options = of_pairs(column, every_item)
    chosen = load_data(benchmark, data, candidate_text, codes, split, **pairs_options)
    loading: dict[str, Any] = {
        "max_length": max_length,
        "truncate_dim": truncate_dim,
        "trust_remote_code": trust_remote_code,
    }
    if model == BM25:
        from panglot.search.baseline import bm25_evaluation, bm25_work

        with show.bar("ranking", bm25_work(chosen)) as advance:
            evaluation = bm25_evaluation(chosen, measures=names, progress=advance)
    elif model.startswith(MTEB):
        from panglot.evaluation.mteb_models import mteb_evaluation

        evaluation = mteb_evaluation(model, chosen, measures=names)
    else:
        evaluation = _model(
            model,
            chosen,
            names,
            loading,
            store=store,
            centre=centre,
            kinds=kinds,
            lexicon=lexicon,
            bf16=bf16,
            rerank=rerank,
            rerank_depth=rerank_depth,
            balanced=balanced,
            seed=seed,
            runs=runs,
            run_depth=run_depth or None,
        )
    loaded = {"data": str(data.resolve()) if data else None, "split": split, **pairs_options}
    if known := {name: value for name, value in loaded.items() if value is not None}:
        evaluation.results["benchmark"]["loaded"] = known  # so that panglot inspect can load it again
    if output is not None:
        evaluation.save(output)
    if json:
        show.print_json(evaluation.results)
        return
    _print(evaluation.results, names[0])
    if output is not None:
        show.result(f"results: {output} and {table_of(output)}")
    if runs is not None:
        show.result(f"runs and qrels: {runs}")


def _measures(given: str | None, benchmark: str) -> list[str]:
    """Return the measures that an option names, or the usual ones, those of the benchmark first."""
    from panglot.data.catalogue import entry_named
    from panglot.evaluation import DEFAULT_MEASURES, parse_measure

    usual = dict.fromkeys((*entry_named(benchmark).measures, *DEFAULT_MEASURES))
    named = usual if given is None else given.split(",")
    names = [name.strip() for name in named if name.strip()]
    if not names:
        raise PanglotError("--measures names no measure. Leave the option out, or name a measure such as AP.")
    for name in names:
        parse_measure(name)
    return names


def _model(
    model: str,
    chosen: "Benchmark | Suite",
    measures: list[str],
    loading: dict[str, Any],
    *,
    store: Path | None,
    centre: str | None,
    kinds: list[str],
    lexicon: Path | None,
    bf16: bool,
    rerank: str | None,
    balanced: str | None,
    **settings: Any,
) -> "Evaluation":
    from panglot.data.perturb import read_lexicon
    from panglot.data.suite import as_benchmark
    from panglot.encoders.store import open_store
    from panglot.evaluation import evaluate as run_evaluation
    from panglot.evaluation.run import embed_queries
    from panglot.search.balanced import balanced_lists, check_balanced

    if balanced is not None:
        check_balanced(chosen, balanced)
    words = read_lexicon(lexicon) if lexicon else None
    opened = open_store(store) if store else None
    encoder = encoders.load_encoder(model, **loading)
    reranker = reranker_of(rerank, bool(loading["trust_remote_code"]), bf16)
    means = None if centre is None else means_for(centre, model, encoder, chosen.languages)
    given = None
    if opened is not None:
        whole = as_benchmark(chosen)
        with show.bar("encoding", len(whole.queries)) as advance:
            given = embed_queries(encoder, whole, bf16=bf16, progress=advance), opened
    found = run_evaluation(
        encoder,
        chosen,
        name=model,
        measures=measures,
        training=training.training_of(model),
        centre=means,
        bf16=bf16,
        embeddings=given,
        perturb=kinds,
        lexicon=words,
        reranker=reranker,
        rerank=None if balanced is None else partial(balanced_lists, kind=balanced),
        note=show.note,
        **settings,
    )
    if balanced is not None:
        found.results["model"]["balanced"] = balanced
    return found


def _print(results: dict[str, Any], measure: str) -> None:
    """Print the tables of an evaluation."""
    from panglot.report.figures import languages_table, matrix_table, perturbed_tables, settings_table

    show.table(settings_table(results))
    if prompts := results["model"].get("prompts"):
        before = ", ".join(f"{text!r} before each {role}" for role, text in prompts.items() if text)
        show.result(f"prompts: {before or 'none'}")
    show.table(languages_table(results, measure))
    if 1 < len(results["benchmark"]["languages"]) <= WIDEST:
        show.table(matrix_table(results, measure))
    for table in perturbed_tables(results.get("perturbed") or {}, measure):
        show.table(table)
    if centring := results["model"]["centring"]:
        origins = ", ".join(source["name"] for source in centring["sources"])
        show.result(f"embeddings are centred by language, with means of {origins}")
    if balanced := results["model"].get("balanced"):
        show.result(f"lists of passages in all languages are balanced by {balanced}")
    if reranker := results["model"].get("reranker"):
        show.result(f"the first {reranker['depth']} passages of each list are reranked by {reranker['name']}")
