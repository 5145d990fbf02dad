"""Evaluate an encoder on a benchmark or a suite, in every setting at once."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, FloatArray, load_data
from panglot.data.perturb import CODE_SWITCH, Lexicon, check_kinds, share_changed
from panglot.data.perturb import perturb as perturb_queries
from panglot.data.suite import Suite, as_benchmark
from panglot.encoders import as_encoder, as_reranker, encode, name_of, passage_prompt, query_prompt
from panglot.encoders.language_means import (
    Centre,
    LanguageMeans,
    centre_benchmark,
    check_centre,
    chosen_means,
)
from panglot.encoders.language_means import centre as subtract
from panglot.encoders.reranker import DEPTH as RERANKED
from panglot.encoders.reranker import Reranker
from panglot.encoders.store import Store
from panglot.errors import PanglotError, of_kind
from panglot.evaluation.aggregate import per_query, suite_figures, suite_table, summarise
from panglot.evaluation.bias import DEPTH as DEPTH_OF_BIAS
from panglot.evaluation.bias import bias_figures, with_columns
from panglot.evaluation.bootstrap import intervals, perturbed_drops
from panglot.evaluation.groups import group_figures
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.ranks import Ranks, exact_ranks
from panglot.evaluation.results import (
    PERTURBATION,
    Evaluation,
    describe_benchmark,
    describe_model,
    describe_run,
)
from panglot.evaluation.scores import Vectors
from panglot.evaluation.stores import check_store
from panglot.evaluation.top import Top, reranked, top_passages
from panglot.evaluation.trec import DEPTH, check_ids, write_runs
from panglot.progress import Shown, shown

Progress = Callable[[int], None]
Rerank = Callable[[Benchmark, FloatArray, Vectors, Ranks, Top], tuple[Ranks, Top]]
SOME = 1000  # passages that are looked at


def evaluate(
    model: SentenceTransformer | str | Path,
    benchmark: Benchmark | Suite | str,
    *,
    name: str | None = None,
    measures: Sequence[str] = DEFAULT_MEASURES,
    training: dict[str, Any] | None = None,
    seed: int = 0,
    runs: str | Path | None = None,
    run_depth: int | None = DEPTH,
    centre: Centre = None,
    bf16: bool = False,
    embeddings: tuple[FloatArray, Vectors] | None = None,
    perturb: Sequence[str] = (),
    lexicon: Lexicon | None = None,
    reranker: Reranker | str | Path | None = None,
    rerank_depth: int = RERANKED,
    rerank: Rerank | None = None,
    progress: Shown = None,
    note: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure an encoder monolingually, cross-lingually and in one multilingual pool.

    Texts are encoded once, however many settings use them.

    Args:
        model: any sentence-transformers encoder, or what ``load_encoder`` takes; its own prompts are used.
        benchmark: what to measure on: a benchmark, a suite of several, or the name of one whose data is at
            hand. Each part of a suite is ranked in its own pool.
        name: what the results call the model; None: the name or path that it was loaded from, or after
            ``train`` the folder that it is in.
        measures: ``AP``, ``nDCG@k``, ``R@k``, ``RR@k``, ``Success@k``, ``Complete@k``.
        training: how the model was trained, for the results file.
        seed: noted in the results; only ``perturb`` draws something.
        runs: a folder for TREC runs and qrels; each part of a suite has a folder in it.
        run_depth: passages per list in the runs; None for all.
        centre: take the mean embedding of its language away from each text and normalise again: means of
            the benchmark's own texts (``corpus``; judgements are not looked at), or others of this model.
        bf16: encode in bfloat16 (or: the given embeddings were).
        embeddings: the model's own, of the benchmark's queries and passages (of ``merge(suite)``), where they
            are at hand. The passages may be a store on disk: the pool is then read once, block by block. Not
            with ``centre``.
        perturb: kinds of change (``panglot.data.perturb.KINDS``): the queries are also measured so changed,
            by the first measure.
        lexicon: word pairs, for the kind ``code-switch``.
        reranker: puts the first passages of every list into a new order; what ``load_reranker`` returns or
            takes. Not with ``perturb`` or ``runs``.
        rerank_depth: passages of each list that it reads.
        rerank: in place of a reranker, what changes ranks and lists; see ``evaluate_embeddings``. Not with
            ``perturb`` or ``runs`` either.
        progress: called with the number of texts just encoded; each kind of change encodes the queries again.
            By default, standard error shows how far it is; False shows nothing.
        note: called with sentences that a person should read.

    Returns:
        what ``assembled`` says; ``perturbed`` holds rows where ``perturb`` is given.

    Raises:
        PanglotError: an unknown measure, kind of change or kind of centring, means or a store of another
            model, a store of other passages, or an id that runs cannot hold.
    """
    chosen = of_kind(benchmark, load_data, Benchmark, Suite)
    whole = as_benchmark(chosen)
    for measure in measures:
        parse_measure(measure)
    for part in parts_of(chosen) if runs is not None else ():
        check_ids(part)
    reranker = None if reranker is None else as_reranker(reranker)
    model = as_encoder(model)
    check_centre(centre, model)
    _check_reranking(reranker or rerank, rerank_depth, bool(perturb) or runs is not None)
    perturb = list(dict.fromkeys(perturb))
    check_kinds(perturb, lexicon)
    texts = len(whole.queries) * len(perturb)
    if embeddings is None:
        texts += len(whole.queries) + len(whole.passages)
    with shown(progress, "encoding", texts) as advance:
        queries, passages = embeddings or embed_benchmark(model, whole, bf16=bf16, progress=advance)
        _check_passages(passages, centre)
        described = describe_model(model, name or name_of(model), training)
        described |= {"precision": "bfloat16" if bf16 else "float32", "centring": None}
        if isinstance(passages, Store):
            check_store(passages, model, whole)
            described["store"] = passages.facts.dtype
        means = None
        if centre is not None:
            given = np.asarray(passages)
            means, described["centring"] = chosen_means(centre, model, whole, queries, given, note)
            queries, passages = centre_benchmark(whole, queries, given, means)
        if runs is not None:
            _write_runs(Path(runs), chosen, queries, passages, run_depth)
        if reranker is not None:
            described["reranker"] = {**reranker.describe(), "depth": rerank_depth}
            rerank = partial(reranked, reranker=reranker, depth=rerank_depth, progress=progress)
        figures = evaluate_embeddings(chosen, queries, passages, measures, rerank=rerank)
        evaluation = assembled(chosen, figures, described, seed)
        if not perturb:
            return evaluation

        def embed(changed: Benchmark) -> FloatArray:
            return embed_queries(model, changed, bf16=bf16, progress=advance, means=means)

        return _perturbed(chosen, evaluation, embed, passages, perturb, lexicon, seed)


def _perturbed(
    chosen: Benchmark | Suite,
    evaluation: Evaluation,
    embed: Callable[[Benchmark], FloatArray],
    passages: Vectors,
    kinds: Sequence[str],
    lexicon: Lexicon | None,
    seed: int,
) -> Evaluation:
    """Add what the first measure is on changed queries; the passages are not encoded again."""
    whole, measure = as_benchmark(chosen), evaluation.measures[0]
    drops, rows = {}, []
    for kind in kinds:
        changed = perturb_queries(whole, kind, seed, lexicon if kind == CODE_SWITCH else None)
        ranks = [exact_ranks(part, q, p) for part, q, p in _by_part(chosen, embed(changed), passages)]
        after = evaluate_ranks(chosen, ranks, [measure]).per_query
        drops[kind] = perturbed_drops(evaluation.per_query, after, measure, share_changed(whole, changed))
        rows.append(after.add_column(0, PERTURBATION, pa.array([kind] * len(after), pa.string())))
    results = {**evaluation.results, "perturbed": drops}
    return Evaluation(results, evaluation.per_query, pa.concat_tables(rows))


def assembled(
    chosen: Benchmark | Suite, evaluation: Evaluation, model: dict[str, Any], seed: int = 0
) -> Evaluation:
    """Complete the figures of an evaluation with what was measured, and with intervals and groups."""
    whole = as_benchmark(chosen)
    results = {
        **describe_run(seed),
        "model": model,
        "benchmark": describe_benchmark(whole),
        **evaluation.results,
    }
    table = evaluation.per_query
    size = None if isinstance(chosen, Suite) else len(whole.passages)  # parts have pools of their own
    results["intervals"] = intervals(table, evaluation.measures, passages=size)
    results["groups"] = group_figures(results, table)
    return Evaluation(results, table)


def _check_reranking(reranker: Reranker | str | Path | Rerank | None, depth: int, also: bool) -> None:
    if reranker is not None and depth < 1:
        raise PanglotError(f"the rerank depth is {depth}; use 1 or more.")
    if reranker is not None and also:
        raise PanglotError("Reranked lists are not perturbed and not written as runs. Leave one of them out.")


def _check_passages(passages: Vectors, centre: Centre) -> None:
    """Refuse embeddings that are all the same, as those of a model of zeros: ties are not a ranking."""
    if centre is not None and isinstance(passages, Store):
        raise PanglotError("embeddings in a store cannot be centred; leave the store or the centring out.")
    some = np.asarray(passages[:SOME])
    if len(some) > 1 and not np.ptp(some, axis=0).any():
        raise PanglotError(
            "The model gives all passages the same embedding, so nothing is ranked. Check its weights."
        )


def _write_runs(
    folder: Path, chosen: Benchmark | Suite, queries: FloatArray, passages: Vectors, depth: int | None
) -> None:
    for part, q, p in _by_part(chosen, queries, passages):
        write_runs(folder / part.name if isinstance(chosen, Suite) else folder, part, q, p, depth)


def embed_benchmark(
    model: SentenceTransformer,
    benchmark: Benchmark,
    *,
    bf16: bool = False,
    progress: Progress | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Encode a benchmark's queries and passages into unit vectors, ``(Q, d)`` and ``(P, d)``."""
    return (
        embed_queries(model, benchmark, bf16=bf16, progress=progress),
        encode(model, benchmark.passages.titled(), passage_prompt(model), bf16=bf16, progress=progress),
    )


def embed_queries(
    model: SentenceTransformer,
    benchmark: Benchmark,
    *,
    bf16: bool = False,
    progress: Progress | None = None,
    means: LanguageMeans | None = None,
) -> FloatArray:
    """Encode a benchmark's queries into unit vectors, ``(Q, d)``, from which ``means`` are taken away."""
    texts = benchmark.queries
    vectors = encode(model, texts.texts, query_prompt(model), bf16=bf16, progress=progress)
    return vectors if means is None else subtract(vectors, texts.languages, benchmark.languages, means.query)


def parts_of(chosen: Benchmark | Suite) -> tuple[Benchmark, ...]:
    """Return the benchmarks whose queries are ranked in pools of their own."""
    return chosen.parts if isinstance(chosen, Suite) else (chosen,)


def _by_part(
    chosen: Benchmark | Suite, queries: FloatArray, passages: Vectors
) -> Iterator[tuple[Benchmark, FloatArray, Vectors]]:
    """Give each part with the vectors of its queries and passages."""
    if isinstance(chosen, Benchmark):
        yield chosen, queries, passages
        return
    q = p = 0
    for part in chosen.parts:
        yield part, queries[q : q + len(part.queries)], passages[p : p + len(part.passages)]
        q, p = q + len(part.queries), p + len(part.passages)


def evaluate_embeddings(
    chosen: Benchmark | Suite,
    queries: FloatArray,
    passages: Vectors,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    rerank: Rerank | None = None,
) -> Evaluation:
    """Measure unit vectors of the queries ``(Q, d)`` and passages ``(P, d)``, or a store of these.

    Those of a suite are in the order of ``merge(suite)``. The results hold ``settings``, ``bias``,
    ``by_language`` and ``matrix``, and of a suite ``parts`` and ``part_groups``. ``rerank`` changes ranks and
    lists before they are measured (see ``evaluation.top.reranked``).
    """
    ranks, tops = [], []
    for part, q, p in _by_part(chosen, queries, passages):
        of_part, top = exact_ranks(part, q, p), None
        if rerank is not None or not isinstance(chosen, Suite):
            top = top_passages(part, q, p, DEPTH_OF_BIAS)
        if rerank is not None and top is not None:
            of_part, top = rerank(part, q, p, of_part, top)
        ranks.append(of_part)
        tops.append(top)
    found = evaluate_ranks(chosen, ranks, measures)
    if isinstance(chosen, Suite) or tops[0] is None:
        return found
    bias, columns = bias_figures(chosen, ranks[0], tops[0])
    table = found.per_query
    if columns:
        table = with_columns(table.drop_columns("rank_distance"), columns)
    return Evaluation({**found.results, "bias": bias}, table)


def evaluate_ranks(
    chosen: Benchmark | Suite, ranks: Sequence[Ranks], measures: Sequence[str] = DEFAULT_MEASURES
) -> Evaluation:
    """Average the ranks of each part's relevant passages, however they were found."""
    parts = parts_of(chosen)
    tables = [per_query(part, of_part, measures) for part, of_part in zip(parts, ranks, strict=True)]
    if isinstance(chosen, Suite):
        tables = [suite_table(chosen, part, table) for part, table in zip(parts, tables, strict=True)]
        return Evaluation(suite_figures(chosen, tables, measures), pa.concat_tables(tables))
    return Evaluation(summarise(chosen, tables[0], measures), tables[0])
