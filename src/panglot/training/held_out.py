"""Measuring a model on held-out documents while it is trained."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device

from panglot.batches import Sampler, make_sampler
from panglot.data import ParallelPairs, benchmark_from_pairs
from panglot.data.suite import SETTINGS
from panglot.encoders import cut_at, encode, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.evaluation import exact_ranks, per_query, summarise
from panglot.evaluation.measures import DISTANCE
from panglot.training.config import BEST, LOSS, BatchesPart, TrainingConfig, check_metric
from panglot.training.dataset import Steps
from panglot.training.loss import compare, cross_entropy
from panglot.training.micro_batches import embed

Measure = Callable[[SentenceTransformer], dict[str, float]]
BATCHES = 8  # of each source, over which the held-out loss is averaged


def measure_of(
    config: TrainingConfig, held_out: Sequence[ParallelPairs], max_length: int | None = None
) -> Measure:
    """Return the function that measures a model on held-out pairs as a run's settings say."""
    metric = config.training.metric_for_best_model
    figures = held_out_measure(held_out, config.data.held_out_items, max_length, metric)
    if metric != LOSS:
        return figures
    loss = held_out_loss(held_out, config, max_length)
    return lambda model: figures(model) | {LOSS: loss(model)}


def held_out_loss(
    held_out: Sequence[ParallelPairs], config: TrainingConfig, max_length: int | None = None
) -> Callable[[SentenceTransformer], float]:
    """Return a function that takes InfoNCE on held-out pairs: always the same batches, mean over sources.

    Batches are drawn as the run draws them (monolingual ones where the pairs allow no others), of its size or
    as large as a source allows.

    Raises:
        PanglotError: a source cannot fill a batch of two.
    """
    samplers = [_held_out_sampler(pairs, config.batches) for pairs in held_out]

    def of_batch(features: dict[str, Any], model: SentenceTransformer) -> float:
        batches = [batch_to_device(dict(batch), model.device) for batch in features["micro_batches"]]
        vectors = embed(model.forward, batches).cpu()
        queries, passages = vectors[features["query_rows"]], vectors[features["passage_rows"]]
        keys = features["keys"]
        compared = compare(queries, passages, keys, keys, gathered=False)  # all processes draw the same
        return float(cross_entropy(compared, config.loss.temperature))

    def loss(model: SentenceTransformer) -> float:
        was_training = model.training
        model.eval()
        found = []
        with torch.inference_mode(), cut_at(model, max_length):
            for pairs, sampler in zip(held_out, samplers, strict=True):
                steps = Steps(sampler, [pairs], model, BATCHES)
                found.append(np.mean([of_batch(steps[k], model) for k in range(BATCHES)]))
        model.train(was_training)
        return float(np.mean(found))

    return loss


def _held_out_sampler(pairs: ParallelPairs, how: BatchesPart) -> Sampler:
    """Return the draws of the run's batches from held-out pairs, or the nearest that these allow."""
    size, own = how.size, {**how.sampler_settings(), "source_sizes": {}}
    while True:
        for strategy in dict.fromkeys((how.strategy, "monolingual")):
            try:
                settings = {**own, "strategy": strategy, "batch_size": size}
                return make_sampler([pairs], steps=BATCHES, **settings)
            except PanglotError:
                if size == 2 and strategy == "monolingual":
                    raise
        size = max(2, size // 2)


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
        items: at most so many of each source, evenly spread, so that measuring stays cheap.
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
            if results["bias"][DISTANCE] is not None:
                found.setdefault(DISTANCE, []).append(results["bias"][DISTANCE])
        means = {name: float(np.mean(values)) for name, values in found.items()}
        for name in measures:
            settings = [means[f"{setting}_{name}"] for setting in SETTINGS if f"{setting}_{name}" in means]
            means[name] = float(np.mean(settings))
        if metric not in means and metric != LOSS:
            raise PanglotError(
                f"metric_for_best_model is {metric}, which the held-out pairs do not have. "
                f"Use one of {', '.join(sorted(means))}."
            )
        return means

    return measure
