"""Failure analysis: the worst queries of each language pair, and what ranked above their answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, FloatArray, IntArray
from panglot.encoders import encode, model_sha256, passage_prompt, query_prompt
from panglot.encoders.language_means import centre_benchmark, corpus_means
from panglot.encoders.store_write import pack
from panglot.errors import PanglotError
from panglot.evaluation.aggregate import ALL
from panglot.evaluation.measures import LESS_IS_BETTER
from panglot.evaluation.results import Failure, Listed, check_of_model
from panglot.evaluation.run import embed_benchmark
from panglot.evaluation.scores import Vectors, gathered_scores, tie_order
from panglot.evaluation.top import top_passages

Pair = tuple[str, str]  # query language, and the pool: a language, or ``*`` for all


@dataclass(frozen=True)
class Worst:
    """A query that did badly: its row in the benchmark, the pool, and its figure there."""

    row: int
    pool: str
    value: float
    best_rank: int


def parse_pairs(names: str, benchmark: Benchmark) -> list[Pair]:
    """Read pairs such as ``en-de,th-all``: a query language and the language of the pool, or ``all``.

    ``all-all`` are all languages against all, each in its turn; codes with a hyphen are found too.

    Raises:
        PanglotError: a name that is not a pair of the benchmark's languages.
    """
    pools = [*benchmark.languages, ALL]
    known = {f"{a}-{'all' if b == ALL else b}": (a, b) for a in benchmark.languages for b in pools}
    found: list[Pair] = []
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name == "all-all":
            found += known.values()
        elif name in known:
            found.append(known[name])
        else:
            raise PanglotError(
                f"'{name}' is not a language pair of {benchmark.name}; "
                "write en-de, or en-all for the pool of "
                f"all languages, with {', '.join(benchmark.languages)}."
            )
    return list(dict.fromkeys(found))


def worst_queries(
    benchmark: Benchmark, table: pa.Table, measure: str, pairs: Sequence[Pair] | None = None, count: int = 3
) -> list[Worst]:
    """Choose the queries with the worst figure of each pair, worst first; ties by the deeper best rank.

    Args:
        pairs: query language and pool; None for each language against the pool of all (or its own,
            in a benchmark of one language).

    Raises:
        PanglotError: a measure that the table lacks, or queries that the benchmark lacks.
    """
    have = [name for name in table.column_names if name == "AP" or "@" in name or name in LESS_IS_BETTER]
    if measure not in have:
        raise PanglotError(f"the results have no '{measure}'; use one of {', '.join(have)}.")
    if pairs is None:
        several = len(benchmark.languages) > 1
        pairs = [(code, ALL if several else code) for code in benchmark.languages]
    language = np.array(table.column("query_language").to_pylist())
    pool = np.array(table.column("pool").to_pylist())
    value = table.column(measure).to_numpy(zero_copy_only=False).astype(float)
    upwards = -value if measure in LESS_IS_BETTER else value  # the worst first
    rank = table.column("best_rank").to_numpy()
    ids = table.column("query_id")
    row_of = {name: row for row, name in enumerate(benchmark.queries.ids)}
    chosen = []
    for a, b in pairs:
        of_pair = np.flatnonzero((language == a) & (pool == b) & ~np.isnan(value))
        for k in of_pair[np.lexsort((-rank[of_pair], upwards[of_pair]))][:count].tolist():
            name = ids[k].as_py()
            if name not in row_of:
                raise PanglotError(
                    f"{benchmark.name} has no query '{name}'; give the benchmark of the results."
                )
            chosen.append(Worst(row_of[name], b, float(value[k]), int(rank[k])))
    return chosen


def inspect_failures(
    benchmark: Benchmark,
    worst: Sequence[Worst],
    queries: FloatArray,
    passages: Vectors,
    measure: str,
    depth: int = 5,
) -> list[Failure]:
    """Say what ranked above the answers of some queries.

    Args:
        worst: W queries, as ``worst_queries`` chooses them.
        queries: ``(W, d)`` their unit vectors, in that order.
        passages: ``(P, d)`` unit vectors, or a store of them.
        depth: how many of the passages above the answer to show at most.
    """
    texts = benchmark.queries
    found: dict[int, Failure] = {}
    for pool in dict.fromkeys(w.pool for w in worst):
        places = [k for k, w in enumerate(worst) if w.pool == pool]
        asked = np.array([worst[k].row for k in places], np.int64)
        vectors = np.zeros((len(benchmark.queries), queries.shape[1]), np.float32)
        vectors[asked] = queries[places]
        rows = None
        if pool != ALL:
            rows = np.flatnonzero(benchmark.passages.languages == benchmark.languages.index(pool))
        top = top_passages(benchmark, vectors, passages, depth, asked, pool=rows)
        at = np.searchsorted(top.query, asked)
        for k, line, values in zip(places, top.passage[at], top.score[at], strict=True):
            one = worst[k]
            answer = _answer(benchmark, one, rows, queries[k], passages)
            above = [
                _listed(benchmark, one.row, int(p), n, float(value))
                for n, (p, value) in enumerate(zip(line, values, strict=True), 1)
                if n < answer.rank
            ]
            found[k] = Failure(
                query_id=texts.ids[one.row],
                query_language=benchmark.languages[texts.languages[one.row]],
                query=texts.texts[one.row],
                pool=pool,
                measure=measure,
                value=one.value,
                answer=answer,
                above=tuple(above),
            )
    return [found[k] for k in range(len(worst))]


def as_json(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """Return plain data, for a program."""
    return [asdict(failure) for failure in failures]


def _answer(
    benchmark: Benchmark, worst: Worst, rows: IntArray | None, query: FloatArray, passages: Vectors
) -> Listed:
    """Find the best of a query's relevant passages in the pool; its rank is that of the results."""
    judged = (benchmark.judged_query == worst.row) & (benchmark.gains > 0)
    relevant = benchmark.judged_passage[judged]
    if rows is not None:
        relevant = relevant[np.isin(relevant, rows)]
    scores = gathered_scores(query[None], np.zeros(len(relevant), np.int64), passages, relevant)
    place = tie_order([benchmark.passages.ids[k] for k in relevant.tolist()])
    best = np.lexsort((place, -scores))[0]
    return _listed(benchmark, worst.row, int(relevant[best]), worst.best_rank, float(scores[best]))


def _listed(benchmark: Benchmark, query: int, passage: int, rank: int, score: float) -> Listed:
    texts = benchmark.passages
    judged = (benchmark.judged_query == query) & (benchmark.judged_passage == passage)
    gains = benchmark.gains[judged]
    return Listed(
        rank=rank,
        score=score,
        id=texts.ids[passage],
        language=benchmark.languages[texts.languages[passage]],
        text=texts.titled()[passage],
        relevance=int(gains[0]) if len(gains) else 0,
    )


def check_same(results: Mapping[str, Any], model: SentenceTransformer, benchmark: Benchmark) -> None:
    """Raise a ``PanglotError`` if results are not of this model and benchmark, or cannot be repeated."""
    found = results["benchmark"]
    same_texts = found.get("candidate_text", benchmark.candidate_text) == benchmark.candidate_text
    if found["sha256"] != benchmark.sha256 or found["passages"] != len(benchmark.passages) or not same_texts:
        raise PanglotError(
            f"the results are of another {found['name']} than the data given; name the data "
            "(and options) that was evaluated."
        )
    if results["model"]["sha256"] != model_sha256(model):
        raise PanglotError(
            f"the results are of other weights of {results['model']['name']}; "
            "name the model that was evaluated, or evaluate this one."
        )
    check_of_model(results)
    centring = results["model"].get("centring")
    if centring is not None and centring["means"] != "corpus":
        raise PanglotError(
            "the results were centred with means of other texts, which cannot be repeated here; "
            "inspect an evaluation without --centre, or with --centre corpus."
        )


def embed_for(
    model: SentenceTransformer,
    benchmark: Benchmark,
    worst: Sequence[Worst],
    results: Mapping[str, Any],
    progress: Callable[[int], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Encode some queries, ``(W, d)``, and all passages, ``(P, d)``, as the evaluation did.

    Where embeddings were centred with means of the benchmark's own texts, all queries are encoded for that.
    """
    bf16 = results["model"].get("precision") == "bfloat16"
    rows = np.array([w.row for w in worst], np.int64)
    if results["model"].get("centring") is not None:
        queries, passages = embed_benchmark(model, benchmark, bf16=bf16, progress=progress)
        means = corpus_means(model, benchmark, queries, passages)
        queries, passages = centre_benchmark(benchmark, queries, passages, means)
        return queries[rows], passages
    texts = [benchmark.queries.texts[row] for row in rows.tolist()]
    queries = encode(model, texts, query_prompt(model), bf16=bf16, progress=progress)
    titled = benchmark.passages.titled()
    passages = encode(model, titled, passage_prompt(model), bf16=bf16, progress=progress)
    if kept := results["model"].get("store"):  # rounded as they were in the store
        packed, scale = pack(passages, kept)
        passages = packed.astype(np.float32) * (1 if scale is None else scale[:, None])
    return queries, passages
