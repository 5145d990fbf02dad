"""All bias figures of a benchmark: for the results file, and one value per query for resampling."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from panglot.data import Benchmark, IntArray
from panglot.evaluation.aggregate import ALL
from panglot.evaluation.bias.peer import kruskal_wallis, peer
from panglot.evaluation.bias.preference import (
    own_language_preference,
    parallel_preference,
    target_language_recall,
)
from panglot.evaluation.bias.readings import DEPTH, PATIENCE, RECALL, TOP
from panglot.evaluation.bias.shares import (
    exposure,
    relevant_shares,
    target_exposure,
    top_shares,
    total_variation,
)
from panglot.evaluation.ranks import Ranks
from panglot.evaluation.top import Top

Values = npt.NDArray[np.float64]
Columns = dict[str, Values]


def bias_figures(benchmark: Benchmark, ranks: Ranks, top: Top) -> tuple[dict[str, Any], Columns]:
    """Measure language bias in the pool of all languages.

    Args:
        benchmark: with Q queries and P passages.
        ranks: of the relevant passages.
        top: the first ``DEPTH`` passages of the queries with a relevant passage.

    Returns:
        the ``bias`` part of the results file, and columns for ``with_columns``: one value per query with a
        relevant passage, in order of query row, NaN where it says nothing. Figures are means over the queries
        of a language, then over languages (None where no query has a value). In a benchmark of one language
        everything is None, and there are no columns.
    """
    if len(benchmark.languages) < 2:
        return {"rank_distance": None, "rank_distance_normalised": None}, {}
    columns, tested = _rank_columns(benchmark, ranks)
    of_lists, shares = _list_columns(benchmark, ranks, top)
    columns |= of_lists
    language = benchmark.queries.languages[top.query]
    means = {name: _by_language(values, language, benchmark.languages) for name, values in columns.items()}
    if not tested.any():  # then PEER follows from numbers of passages alone
        means[f"peer@{DEPTH}"] = {}
        columns[f"peer@{DEPTH}"] = np.full(len(tested), np.nan)
    for name, (found, fair) in shares.items():
        means[name] = {
            code: float(total_variation(found[language == k].mean(0), fair[language == k].mean(0)))
            for k, code in enumerate(benchmark.languages)
            if (language == k).any()
        }
    bias: dict[str, Any] = {name: _mean(values) for name, values in means.items()}
    bias[f"peer_tested@{DEPTH}"] = float(tested.mean())
    bias["by_language"] = {
        code: {name: values.get(code) for name, values in means.items()} for code in benchmark.languages
    }
    titles = {f"share_distance@{TOP}": f"top_shares@{TOP}", "exposure_distance": "exposure"}
    for name, (found, fair) in shares.items():
        parts = {"share": found, "fair": fair}
        bias[titles[name]] = {part: _matrix(v, language, benchmark.languages) for part, v in parts.items()}
    return bias, columns


def with_columns(table: pa.Table, columns: Mapping[str, Values]) -> pa.Table:
    """Add the columns of ``bias_figures`` to a ``per_query`` table; null in the pools of one language."""
    every = np.array(table.column("pool").to_pylist()) == ALL
    for name, values in columns.items():
        whole = np.full(len(table), np.nan)
        whole[every] = values
        table = table.append_column(name, pa.array(whole, mask=np.isnan(whole)))
    return table


def _rank_columns(benchmark: Benchmark, ranks: Ranks) -> tuple[Columns, npt.NDArray[np.bool_]]:
    """Measure what needs ranks of relevant passages only; also say for which queries PEER tests something."""
    rows, query = np.unique(ranks.query, return_inverse=True)
    language = benchmark.passages.languages[ranks.passage]
    own = language == benchmark.queries.languages[ranks.query]
    start = np.searchsorted(query, np.arange(len(rows)))
    worst = np.maximum.reduceat(ranks.in_all, start).astype(float)
    worst[np.bincount(query) < 2] = np.nan
    distance = worst - np.minimum.reduceat(ranks.in_all, start)
    preference = own_language_preference(query, ranks.gain, own, ranks.in_all, len(rows))
    fair, tested = peer(query, ranks.gain, language, ranks.in_all, DEPTH, len(rows))
    columns = {
        "rank_distance": distance,
        "rank_distance_normalised": distance / len(benchmark.passages),
        "max@r": worst,
        "own_language_wins": preference.wins,
        "own_language_doublings": preference.doublings,
        f"tlr@{RECALL}": target_language_recall(query, own, ranks.in_all, RECALL, len(rows)),
        f"peer@{DEPTH}": fair,
    }
    return columns, tested


def _list_columns(
    benchmark: Benchmark, ranks: Ranks, top: Top
) -> tuple[Columns, dict[str, tuple[Values, Values]]]:
    """Measure what needs the lists; also give found and fair shares of languages, ``(N, L)`` each."""
    count = len(benchmark.languages)
    rows, query = np.unique(ranks.query, return_inverse=True)
    of_passage = benchmark.passages.languages
    language, listed = of_passage[ranks.passage], of_passage[top.passage]
    pool = np.bincount(of_passage, minlength=count)
    shares = {
        f"share_distance@{TOP}": (
            top_shares(listed, TOP, count),
            relevant_shares(query, language, len(rows), count),
        ),
        "exposure_distance": (
            exposure(listed, PATIENCE, count),
            target_exposure(query, ranks.gain, language, pool, PATIENCE, len(rows)),
        ),
    }
    asked = benchmark.queries.languages[rows]
    own = asked[:, None]
    parallel = parallel_preference(
        query, language == asked[query], ranks.in_all, listed[:, 0] == asked, len(rows)
    )

    def excess(name: str) -> Values:
        found, fair = shares[name]
        return np.asarray(np.take_along_axis(found - fair, own, 1)[:, 0])

    columns = {
        "language_preference_rate": parallel.prefers_own,
        **{f"first_{outcome}": values for outcome, values in parallel.first.items()},
        f"own_language_excess@{TOP}": excess(f"share_distance@{TOP}"),
        "own_language_exposure": excess("exposure_distance"),
        f"peer_nonrelevant@{DEPTH}": _peer_of_the_rest(ranks, rows, top.passage, listed),
    }
    return columns, shares


def _peer_of_the_rest(ranks: Ranks, rows: IntArray, passage: IntArray, language: IntArray) -> Values:
    """PEER of level 0: the listed passages that are not relevant; NaN where nothing is tested."""
    size = int(max(passage.max(), ranks.passage.max())) + 1
    key = rows[:, None] * size + passage
    query, place = np.nonzero(~np.isin(key, ranks.query * size + ranks.passage))
    p, tested = kruskal_wallis(query, language[query, place], place, len(rows), int(language.max()) + 1)
    return np.where(tested, p, np.nan)


def _by_language(values: Values, language: IntArray, languages: tuple[str, ...]) -> dict[str, float]:
    known = ~np.isnan(values)
    return {
        code: float(values[known & (language == k)].mean())
        for k, code in enumerate(languages)
        if (known & (language == k)).any()
    }


def _mean(by_language: Mapping[str, float]) -> float | None:
    return float(np.mean(list(by_language.values()))) if by_language else None


def _matrix(shares: Values, language: IntArray, languages: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Return mean shares: for queries of the first language, of passages in the second."""
    return {
        code: dict(zip(languages, shares[language == k].mean(0).tolist(), strict=True))
        for k, code in enumerate(languages)
        if (language == k).any()
    }
