"""Exact search: the best passages of a pool that fits in memory, whatever their language."""

from dataclasses import dataclass

import numpy as np
from sentence_transformers import SentenceTransformer

from panglot.data import Texts
from panglot.encoders import FloatArray, encode, query_prompt


@dataclass(frozen=True)
class Hit:
    """One result: the passage's row, its cosine similarity to the query, and its text."""

    row: int
    score: float
    text: str


def search(
    model: SentenceTransformer, query: str, passages: Texts, vectors: FloatArray, limit: int = 3
) -> list[Hit]:
    """Return the best passages for a query, best first.

    Args:
        model: encodes the query.
        query: in any language.
        passages: P passages.
        vectors: ``(P, d)`` their unit vectors.
        limit: how many at most.
    """
    scores = vectors @ encode(model, [query], query_prompt(model))[0]
    best = np.argsort(-scores, kind="stable")[:limit]
    return [Hit(int(row), float(scores[row]), passages.texts[row]) for row in best]
