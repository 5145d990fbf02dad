"""Runs and qrels in TREC's formats, for trec_eval, ir_measures and everyone else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from panglot.data import Benchmark, FloatArray
from panglot.errors import PanglotError
from panglot.evaluation.aggregate import ALL
from panglot.evaluation.scores import (
    COLUMNS,
    Vectors,
    gathered_scores,
    language_order,
    row_blocks,
    work_order,
)
from panglot.evaluation.top import left_out, most_left_out, top_of_pool
from panglot.files import atomic_write

DEPTH = 100


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
    descending. The pool's vectors must fit in memory. The qrels hold the queries that have a relevant passage
    in the pool, which are those that the figures are means over.

    Returns:
        the run files.

    Raises:
        PanglotError: an id that the format cannot hold.
    """
    folder = Path(folder)
    check_ids(benchmark)
    by_language, bounds = language_order(benchmark)
    vectors = passages[by_language]
    pools = dict(zip(benchmark.languages, map(slice, bounds[:-1], bounds[1:]), strict=True))
    if len(pools) > 1:
        pools[ALL] = slice(0, len(by_language))
    ids = [benchmark.passages.ids[row] for row in by_language.tolist()]
    judged = benchmark.judged_query[benchmark.gains > 0]
    order = work_order(judged, len(benchmark.queries))
    most = most_left_out(benchmark)
    lines: dict[tuple[str, str], list[str]] = {}
    for rows in row_blocks(order[np.isin(order, judged)]):
        block = np.ascontiguousarray(queries[rows])
        asked = [benchmark.languages[k] for k in benchmark.queries.languages[rows]]
        for pool, columns in pools.items():
            listed, own = ids[columns], vectors[columns]
            # of the whole pool, a block is the pool: it is sorted once
            whole = max(1, len(listed))
            k, width = (whole, whole) if depth is None else (depth + most, COLUMNS)
            found, _ = top_of_pool(listed, block, own, k, width)
            query = np.repeat(np.arange(len(rows)), found.shape[1])
            scores = gathered_scores(block, query, own, found.ravel()).reshape(found.shape)
            kept = ~left_out(benchmark, rows, by_language[columns][found])
            for row, language, places, of_row, of_pool in zip(rows, asked, found, scores, kept, strict=True):
                best = zip(places[of_pool][:depth], of_row[of_pool], strict=False)
                lines.setdefault((language, pool), []).extend(
                    f"{benchmark.queries.ids[row]} Q0 {listed[place]} {rank} "
                    f"{np.format_float_scientific(value, unique=True)} {tag}\n"
                    for rank, (place, value) in enumerate(best, 1)
                )
        if progress is not None:
            progress(len(rows))
    written = []
    for (language, pool), content in sorted(lines.items()):
        name = f"{language}-{'all' if pool == ALL else pool}"
        with atomic_write(folder / f"{name}.run") as part:
            part.write_text("".join(content), encoding="utf-8")
        with atomic_write(folder / f"{name}.qrels") as part:
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
