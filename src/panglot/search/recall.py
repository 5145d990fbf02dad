"""How much of the exact result an engine finds, and how long it takes."""

import time
from dataclasses import dataclass

import numpy as np

from panglot.data import FloatArray
from panglot.search.engines import Filter
from panglot.search.index import Index

QUESTIONS = 50
TIED = 1e-5  # scores as near as that are equal: engines sum in different orders


@dataclass(frozen=True)
class Recall:
    """What was measured.

    Attributes:
        k: passages in a list.
        questions: how many were asked: passages of the index, drawn at random, each for its neighbours.
        recall: share of the k best passages that the engine found, mean over questions.
        milliseconds: median of the engine's time for one question.
        exact_milliseconds: median of the time for scoring every passage in NumPy.
    """

    k: int
    questions: int
    recall: float
    milliseconds: float
    exact_milliseconds: float


def check_recall(index: Index, questions: int = QUESTIONS, k: int = 10) -> Recall | None:
    """Compare an engine's lists with exact ones; None for an empty index.

    All vectors are read into memory once.
    """
    asked = index.engine.sample(Filter(), questions)
    parts = [vectors for _, vectors in index.engine.scan()]
    if not len(asked) or not parts:
        index.engine.release()
        return None
    pool = np.concatenate(parts)
    found, times = [], []
    for vector in asked:
        start = time.perf_counter()
        (ranked,) = index.engine.dense(vector[None], k, Filter())
        times.append(time.perf_counter() - start)
        found.append([hit.score for hit in ranked])
    index.engine.release()
    shares, exact_times = [], []
    for vector, scores in zip(asked, found, strict=True):
        start = time.perf_counter()
        best = _best(pool @ vector, k)
        exact_times.append(time.perf_counter() - start)
        shares.append(float((np.array(scores) >= best[-1] - TIED).sum()) / len(best))
    return Recall(
        k=k,
        questions=len(asked),
        recall=float(np.mean(shares)),
        milliseconds=1000 * float(np.median(times)),
        exact_milliseconds=1000 * float(np.median(exact_times)),
    )


def _best(scores: FloatArray, k: int) -> FloatArray:
    """Return the k highest scores, highest first."""
    k = min(k, len(scores))
    return np.sort(np.partition(scores, len(scores) - k)[len(scores) - k :])[::-1]
