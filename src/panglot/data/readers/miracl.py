"""MIRACL: questions on Wikipedia in 18 languages, each asked of the Wikipedia in its language.

Zhang et al. 2023, doi 10.1162/tacl_a_00595. Passages are judged by people, the not relevant ones too.
"""

from collections.abc import Sequence
from pathlib import Path

from panglot.data.benchmark import Benchmark
from panglot.data.readers.collection import Judged, make_benchmark, read_judged
from panglot.data.readers.pools import Pool, files_of, json_pool, require_pools
from panglot.errors import PanglotError

LANGUAGES = (
    *("ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi"),
    *("id", "ja", "ko", "ru", "sw", "te", "th", "yo", "zh"),
)
PLACES = ("", "miracl-v1.0-{code}/%s/", "*/miracl-v1.0-{code}/%s/")  # flat, or as on the hub
CORPUS = "miracl-corpus-v1.0-{}/docs-*.jsonl.gz"


def read_miracl(
    folder: str | Path,
    *,
    name: str = "miracl",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    partial_corpus: bool = False,
) -> Benchmark:
    """Read MIRACL v1.0: topics, judgements (the gain 0 kept) and passages with their titles.

    The folder holds ``topics.miracl-v1.0-sw-dev.tsv`` and ``qrels.miracl-v1.0-sw-dev.tsv``, flat or in
    ``miracl-v1.0-sw/topics`` and ``/qrels``, and ``miracl-corpus-v1.0-sw/docs-0.jsonl.gz`` and so on. Ids get
    the language in front (``sw:2#0``), since Wikipedias number their articles alike.

    Args:
        folder: of the files.
        name: of the benchmark.
        languages: None for all whose topics are there.
        split: ``dev`` (the default) or ``train``.
        partial_corpus: leave out judgements of passages that are not there.
    """
    folder = Path(folder)
    judged = miracl_judged(folder, name=name, languages=languages, split=split)
    chosen = sorted({query.language for query in judged.queries})
    source = "the hub's data set miracl/miracl-corpus"
    return make_benchmark(
        judged, require_pools(name, folder, chosen, lambda code: _pool(folder, code), source), partial_corpus
    )


def miracl_judged(
    folder: str | Path,
    *,
    name: str = "miracl",
    languages: Sequence[str] | None = None,
    split: str | None = None,
) -> Judged:
    """Read the topics and judgements of MIRACL alone, for a look at them where passages are not there."""
    file = f"miracl-v1.0-{{code}}-{split or 'dev'}.tsv"
    return read_judged(
        name,
        Path(folder),
        {language: language for language in LANGUAGES},
        [(place % "topics" if place else "") + f"topics.{file}" for place in PLACES],
        [(place % "qrels" if place else "") + f"qrels.{file}" for place in PLACES],
        languages,
        "the hub's data set miracl/miracl",
    )


def _pool(folder: Path, language: str) -> Pool | str:
    pattern = CORPUS.format(language)
    plain = pattern.removesuffix(".gz")
    files = files_of(folder, pattern, f"*/{pattern}", plain, f"*/{plain}")
    if not files:
        return pattern.replace("*", "0")
    numbers = {path.name.split(".")[0] for path in files}
    if missing := [k for k in range(len(files)) if f"docs-{k}" not in numbers]:
        gap = files[0].with_name(files[0].name.replace(files[0].name.split(".")[0], f"docs-{missing[0]}"))
        raise PanglotError(f"{gap}: is missing among the {len(files)} files beside it; fetch it too.")
    return json_pool(language, files, f"{language}:", name="docid", title="title", text="text")
