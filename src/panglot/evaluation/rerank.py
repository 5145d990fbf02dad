"""Lists whose first passages a reranker has put into a new order."""

from dataclasses import replace

import numpy as np

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.encoders.reranker import Reranker
from panglot.evaluation.ranks import Ranks
from panglot.evaluation.scores import Vectors, tie_order
from panglot.evaluation.top import Top, top_passages
from panglot.progress import Shown, shown


def reranked(
    benchmark: Benchmark,
    queries: FloatArray,
    passages: Vectors,
    ranks: Ranks,
    top: Top,
    reranker: Reranker,
    depth: int,
    progress: Shown = None,
) -> tuple[Ranks, Top]:
    """Rerank the first passages of every list, in each language's pool and in that of all languages.

    A list keeps its order behind its first ``depth`` passages, so that every relevant passage has a rank. Two
    passages with one score are ordered by id, descending, as in trec_eval. A query and a passage that are
    together in several lists are scored once. Where a query's own passages are left out of lists, all lists
    of a pool are cut to the shortest.

    Args:
        queries: ``(Q, d)`` unit vectors.
        passages: ``(P, d)`` unit vectors, or a store of these; those of one language are in memory at a time.
        ranks: of the relevant passages, by these vectors.
        top: the first passages in the pool of all languages, by these vectors.
        depth: passages of each list that are reranked.
    """
    of_passage = benchmark.passages.languages
    language = of_passage[ranks.passage]
    lists = [top_passages(benchmark, queries, passages, depth, top.query)]
    for code in np.unique(language):
        asked = np.unique(ranks.query[language == code])
        pool = np.flatnonzero(of_passage == code)
        lists.append(top_passages(benchmark, queries, passages, depth, asked, pool=pool))
    size = len(benchmark.passages)
    listed = [found.query[:, None] * size + found.passage for found in lists]  # a number for each pair
    pairs = np.unique(np.concatenate([keys.ravel() for keys in listed]))
    texts, titled = benchmark.queries.texts, benchmark.passages.titled()
    asked, read = (pairs // size).tolist(), (pairs % size).tolist()
    with shown(progress, "reranking", len(pairs)) as advance:
        scores = reranker.score([texts[k] for k in asked], [titled[k] for k in read], advance)
    place = tie_order(benchmark.passages.ids)
    heads = [
        replace(found, passage=_ordered(found.passage, scores[np.searchsorted(pairs, keys)], place))
        for found, keys in zip(lists, listed, strict=True)
    ]
    wanted = ranks.query * size + ranks.passage
    in_all = _ranks(heads[:1], wanted, ranks.in_all, size)
    in_language = _ranks(heads[1:], wanted, ranks.in_language, size)
    width = min(heads[0].passage.shape[1], top.passage.shape[1])
    passage = top.passage.copy()
    passage[:, :width] = heads[0].passage[:, :width]
    return replace(ranks, in_language=in_language, in_all=in_all), replace(top, passage=passage)


def _ordered(passage: IntArray, scores: FloatArray, place: IntArray) -> IntArray:
    """Put each row's passages ``(n, k)`` into the order of their scores, highest first."""
    order = np.lexsort((place[passage], -scores), axis=1)
    return np.take_along_axis(passage, order, 1)


def _ranks(heads: list[Top], wanted: IntArray, rank: IntArray, size: int) -> IntArray:
    """Return the ranks of some pairs in reranked lists; a pair that is in none keeps its rank."""
    keys = np.concatenate([(head.query[:, None] * size + head.passage).ravel() for head in heads])
    ranks = [np.broadcast_to(np.arange(1, head.passage.shape[1] + 1), head.passage.shape) for head in heads]
    place = np.concatenate([of_list.ravel() for of_list in ranks])
    order = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = keys[order][at] == wanted
    return np.where(found, place[order][at], rank)
