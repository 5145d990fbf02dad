"""From ranks to figures: every query and pool, the language matrix, the three settings, rank distance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data import Benchmark
from panglot.evaluation.cells import (
    ALL,
    Mask,
    cell_means,
    cells_of,
    matrix_places,
    setting_masks,
    values_of,
)
from panglot.evaluation.measures import DEFAULT_MEASURES, make_ranking, measure, rank_distance
from panglot.evaluation.ranks import Ranks

Figures = dict[str, float]


def per_query(benchmark: Benchmark, ranks: Ranks, measures: Sequence[str] = DEFAULT_MEASURES) -> pa.Table:
    """Return one row per query and pool that holds a relevant passage for it.

    Columns: query_id, item, query_language, pool (a language, or ``*`` for all), relevant (how many),
    best_rank, worst_rank, one column a measure, and rank_distance (worst minus best; null for pools of one
    language and for queries with one relevant passage).
    """
    pools = len(benchmark.languages)
    language = benchmark.passages.languages[ranks.passage]
    tables = []
    multilingual = pools > 1
    for list_of, rank in [
        (ranks.query * (pools + 1) + language, ranks.in_language),
        *([(ranks.query * (pools + 1) + pools, ranks.in_all)] if multilingual else []),
    ]:
        ranking, lists = make_ranking(list_of, rank, ranks.gain)
        query, pool = np.divmod(lists, pools + 1)
        last = ranking.start + ranking.relevant - 1
        distance = rank_distance(ranking)
        known = (pool == pools) & (ranking.relevant > 1)
        names = np.array([*benchmark.languages, ALL])
        tables.append(
            pa.table(
                {
                    "query_id": pa.array([benchmark.queries.ids[k] for k in query]),
                    "item": pa.array(benchmark.query_items[query], pa.int64()),
                    "query_language": pa.array(names[benchmark.queries.languages[query]]),
                    "pool": pa.array(names[pool]),
                    "relevant": pa.array(ranking.relevant, pa.int64()),
                    "best_rank": pa.array(ranking.rank[ranking.start], pa.int64()),
                    "worst_rank": pa.array(ranking.rank[last], pa.int64()),
                    **{name: pa.array(measure(name, ranking)) for name in measures},
                    "rank_distance": pa.array(distance, mask=~known),
                }
            )
        )
    return pa.concat_tables(tables)


def summarise(
    benchmark: Benchmark, table: pa.Table, measures: Sequence[str] = DEFAULT_MEASURES
) -> dict[str, Any]:
    """Average a ``per_query`` table into the parts ``settings``, ``bias``, ``by_language`` and ``matrix``.

    Means are taken over the queries of each (query language, pool), then over languages: the monolingual
    setting is the mean of the matrix's diagonal, the cross-lingual one that of the rest, the multilingual
    one that over query languages. A setting that the benchmark lacks is None.
    """
    cells = cells_of(table)
    masks = setting_masks(cells)
    means = {name: cell_means(cells, values_of(table, name)) for name in measures}

    def figures(mask: Mask) -> Figures | None:
        found = {name: _mean(values[mask]) for name, values in means.items()}
        return {name: value for name, value in found.items() if value is not None} or None

    distance = cell_means(cells, values_of(table, "rank_distance"))
    by_language = {}
    for language in benchmark.languages:
        row = cells.query_language == language
        by_language[language] = {
            **{name: figures(mask & row) for name, mask in masks.items()},
            "rank_distance": _mean(distance[row]),
        }
    matrix: dict[str, dict[str, Figures]] = {
        name: {language: {} for language in benchmark.languages} for name in measures
    }
    for (x, y), place in matrix_places(cells).items():
        for name in measures:
            matrix[name][x][y] = float(means[name][place])
    mean_distance = _mean(distance)
    return {
        "settings": {name: figures(mask) for name, mask in masks.items()},
        "bias": {
            "rank_distance": mean_distance,
            "rank_distance_normalised": None
            if mean_distance is None
            else mean_distance / len(benchmark.passages),
        },
        "by_language": by_language,
        "matrix": matrix,
    }


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
