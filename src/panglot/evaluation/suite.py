"""Evaluate an encoder on a suite: several benchmarks with pools of their own, reported as one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sentence_transformers import SentenceTransformer

from panglot.data import FloatArray
from panglot.data.suite import Suite, merge
from panglot.encoders.language_means import Centre, centre_benchmark, check_centre, chosen_means
from panglot.evaluation.aggregate import ALL, per_query, summarise
from panglot.evaluation.exclude_self import ranks_without_left_out
from panglot.evaluation.measures import DEFAULT_MEASURES, parse_measure
from panglot.evaluation.results import Evaluation, describe_benchmark, describe_model, describe_run
from panglot.evaluation.run import Progress, embed_benchmark
from panglot.evaluation.trec import DEPTH, check_ids, write_runs

Embeddings = tuple[FloatArray, FloatArray]


def evaluate_suite(
    model: SentenceTransformer,
    suite: Suite,
    *,
    name: str = "model",
    measures: Sequence[str] = DEFAULT_MEASURES,
    training: dict[str, Any] | None = None,
    seed: int = 0,
    runs: str | Path | None = None,
    run_depth: int | None = DEPTH,
    centre: Centre = None,
    bf16: bool = False,
    embeddings: Embeddings | None = None,
    progress: Progress | None = None,
    note: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measure an encoder on every part of a suite, each in its own pool; texts are encoded once.

    Args:
        model: any sentence-transformers encoder; its own prompts are used.
        suite: what to measure on.
        name: what the results call the model.
        measures: ``AP``, ``nDCG@k``, ``R@k``, ``RR@k``, ``Success@k``.
        training: how the model was trained, for the results file.
        seed: noted in the results; an evaluation draws nothing.
        runs: a folder for TREC runs and qrels; each part has a folder in it.
        run_depth: passages per list in the runs; None for all.
        centre: as for ``evaluate``; ``corpus`` takes the texts of all parts.
        bf16: encode in bfloat16 (or: the given embeddings were).
        embeddings: the model's own, of ``merge(suite)``, where they are at hand.
        progress: called with the number of texts just encoded.
        note: called with sentences that a person should read.

    Returns:
        as ``evaluate``; the results also hold ``parts`` and ``part_groups``, the per-query table ``part``.
    """
    for measure in measures:
        parse_measure(measure)
    if runs is not None:
        for part in suite.parts:
            check_ids(part)
    check_centre(centre, model)
    merged = merge(suite)
    queries, passages = embeddings or embed_benchmark(model, merged, bf16=bf16, progress=progress)
    described = describe_model(model, name, training)
    described |= {"precision": "bfloat16" if bf16 else "float32", "centring": None}
    if centre is not None:
        means, described["centring"] = chosen_means(centre, model, merged, queries, passages, note)
        queries, passages = centre_benchmark(merged, queries, passages, means)
    if runs is not None:
        for part, (of_queries, of_passages) in zip(suite.parts, _slices(suite), strict=True):
            place = Path(runs) / part.name
            write_runs(place, part, queries[of_queries], passages[of_passages], run_depth)
    evaluation = evaluate_suite_embeddings(suite, queries, passages, measures)
    results = {
        **describe_run(seed),
        "model": described,
        "benchmark": describe_benchmark(merged),
        **evaluation.results,
    }
    return Evaluation(results, evaluation.per_query)


def evaluate_suite_embeddings(
    suite: Suite, queries: FloatArray, passages: FloatArray, measures: Sequence[str] = DEFAULT_MEASURES
) -> Evaluation:
    """Measure unit vectors of the queries ``(Q, d)`` and passages ``(P, d)`` of ``merge(suite)``.

    A figure of (query language, pool) is a mean over the queries of a part, then over the parts that have
    it; settings, matrix and languages follow from those as they do for one benchmark.
    """
    tables = [
        _with_part(_reported(per_query(part, ranks_without_left_out(part, q, p), measures), suite), part.name)
        for part, (q, p) in zip(suite.parts, _split(suite, queries, passages), strict=True)
    ]
    merged = merge(suite)
    means = [_cell_means(table, measures) for table in tables]
    numbered = dict(zip((part.name for part in suite.parts), means, strict=True))
    results = summarise(merged, pa.concat_tables(means), measures)
    results["bias"]["rank_distance_normalised"] = _normalised_distance(suite, means)
    results["parts"] = {
        part.name: {
            "languages": list(part.languages),
            "queries": len(part.queries),
            "passages": len(part.passages),
            "settings": summarise(part, numbered[part.name], measures)["settings"],
        }
        for part in suite.parts
    }
    results["part_groups"] = {
        group: {
            "parts": list(members),
            "settings": summarise(merged, pa.concat_tables([numbered[m] for m in members]), measures)[
                "settings"
            ],
        }
        for group, members in suite.groups.items()
    }
    return Evaluation(results, pa.concat_tables(tables))


def _slices(suite: Suite) -> list[tuple[slice, slice]]:
    """Say where each part's queries and passages are in ``merge(suite)``."""
    found, q, p = [], 0, 0
    for part in suite.parts:
        found.append((slice(q, q + len(part.queries)), slice(p, p + len(part.passages))))
        q, p = found[-1][0].stop, found[-1][1].stop
    return found


def _split(suite: Suite, queries: FloatArray, passages: FloatArray) -> list[Embeddings]:
    return [(queries[q], passages[p]) for q, p in _slices(suite)]


def _reported(table: pa.Table, suite: Suite) -> pa.Table:
    """Keep the rows of the settings that mean something in the suite."""
    pool = np.array(table.column("pool").to_pylist())
    own = pool == np.array(table.column("query_language").to_pylist())
    setting = np.where(pool == ALL, "multilingual", np.where(own, "monolingual", "crosslingual"))
    return table.filter(pa.array(np.isin(setting, suite.settings)))


def _with_part(table: pa.Table, name: str) -> pa.Table:
    return table.add_column(0, "part", pa.array([name] * table.num_rows, pa.string()))


def _cell_means(table: pa.Table, measures: Sequence[str]) -> pa.Table:
    """Average a part's per-query table into one row per query language and pool, in the same columns."""
    columns = [*measures, "rank_distance"]
    grouped = table.group_by(["query_language", "pool"], use_threads=False).aggregate(
        [*((column, "mean") for column in columns), ("item", "min")]
    )
    return pa.table(
        {
            "query_language": grouped.column("query_language"),
            "pool": grouped.column("pool"),
            "item": grouped.column("item_min"),
            **{column: grouped.column(f"{column}_mean").cast(pa.float64()) for column in columns},
        }
    )


def _normalised_distance(suite: Suite, means: Sequence[pa.Table]) -> float | None:
    """Average the rank distance over the size of its part's pool: over query languages, then over parts."""
    found = []
    for part, table in zip(suite.parts, means, strict=True):
        distances = table.column("rank_distance").drop_null().to_numpy()
        if len(distances):
            found.append(float(distances.mean()) / len(part.passages))
    return float(np.mean(found)) if found else None
