"""Question answering in SQuAD's format: ``data[].paragraphs[].context`` and ``qas[]`` of one JSON file."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, NotRequired

import numpy as np
import pyarrow as pa
from typing_extensions import TypedDict

from panglot.data.pairs_files.columns import SCHEMA, BadLines, Batches, Columns
from panglot.errors import PanglotError
from panglot.files import open_bytes
from panglot.languages import check_language, family, language_code
from panglot.parse import NotBlank, read_form

HEAD = 1 << 20  # bytes of a file that show its form
FIX = "for German name it xquad.de.json, or give --column language==de"


class Question(NamedTuple):
    """A question with its paragraph. A paragraph comes first with an empty question of its own."""

    id: str
    text: str
    title: str
    context: str


class _Asked(TypedDict):
    id: str | int
    question: NotBlank
    is_impossible: NotRequired[bool]


class _Paragraph(TypedDict):
    context: NotBlank
    qas: list[_Asked]


class _Article(TypedDict):
    title: NotRequired[str | None]
    paragraphs: list[_Paragraph]


class _Squad(TypedDict):
    data: list[_Article]


def is_squad(path: Path) -> bool:
    """Say whether a JSON file looks like SQuAD's, by its beginning."""
    with open_bytes(path) as file:
        head = file.read(HEAD)
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and b'"paragraphs"' in head


def squad_questions(path: Path) -> Iterator[Question]:
    """Yield the paragraphs of a file and their questions, without those that have no answer."""
    for article in read_form(path, _Squad)["data"]:
        for paragraph in article["paragraphs"]:
            title, context = article.get("title") or "", paragraph["context"].strip()
            yield Question("", "", title, context)
            for question in paragraph["qas"]:
                if not question.get("is_impossible"):
                    yield Question(str(question["id"]), question["question"].strip(), title, context)


def language_in_name(path: Path) -> str | None:
    """Return the one language that a file's name has between its dots: ``xquad.ro.json``, ``ro.json``."""
    codes = {code for part in path.name.split(".")[:-1] if (code := language_code(part)) and family(code)}
    return codes.pop() if len(codes) == 1 else None


def fixed_language(columns: Columns | None) -> str | None:
    """Return the language that ``--column language==ro`` says; SQuAD's format has no other columns."""
    for name, column in (columns or {}).items():
        if name != "language" or not column.startswith("="):
            raise PanglotError(
                f"a file in SQuAD's format has its own fields, so '{name}' cannot be mapped; give at most "
                "--column language==ro."
            )
    given = (columns or {}).get("language")
    return None if given is None else check_language(given[1:])


def languages_of(path: Path, questions: list[Question], columns: Columns | None) -> Mapping[str, str]:
    """Return the language of each question of a file by its id.

    It is that of ``--column language==ro``, of the file's name, or of the ids (``finnish-7633-0``, TyDiQA).
    """
    ids = [question.id for question in questions if question.text]
    if (language := fixed_language(columns) or language_in_name(path)) is not None:
        return dict.fromkeys(ids, language)
    names = {label: match[0] if (match := re.match("[a-z]{4,}(?=-)", label)) else "" for label in ids}
    codes = {name: language_code(name) for name in set(names.values())}
    if missing := [label for label in ids if codes[names[label]] is None]:
        raise PanglotError(f"{path}: does not say the language of question '{missing[0]}'; {FIX}.")
    return {label: str(codes[name]) for label, name in names.items()}


def read_squad_pairs(path: Path, columns: Columns | None, size: int, bad: BadLines | None = None) -> Batches:
    """Read batches of ``SCHEMA`` with the number of each question; the passage is its paragraph.

    Questions on one paragraph share its ``passage_id``; the article is the document.
    """
    questions = list(squad_questions(path))
    languages = languages_of(path, questions, columns)
    first: dict[str, tuple[int, str]] = {}  # number and title of each paragraph
    rows = []
    for question in questions:
        number, title = first.setdefault(question.context, (len(first), question.title))
        if question.text:
            rows.append(
                {
                    "item_id": question.id,
                    "passage_id": f"p{number}",
                    "document_id": title or None,
                    "language": languages[question.id],
                    "query": question.text,
                    "passage": question.context,
                }
            )
    for start in range(0, len(rows), size):
        batch = pa.RecordBatch.from_pylist(rows[start : start + size], schema=SCHEMA)
        yield batch, np.arange(start + 1, start + 1 + batch.num_rows)
