"""Ranked lists made one: reciprocal rank fusion."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

Id = TypeVar("Id", bound=Hashable)
SMOOTHING = 60  # of the paper


def reciprocal_ranks(lists: Sequence[Sequence[Id]], smoothing: float = SMOOTHING) -> list[tuple[Id, float]]:
    """Fuse ranked lists; return each id with its score, best first.

    An id scores the sum, over the lists that it is in, of 1 / (smoothing + rank), ranks from 1 (Cormack,
    Clarke and Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
    Methods"). Only ranks count, so that scores of different kinds can be fused. Ties keep the order in
    which ids first are in the lists.

    Args:
        lists: of ids, best first; in each, an id occurs once.
        smoothing: the larger, the less the first ranks weigh against being in many lists.
    """
    scores: dict[Id, float] = {}
    for ranked in lists:
        for rank, name in enumerate(ranked, 1):
            scores[name] = scores.get(name, 0.0) + 1 / (smoothing + rank)
    return sorted(scores.items(), key=lambda pair: -pair[1])
