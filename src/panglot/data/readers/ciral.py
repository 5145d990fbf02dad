"""CIRAL: English questions asked of news in Hausa, Somali, Swahili and Yoruba.

Adeyemi et al. 2024, doi 10.1145/3626772.3657884. Passages are judged by people, the not relevant ones too.
"""

from collections.abc import Sequence
from pathlib import Path

from panglot.data.benchmark import Benchmark
from panglot.data.readers.collection import Judged, make_benchmark, read_judged
from panglot.data.readers.pools import Pool, files_of, json_pool, require_pools

LANGUAGES = {"ha": "hausa", "so": "somali", "sw": "swahili", "yo": "yoruba"}
POOLED = "-pools"  # judgements of what the shared task's systems had found


def read_ciral(
    folder: str | Path,
    *,
    name: str = "ciral",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    partial_corpus: bool = False,
) -> Benchmark:
    """Read CIRAL v1.0: English topics, judgements (the gain 0 kept) and passages with their titles.

    The folder holds ``ciral-hausa/topics/topics.ciral-v1.0-ha-dev.tsv``, ``ciral-hausa/qrels/`` (or both
    flat), and ``passages-v1.0/hausa_passages.jsonl``. Ids get the language of the passages in front: each of
    the four has questions of its own, which are judged in that language alone.

    Args:
        folder: of the files.
        name: of the benchmark.
        languages: of the passages; None for all whose topics are there.
        split: ``dev`` (the default), ``test-a``, ``test-a-pools`` (``test-a`` with more judgements) or
            ``test-b``.
        partial_corpus: leave out judgements of passages that are not there.
    """
    folder = Path(folder)
    judged = ciral_judged(folder, name=name, languages=languages, split=split)
    chosen = sorted({query.id.split(":")[0] for query in judged.queries})
    source = "the hub's data set CIRAL/ciral-corpus"
    return make_benchmark(
        judged, require_pools(name, folder, chosen, lambda code: _pool(folder, code), source), partial_corpus
    )


def ciral_judged(
    folder: str | Path,
    *,
    name: str = "ciral",
    languages: Sequence[str] | None = None,
    split: str | None = None,
) -> Judged:
    """Read the topics and judgements of CIRAL alone."""
    split = split or "dev"
    places = ("", "ciral-*/{kind}/", "*/ciral-*/{kind}/")
    topics = f"topics.ciral-v1.0-{{code}}-{split.removesuffix(POOLED)}.tsv"
    qrels = f"qrels.ciral-v1.0-{{code}}-{split}.tsv"
    return read_judged(
        name,
        Path(folder),
        {language: language for language in LANGUAGES},
        [place.format(kind="topics") + topics for place in places],
        [place.format(kind="qrels") + qrels for place in places],
        languages,
        "the hub's data set CIRAL/ciral",
        query_language="en",
    )


def _pool(folder: Path, language: str) -> Pool | str:
    file = f"{LANGUAGES[language]}_passages.jsonl"
    places = (f"passages-v1.0/{file}", file, f"*/passages-v1.0/{file}")
    if files := files_of(folder, *places, *(f"{place}.gz" for place in places)):
        return json_pool(language, files, f"{language}:", name="docid", title="title", text="text")
    return places[0]
