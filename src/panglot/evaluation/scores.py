"""What the score of a query and a passage is, how many are made fast, and how far those may be off.

The score of a query and a passage is their dot product, summed in float64 and rounded to float32. It depends
on the two vectors only, so equal passages tie to the last bit. A float32 matrix product gives it quickly but
not to the last bit; how far off it can be is known (``product_error``), and what that leaves open is
settled by ``pair_scores``. Ranks and exported runs both do so, and therefore agree, ties included.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.encoders.store import Store

Vectors = FloatArray | Store  # both have a length, and rows by slice or by an array of integers
Rows = slice | IntArray

ROWS = 512  # queries at a time
COLUMNS = 1 << 12  # passages at a time: 512 x 4,096 float32 scores are 8 MiB
PAIRS = 1 << 9  # pairs whose products lie in memory at a time
UNIT = 2.0**-24  # half the distance from 1 to the next float32
SMALLEST = 2.0**-126  # below it float32 loses digits, or is taken for 0


def row_blocks(order: IntArray, rows: int = ROWS) -> Iterator[IntArray]:
    """Cut query rows, in their order of work, into blocks."""
    for start in range(0, len(order), rows):
        yield order[start : start + rows]


def column_blocks(passages: int, columns: int = COLUMNS) -> list[slice]:
    """Cut the passages into blocks."""
    return [slice(start, min(start + columns, passages)) for start in range(0, passages, columns)]


def language_blocks(languages: IntArray, columns: int = COLUMNS) -> Iterator[tuple[int, Rows]]:
    """Cut the passages into blocks of one language each, languages in order.

    A block is a slice of rows where they follow each other, as they do in a pool sorted by language; else
    an ascending array.

    Args:
        languages: ``(P,)`` number of each passage's language.
    """
    order = None if (languages[1:] >= languages[:-1]).all() else np.argsort(languages, kind="stable")
    sorted_ = languages if order is None else languages[order]
    changes = (np.flatnonzero(sorted_[1:] != sorted_[:-1]) + 1).tolist()
    for start, end in pairwise([0, *changes, len(sorted_)]):
        code = int(sorted_[start])
        for block in column_blocks(end - start, columns):
            rows = slice(start + block.start, start + block.stop)
            if order is None:
                yield code, rows
                continue
            found = order[rows]
            follow = found[-1] - found[0] == len(found) - 1
            yield code, slice(int(found[0]), int(found[-1]) + 1) if follow else found


def score(queries: FloatArray, passages: FloatArray) -> torch.Tensor:
    """Return the float32 matrix product ``(q, p)`` of vectors ``(q, d)`` and ``(p, d)``."""
    return torch.from_numpy(queries) @ torch.from_numpy(np.ascontiguousarray(passages)).t()


def pair_scores(queries: FloatArray, passages: FloatArray) -> FloatArray:
    """Return the score of each query with the passage of the same row.

    Products of two float32 numbers are exact in float64, and each row is summed in one and the same order.

    Args:
        queries: ``(n, d)``.
        passages: ``(n, d)``.
    """
    products = np.ascontiguousarray(queries, np.float64) * passages
    return np.asarray(products.sum(axis=1), np.float32)


def gathered_scores(queries: FloatArray, query: IntArray, passages: Vectors, passage: IntArray) -> FloatArray:
    """Return the scores ``(n,)`` of pairs of rows, a few pairs in memory at a time, passages in order."""
    out = np.empty(len(query), np.float32)
    order = np.argsort(passage, kind="stable")
    for start in range(0, len(order), PAIRS):
        pairs = order[start : start + PAIRS]
        out[pairs] = pair_scores(queries[query[pairs]], passages[passage[pairs]])
    return out


def product_error(dimension: int) -> float:
    """Bound how far a float32 dot product is off, for vectors of length 1, in whatever order it is summed.

    A sum of d products has an error of at most d u / (1 - d u) times the sum of their absolute values
    (Higham 2002, Accuracy and Stability of Numerical Algorithms, 3.1), which is at most the product of the
    lengths (Cauchy and Schwarz); u is 2^-24. Two more roundings are allowed for: that of a vector from
    which another was taken away, and that of the lengths themselves.
    """
    steps = (dimension + 3) * UNIT
    return steps / (1 - steps)


def language_order(benchmark: Benchmark) -> tuple[IntArray, IntArray]:
    """Return the passage rows in order of language, and the ``(L + 1,)`` bounds of each language in it."""
    order = np.argsort(benchmark.passages.languages, kind="stable")
    codes = np.arange(len(benchmark.languages) + 1)
    return order, np.searchsorted(benchmark.passages.languages[order], codes)


def work_order(judged_query: IntArray, queries: int) -> IntArray:
    """Order queries by their number of judgements, most first: rows of a block then need alike much work."""
    return np.argsort(-np.bincount(judged_query, minlength=queries), kind="stable")


def tie_order(ids: Sequence[str]) -> IntArray:
    """Return each passage's place among equal scores: by id, descending, as trec_eval has it."""
    names = list(ids)
    place = np.empty(len(names), np.int64)
    place[sorted(range(len(names)), key=names.__getitem__, reverse=True)] = np.arange(len(names))
    return place
