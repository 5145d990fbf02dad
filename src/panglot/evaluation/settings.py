"""From ranks to figures: every query and pool, the language matrix, the three settings, rank distance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data import Benchmark
from panglot.evaluation.measures import DEFAULT_MEASURES, make_ranking, measure, rank_distance
from panglot.evaluation.ranks import Ranks

ALL = "*"  # the pool of all languages, among language codes
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
    languages = list(benchmark.languages)
    code = {language: k for k, language in enumerate([*languages, ALL])}
    x = np.array([code[value] for value in table.column("query_language").to_pylist()], np.int64)
    y = np.array([code[value] for value in table.column("pool").to_pylist()], np.int64)
    cell = x * (len(languages) + 1) + y
    shape = (len(languages) + 1, len(languages) + 1)

    def means(column: str) -> np.ndarray:
        values = table.column(column).to_numpy(zero_copy_only=False).astype(float)
        known = ~np.isnan(values)
        total = np.bincount(cell[known], values[known], shape[0] * shape[1])
        count = np.bincount(cell[known], minlength=shape[0] * shape[1])
        with np.errstate(invalid="ignore"):
            return np.asarray(total / count).reshape(shape)[:-1]

    cells = {name: means(name) for name in measures}
    diagonal = np.eye(*shape, dtype=bool)[:-1]
    off_diagonal = ~diagonal
    off_diagonal[:, -1] = False
    everything = np.zeros_like(diagonal)
    everything[:, -1] = True
    masks = {"monolingual": diagonal, "crosslingual": off_diagonal, "multilingual": everything}

    def figures(mask: np.ndarray) -> Figures | None:
        found = {name: _mean(values[mask]) for name, values in cells.items()}
        return {name: value for name, value in found.items() if value is not None} or None

    distance = means("rank_distance")[:, -1]
    by_language = {}
    for k, language in enumerate(languages):
        row = np.zeros_like(diagonal)
        row[k] = True
        by_language[language] = {
            **{name: figures(mask & row) for name, mask in masks.items()},
            "rank_distance": _mean(distance[k : k + 1]),
        }
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
        "matrix": {
            name: {
                a: {b: float(values[i, j]) for j, b in enumerate(languages) if not np.isnan(values[i, j])}
                for i, a in enumerate(languages)
            }
            for name, values in cells.items()
        },
    }


def _mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
