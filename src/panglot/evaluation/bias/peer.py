"""PEER: do passages of one relevance level have the same expected rank in every language?

Yang, Jänich, Mayfield and Lawrie 2024, "Language Fairness in Multilingual Information Retrieval" (SIGIR,
arXiv 2405.00978): a Kruskal-Wallis test over languages for each relevance level of a query. As in the
authors' code, relevant passages below the cut-off count as tied behind it, unjudged ones are level 0, and
a level that one language has alone is fair (p = 1). Ranks are ranked again within the level, as the test
by Kruskal and Wallis (1952) does; the authors' code takes them as they are in the list.
"""

import numpy as np
import numpy.typing as npt
import torch

from panglot.data import IntArray

Values = npt.NDArray[np.float64]


def kruskal_wallis(
    sample: IntArray, group: IntArray, value: IntArray, samples: int, groups: int
) -> tuple[Values, npt.NDArray[np.bool_]]:
    """Test, in each of many samples at once, whether its groups have the same distribution of ranks.

    H = (N - 1) * sum_g n_g (r_g - r)^2 / sum_i (r_i - r)^2, where r_i are ranks within the sample, the mean
    of their places for ties; p from the chi-square distribution with one degree of freedom fewer than groups.

    Args:
        sample: ``(n,)`` number of the sample that each value belongs to.
        group: ``(n,)`` its group.
        value: ``(n,)`` what is ranked.

    Returns:
        p of each sample, ``(samples,)``: 1 for fewer than two groups, or if all values are equal; and whether
        p could have been another: with one value a group it follows from their number alone.
    """
    order = np.lexsort((value, sample))
    sample, group, value = sample[order], group[order], value[order]
    size = np.bincount(sample, minlength=samples)
    place = np.arange(1, len(sample) + 1) - np.repeat(np.cumsum(size) - size, size)
    new = np.ones(len(sample), bool)
    new[1:] = (sample[1:] != sample[:-1]) | (value[1:] != value[:-1])
    tie = np.cumsum(new) - 1
    centred = (np.bincount(tie, place) / np.bincount(tie))[tie] - (size[sample] + 1) / 2
    cells, cell = np.unique(sample * groups + group, return_inverse=True)
    count = np.bincount(cell)
    between = np.bincount(cells // groups, np.bincount(cell, centred) ** 2 / count, samples)
    total = np.bincount(sample, centred**2, samples)
    freedom = np.bincount(cells // groups, minlength=samples) - 1
    known = (freedom > 0) & (total > 0)
    p = np.ones(samples)
    h = (size[known] - 1) * between[known] / total[known]
    upper = torch.special.gammaincc(torch.from_numpy(freedom[known] / 2), torch.from_numpy(h / 2))
    p[known] = upper.numpy()
    repeated = np.zeros(samples, bool)
    repeated[cells[count > 1] // groups] = True
    return p, known & repeated


def peer(
    query: IntArray, gain: IntArray, language: IntArray, rank: IntArray, cutoff: int, queries: int
) -> tuple[Values, npt.NDArray[np.bool_]]:
    """PEER of each query: the mean p over the relevance levels that it has passages of.

    Args:
        rank: ``(n,)`` its rank; all beyond the cut-off are tied.
        cutoff: how far down the list ranks count.

    Returns:
        ``(queries,)`` between 0 (ranked by language) and 1, NaN for queries without passages; and whether
        some level could be tested.
    """
    levels, level = np.unique(gain, return_inverse=True)
    samples = queries * len(levels)
    sample = query * len(levels) + level
    p, tested = kruskal_wallis(
        sample, language, np.minimum(rank, cutoff + 1), samples, int(language.max(initial=0)) + 1
    )
    present = (np.bincount(sample, minlength=samples) > 0).reshape(queries, len(levels))
    p, tested = p.reshape(present.shape), tested.reshape(present.shape)
    with np.errstate(invalid="ignore"):
        mean = np.where(present, p, 0).sum(1) / present.sum(1)
    return mean, np.asarray(tested.any(1), bool)
