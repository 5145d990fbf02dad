"""Cosine scores of all queries against all passages, in blocks of a fixed size.

Ranks and exported runs both take their scores from here, block by block in the same shapes, so that the
two agree to the last bit, ties included.
"""

from collections.abc import Iterator

import numpy as np
import torch

from panglot.data import Benchmark, IntArray
from panglot.encoders import FloatArray

ROWS = 512  # queries at a time
COLUMNS = 1 << 17  # passages at a time: 512 x 131,072 float32 scores are 256 MiB


def row_blocks(order: IntArray, rows: int = ROWS) -> Iterator[IntArray]:
    """Cut query rows, in their order of work, into blocks."""
    for start in range(0, len(order), rows):
        yield order[start : start + rows]


def column_blocks(passages: int, columns: int = COLUMNS) -> list[slice]:
    """Cut the passages into blocks."""
    return [slice(start, min(start + columns, passages)) for start in range(0, passages, columns)]


def score(queries: FloatArray, passages: FloatArray) -> torch.Tensor:
    """Return the dot products ``(q, p)`` of unit vectors ``(q, d)`` and ``(p, d)``."""
    return torch.from_numpy(queries) @ torch.from_numpy(np.ascontiguousarray(passages)).t()


def language_order(benchmark: Benchmark) -> tuple[IntArray, IntArray]:
    """Return the passage rows in order of language, and the ``(L + 1,)`` bounds of each language in it."""
    order = np.argsort(benchmark.passages.languages, kind="stable")
    codes = np.arange(len(benchmark.languages) + 1)
    return order, np.searchsorted(benchmark.passages.languages[order], codes)


def work_order(judged_query: IntArray, queries: int) -> IntArray:
    """Order queries by their number of judgements, most first: rows of a block then need alike much work."""
    return np.argsort(-np.bincount(judged_query, minlength=queries), kind="stable")


def tie_order(ids: list[str]) -> IntArray:
    """Return each passage's place among equal scores: by id, descending, as trec_eval has it."""
    place = np.empty(len(ids), np.int64)
    place[sorted(range(len(ids)), key=ids.__getitem__, reverse=True)] = np.arange(len(ids))
    return place
