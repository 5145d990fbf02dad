"""MKQA: 10,000 open questions in 26 languages (Longpre, Lu and Daiber 2021, arXiv 2007.15207).

File: ``mkqa.jsonl.gz`` (or unpacked), one question a line: example_id, query, queries (by language), answers.
The official data has no passages, so what it can measure by itself is whether a question finds its
translations.
"""

from collections.abc import Sequence
from pathlib import Path

from panglot.data.benchmark import Benchmark
from panglot.data.readers.parallel import ParallelTexts, checksum, counterparts
from panglot.data.readers.text_files import (
    chosen_languages,
    chosen_split,
    first_existing,
    json_objects,
)
from panglot.errors import PanglotError

PLACES = ("mkqa.jsonl.gz", "dataset/mkqa.jsonl.gz", "mkqa.jsonl")
CODES = {"zh_cn": "zh", "zh_tw": "zh-Hant", "zh_hk": "zh-HK"}


def read_mkqa(
    folder: str | Path,
    *,
    name: str = "mkqa",
    languages: Sequence[str] | None = None,
    split: str | None = None,
) -> Benchmark:
    """Read MKQA as retrieval between languages: a question looks for its translations.

    All questions of all languages are passages; a query's own text is left out of its pool, so that there is
    no monolingual setting.

    Args:
        folder: holds ``mkqa.jsonl.gz``.
        name: of the benchmark.
        languages: two or more of them; None for all.
        split: there is one, ``test``.
    """
    folder = Path(folder)
    chosen_split(split, ("test",), name)
    path = first_existing(folder, PLACES, "MKQA questions")
    rows = json_objects(path)
    parallel = ParallelTexts()
    found: dict[str, str] = {}  # language: as the file names it
    seen: set[str] = set()
    for number, row in rows:
        queries, label = row.get("queries"), str(row.get("example_id", ""))
        if not isinstance(queries, dict) or not label or label in seen:
            raise PanglotError(
                f"{path}, line {number}: needs an example_id of its own and queries; fetch it again."
            )
        seen.add(label)
        found.update({CODES.get(code, str(code)): str(code) for code in queries})
    chosen = chosen_languages(languages, list(found), name, least=2)
    for language in chosen:
        for number, row in rows:
            text = row["queries"].get(found[language])
            if not isinstance(text, str) or not text.strip():
                raise PanglotError(
                    f"{path}, line {number}: has no query in '{found[language]}'; fetch it again."
                )
            label = str(row["example_id"])
            parallel.add(f"{language}:{label}", label, language, text)
    return counterparts(parallel, name, checksum([path]), "question")
