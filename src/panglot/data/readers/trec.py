"""Collections in TREC's form: MIRACL, Mr. TyDi, CIRAL, mMARCO and NeuCLIR.

Topics are lines of ``id TAB query``, judgements lines of ``query 0 document gain``, in files whose patterns
the catalogue has. What is shared by languages differs:

- MIRACL, Mr. TyDi, CIRAL: each language has topics with ids of its own, and judgements.
- mMARCO: each language has the same topics; one file of judgements holds in and between all languages.
- NeuCLIR: one JSON Lines file has the topics in English with their translations; judgements are in a file of
  each language, or in one with the language in its second column.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from panglot.data.benchmark import Benchmark
from panglot.data.readers.collection import Judged, Judgement, Query, find_pools, make_benchmark, passage_rows
from panglot.data.readers.files import (
    CODE,
    as_example,
    bcp47,
    chosen_languages,
    chosen_option,
    files_by_language,
    files_of,
    json_lines,
    named,
    numbered_lines,
    table_rows,
)
from panglot.errors import PanglotError

BLANKS = re.compile(r"[ \t]+")
POOLED = "-pools"  # CIRAL's judgements of what the shared task's systems had found, of the same topics
QUERY_TEXTS = ("title+description", "title", "description")
HUMAN = "human translation"
Patterns = Sequence[str] | Mapping[str, Sequence[str]]


def read_trec(
    folder: str | Path,
    *,
    name: str,
    topics: Patterns,
    qrels: Patterns,
    corpus: Sequence[str],
    source: str,
    corpus_source: str,
    split: str,
    languages: Sequence[str] | None = None,
    query_language: str | None = None,
    passage_languages: Sequence[str] = (),
    query_text: str | None = None,
    translations: bool = False,
    partial_corpus: bool = False,
) -> Benchmark:
    """Read topics, judgements (the gain 0 kept) and passages with their titles.

    Ids get the language in front (``sw:2#0``), since Wikipedias number their articles alike. In patterns,
    ``{code}`` is the language and ``{split}`` the split; ``topics`` and ``qrels`` may be tables by split.

    Args:
        topics: patterns of the topics' files. Without ``{code}`` it is NeuCLIR's file of all languages.
        qrels: patterns of the judgements' files. Without ``{code}`` they hold between all languages.
        corpus: patterns of the passages' files; see ``passage_rows`` for what they hold.
        languages: of the passages; None for all whose topics (of NeuCLIR: judgements) are there.
        query_language: the one language of all queries; None for each topics' own.
        passage_languages: NeuCLIR: those of the documents.
        query_text: NeuCLIR: which fields of a topic make the query, by default ``title+description``.
        translations: NeuCLIR: also ask people's translations of the topics into the documents' languages.
            They are the same items, so all three settings are there.
        partial_corpus: leave out judgements of passages that are not there.
    """
    folder = Path(folder)
    where = _Set(name, folder, source)
    topic_files = _of_split(topics, split, split.removesuffix(POOLED), name)
    qrels_files = _of_split(qrels, split, split, name)
    if not any(CODE in pattern for pattern in topic_files):
        fields = chosen_option(query_text, QUERY_TEXTS, name, "query text")
        path = _one_file(where, topic_files)
        found = _neuclir_judgements(where, qrels_files, passage_languages)
        judged = _neuclir(name, path, found, languages, fields, translations)
    elif query_text is not None or translations:
        option = "translations" if translations else "query_text"
        raise PanglotError(f"benchmark '{name}' has no option '{option}'.")
    else:
        topics_of = files_by_language(folder, topic_files)
        if not topics_of:
            example = as_example(topic_files[0])
            raise PanglotError(
                f"{folder}: holds no queries of {name}, such as {example}; fetch them from {source}."
            )
        chosen = chosen_languages(languages, topics_of, name)
        paths = {language: topics_of[language][0] for language in chosen}
        read = _of_each_language if any(CODE in pattern for pattern in qrels_files) else _between_languages
        judged = read(where, paths, qrels_files, query_language)
    pools = find_pools(name, folder, judged.languages, corpus, corpus_source)
    return make_benchmark(judged, pools, partial_corpus)


class _Set(NamedTuple):
    """A collection's name, the folder of its files, and where they are to be had."""

    name: str
    folder: Path
    source: str


def _one_file(of: _Set, patterns: Sequence[str]) -> Path:
    if files := files_of(of.folder, *patterns):
        return files[0]
    needed = f"{as_example(patterns[0])} of {of.name}"
    raise PanglotError(f"{of.folder}: holds no {needed}; fetch it from {of.source}.")


def _of_split(patterns: Patterns, split: str, shorter: str, name: str) -> list[str]:
    """Return the patterns of a split's files, and then those of its shorter name."""
    if isinstance(patterns, Mapping):
        return list(patterns[chosen_option(split, patterns, name)])
    return [p.replace("{split}", one) for one in dict.fromkeys((split, shorter)) for p in patterns]


def _of_each_language(
    of: _Set, topics: Mapping[str, Path], qrels: Sequence[str], query_language: str | None
) -> Judged:
    """Each language has topics and judgements of its own."""
    queries: list[Query] = []
    judgements: list[Judgement] = []
    files: list[Path] = []
    beside = any(pattern.startswith(CODE) for pattern in qrels)  # other folders are no languages then
    found = files_by_language(of.folder, qrels, others=beside)
    for language, path in topics.items():
        if language not in found:
            raise PanglotError(
                f"{of.folder}: {of.name} has queries in {language}, but no judgements of them, such as "
                f"{as_example(qrels[0])}; fetch them from {of.source}, or choose a split that has some."
            )
        for topic, text in read_topics(path).items():
            label = f"{language}:{topic}"
            queries.append(Query(label, query_language or language, text, label))
        judgements += with_prefixes(read_qrels(found[language][0]), language, language)
        files += [path, found[language][0]]
    return Judged(of.name, queries, judgements, tuple(files), tuple(topics))


def _between_languages(
    of: _Set, topics: Mapping[str, Path], qrels: Sequence[str], query_language: str | None
) -> Judged:
    """All languages have the same topics, passages and judgements, so these hold between any two."""
    path = _one_file(of, qrels)
    judged = read_qrels(path)
    texts = {language: read_topics(path) for language, path in topics.items()}
    wanted: dict[str, Judgement] = {}  # the first judgement of each query
    for one in judged:
        wanted.setdefault(one.query, one)
    lost = [one for topic, one in wanted.items() if not any(topic in found for found in texts.values())]
    if lost:
        raise PanglotError(
            f"{path}, line {lost[0].line}: query '{lost[0].query}' is not in the files of queries "
            f"({len(lost):,} of {len(wanted):,} queries); are they of the same split?"
        )
    queries = [
        Query(f"{language}:{topic}", query_language or language, found[topic], topic)
        for language, found in texts.items()
        for topic in wanted
        if topic in found  # translations may lack some
    ]
    judgements: list[Judgement] = []
    for asking, found in texts.items():
        own = [one for one in judged if one.query in found]
        for answering in texts:
            judgements += with_prefixes(own, asking, answering)
    return Judged(of.name, queries, judgements, (path, *topics.values()), tuple(topics))


def with_prefixes(judgements: Iterable[Judgement], query: str, passage: str) -> list[Judgement]:
    """Return judgements with languages before the ids of queries and passages."""
    return [
        one._replace(query=f"{query}:{one.query}", passage=f"{passage}:{one.passage}") for one in judgements
    ]


def _neuclir_judgements(
    of: _Set, qrels: Sequence[str], languages: Sequence[str]
) -> dict[str, list[Judgement]]:
    """Return the judgements by language, from a file of each or from one of all."""
    together = [pattern for pattern in qrels if CODE not in pattern]
    apart = files_by_language(of.folder, [pattern for pattern in qrels if CODE in pattern])
    own = {language: apart[language][0] for language in languages if language in apart}
    if not own or (len(own) < len(languages) and files_of(of.folder, *together)):
        return _by_second_column(read_qrels(_one_file(of, together)), languages)
    return {language: found for language, path in own.items() if (found := read_qrels(path))}


def _by_second_column(
    judgements: Iterable[Judgement], languages: Sequence[str]
) -> dict[str, list[Judgement]]:
    """Sort judgements by the language in their second column."""
    found: dict[str, list[Judgement]] = {language: [] for language in languages}
    for one in judgements:
        code = bcp47(one.iteration)
        if code not in found:
            raise PanglotError(
                f"{one.path}, line {one.line}: the second column is '{one.iteration}', which is none of the "
                f"languages {', '.join(languages)}; use one file a language."
            )
        found[code].append(one)
    return {language: own for language, own in found.items() if own}


def _neuclir(
    name: str,
    topics: Path,
    judged: Mapping[str, Sequence[Judgement]],
    languages: Sequence[str] | None,
    query_text: str,
    translations: bool,
) -> Judged:
    """One file has the topics in all languages; a judgement holds whatever language asks."""
    chosen = chosen_languages(languages, judged, name)
    spoken = ["en", *chosen] if translations else ["en"]
    queries = []
    for number, line in json_lines(topics):
        topic = named(topics, number, line, "topic_id")
        for language in spoken:
            text = _topic_text(topics, number, line, language, query_text)
            queries.append(Query(f"{language}:{topic}", language, text, topic))
    judgements = [
        one for code in chosen for language in spoken for one in with_prefixes(judged[code], language, code)
    ]
    read = dict.fromkeys([topics, *(judged[code][0].path for code in chosen)])
    return Judged(name, queries, judgements, tuple(read), tuple(chosen))


def _topic_text(path: Path, number: int, line: dict[str, Any], language: str, query_text: str) -> str:
    fields = [f"topic_{part}" for part in query_text.split("+")]
    for version in line.get("topics") or []:
        human = language == "en" or version.get("source") == HUMAN
        if human and bcp47(str(version.get("lang"))) == language:
            texts = [version.get(field) for field in fields]
            if all(isinstance(text, str) and text.strip() for text in texts):
                return " ".join(text.strip() for text in texts)
    kind = "English topic" if language == "en" else f"topic that people translated into {language}"
    raise PanglotError(f"{path}, line {number}: has no {kind} with {' and '.join(fields)}; fetch it again.")


def _topic_rows(path: Path) -> Iterator[tuple[int, str, str]]:
    if is_table(path):
        yield from ((number, name, text.strip()) for number, name, _, text in passage_rows(path))
        return
    for number, line in numbered_lines(path):
        name, tab, text = line.partition("\t")
        if not tab:
            raise PanglotError(f"{path}, line {number}: has no tab; a line is an id, a tab, the query.")
        yield number, name.strip(), text.strip()


def read_topics(path: Path) -> dict[str, str]:
    """Read queries (``id TAB query`` lines, or a table as of passages): by id, in the file's order."""
    topics: dict[str, str] = {}
    for number, name, text in _topic_rows(path):
        if not name or not text:
            raise PanglotError(f"{path}, line {number}: has an empty {'id' if not name else 'query'}.")
        if name in topics:
            raise PanglotError(f"{path}, line {number}: query '{name}' occurs twice; ids must be unique.")
        topics[name] = text
    return topics


def read_qrels(path: Path) -> list[Judgement]:
    """Read judgements of four columns: query, iteration, document, gain, split by tabs or spaces.

    Tables of Parquet or JSON lines have the columns of ``table_judgements``. Gains below 0 count as 0, as
    trec_eval counts them. A judgement that occurs twice counts once.
    """

    def rows() -> Iterator[Judgement]:
        for number, line in numbered_lines(path):
            columns = BLANKS.split(line.strip(" \t"))
            if len(columns) != 4:
                raise PanglotError(
                    f"{path}, line {number}: has {len(columns)} columns; "
                    "a judgement has four: query, 0, document, gain."
                )
            query, iteration, passage, gain = columns
            yield Judgement(path, number, query, passage, as_gain(path, number, gain), iteration)

    return collect(table_judgements(path) if is_table(path) else rows())


def is_table(path: Path) -> bool:
    """Say whether a file is Parquet or JSON lines, by its name."""
    return bool({".parquet", ".jsonl"} & set(path.suffixes))


def table_judgements(path: Path) -> Iterator[Judgement]:
    """Yield the judgements of a table with the columns ``query-id``, ``corpus-id`` and ``score``."""
    columns = ("query-id", "corpus-id", "score")
    for number, row in table_rows(path, columns):
        query, passage = (named(path, number, row, column) for column in columns[:2])
        yield Judgement(path, number, query, passage, as_gain(path, number, row.get("score")))


def collect(judgements: Iterable[Judgement]) -> list[Judgement]:
    """Return the judgements of a file, each once; one that occurs twice with two gains is refused."""
    seen: dict[tuple[str, str], Judgement] = {}
    for one in judgements:
        if not one.query or not one.passage:
            raise PanglotError(f"{one.path}, line {one.line}: has an empty id.")
        first = seen.setdefault((one.query, one.passage), one)
        if first.gain != one.gain:
            raise PanglotError(
                f"{one.path}, line {one.line}: judges '{one.passage}' for query '{one.query}' "
                f"unlike line {first.line}; keep one of the two."
            )
    return list(seen.values())


def as_gain(path: Path, number: int, text: object) -> int:
    """Return a gain as a whole number; ``1.0`` is one, and those below 0 (TREC's mark for junk) are 0."""
    try:
        value = float(text)  # type: ignore[arg-type]
        if value != int(value):
            raise ValueError(text)
    except (TypeError, ValueError, OverflowError) as error:
        raise PanglotError(f"{path}, line {number}: the gain '{text}' is not a whole number.") from error
    return max(0, int(value))
