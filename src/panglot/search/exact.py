"""Exact search: the best passages of a pool that fits in memory, whatever their language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from panglot import encoders
from panglot.data import FloatArray, Texts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


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
    scores = vectors @ encoders.encode(model, [query], encoders.query_prompt(model))[0]
    best = np.argsort(-scores, kind="stable")[:limit]
    return [Hit(int(row), float(scores[row]), passages.texts[row]) for row in best]
