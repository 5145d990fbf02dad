"""Mr. TyDi: questions in 11 languages, each asked of the Wikipedia in its language.

Zhang et al. 2021, arXiv 2108.08787. Most questions have one relevant passage; none is judged not relevant.
"""

from collections.abc import Sequence
from pathlib import Path

from panglot.data.benchmark import Benchmark
from panglot.data.readers.collection import Judged, make_benchmark, read_judged
from panglot.data.readers.pools import Pool, files_of, json_pool, require_pools

LANGUAGES = {
    **{"ar": "arabic", "bn": "bengali", "en": "english", "fi": "finnish", "id": "indonesian"},
    **{"ja": "japanese", "ko": "korean", "ru": "russian", "sw": "swahili", "te": "telugu", "th": "thai"},
}
VERSIONS = ("mrtydi-v1.1-{code}", "*/mrtydi-v1.1-{code}", "mrtydi-v1.0-{code}", "*/mrtydi-v1.0-{code}")


def read_mr_tydi(
    folder: str | Path,
    *,
    name: str = "mr-tydi",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    partial_corpus: bool = False,
) -> Benchmark:
    """Read Mr. TyDi: topics, judgements and passages; ids get the language in front (``sw:26568#0``).

    The folder holds ``mrtydi-v1.1-swahili/`` and so on, as the official archives unpack (``topic.test.tsv``,
    ``qrels.test.txt``, ``collection/docs.jsonl.gz`` with id and contents) or as on the hub
    (``ir-format-data/topics.test.txt`` and, of the corpus, ``corpus.jsonl.gz`` with docid, title and text).

    Args:
        folder: of the files.
        name: of the benchmark.
        languages: None for all whose topics are there.
        split: ``test`` (the default), ``dev`` or ``train``.
        partial_corpus: leave out judgements of passages that are not there.
    """
    folder = Path(folder)
    judged = mr_tydi_judged(folder, name=name, languages=languages, split=split)
    chosen = sorted({query.language for query in judged.queries})
    source = "the official archives, or the hub's data set castorini/mr-tydi-corpus"
    return make_benchmark(
        judged, require_pools(name, folder, chosen, lambda code: _pool(folder, code), source), partial_corpus
    )


def mr_tydi_judged(
    folder: str | Path,
    *,
    name: str = "mr-tydi",
    languages: Sequence[str] | None = None,
    split: str | None = None,
) -> Judged:
    """Read the topics and judgements of Mr. TyDi alone."""
    split = split or "test"
    topics = (f"topic.{split}.tsv", f"ir-format-data/topics.{split}.txt")
    qrels = (f"qrels.{split}.txt", f"ir-format-data/qrels.{split}.txt")
    return read_judged(
        name,
        Path(folder),
        LANGUAGES,
        [f"{version}/{file}" for version in VERSIONS for file in topics],
        [f"{version}/{file}" for version in VERSIONS for file in qrels],
        languages,
        "the official archives, or the hub's data set castorini/mr-tydi",
    )


def _pool(folder: Path, language: str) -> Pool | str:
    places = [version.format(code=LANGUAGES[language]) for version in VERSIONS]
    prefix = f"{language}:"
    for place in places:
        if files := files_of(folder, f"{place}/corpus.jsonl.gz", f"{place}/corpus.jsonl"):
            return json_pool(language, files, prefix, name="docid", title="title", text="text")
        if files := files_of(folder, f"{place}/collection/docs.jsonl.gz", f"{place}/collection/docs.jsonl"):
            return json_pool(language, files, prefix, name="id", text="contents")
    return f"{places[0]}/collection/docs.jsonl.gz or {places[0]}/corpus.jsonl.gz"
