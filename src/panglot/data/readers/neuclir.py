"""NeuCLIR: English topics asked of news in Persian, Russian and Chinese.

TREC 2022 and 2023; Lawrie et al. 2023, arXiv 2304.12367, and 2024, arXiv 2404.08071. Gains are 3 (very
valuable), 1 (somewhat valuable) and 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from panglot.data.benchmark import Benchmark
from panglot.data.readers.collection import Judged, Query, make_benchmark
from panglot.data.readers.lines import json_lines, named
from panglot.data.readers.pools import Pool, files_of, json_pool, require_pools
from panglot.data.readers.text_files import chosen_languages, chosen_split
from panglot.data.readers.trec import Qrels, read_qrels
from panglot.errors import PanglotError

QueryText = Literal["title", "description", "title+description"]
LANGUAGES = {"fa": "fas", "ru": "rus", "zh": "zho"}
TOPICS = {"2022": "topics.0720.utf8.jsonl", "2023": "neuclir-2023-topics.0605.jsonl"}
QRELS = {  # of all languages, whose second column is the language, and of one
    "2022": ("2022-qrels.all", "2022-qrels.{}"),
    "2023": ("qrels.final.gains", "qrels.final.gains.{}"),
}
HUMAN = "human translation"
SOURCE = "the track's page at TREC"


def read_neuclir(
    folder: str | Path,
    *,
    name: str = "neuclir",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    query_text: QueryText = "title+description",
    translations: bool = False,
    partial_corpus: bool = False,
) -> Benchmark:
    """Read NeuCLIR's news task: topics, judgements (the gain 0 kept) and documents with their titles.

    The folder holds the year's topics (``topics.0720.utf8.jsonl``, ``neuclir-2023-topics.0605.jsonl``) and
    judgements (``2022-qrels.all``, ``qrels.final.gains``, or one a language: ``2022-qrels.fas``), anywhere
    in it, and the documents as on the hub (``data/fas-00000-of-00001.jsonl.gz``) or as the official script
    writes them (``fas/docs.jsonl``). Ids get the language in front (``en:12``, ``fa:...``).

    Args:
        folder: of the files.
        name: of the benchmark.
        languages: of the documents; None for all that have judgements.
        split: the year: ``2022`` (the default) or ``2023``.
        query_text: which fields of a topic make the query.
        translations: also ask people's translations of the topics into the documents' languages. They are
            the same items, so all three settings are there.
        partial_corpus: leave out judgements of documents that are not there.
    """
    folder = Path(folder)
    judged = neuclir_judged(
        folder,
        name=name,
        languages=languages,
        split=split,
        query_text=query_text,
        translations=translations,
    )
    chosen = sorted({passage.split(":")[0] for qrels in judged.qrels for passage in qrels.passage})
    source = "the hub's data set neuclir/neuclir1"
    return make_benchmark(
        judged, require_pools(name, folder, chosen, lambda code: _pool(folder, code), source), partial_corpus
    )


def neuclir_judged(
    folder: str | Path,
    *,
    name: str = "neuclir",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    query_text: QueryText = "title+description",
    translations: bool = False,
) -> Judged:
    """Read the topics and judgements of NeuCLIR alone; arguments as ``read_neuclir``."""
    folder = Path(folder)
    if query_text not in get_args(QueryText):
        raise PanglotError(
            f"{name}: '{query_text}' is not a query text; use {', '.join(get_args(QueryText))}."
        )
    year = chosen_split(split, list(TOPICS), name)
    topics = files_of(folder, f"**/{TOPICS[year]}")
    if not topics:
        raise PanglotError(f"{folder}: holds no {TOPICS[year]} of {name}; fetch it from {SOURCE}.")
    judged = _judgements(folder, name, year)
    chosen = chosen_languages(languages, list(judged), name)
    spoken = ["en", *chosen] if translations else ["en"]
    queries = _queries(topics[0], spoken, query_text)
    # a judgement holds for the topic, whatever language it is asked in
    qrels = [
        replace(
            judged[code],
            query=[f"{language}:{topic}" for topic in judged[code].query],
            passage=[f"{code}:{passage}" for passage in judged[code].passage],
        )
        for code in chosen
        for language in spoken
    ]
    files = dict.fromkeys([topics[0], *(judged[code].path for code in chosen)])
    return Judged(name, queries, qrels, tuple(files))


def _judgements(folder: Path, name: str, year: str) -> dict[str, Qrels]:
    """Return the judgements by language, from one file of all or from one each."""
    together, apart = QRELS[year]
    found = {code: files_of(folder, f"**/{apart.format(long)}") for code, long in LANGUAGES.items()}
    if not all(found.values()) and (files := files_of(folder, f"**/{together}")):
        return _by_language(read_qrels(files[0]))
    if not any(found.values()):
        raise PanglotError(f"{folder}: holds no {together} of {name}; fetch it from {SOURCE}.")
    return {code: read_qrels(files[0]) for code, files in found.items() if files}


def _by_language(qrels: Qrels) -> dict[str, Qrels]:
    """Sort judgements by the language in their second column."""
    parts = {code: Qrels(qrels.path) for code in LANGUAGES}
    code_of = {long: code for code, long in LANGUAGES.items()}
    for k, long in enumerate(qrels.iteration):
        if long not in code_of:
            raise PanglotError(
                f"{qrels.path}, line {qrels.line[k]}: the second column is '{long}', not one of the "
                f"languages {', '.join(code_of)}; use one file a language."
            )
        part = parts[code_of[long]]
        for column in ("query", "passage", "gain", "line", "iteration"):
            getattr(part, column).append(getattr(qrels, column)[k])
    return {code: part for code, part in parts.items() if len(part)}


def _queries(path: Path, languages: Sequence[str], query_text: QueryText) -> list[Query]:
    queries = []
    for number, line in json_lines(path):
        topic = named(path, number, line, "topic_id")
        for language in languages:
            text = _text(path, number, line, language, query_text)
            queries.append(Query(f"{language}:{topic}", language, text, topic))
    return queries


def _text(path: Path, number: int, line: dict[str, Any], language: str, query_text: QueryText) -> str:
    wanted = "eng" if language == "en" else LANGUAGES[language]
    fields = [f"topic_{part}" for part in query_text.split("+")]
    for version in line.get("topics") or []:
        if version.get("lang") == wanted and (wanted == "eng" or version.get("source") == HUMAN):
            texts = [version.get(field) for field in fields]
            if all(isinstance(text, str) and text.strip() for text in texts):
                return " ".join(text.strip() for text in texts)
    kind = "English topic" if language == "en" else f"topic that people translated into {wanted}"
    raise PanglotError(
        f"{path}, line {number}: has no {kind} with {' and '.join(fields)}; fetch the file again."
    )


def _pool(folder: Path, language: str) -> Pool | str:
    long = LANGUAGES[language]
    hub = f"{long}-00000-of-00001.jsonl.gz"
    places = (f"data/{hub}", hub, f"*/data/{hub}", f"{long}/docs.jsonl", f"*/{long}/docs.jsonl")
    if files := files_of(folder, *places, f"{long}/docs.jsonl.gz"):
        return json_pool(language, files, f"{language}:", name="id", title="title", text="text")
    return places[0]
