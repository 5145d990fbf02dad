"""AfriQA: questions in ten African languages, answered by passages of the English or French Wikipedia.

Ogundepo et al. 2023, arXiv 2305.06897. The official retrieval task looks for answer strings in all of
Wikipedia, where no passage is judged; what is judged is which gold passage belongs to a question, and that is
the benchmark here.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.readers.collection import Query, assemble
from panglot.data.readers.lines import NumberedObject, field, json_lines, named
from panglot.data.readers.pools import files_of
from panglot.data.readers.text_files import chosen_languages
from panglot.data.text_table import digest
from panglot.errors import PanglotError, leave_out

LANGUAGES = {
    **{"bem": "bem", "fon": "fon", "ha": "hau", "ig": "ibo", "rw": "kin"},
    **{"sw": "swa", "tw": "twi", "wo": "wol", "yo": "yor", "zu": "zul"},
}
PIVOTS = ("en", "fr")
SOURCE = "the data folder of the repository masakhane-io/afriqa"


def read_afriqa(
    folder: str | Path,
    *,
    name: str = "afriqa",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    translations: bool = False,
) -> Benchmark:
    """Read AfriQA's gold passages: each question looks for its passage among those of all questions.

    The folder holds ``gold_passages/bem/gold_span_passages.afriqa.bem.en.test.json`` and so on (or ``data``
    above it). Passages are told apart by title and text. Questions without a passage are left out.

    Args:
        folder: of the files.
        name: of the benchmark.
        languages: of the questions; None for all whose files are there.
        split: ``test`` (the default), ``dev`` or ``train``.
        translations: also ask people's translations of the questions into the passages' language. They are
            the same items.
    """
    folder, split = Path(folder), split or "test"
    files = _files(folder, split)
    if not files:
        example = f"gold_passages/bem/gold_span_passages.afriqa.bem.en.{split}.json"
        raise PanglotError(
            f"{folder}: holds no passages of {name}, such as {example}; fetch it from {SOURCE}."
        )
    chosen = chosen_languages(languages, list(files), name)
    asked = [row for language in chosen for row in _questions(language, *files[language])]
    queries = [Query(item, language, text, item) for item, language, text, _, _ in asked]
    passages = [passage for _, _, _, _, passage in asked]
    if translations:
        pivots = [passage.pivot for passage in passages]
        queries += [
            Query(f"{pivot}:{item}", pivot, text, item)
            for pivot, (item, _, _, text, _) in zip(pivots, asked, strict=True)
        ]
        passages += passages
    distinct = sorted(dict.fromkeys(passages), key=lambda passage: passage.pivot)
    row = {passage: k for k, passage in enumerate(distinct)}
    label = {passage: item for item, _, _, _, passage in reversed(asked)}
    codes = sorted({query.language for query in queries} | {passage.pivot for passage in distinct})
    return assemble(
        name,
        codes,
        queries,
        Texts(
            [f"{passage.pivot}:{label[passage]}" for passage in distinct],
            np.array([codes.index(passage.pivot) for passage in distinct], np.int64),
            [passage.text for passage in distinct],
            [passage.title for passage in distinct],
        ),
        np.arange(len(queries)),
        np.array([row[passage] for passage in passages], np.int64),
        np.ones(len(queries), np.int64),
        digest([files[language][0] for language in chosen]),
    )


class Passage(NamedTuple):
    """A gold passage; two with the same title and text are one."""

    pivot: str
    title: str
    text: str


Question = tuple[str, str, str, str, Passage]  # item, language, text, its translation, passage


def _questions(language: str, path: Path, pivot: str) -> Iterator[Question]:
    """Yield the questions of a file that have a passage."""
    without = 0
    for label, (number, row) in _labelled(path):
        title, text, question, translation = (
            "" if row.get(key, "") is None else field(path, number, row, key).strip()
            for key in ("title", "context", "question_lang", "question_translated")
        )
        if not text or not question:
            without += 1
        else:
            yield f"{language}:{label}", language, question, translation, Passage(pivot, title, text)
    if without:
        leave_out(f"{path}: {without:,} questions have no text or no passage and are left out.")


def _files(folder: Path, split: str) -> dict[str, tuple[Path, str]]:
    """Return each language's file and the language of its passages."""
    found = {}
    for language, code in LANGUAGES.items():
        for pivot in PIVOTS:
            file = f"gold_span_passages.afriqa.{code}.{pivot}.{split}.json"
            if paths := files_of(
                folder, file, f"{code}/{file}", f"gold_passages/{code}/{file}", f"**/{file}"
            ):
                found[language] = (paths[0], pivot)
    return found


def _labelled(path: Path) -> list[tuple[str, NumberedObject]]:
    """Return the lines of a file with ids; an official id that occurs twice gets its line behind it."""
    seen: dict[str, NumberedObject] = {}
    for number, row in json_lines(path):
        label = named(path, number, row, "id")
        if label in seen and seen[label][1] == row:
            continue
        seen[label if label not in seen else f"{label}-{number}"] = (number, row)
    return list(seen.items())
