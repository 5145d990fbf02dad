"""Measuring a model on held-out documents while it is trained."""

from collections.abc import Callable, Sequence

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import ParallelPairs, benchmark_from_pairs
from panglot.encoders import cut_at, encode, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.evaluation import exact_ranks, per_query, summarise
from panglot.training.config import BEST, RANK_DISTANCE, SETTINGS, check_metric

Measure = Callable[[SentenceTransformer], dict[str, float]]


def held_out_measure(
    held_out: Sequence[ParallelPairs],
    items: int = 100,
    max_length: int | None = None,
    metric: str = BEST,
) -> Measure:
    """Return a function that measures a model on held-out pairs.

    It gives AP (and the measure of ``metric``) by setting, averaged over sources, as ``multilingual_AP``;
    the mean over the settings, as ``AP``; and the rank distance, as ``rank_distance``.

    Args:
        held_out: pairs of each source.
        items: at most so many of each source, evenly spread, so that measuring stays cheap.
        max_length: cut texts at so many tokens; None: where the model cuts.
        metric: a figure that will be asked for; see ``check_metric``.
    """
    measures = list(dict.fromkeys(["AP", check_metric(metric) or "AP"]))
    benchmarks = []
    for pairs in held_out:
        few = np.unique(np.linspace(0, len(pairs) - 1, min(items, len(pairs))).astype(int))
        benchmarks.append(benchmark_from_pairs(pairs.select(items=few)))

    def measure(model: SentenceTransformer) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for benchmark in benchmarks:
            with cut_at(model, max_length):
                queries = encode(model, benchmark.queries.texts, query_prompt(model))
                passages = encode(model, benchmark.passages.texts, passage_prompt(model))
            ranks = exact_ranks(benchmark, queries, passages)
            results = summarise(benchmark, per_query(benchmark, ranks, measures), measures)
            for setting, figures in results["settings"].items():
                for name, value in (figures or {}).items():
                    found.setdefault(f"{setting}_{name}", []).append(value)
            if results["bias"][RANK_DISTANCE] is not None:
                found.setdefault(RANK_DISTANCE, []).append(results["bias"][RANK_DISTANCE])
        means = {name: float(np.mean(values)) for name, values in found.items()}
        for name in measures:
            settings = [means[f"{setting}_{name}"] for setting in SETTINGS if f"{setting}_{name}" in means]
            means[name] = float(np.mean(settings))
        if metric not in means:
            raise PanglotError(
                f"metric_for_best_model is {metric}, which the held-out pairs do not have. "
                f"Use one of {', '.join(sorted(means))}."
            )
        return means

    return measure
