"""Language bias in the pool of all languages: one measure, one function, and all of them for a results file.

In the functions of one measure ``query``, ``gain``, ``language``, ``own`` and ``rank`` are ``(n,)``, of each
relevant passage: the number of its query from 0, its relevance level, the number of its language, whether
that is the query's, and its rank. ``queries`` and ``languages`` are how many there are. See also
``READINGS``, what the figures are called and how to read them.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from panglot.data import Benchmark, IntArray
from panglot.evaluation.aggregate import ALL

if TYPE_CHECKING:
    from panglot.evaluation.ranks import Ranks
    from panglot.evaluation.top import Top

TOP = 10  # passages whose languages are counted
PATIENCE = 0.8  # of the reader whose attention is shared out
RECALL = 20  # passages in which the translations of an answer are looked for
DEPTH = 100  # passages of a list that are looked at: deeper ones get 2e-10 of the attention
Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Columns = dict[str, Values]


@dataclass(frozen=True)
class Reading:
    """What a bias figure is called, where it comes from, and how to read it.

    Attributes:
        title: short, for a table.
        formula: in words and signs.
        source: who defined it.
        sentence: how to read it.
        fair: the value of a model without language bias; None where that depends on its quality too.
    """

    title: str
    formula: str
    source: str
    sentence: str
    fair: float | None = None


READINGS: dict[str, Reading] = {
    name: Reading(**reading)
    for name, reading in tomllib.loads(
        files("panglot.evaluation").joinpath("bias.toml").read_text(encoding="utf-8")
    ).items()
}


# all figures


def bias_figures(benchmark: Benchmark, ranks: "Ranks", top: "Top") -> tuple[dict[str, Any], Columns]:
    """Measure language bias in the pool of all languages.

    Args:
        benchmark: with Q queries and P passages.
        ranks: of the relevant passages.
        top: the first ``DEPTH`` passages of the queries with a relevant passage.

    Returns:
        the ``bias`` part of the results file, and columns for ``with_columns``: one value per query with a
        relevant passage, in order of query row, NaN where it says nothing. Figures are means over the queries
        of a language, then over languages (None where no query has a value). In a benchmark of one language
        everything is None, and there are no columns.
    """
    codes = benchmark.languages
    if len(codes) < 2:
        return {"rank_distance": None, "rank_distance_normalised": None}, {}
    columns, tested, shares = _measured(benchmark, ranks, top)
    asked = benchmark.queries.languages[top.query]
    of_language = {code: asked == k for k, code in enumerate(codes) if (asked == k).any()}
    means: dict[str, dict[str, float]] = {}
    for name, values in columns.items():
        known = {code: values[rows & ~np.isnan(values)] for code, rows in of_language.items()}
        means[name] = {code: float(found.mean()) for code, found in known.items() if len(found)}
    if not tested.any():  # then PEER follows from numbers of passages alone
        means[f"peer@{DEPTH}"] = {}
        columns[f"peer@{DEPTH}"] = np.full(len(tested), np.nan)
    for name, (_, found, fair) in shares.items():
        means[name] = {
            code: float(total_variation(found[rows].mean(0), fair[rows].mean(0)))
            for code, rows in of_language.items()
        }
    bias: dict[str, Any] = {
        name: float(np.mean(list(values.values()))) if values else None for name, values in means.items()
    }
    bias[f"peer_tested@{DEPTH}"] = float(tested.mean())
    bias["by_language"] = {code: {name: values.get(code) for name, values in means.items()} for code in codes}
    for title, found, fair in shares.values():  # of queries in the first language, passages in the second
        bias[title] = {
            part: {
                code: dict(zip(codes, values[rows].mean(0).tolist(), strict=True))
                for code, rows in of_language.items()
            }
            for part, values in (("share", found), ("fair", fair))
        }
    return bias, columns


def with_columns(table: pa.Table, columns: Mapping[str, Values]) -> pa.Table:
    """Add the columns of ``bias_figures`` to a ``per_query`` table; null in the pools of one language."""
    every = np.array(table.column("pool").to_pylist()) == ALL
    for name, values in columns.items():
        whole = np.full(len(table), np.nan)
        whole[every] = values
        table = table.append_column(name, pa.array(whole, mask=np.isnan(whole)))
    return table


def _measured(
    benchmark: Benchmark, ranks: "Ranks", top: "Top"
) -> tuple[Columns, Flags, dict[str, tuple[str, Values, Values]]]:
    """Measure everything query by query.

    Returns:
        columns; for which queries PEER tests something; and for the two figures that are distances of shares
        of languages what the results file calls these, and found and fair ones, ``(N, L)`` each.
    """
    rows, query = np.unique(ranks.query, return_inverse=True)
    queries, gain, rank = len(rows), ranks.gain, ranks.in_all
    of_passage, asked = benchmark.passages.languages, benchmark.queries.languages[rows]
    language, listed = of_passage[ranks.passage], of_passage[top.passage]
    own, count = language == asked[query], len(benchmark.languages)
    pool = np.bincount(of_passage, minlength=count)
    shares = {
        f"share_distance@{TOP}": (
            f"top_shares@{TOP}",
            top_shares(listed, TOP, count),
            relevant_shares(query, language, queries, count),
        ),
        "exposure_distance": (
            "exposure",
            exposure(listed, PATIENCE, count),
            target_exposure(query, gain, language, pool, PATIENCE, queries),
        ),
    }
    excess = {
        name: np.take_along_axis(found - fair, asked[:, None], 1)[:, 0]
        for name, (_, found, fair) in shares.items()
    }
    start = np.searchsorted(query, np.arange(queries))
    worst = np.maximum.reduceat(rank, start).astype(float)
    worst[np.bincount(query) < 2] = np.nan
    distance = worst - np.minimum.reduceat(rank, start)
    of_levels, tested = peer(query, gain, language, rank, DEPTH, queries)
    # PEER of level 0: the listed passages that are not relevant
    size = int(max(top.passage.max(), ranks.passage.max())) + 1
    pairs = rows[:, None] * size + top.passage
    other, place = np.nonzero(~np.isin(pairs, ranks.query * size + ranks.passage))
    p, known = kruskal_wallis(other, listed[other, place], place, queries, int(listed.max()) + 1)
    columns = {
        "rank_distance": distance,
        "rank_distance_normalised": distance / len(benchmark.passages),
        "max@r": worst,
        **own_language_preference(query, gain, own, rank, queries),
        f"tlr@{RECALL}": target_language_recall(query, own, rank, RECALL, queries),
        f"peer@{DEPTH}": of_levels,
        **parallel_preference(query, own, rank, listed[:, 0] == asked, queries),
        f"own_language_excess@{TOP}": excess[f"share_distance@{TOP}"],
        "own_language_exposure": excess["exposure_distance"],
        f"peer_nonrelevant@{DEPTH}": np.where(known, p, np.nan),
    }
    return columns, tested, shares


# the query's language against others


def own_language_preference(
    query: IntArray, gain: IntArray, own: Flags, rank: IntArray, queries: int
) -> Columns:
    """Compare, for each query, passages of equal gain in its own language with those in other languages.

    Levels of relevance count by their number of pairs.

    Returns:
        ``own_language_wins``, the share of pairs in which the own passage ranks higher: the probability of
        superiority, U / (n m) of Mann and Whitney (1947), called A by Vargha and Delaney (2000); and
        ``own_language_doublings``, the mean of log2(rank of the other / rank of the own) over the same pairs.
        ``(queries,)`` each, NaN for a query without a pair.
    """
    levels, level = np.unique(gain, return_inverse=True)
    samples = queries * len(levels)
    sample = query * len(levels) + level
    order, place = _places(sample, rank, samples)
    sample, own, rank = sample[order], own[order], rank[order]

    def total(values: npt.NDArray[np.generic], chosen: Flags) -> Values:
        return np.asarray(np.bincount(sample[chosen], values[chosen], samples), np.float64)

    one = np.ones(len(sample))
    n, m = total(one, own), total(one, ~own)
    # the sum of the own ones' places counts the others above them, and themselves
    lost = total(place, own) - n * (n + 1) / 2
    log = np.log2(rank)
    doublings = n * total(log, ~own) - m * total(log, own)
    pairs, wins, doubled = (
        values.reshape(queries, len(levels)).sum(1) for values in (n * m, n * m - lost, doublings)
    )
    with np.errstate(invalid="ignore"):
        return {"own_language_wins": wins / pairs, "own_language_doublings": doubled / pairs}


def parallel_preference(
    query: IntArray, own: Flags, rank: IntArray, first_is_own: Flags, queries: int
) -> Columns:
    """Split the first passage by relevance and language, for queries with relevant passages in both.

    After Jang, Hong, Moon and Lim 2026 (MLAIRE, arXiv 2605.07249), who have one relevant passage in every
    language. Here a query counts that has at least one in its own language and one in another, of any level
    of relevance.

    Args:
        first_is_own: ``(queries,)`` whether the passage at rank 1 is in the query's language.

    Returns:
        ``language_preference_rate``, 1 if the first relevant passage is in the query's own language, else 0;
        and ``first_right_own``, ``first_right_other``, ``first_wrong_own`` and ``first_wrong_other``, of
        which that is 1 which the first passage of all is: right if it is relevant, own if it is in the
        query's language. ``(queries,)`` each, NaN for a query that does not count.
    """
    best = np.full((2, queries), np.inf)  # of other languages, of the own
    np.minimum.at(best, (own.astype(np.int64), query), rank)
    others, mine = best
    right = best.min(0) == 1
    found = {
        "language_preference_rate": mine < others,
        "first_right_own": mine == 1,
        "first_right_other": others == 1,
        "first_wrong_own": ~right & first_is_own,
        "first_wrong_other": ~right & ~first_is_own,
    }
    known = np.isfinite(best).all(0)
    return {name: np.where(known, values.astype(np.float64), np.nan) for name, values in found.items()}


def target_language_recall(query: IntArray, own: Flags, rank: IntArray, cutoff: int, queries: int) -> Values:
    """TLR@k: the share of a query's relevant passages in other languages that are among the first k of all.

    After Jang et al. 2026 (Shift, arXiv 2606.18801). NaN for queries without such passages, ``(queries,)``.
    """
    others = np.bincount(query[~own], minlength=queries)
    found = np.bincount(query[~own], rank[~own] <= cutoff, queries)
    with np.errstate(invalid="ignore"):
        return np.asarray(found / others, np.float64)


# PEER: do passages of one relevance level have the same expected rank in every language?


def peer(
    query: IntArray, gain: IntArray, language: IntArray, rank: IntArray, cutoff: int, queries: int
) -> tuple[Values, Flags]:
    """PEER of each query: the mean p of a test over languages, over the levels that it has passages of.

    Yang, Jänich, Mayfield and Lawrie 2024, "Language Fairness in Multilingual Information Retrieval" (SIGIR,
    arXiv 2405.00978): a Kruskal-Wallis test for each relevance level of a query. As in the authors' code,
    relevant passages below the cut-off count as tied behind it, unjudged ones are level 0, and a level that
    one language has alone is fair (p = 1). Ranks are ranked again within the level, as the test by Kruskal
    and Wallis (1952) does; the authors' code takes them as they are in the list.

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


def kruskal_wallis(
    sample: IntArray, group: IntArray, value: IntArray, samples: int, groups: int
) -> tuple[Values, Flags]:
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
    import torch  # takes seconds, and reports read ``READINGS`` without it

    order, place = _places(sample, value, samples)
    sample, group, value = sample[order], group[order], value[order]
    size = np.bincount(sample, minlength=samples)
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


def _places(sample: IntArray, value: IntArray, samples: int) -> tuple[IntArray, IntArray]:
    """Sort values by sample; return the order of all, and the place from 1 of each within its sample."""
    order = np.lexsort((value, sample))
    size = np.bincount(sample, minlength=samples)
    return order, np.arange(1, len(sample) + 1) - np.repeat(np.cumsum(size) - size, size)


# whose passages are at the top: the share of each language, by count and by attention


def top_shares(language: IntArray, k: int, languages: int) -> Values:
    """Return the share of each language among the first k passages, ``(N, languages)``.

    Args:
        language: ``(N, depth)`` language of the passages of each list, best first.
        k: how many of them count; all, where there are fewer.
    """
    top = language[:, :k]
    return np.asarray(
        _sums_by_language(np.arange(len(top))[:, None], top, len(top), languages) / top.shape[1]
    )


def relevant_shares(query: IntArray, language: IntArray, queries: int, languages: int) -> Values:
    """Return the share of each language among the relevant passages, ``(queries, languages)``."""
    counts = _sums_by_language(query, language, queries, languages)
    return np.asarray(counts / counts.sum(1, keepdims=True))


def exposure(language: IntArray, patience: float, languages: int) -> Values:
    """Return the share of a reader's attention that goes to each language, ``(N, languages)``.

    The reader of rank-biased precision (Moffat and Zobel 2008) looks at the first passage and goes on to the
    next with probability ``patience``: rank r gets patience^(r - 1). Summed by language as Diaz et al. 2020
    do by group ("Evaluating Stochastic Rankings with Expected Exposure", arXiv 2004.13157), and divided by
    the sum over the list, so that shares add up to 1.

    Args:
        language: ``(N, depth)`` language of the passages of each list, best first; what is deeper would
            get patience^depth of all attention.
        patience: between 0 and 1.
    """
    weight = patience ** np.arange(language.shape[1])
    weights = np.broadcast_to(weight / weight.sum(), language.shape)
    return _sums_by_language(np.arange(len(language))[:, None], language, len(language), languages, weights)


def target_exposure(
    query: IntArray, gain: IntArray, language: IntArray, pool: IntArray, patience: float, queries: int
) -> Values:
    """Return the shares of attention under equal expected exposure, ``(queries, languages)``.

    The ideal of Diaz et al. 2020: passages are in order of relevance, and those of one level share the
    attention that its places get, equally. Passages that are not relevant are the last level.

    Args:
        pool: ``(languages,)`` how many passages each language has.
    """
    shares = np.zeros((queries, len(pool)))
    before = np.zeros((queries, 1))
    rest = np.tile(pool.astype(float), (queries, 1))
    levels = np.unique(gain)[::-1]
    for level in (*levels, None):
        count = rest
        if level is not None:
            chosen = gain == level
            count = _sums_by_language(query[chosen], language[chosen], queries, len(pool))
            rest = rest - count
        # the attention to the level's places, as a part of an endless list's, by number of passages
        size = count.sum(1, keepdims=True)
        places = patience**before * (1 - patience**size)
        shares += count * places / np.maximum(size, 1)
        before = before + size
    return np.asarray(shares / (1 - patience ** int(pool.sum())))


def _sums_by_language(
    row: IntArray, language: IntArray, rows: int, languages: int, weights: Values | None = None
) -> Values:
    """Add up weights (None: 1 each) by row and language, ``(rows, languages)``."""
    cell = (row * languages + language).ravel()
    sums = np.bincount(cell, None if weights is None else weights.ravel(), rows * languages)
    return np.asarray(sums.reshape(rows, languages), np.float64)


def total_variation(a: Values, b: Values) -> Values:
    """Return half the sum of absolute differences along the last axis: 0 for equal shares, 1 for disjoint."""
    return np.asarray(np.abs(a - b).sum(-1) / 2)
