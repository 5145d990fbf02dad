"""BEIR, and what has its form: BEIR-PL, BEIR-NL, Hindi-BEIR, anyone's own collection.

Thakur et al. 2021, arXiv 2104.08663. One language; gains as the sets have them, 0 is judged not relevant.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from panglot.data.benchmark import Benchmark
from panglot.data.readers.collection import Judged, Judgement, Pool, Query, make_benchmark
from panglot.data.readers.files import chosen_languages, field, files_of, named, numbered_lines, table_rows
from panglot.data.readers.trec import as_gain, collect, table_judgements, with_prefixes
from panglot.data.suite import Suite
from panglot.errors import PanglotError, leave_out
from panglot.languages import check_among, is_language

ENDS = (".jsonl", ".jsonl.gz", ".jsonl.zst", "/*.jsonl", "/*.jsonl.gz", "/*.parquet", "*.parquet")
QRELS_ENDS = (".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", "-*.parquet", ".parquet")
SYNONYMS = {"dev": "validation", "validation": "dev"}


def read_beir(
    folder: str | Path,
    *,
    name: str = "beir",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    language: str = "en",
    partial_corpus: bool = False,
    exclude_own_id: bool = False,
) -> Benchmark | Suite:
    """Read a set in BEIR's form: ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/test.tsv``.

    Files may be compressed, or in the form of the hub: ``corpus/*.parquet``, ``qrels/test.jsonl``, or with
    the judgements in a folder beside it (``nfcorpus-pl`` and ``nfcorpus-pl-qrels``). A folder of such sets
    (CQADupStack with its twelve forums) is read as a suite, which is BEIR's way to report it.

    Args:
        split: ``test`` (the default), ``dev`` or ``train``, where the set has them.
        partial_corpus: leave out judgements of passages that are not there.
        exclude_own_id: a passage that has a query's own id is not a result for it (ArguAna, whose arguments
            are queries and passages; Quora, FiQA, FEVER, MS MARCO), as BEIR and mteb have it.
    """
    folder = Path(folder)
    check_among(languages or (), [language], name)

    def read(place: Path, name: str) -> Benchmark:
        pools = [Pool(language, tuple(_needed(place, "corpus", split, name)))]
        judged = beir_judged(place, name=name, split=split, language=language)
        return make_benchmark(judged, pools, partial_corpus, exclude_own_id=exclude_own_id)

    parts = [path.parent for path in files_of(folder, "*/corpus.jsonl", "*/corpus.jsonl.gz")]
    if not parts or _found(folder, "corpus", split):
        return read(folder, name)
    sets = [read(part, part.name) for part in parts]
    first = np.cumsum([0, *(len(one.queries) for one in sets)])  # their queries are different items
    numbered = [replace(one, query_items=one.query_items + k) for one, k in zip(sets, first, strict=False)]
    return Suite(name, tuple(numbered), settings=("monolingual",))


def read_parallel_beir(
    folders: Mapping[str, Path] | str | Path,
    *,
    name: str = "beir-parallel",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    exclude_own_id: bool = False,
) -> Benchmark:
    """Read one set of BEIR and its translations, which have its ids, as one benchmark in all three settings.

    A query in any language looks for the passages that are judged for it, in every language. Passages that a
    translation lacks are left out with a note.

    Args:
        folders: of the set in each language, by code; or a folder with one folder a language, such as ``en``.
        exclude_own_id: as in ``read_beir``; also for the translations of that passage.
    """
    if not isinstance(folders, Mapping):
        inside = sorted(path for path in Path(folders).glob("*") if path.is_dir() and is_language(path.name))
        if len(inside) < 2:
            raise PanglotError(f"{folders}: has no two folders named by a language, such as en and nl.")
        folders = {path.name: path for path in inside}
    chosen = chosen_languages(languages, list(folders), name)
    queries: list[Query] = []
    judgements: list[Judgement] = []
    files: list[Path] = []
    pools = []
    for code in chosen:
        judged = beir_judged(folders[code], name=name, split=split, language=code)
        queries += [query._replace(id=f"{code}:{query.id}") for query in judged.queries]
        files += judged.files
        for pool in chosen:
            judgements += with_prefixes(judged.judgements, code, pool)
        pools.append(Pool(code, tuple(_needed(folders[code], "corpus", split, name)), f"{code}:"))
    whole = Judged(name, queries, judgements, tuple(files), tuple(chosen))
    made = make_benchmark(whole, pools, partial_corpus=True, exclude_own_id=exclude_own_id)
    if lost := len(judgements) - int((made.gains >= 0).sum()):
        leave_out(f"{name}: {lost:,} judgements of passages that some language lacks are left out.")
    return made


def beir_judged(
    folder: str | Path, *, name: str = "beir", split: str | None = None, language: str = "en"
) -> Judged:
    """Read the queries and judgements of a set in BEIR's form alone."""
    folder = Path(folder)
    files = _needed(folder, "queries", split, name)
    queries: dict[str, Query] = {}
    for path in files:
        for number, row in table_rows(path, ("text",), ("_id", "id")):
            label = named(path, number, row, "id" if "_id" not in row and "id" in row else "_id")
            if label in queries:
                raise PanglotError(f"{path}, line {number}: query '{label}' occurs twice; make ids unique.")
            queries[label] = Query(label, language, field(path, number, row, "text"), label)
    qrels = _judgement_files(folder, name, split or "test")
    judgements = [one for path in qrels for one in collect(_judgements(path))]
    return Judged(name, list(queries.values()), judgements, (*files, *qrels), (language,))


def _found(folder: Path, stem: str, split: str | None) -> list[Path]:
    """Return the files of passages or queries; Parquet files of the split go before those of all splits."""
    words = (split or "test", SYNONYMS.get(split or "test", ""))
    of_split = [f"{stem}/{word}-*.parquet" for word in words if word]
    return files_of(folder, *(stem + end for end in ENDS[:-2]), *of_split, *(stem + end for end in ENDS[-2:]))


def _needed(folder: Path, stem: str, split: str | None, name: str) -> list[Path]:
    if found := _found(folder, stem, split):
        return found
    texts = "passages" if stem == "corpus" else stem
    raise PanglotError(f"{folder}: lacks the {texts} of {name}: there is no {stem}.jsonl; fetch it again.")


def _judgement_files(folder: Path, name: str, split: str) -> list[Path]:
    beside = folder.parent / f"{folder.name}-qrels"
    places = [folder, beside] if beside.is_dir() else [folder]
    inside = ("qrels/", "", "default/", "data/")
    for word in (split, SYNONYMS.get(split, split)):
        for place in places:
            if found := files_of(place, *(where + word + end for where in inside for end in QRELS_ENDS)):
                return found
    there = ", ".join(path.name for path in files_of(folder, "qrels/*")) or "no file in qrels"
    raise PanglotError(f"{folder}: {name} has no judgements qrels/{split}.tsv; it has {there}.")


def _judgements(path: Path) -> Iterator[Judgement]:
    """Yield the judgements of a TSV file of three columns under a header, or of JSON or Parquet rows."""
    if ".tsv" not in path.name:
        yield from table_judgements(path)
        return
    for number, line in numbered_lines(path):
        fields = [part.strip() for part in line.split("\t")]
        if len(fields) != 3:
            raise PanglotError(
                f"{path}, line {number}: has {len(fields)} columns; it needs query-id, corpus-id and score, "
                "with tabs between them."
            )
        if number == 1 and fields[2].lower() == "score":
            continue
        yield Judgement(path, number, fields[0], fields[1], as_gain(path, number, fields[2]))
