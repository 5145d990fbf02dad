"""From queries, judgements and pools of passages to a ``Benchmark``; what the retrieval readers share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.index import IntArray
from panglot.data.readers.pools import Pool, files_of, pool_texts
from panglot.data.readers.text_files import chosen_languages
from panglot.data.readers.trec import Qrels, read_qrels, read_topics
from panglot.data.text_column import find, first_twice
from panglot.data.text_table import digest
from panglot.errors import PanglotError, leave_out
from panglot.files import sha256_of

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Query:
    """A query: ``id`` is unique in its benchmark, and translations of one query share ``item``."""

    id: str
    language: str
    text: str
    item: str


@dataclass(frozen=True)
class Judged:
    """Queries and judgements of a collection before they meet its passages.

    Attributes:
        name: of the benchmark.
        queries: all queries of the files, whether judged or not.
        qrels: with the ids of ``queries`` and of the passages, one a file.
        files: that they were read from.
    """

    name: str
    queries: list[Query]
    qrels: list[Qrels]
    files: tuple[Path, ...]

    @property
    def judgements(self) -> int:
        """The number of judgements."""
        return sum(len(qrels) for qrels in self.qrels)


def make_benchmark(
    judged: Judged, pools: Sequence[Pool], partial_corpus: bool = False, *, exclude_own_id: bool = False
) -> Benchmark:
    """Join queries, judgements and pools. Queries without a judgement are left out, as TREC does.

    Args:
        judged: queries and judgements.
        pools: one a language; passages are in order of language.
        partial_corpus: leave out judgements of passages that the pools lack, instead of refusing them.
        exclude_own_id: a passage that has a query's own id is that query itself and no result for it.

    Raises:
        PanglotError: something is wrong in a file, an id occurs twice, or a judgement's query or passage
            is unknown.
    """
    pools = sorted(pools, key=lambda pool: pool.language)
    languages = sorted({pool.language for pool in pools} | {query.language for query in judged.queries})
    passages, checksum = pool_texts(pools, languages)
    query, passage, gains = _rows(judged, passages, partial_corpus)
    if exclude_own_id:
        query, passage, gains = _without_own(judged, passages, query, passage, gains)
    checksum = sha256_of(digest(judged.files) + checksum)
    return assemble(judged.name, languages, judged.queries, passages, query, passage, gains, checksum)


def assemble(
    name: str,
    languages: Sequence[str],
    queries: Sequence[Query],
    passages: Texts,
    judged_query: IntArray,
    judged_passage: IntArray,
    gains: IntArray,
    sha256: str,
) -> Benchmark:
    """Make a benchmark of the queries that are judged; arguments as the attributes of ``Benchmark``."""
    kept, judged_query = np.unique(judged_query, return_inverse=True)
    order = np.lexsort((judged_passage, judged_query))
    asked = [queries[k] for k in kept]
    same = (np.diff(judged_query[order]) == 0) & (np.diff(judged_passage[order]) == 0)
    if same.any():
        at = order[int(np.flatnonzero(same)[0])]
        passage = passages.ids[judged_passage[at]]
        query = asked[judged_query[at]].id
        raise PanglotError(f"{name}: two files judge passage '{passage}' for query '{query}'; leave one out.")
    return Benchmark(
        name=name,
        languages=tuple(languages),
        queries=Texts(
            [query.id for query in asked],
            np.array([languages.index(query.language) for query in asked], np.int64),
            [query.text for query in asked],
        ),
        passages=passages,
        query_items=number([query.item for query in asked]),
        judged_query=judged_query[order],
        judged_passage=judged_passage[order],
        gains=gains[order],
        sha256=sha256,
    )


def number(names: Sequence[str]) -> IntArray:
    """Number names in the order in which they first stand."""
    code: dict[str, int] = {}
    return np.array([code.setdefault(name, len(code)) for name in names], np.int64)


def _rows(judged: Judged, passages: Texts, partial_corpus: bool) -> tuple[IntArray, IntArray, IntArray]:
    """Return query row, passage row and gain of each judgement."""
    row = {query.id: k for k, query in enumerate(judged.queries)}
    if len(row) < len(judged.queries):
        twice = first_twice([query.id for query in judged.queries])
        raise PanglotError(f"{judged.name}: query id '{twice}' occurs twice; ids must be unique.")
    query = np.array([row.get(name, -1) for qrels in judged.qrels for name in qrels.query], np.int64)
    wanted = [name for qrels in judged.qrels for name in qrels.passage]
    passage = find(passages.ids, wanted)
    gains = np.array([gain for qrels in judged.qrels for gain in qrels.gain], np.int64)
    unasked, unknown = query < 0, passage < 0
    if not len(unknown):
        where = judged.qrels[0].path if judged.qrels else judged.name
        raise PanglotError(f"{where}: has no judgement in it; fetch the file again.")
    if unasked.all():
        raise PanglotError(_unknown(judged, unasked, "query", "the file of queries", "; fetch it again"))
    if unasked.any():
        leave_out(_unknown(judged, unasked, "query", "the file of queries", ", and are left out"))
    if unknown.all():
        raise PanglotError(
            _unknown(judged, unknown, "passage", "the passages", ": are they another version's?")
        )
    if unknown.any() and not partial_corpus:
        mend = "; fetch all of the passages' files, or take what is there with partial_corpus"
        raise PanglotError(_unknown(judged, unknown, "passage", "the passages", mend))
    kept = ~unknown & ~unasked
    return query[kept], passage[kept], gains[kept]


def _without_own(
    judged: Judged, passages: Texts, query: IntArray, passage: IntArray, gains: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Take passages that have a judged query's own id out of that query's pool, by a gain below 0.

    One that is judged relevant stays: the judges meant it.
    """
    asked, at = np.unique(query, return_inverse=True)
    own = find(passages.ids, [judged.queries[k].id for k in asked])
    of_own = passage == own[at]
    kept, new = ~of_own | (gains > 0), own >= 0
    new[at[of_own & kept]] = False
    return (
        np.concatenate([query[kept], asked[new]]),
        np.concatenate([passage[kept], own[new]]),
        np.concatenate([gains[kept], np.full(int(new.sum()), -1)]),
    )


def _unknown(judged: Judged, unknown: BoolArray, kind: str, where: str, mend: str) -> str:
    """Return the sentence on judgements of something unknown: how many, and the first."""
    at = int(np.flatnonzero(unknown)[0])
    for qrels in judged.qrels:
        if at < len(qrels):
            break
        at -= len(qrels)
    name = getattr(qrels, kind)[at]
    return (
        f"{qrels.path}, line {qrels.line[at]}: {kind} '{name}' is not in {where} "
        f"({int(unknown.sum()):,} of {judged.judgements:,} judgements have such a one){mend}."
    )


def read_judged(
    name: str,
    folder: Path,
    codes: Mapping[str, str],
    topics: Iterable[str],
    qrels: Iterable[str],
    languages: Sequence[str] | None,
    source: str,
    query_language: str | None = None,
) -> Judged:
    """Read a file of topics and one of judgements a language; ids get the language in front (``sw:12``).

    Args:
        name: of the benchmark.
        folder: where the files lie.
        codes: what official files call each language.
        topics: glob patterns of the topics' files, with ``{code}`` in them; the first that is there counts.
        qrels: patterns of the judgements' files.
        languages: None for all whose topics are there.
        source: where official files are.
        query_language: the one language of all queries; None for each topics' own.
    """
    topics, qrels = list(topics), list(qrels)
    found = {}
    for language, code in codes.items():
        if files := files_of(folder, *(pattern.format(code=code) for pattern in topics)):
            found[language] = files[0]
    if not found:
        example = topics[0].format(code=next(iter(codes.values())))
        raise PanglotError(
            f"{folder}: holds no queries of {name}, such as {example}; fetch them from {source}."
        )
    queries: list[Query] = []
    judgements: list[Qrels] = []
    files = []
    for language in chosen_languages(languages, list(found), name):
        patterns = [pattern.format(code=codes[language]) for pattern in qrels]
        judged = files_of(folder, *patterns)
        if not judged:
            raise PanglotError(
                f"{folder}: {name} has queries in {language}, but no judgements of them, such as "
                f"{patterns[0]}; fetch them from {source}, or choose a split that has some."
            )
        for topic, text in read_topics(found[language]).items():
            label = f"{language}:{topic}"
            queries.append(Query(label, query_language or language, text, label))
        judgements.append(with_prefix(read_qrels(judged[0]), f"{language}:"))
        files += [found[language], judged[0]]
    return Judged(name, queries, judgements, tuple(files))


def with_prefix(qrels: Qrels, prefix: str) -> Qrels:
    """Return judgements with something put before the ids of queries and passages."""
    query = [prefix + name for name in qrels.query]
    return replace(qrels, query=query, passage=[prefix + name for name in qrels.passage])
