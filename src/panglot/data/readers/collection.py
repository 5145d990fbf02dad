"""From queries, judgements and pools of passages to a ``Benchmark``; what the retrieval readers share."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.index import IntArray, numbered
from panglot.data.readers.files import as_example, files_by_language, named, numbered_lines, table_rows
from panglot.data.readers.files import field as text_field
from panglot.data.text_column import Row, cached_texts, digest, find, first_twice, joined
from panglot.errors import PanglotError, leave_out
from panglot.files import sha256_of

BoolArray = npt.NDArray[np.bool_]
IN_MEMORY = 64 << 20  # bytes of passages that are still read into lists
FORM = "passages"  # names what ``passage_rows`` does in the names of cached tables
IDS, TEXTS = ("_id", "docid", "id"), ("text", "contents")


class Query(NamedTuple):
    """A query: ``id`` is unique in its benchmark, and translations of one query share ``item``."""

    id: str
    language: str
    text: str
    item: str


class Judgement(NamedTuple):
    """A judgement, and where it is."""

    path: Path
    line: int
    query: str  # id
    passage: str  # id
    gain: int  # above 0 for relevant, 0 for judged not relevant
    iteration: str = ""  # TREC's second column, which NeuCLIR uses for the language


@dataclass(frozen=True)
class Judged:
    """Queries and judgements of a collection before they meet its passages."""

    name: str  # of the benchmark
    queries: list[Query]  # all queries of the files, whether judged or not
    judgements: list[Judgement]  # with the ids of ``queries`` and of the passages
    files: tuple[Path, ...]  # that they were read from
    languages: tuple[str, ...]  # of the passages


@dataclass(frozen=True)
class Pool:
    """The passages of one language: files, and what their ids get in front."""

    language: str
    files: tuple[Path, ...]
    prefix: str = ""


def make_benchmark(
    judged: Judged, pools: Sequence[Pool], partial_corpus: bool = False, *, exclude_own_id: bool = False
) -> Benchmark:
    """Join queries, judgements and pools. Queries without a judgement are left out, as TREC does.

    Args:
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
    for prefix in dict.fromkeys(pool.prefix for pool in pools) if exclude_own_id else ():
        query, passage, gains = _without_own(judged, passages, prefix, query, passage, gains)
    order = np.lexsort((passage, query))
    query, passage, gains = query[order], passage[order], gains[order]
    if (same := (np.diff(query) == 0) & (np.diff(passage) == 0)).any():
        at = int(np.flatnonzero(same)[0])
        raise PanglotError(
            f"{judged.name}: two files judge passage '{passages.ids[passage[at]]}' for query "
            f"'{judged.queries[query[at]].id}'; leave one out."
        )
    kept, judged_query = np.unique(query, return_inverse=True)
    queries = [judged.queries[k] for k in kept]
    return Benchmark(
        name=judged.name,
        languages=tuple(languages),
        queries=as_texts(queries, languages),
        passages=passages,
        query_items=numbered(query.item for query in queries)[0],
        judged_query=judged_query,
        judged_passage=passage,
        gains=gains,
        sha256=sha256_of(digest(judged.files) + checksum),
    )


def as_texts(found: Sequence[tuple[str, str, str, str]], languages: Sequence[str]) -> Texts:
    """Return what begins with id, language and text (queries, passages) as ``Texts``, without titles."""
    code = {language: k for k, language in enumerate(languages)}
    codes = np.array([code[language] for _, language, *_ in found], np.int64)
    return Texts([label for label, *_ in found], codes, [text for _, _, text, _ in found])


def _rows(judged: Judged, passages: Texts, partial_corpus: bool) -> tuple[IntArray, IntArray, IntArray]:
    row = {query.id: k for k, query in enumerate(judged.queries)}
    if len(row) < len(judged.queries):
        twice = first_twice([query.id for query in judged.queries])
        raise PanglotError(f"{judged.name}: query id '{twice}' occurs twice; ids must be unique.")
    if not judged.judgements:
        folder = judged.files[0].parent
        raise PanglotError(
            f"{folder}: the files of {judged.name} have no judgement in them; fetch them again."
        )
    query = np.array([row.get(one.query, -1) for one in judged.judgements], np.int64)
    passage = find(passages.ids, [one.passage for one in judged.judgements])
    gains = np.array([one.gain for one in judged.judgements], np.int64)
    unasked, unknown = query < 0, passage < 0
    if unasked.all():
        raise PanglotError(_unknown(judged, unasked, "query", "the file of queries", "; fetch it again"))
    if unasked.any():
        leave_out(_unknown(judged, unasked, "query", "the file of queries", ", and are left out"))
    if unknown.all():
        raise PanglotError(
            _unknown(judged, unknown, "passage", "the passages", "; fetch both in one version")
        )
    if unknown.any() and not partial_corpus:
        fix = "; fetch all of the passages' files, or take what is there with partial_corpus"
        raise PanglotError(_unknown(judged, unknown, "passage", "the passages", fix))
    kept = ~unknown & ~unasked
    return query[kept], passage[kept], gains[kept]


def _without_own(
    judged: Judged, passages: Texts, prefix: str, query: IntArray, passage: IntArray, gains: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Take passages of a pool that have a judged query's own id out of that query's pool, by a gain below 0.

    One that is judged relevant stays: the judges meant it.
    """
    asked, at = np.unique(query, return_inverse=True)
    own = find(passages.ids, [prefix + judged.queries[k].item for k in asked])
    of_own = passage == own[at]
    kept, new = ~of_own | (gains > 0), own >= 0
    new[at[of_own & kept]] = False
    return (
        np.concatenate([query[kept], asked[new]]),
        np.concatenate([passage[kept], own[new]]),
        np.concatenate([gains[kept], np.full(int(new.sum()), -1)]),
    )


def _unknown(judged: Judged, unknown: BoolArray, kind: str, where: str, fix: str) -> str:
    """Return the sentence on judgements of something unknown: how many, and the first."""
    first = judged.judgements[int(unknown.argmax())]
    return (
        f"{first.path}, line {first.line}: {kind} '{getattr(first, kind)}' is not in {where} "
        f"({int(unknown.sum()):,} of {len(unknown):,} judgements have such a {kind}){fix}."
    )


def find_pools(
    name: str, folder: Path, languages: Sequence[str], corpus: Sequence[str], source: str
) -> list[Pool]:
    """Return the pool of every language, or say which files of passages are missing and where they are."""
    if not languages:
        raise PanglotError(f"{name}: no language is left; give at least one.")
    found = files_by_language(folder, corpus)
    if missing := [language for language in languages if language not in found]:
        there = [language for language in languages if language in found]
        choice = f", or choose some whose passages are here: {', '.join(there)}" if there else ""
        raise PanglotError(
            f"{folder}: {name} lacks its passages in {', '.join(missing)}: there is no "
            f"{as_example(corpus[0])}; fetch them from {source}{choice}."
        )
    for files in (found[language] for language in languages):
        _check_numbers(files)
    return [Pool(language, tuple(found[language]), f"{language}:") for language in languages]


def _check_numbers(files: Sequence[Path]) -> None:
    """Raise a ``PanglotError`` where one of ``docs-0``, ``docs-1``, ... is missing among files."""
    stems = [path.name.split(".")[0].rpartition("-") for path in files]
    if not all(dash and number.isdigit() and len(number) < 5 for _, dash, number in stems):
        return
    numbers = {int(number) for *_, number in stems}
    if missing := [k for k in range(len(files)) if k not in numbers]:
        stem, dash, number = stems[0]
        gap = files[0].with_name(f"{stem}{dash}{missing[0]}{files[0].name[len(stem + dash + number) :]}")
        raise PanglotError(f"{gap}: is missing among the {len(files)} files beside it; fetch it too.")


def passage_rows(path: Path) -> Iterator[Row]:
    """Yield the passages of a file: lines of ``id TAB text`` (.tsv), JSON lines, or Parquet rows.

    The fields are ``_id``, ``docid`` or ``id``; ``text`` or ``contents``; and ``title``, which may be absent
    or null.
    """
    if ".tsv" in path.suffixes:
        for number, line in numbered_lines(path):
            name, tab, text = line.partition("\t")
            if not tab or not name.strip():
                raise PanglotError(f"{path}, line {number}: is not of the form id, tab, passage.")
            yield number, name.strip(), "", text.strip()
        return
    for number, row in table_rows(path, (), (*IDS, "title", *TEXTS)):
        title = "" if row.get("title") is None else text_field(path, number, row, "title")
        name = named(path, number, row, next((key for key in IDS if key in row), IDS[0]))
        text = next((key for key in TEXTS if key in row), TEXTS[0])
        yield number, name, title, text_field(path, number, row, text)


def pool_texts(pools: Sequence[Pool], languages: Sequence[str]) -> tuple[Texts, str]:
    """Read pools, as lists where they are small, else as columns on disk; and give their checksum."""
    tables = [cached_texts(pool.files, passage_rows, FORM, pool.prefix) for pool in pools]
    # ids are distinct inside a pool; between pools they are if each has a prefix of its own
    distinct = len({pool.prefix for pool in pools}) == len(pools)
    ids: Sequence[str] = joined([table.ids for table in tables], distinct)
    texts: Sequence[str] = joined([table.texts for table in tables])
    titles: Sequence[str] | None = None
    if any(table.titled for table in tables):
        titles = joined([table.titles for table in tables])
    if sum(table.nbytes for table in tables) <= IN_MEMORY:
        ids, texts, titles = list(ids), list(texts), None if titles is None else list(titles)
    counts = [len(table.ids) for table in tables]
    codes = np.repeat(np.array([languages.index(pool.language) for pool in pools], np.int16), counts)
    return Texts(ids, codes, texts, titles), "".join(digest(pool.files) for pool in pools)


@dataclass
class Questions:
    """Questions and passages that are collected file by file; a key joins a question with its answers."""

    languages: Sequence[str]  # sorted codes
    # id, language, text and title of each
    passages: list[tuple[str, str, str, str]] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    keys: list[Hashable] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)  # that the queries ask about, where they are known
    # rows of the passages with each key, in all languages
    answers: dict[Hashable, list[int]] = field(default_factory=dict)

    def add_passage(self, label: str, language: str, text: str, title: str = "") -> int:
        """Add a passage and return its row."""
        self.passages.append((label, language, text, title))
        return len(self.passages) - 1

    def add_question(
        self, label: str, language: str, text: str, item: str, key: Hashable, document: str | None = None
    ) -> None:
        """Add a question."""
        self.queries.append(Query(label, language, text, item))
        self.keys.append(key)
        self.documents += [] if document is None else [document]

    def benchmark(
        self,
        name: str,
        sha256: str,
        candidate_text: str = "passage",
        *,
        titled: bool = False,
        sorted_items: bool = False,
    ) -> Benchmark:
        """Make a benchmark in which each question looks for all passages with its key."""
        none = np.zeros(0, np.int64)
        rows_of = {key: np.array(rows, np.int64) for key, rows in self.answers.items()}
        relevant = [rows_of.get(key, none) for key in self.keys]
        judged_query = np.repeat(np.arange(len(relevant)), [len(rows) for rows in relevant])
        items = [query.item for query in self.queries]
        passages = as_texts(self.passages, self.languages)
        return Benchmark(
            name=name,
            languages=tuple(self.languages),
            queries=as_texts(self.queries, self.languages),
            passages=replace(passages, titles=[title for *_, title in self.passages]) if titled else passages,
            query_items=np.unique(items, return_inverse=True)[1] if sorted_items else numbered(items)[0],
            judged_query=judged_query,
            judged_passage=np.concatenate([none, *relevant]),
            gains=np.ones(len(judged_query), np.int64),
            candidate_text=candidate_text,
            sha256=sha256,
            query_documents=np.unique(self.documents, return_inverse=True)[1] if self.documents else None,
        )
