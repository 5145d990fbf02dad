"""mMARCO: MS MARCO's passages and queries, translated by machine into 13 languages.

Bonifacio et al. 2021, arXiv 2108.13897. All languages have the same queries and passages, so a query's
relevant passages are those of its translation in every language: the three settings are all there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panglot.data.benchmark import Benchmark
from panglot.data.index import IntArray
from panglot.data.readers.collection import Query, assemble
from panglot.data.readers.pools import Pool, files_of, pool_texts, require_pools, tsv_rows
from panglot.data.readers.text_files import chosen_languages
from panglot.data.readers.trec import Qrels, read_qrels, read_topics
from panglot.data.text_column import find
from panglot.data.text_table import digest
from panglot.errors import PanglotError
from panglot.files import sha256_of

LANGUAGES = {
    **{"ar": "arabic", "de": "german", "en": "english", "es": "spanish", "fr": "french", "hi": "hindi"},
    **{"id": "indonesian", "it": "italian", "ja": "japanese", "nl": "dutch", "pt": "portuguese"},
    **{"ru": "russian", "vi": "vietnamese", "zh": "chinese"},
}
PLACES = ("", "google/", "data/google/")
SOURCE = "the hub's data set unicamp-dl/mmarco"


@dataclass(frozen=True)
class MmarcoTopics:
    """Queries by language and id, the judgements of all languages, and the files that they are in."""

    queries: dict[str, dict[str, str]]
    qrels: Qrels
    files: tuple[Path, ...]


def read_mmarco(
    folder: str | Path,
    *,
    name: str = "mmarco",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    partial_corpus: bool = False,
) -> Benchmark:
    """Read mMARCO; ids get the language in front (``pt:7067032``), and translations of a query are one item.

    The folder holds ``data/google/queries/dev/portuguese_queries.dev.small.tsv``,
    ``data/google/collections/portuguese_collection.tsv`` and ``data/qrels.dev.small.tsv``.

    Args:
        folder: of the files.
        name: of the benchmark.
        languages: None for all whose queries are there.
        split: ``dev.small`` (the default; 6,980 queries) or ``dev``.
        partial_corpus: leave out judgements of passages that are not there.
    """
    folder = Path(folder)
    topics = mmarco_topics(folder, name=name, languages=languages, split=split)
    pools = require_pools(name, folder, list(topics.queries), lambda code: _pool(folder, code), SOURCE)
    codes = [pool.language for pool in pools]
    passages, checksum = pool_texts(pools, codes)
    numbers = list(dict.fromkeys(topics.qrels.passage))
    row = np.stack([find(passages.ids, [f"{code}:{number}" for number in numbers]) for code in codes])
    if (row < 0).any() and not partial_corpus:
        _say_unknown(topics.qrels, codes, numbers, row)
    queries, judged_query, judged_passage, gains = _in_all_languages(topics, codes, numbers, row)
    checksum = sha256_of(digest(topics.files) + checksum)
    return assemble(name, codes, queries, passages, judged_query, judged_passage, gains, checksum)


def mmarco_topics(
    folder: str | Path,
    *,
    name: str = "mmarco",
    languages: Sequence[str] | None = None,
    split: str | None = None,
) -> MmarcoTopics:
    """Read the queries and judgements of mMARCO alone.

    Queries that nothing is judged for are left out; translations may lack some.
    """
    folder, split = Path(folder), split or "dev.small"
    kind = split.split(".")[0]
    found = {}
    for code, word in LANGUAGES.items():
        if files := files_of(folder, *(f"{p}queries/{kind}/{word}_queries.{split}.tsv" for p in PLACES)):
            found[code] = files[0]
    judged = files_of(folder, f"qrels.{split}.tsv", f"data/qrels.{split}.tsv")
    for there, file in ((found, f"english_queries.{split}.tsv"), (judged, f"qrels.{split}.tsv")):
        if not there:
            raise PanglotError(f"{folder}: holds no {file} of {name}; fetch it from {SOURCE}.")
    qrels = read_qrels(judged[0])
    wanted = dict.fromkeys(qrels.query)
    chosen = chosen_languages(languages, list(found), name)
    queries = {}
    for code in chosen:
        topics = read_topics(found[code])
        queries[code] = {number: topics[number] for number in wanted if number in topics}
    if lost := [n for n in wanted if not any(n in of_language for of_language in queries.values())]:
        line = qrels.line[qrels.query.index(lost[0])]
        raise PanglotError(
            f"{judged[0]}, line {line}: query '{lost[0]}' is not in the files of queries "
            f"({len(lost):,} of {len(wanted):,} queries); are they of the same split?"
        )
    return MmarcoTopics(queries, qrels, (judged[0], *(found[code] for code in chosen)))


def _pool(folder: Path, language: str) -> Pool | str:
    file = f"collections/{LANGUAGES[language]}_collection.tsv"
    files = files_of(folder, *(place + file for place in PLACES))
    return Pool(language, tuple(files), tsv_rows, "tsv", f"{language}:") if files else PLACES[-1] + file


def _in_all_languages(
    topics: MmarcoTopics, codes: Sequence[str], numbers: Sequence[str], row: IntArray
) -> tuple[list[Query], IntArray, IntArray, IntArray]:
    """Return the queries, and query row, passage row and gain of every judgement between two languages."""
    queries = [Query(f"{c}:{n}", c, topics.queries[c][n], n) for c in codes for n in topics.queries[c]]
    query_row = {query.id: k for k, query in enumerate(queries)}
    place = {number: k for k, number in enumerate(numbers)}
    passage = row[:, [place[number] for number in topics.qrels.passage]]
    asked = np.array([[query_row.get(f"{code}:{n}", -1) for n in topics.qrels.query] for code in codes])
    query, passage = np.broadcast_arrays(asked[:, None, :], passage[None, :, :])
    known = (query >= 0) & (passage >= 0)
    gains = np.broadcast_to(np.array(topics.qrels.gain, np.int64), known.shape)
    return queries, query[known], passage[known], gains[known]


def _say_unknown(qrels: Qrels, codes: Sequence[str], numbers: Sequence[str], row: IntArray) -> None:
    language, at = (int(k[0]) for k in np.nonzero(row < 0))
    line = qrels.line[qrels.passage.index(numbers[at])]
    raise PanglotError(
        f"{qrels.path}, line {line}: passage '{numbers[at]}' is not in the collection of "
        f"'{codes[language]}' ({int((row < 0).sum()):,} judged passages of {row.size:,} do not); fetch "
        "the whole collection, or take what is there with partial_corpus."
    )
