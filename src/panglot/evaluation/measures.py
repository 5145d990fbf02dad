"""Measures of a ranking, from the ranks of its relevant passages alone.

Names and definitions are those of trec_eval as ir_measures spells them; Complete is neither's. Each function
takes a ``Ranking`` of many lists at once and a cut-off, and gives one value a list.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from panglot.data import IntArray
from panglot.errors import PanglotError

Values = npt.NDArray[np.float64]
DISTANCE = "rank_distance"
LESS_IS_BETTER = (DISTANCE, f"{DISTANCE}_normalised", "max@r")
DEFAULT_MEASURES = ("AP", "nDCG@10", "R@100", "RR@10", "Success@1")


@dataclass(frozen=True)
class Ranking:
    """The relevant passages of L lists, list by list, best rank first.

    Attributes:
        start: ``(L,)`` where each list begins in ``rank``; no list is empty.
        rank: ``(n,)`` rank from 1 of each relevant passage.
        gain: ``(n,)`` its relevance, above 0.
    """

    start: IntArray
    rank: IntArray
    gain: IntArray

    @property
    def relevant(self) -> IntArray:
        """Number of relevant passages of each list, ``(L,)``."""
        return np.diff(self.start, append=len(self.rank))

    @property
    def place(self) -> IntArray:
        """Number from 1 of each relevant passage within its list, ``(n,)``."""
        return np.arange(1, len(self.rank) + 1) - np.repeat(self.start, self.relevant)

    def sums(self, values: Values) -> Values:
        """Add up one value per relevant passage, list by list."""
        return np.asarray(np.add.reduceat(values, self.start), np.float64)


def make_ranking(list_of: IntArray, rank: IntArray, gain: IntArray) -> tuple[Ranking, IntArray]:
    """Group relevant passages by the list that they are in; also return the lists' numbers, ascending."""
    order = np.lexsort((rank, list_of))
    lists, start = np.unique(list_of[order], return_index=True)
    return Ranking(start, rank[order], gain[order]), lists


def average_precision(ranking: Ranking, cutoff: float) -> Values:
    """AP: the mean over the relevant passages of the precision at each one's rank, 0 beyond the cut-off."""
    precision = ranking.place / ranking.rank * (ranking.rank <= cutoff)
    return ranking.sums(precision) / ranking.relevant


def ndcg(ranking: Ranking, cutoff: float) -> Values:
    """NDCG with linear gains and a discount of log2(rank + 1), over the best that was possible."""
    gained = ranking.sums(ranking.gain / np.log2(ranking.rank + 1.0) * (ranking.rank <= cutoff))
    list_of = np.repeat(np.arange(len(ranking.start)), ranking.relevant)
    best = ranking.gain[np.lexsort((-ranking.gain, list_of))]
    ideal = ranking.sums(best / np.log2(ranking.place + 1.0) * (ranking.place <= cutoff))
    return gained / ideal


def recall(ranking: Ranking, cutoff: float) -> Values:
    """R: the share of the relevant passages that are within the cut-off."""
    return ranking.sums((ranking.rank <= cutoff).astype(float)) / ranking.relevant


def reciprocal_rank(ranking: Ranking, cutoff: float) -> Values:
    """RR: one over the rank of the first relevant passage, 0 beyond the cut-off."""
    first = ranking.rank[ranking.start]
    return np.asarray((first <= cutoff) / first, np.float64)


def success(ranking: Ranking, cutoff: float) -> Values:
    """Success: 1 if a relevant passage is within the cut-off, else 0."""
    return np.asarray(ranking.rank[ranking.start] <= cutoff, np.float64)


def complete(ranking: Ranking, cutoff: float) -> Values:
    """Complete: 1 if all relevant passages are within the cut-off, else 0 (arXiv 2604.05684)."""
    return np.asarray(ranking.rank[ranking.start + ranking.relevant - 1] <= cutoff, np.float64)


def rank_distance(ranking: Ranking) -> Values:
    """Rank distance: worst minus best rank of a query's relevant passages (Elmahdy et al. 2024)."""
    last = ranking.start + ranking.relevant - 1
    return np.asarray(ranking.rank[last] - ranking.rank[ranking.start], np.float64)


MEASURES: dict[str, Callable[[Ranking, float], Values]] = {
    "AP": average_precision,
    "nDCG": ndcg,
    "R": recall,
    "RR": reciprocal_rank,
    "Success": success,
    "Complete": complete,
}
WITH_CUTOFF = ("R", "Success", "Complete")  # 1 for every list without one


def measure(name: str, ranking: Ranking) -> Values:
    """Compute a measure by its name, such as ``AP`` or ``nDCG@10``, for every list: ``(L,)``."""
    function, cutoff = parse_measure(name)
    return function(ranking, cutoff)


def parse_measure(name: str) -> tuple[Callable[[Ranking, float], Values], float]:
    """Split ``nDCG@10`` into its function and its cut-off; no cut-off is infinity."""
    match = re.fullmatch(r"([A-Za-z]+)(?:@([1-9][0-9]*))?", name)
    if match is None or match[1] not in MEASURES or (match[1] in WITH_CUTOFF and not match[2]):
        raise PanglotError(
            f"'{name}' is not a measure that panglot knows; "
            "use AP, nDCG@k, R@k, RR@k, Success@k or Complete@k."
        )
    return MEASURES[match[1]], float(match[2]) if match[2] else math.inf
