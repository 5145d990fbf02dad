"""The figures of a suite, whose parts are ranked each in a pool of its own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from panglot.data import Benchmark
from panglot.data.suite import Suite, merge
from panglot.evaluation.aggregate import settings_of, summarise


def suite_table(suite: Suite, part: Benchmark, table: pa.Table) -> pa.Table:
    """Return a part's per-query table with its name, and the rows of the settings that the suite reports."""
    language, pool = (np.array(table.column(name).to_pylist()) for name in ("query_language", "pool"))
    kept = table.filter(pa.array(np.isin(settings_of(language, pool), suite.settings)))
    return kept.add_column(0, "part", pa.array([part.name] * kept.num_rows, pa.string()))


def suite_figures(suite: Suite, tables: Sequence[pa.Table], measures: Sequence[str]) -> dict[str, Any]:
    """Average the tables of a suite's parts, from ``suite_table``.

    A figure of (query language, pool) is a mean over the queries of a part, then over the parts that have
    it; settings, matrix and languages follow from those as they do for one benchmark.

    Returns:
        as ``summarise``; also ``parts`` and ``part_groups``.
    """
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
    return results


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
