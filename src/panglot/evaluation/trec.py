"""Runs and qrels in TREC's formats, for trec_eval, ir_measures and everyone else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.errors import PanglotError
from panglot.evaluation.aggregate import ALL
from panglot.evaluation.scores import (
    SMALLEST,
    UNIT,
    Vectors,
    column_blocks,
    gathered_scores,
    language_order,
    product_error,
    row_blocks,
    score,
    tie_order,
    work_order,
)
from panglot.files import written_whole

DEPTH = 100
NOTHING = np.zeros(0, np.int64)


def write_runs(
    folder: str | Path,
    benchmark: Benchmark,
    queries: FloatArray,
    passages: Vectors,
    depth: int | None = DEPTH,
    tag: str = "panglot",
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write one run and one qrels file per query language and pool: ``en-de.run``, ``en-all.run``, ...

    Lists are cut at ``depth`` (None: the whole pool). Scores are those that ranks go by (``pair_scores``),
    written so that they read back as the same float32; equal ones are in trec_eval's order, by passage id
    descending. The pool's vectors, and its scores for a block of queries, must fit in memory. The qrels hold
    the queries that have a relevant passage in the pool, which are those that the figures are means over.

    Returns:
        the run files.

    Raises:
        PanglotError: an id that the format cannot hold.
    """
    folder = Path(folder)
    check_ids(benchmark)
    place = tie_order(benchmark.passages.ids)
    by_language, bounds = language_order(benchmark)
    vectors = passages[by_language]
    margin = _margin(vectors)
    pools = {
        language: slice(int(bounds[k]), int(bounds[k + 1])) for k, language in enumerate(benchmark.languages)
    }
    if len(pools) > 1:
        pools[ALL] = slice(0, len(by_language))
    relevant = benchmark.gains > 0
    order = work_order(benchmark.judged_query[relevant], len(benchmark.queries))
    judged = np.bincount(benchmark.judged_query[relevant], minlength=len(benchmark.queries))
    left_out = _left_out(benchmark)
    lines: dict[tuple[str, str], list[str]] = {}
    for rows in row_blocks(order[judged[order] > 0]):
        block = np.ascontiguousarray(queries[rows])
        parts = [score(block, vectors[columns]) for columns in column_blocks(len(vectors))]
        scores = torch.cat(parts, dim=1).numpy()
        lengths = np.linalg.norm(block, axis=1)
        for pool, columns in pools.items():
            ids = by_language[columns]
            for k, row in enumerate(rows):
                missing = left_out.get(int(row), NOTHING)
                wanted = None if depth is None else depth + len(missing)
                near = _reaching(scores[k, columns], wanted, margin * float(lengths[k]))
                near = near[~np.isin(ids[near], missing)]
                exact = gathered_scores(block, np.full(len(near), k), vectors, near + columns.start)
                best = np.lexsort((place[ids[near]], -exact))[:depth]
                language = benchmark.languages[benchmark.queries.languages[row]]
                lines.setdefault((language, pool), []).extend(
                    f"{benchmark.queries.ids[row]} Q0 {benchmark.passages.ids[ids[near[at]]]} {rank} "
                    f"{_written(exact[at])} {tag}\n"
                    for rank, at in enumerate(best, 1)
                )
        if progress is not None:
            progress(len(rows))
    written = []
    for (language, pool), content in sorted(lines.items()):
        name = f"{language}-{'all' if pool == ALL else pool}"
        with written_whole(folder / f"{name}.run") as part:
            part.write_text("".join(content), encoding="utf-8")
        with written_whole(folder / f"{name}.qrels") as part:
            part.write_text("".join(_qrels(benchmark, language, pool)), encoding="utf-8")
        written.append(folder / f"{name}.run")
    return written


def check_ids(benchmark: Benchmark) -> None:
    """Raise a ``PanglotError`` at the first id with white space, where TREC's formats would be split."""
    for kind, texts in (("query", benchmark.queries), ("passage", benchmark.passages)):
        for name in texts.ids:
            if name.split() != [name]:
                raise PanglotError(
                    f"{benchmark.name}: {kind} id '{name}' is empty or holds white space, which a TREC run "
                    "cannot; rename it, or write no runs."
                )


def _left_out(benchmark: Benchmark) -> dict[int, IntArray]:
    """Return the passages that are not in a query's pool, by query row."""
    out = np.flatnonzero(benchmark.gains < 0)
    out = out[np.argsort(benchmark.judged_query[out], kind="stable")]
    rows, starts = np.unique(benchmark.judged_query[out], return_index=True)
    passages = np.split(benchmark.judged_passage[out], starts[1:])
    return dict(zip(rows.tolist(), passages, strict=False))


def _margin(vectors: FloatArray) -> float:
    """Return how far apart two products of a query of length 1 may be whose scores are in another order."""
    longest = float(np.linalg.norm(vectors, axis=1).max())
    underflow = 4 * vectors.shape[1] * SMALLEST
    return float(2.01 * (product_error(vectors.shape[1]) + UNIT) * longest + underflow)


def _reaching(scores: FloatArray, depth: int | None, margin: float) -> IntArray:
    """Return the columns that may be among the best, ties at the edge included."""
    if depth is None or depth >= len(scores):
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -depth)[-depth] - margin)


def _written(value: np.float32) -> str:
    return np.format_float_scientific(value, unique=True)


def _qrels(benchmark: Benchmark, language: str, pool: str) -> list[str]:
    code = benchmark.languages.index(language)
    of_language = benchmark.queries.languages[benchmark.judged_query] == code
    of_language &= benchmark.gains >= 0
    if pool != ALL:
        of_pool = benchmark.passages.languages[benchmark.judged_passage] == benchmark.languages.index(pool)
        of_language &= of_pool
    # trec_eval counts a judged query without relevant passages as 0; here it does not count
    relevant = of_language & (benchmark.gains > 0)
    of_language &= np.isin(benchmark.judged_query, benchmark.judged_query[relevant])
    return [
        f"{benchmark.queries.ids[q]} 0 {benchmark.passages.ids[p]} {gain}\n"
        for q, p, gain in zip(
            benchmark.judged_query[of_language],
            benchmark.judged_passage[of_language],
            benchmark.gains[of_language],
            strict=True,
        )
    ]
