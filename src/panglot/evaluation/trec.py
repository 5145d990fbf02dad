"""Runs and qrels in TREC's formats, for trec_eval, ir_measures and everyone else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from panglot.data import Benchmark, IntArray
from panglot.encoders import FloatArray
from panglot.errors import PanglotError
from panglot.evaluation.scores import (
    column_blocks,
    language_order,
    row_blocks,
    score,
    tie_order,
    work_order,
)
from panglot.evaluation.settings import ALL
from panglot.files import written_whole

DEPTH = 100


def write_runs(
    folder: str | Path,
    benchmark: Benchmark,
    queries: FloatArray,
    passages: FloatArray,
    depth: int | None = DEPTH,
    tag: str = "panglot",
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write one run and one qrels file per query language and pool: ``en-de.run``, ``en-all.run``, ...

    Lists are cut at ``depth`` (None: the whole pool). Scores are written so that they read back as the
    same float32; equal ones stand in trec_eval's order, by passage id descending. The qrels hold the queries
    that have a relevant passage in the pool, which are those that the figures are means over.

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
    pools = {
        language: slice(int(bounds[k]), int(bounds[k + 1])) for k, language in enumerate(benchmark.languages)
    }
    if len(pools) > 1:
        pools[ALL] = slice(0, len(by_language))
    relevant = benchmark.gains > 0
    order = work_order(benchmark.judged_query[relevant], len(benchmark.queries))
    judged = np.bincount(benchmark.judged_query[relevant], minlength=len(benchmark.queries))
    lines: dict[tuple[str, str], list[str]] = {}
    for rows in row_blocks(order[judged[order] > 0]):
        block = np.ascontiguousarray(queries[rows])
        parts = [score(block, vectors[columns]) for columns in column_blocks(len(vectors))]
        scores = torch.cat(parts, dim=1).numpy()
        for pool, columns in pools.items():
            ids = by_language[columns]
            for k, row in enumerate(rows):
                best = _top(scores[k, columns], place[ids], depth)
                language = benchmark.languages[benchmark.queries.languages[row]]
                lines.setdefault((language, pool), []).extend(
                    f"{benchmark.queries.ids[row]} Q0 {benchmark.passages.ids[ids[at]]} {rank} "
                    f"{_exact(scores[k, columns][at])} {tag}\n"
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


def _top(scores: FloatArray, place: IntArray, depth: int | None) -> IntArray:
    """Return the columns of the best scores, best first, ties by place."""
    candidates = np.arange(len(scores))
    if depth is not None and depth < len(scores):
        # all that reach the depth-th best score, so that ties at the edge are settled by id
        edge = np.partition(scores, -depth)[-depth]
        candidates = np.flatnonzero(scores >= edge)
    return candidates[np.lexsort((place[candidates], -scores[candidates]))][:depth]


def _exact(value: np.float32) -> str:
    return np.format_float_scientific(value, unique=True)


def _qrels(benchmark: Benchmark, language: str, pool: str) -> list[str]:
    code = benchmark.languages.index(language)
    of_language = benchmark.queries.languages[benchmark.judged_query] == code
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
