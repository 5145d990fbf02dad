"""Question answering in SQuAD's format as retrieval: a question looks for its paragraph.

Two forms: SQuAD's JSON (``data[].paragraphs[].context`` and ``qas[]``), and one question a line (``context``,
``question``, ``answers``), as the iApp set has them, in a zip archive or not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, get_args

import numpy as np
from typing_extensions import TypedDict

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.readers.parallel import checksum
from panglot.data.readers.text_files import chosen_languages, chosen_split, json_objects
from panglot.errors import PanglotError
from panglot.parse import NotBlank, read_form, validated

CandidateText = Literal["passage", "title+passage"]
# official files by split; the first is the default. A member of an archive is behind '!'
ARCD = {"all": "data/arcd.json", "test": "data/arcd-test.json", "train": "data/arcd-train.json"}
IAPP = {split: f"squad_format/data.zip!data/{split}.jsonl" for split in ("test", "valid", "train")}
CMRC2018 = {f"{split}": f"squad-style-data/cmrc2018_{split}.json" for split in ("dev", "trial", "train")}


@dataclass(frozen=True)
class _Question:
    id: str
    text: str
    title: str
    context: str


def read_squad(
    folder: str | Path,
    *,
    name: str,
    language: str,
    files: Mapping[str, str],
    languages: Sequence[str] | None = None,
    split: str | None = None,
    candidate_text: CandidateText = "passage",
) -> Benchmark:
    """Read one file in SQuAD's format: questions, and its paragraphs as the pool.

    Paragraphs that read the same are one. Questions that have no answer (``is_impossible``) are left out;
    their paragraphs stay.

    Args:
        folder: holds the files.
        name: of the benchmark.
        language: of all texts.
        files: place in the folder of each split, the default first; ``archive.zip!member`` for a zipped one.
        languages: None, or the one language.
        split: of the questions and paragraphs.
        candidate_text: ``passage``, or ``title+passage``: the article's title is encoded with it.
    """
    folder = Path(folder)
    split = chosen_split(split, tuple(files), name)
    chosen_languages(languages, (language,), name)
    if candidate_text not in get_args(CandidateText):
        raise PanglotError(
            f"'{candidate_text}' is not a candidate text; use {' or '.join(get_args(CandidateText))}."
        )
    place, _, member = files[split].partition("!")
    path = folder / place
    if not path.exists():
        raise PanglotError(f"{path}: no such file; {name} needs it for its split '{split}'.")
    lined = member or path.suffix not in (".json", ".gz")
    found = list(_from_lines(path, member or None) if lined else _from_squad(path))
    passage_of: dict[str, int] = {}
    titles: list[str] = []
    seen: set[str] = set()
    questions: list[_Question] = []
    for question in found:
        if question.context not in passage_of:
            passage_of[question.context] = len(passage_of)
            titles.append(question.title)
        if not question.text:
            continue
        if question.id in seen:
            raise PanglotError(f"{path}: question id '{question.id}' occurs twice; ids must be unique.")
        seen.add(question.id)
        questions.append(question)
    n = len(questions)
    return Benchmark(
        name=name,
        languages=(language,),
        queries=Texts([one.id for one in questions], np.zeros(n, np.int64), [one.text for one in questions]),
        passages=Texts(
            [f"p{k}" for k in range(len(passage_of))],
            np.zeros(len(passage_of), np.int64),
            list(passage_of),
            titles if candidate_text == "title+passage" else None,
        ),
        query_items=np.arange(n),
        judged_query=np.arange(n),
        judged_passage=np.array([passage_of[one.context] for one in questions], np.int64),
        gains=np.ones(n, np.int64),
        candidate_text=candidate_text,
        sha256=checksum([path]),
    )


def read_arcd(folder: str | Path, *, name: str = "arcd", **options: Any) -> Benchmark:
    """Read ARCD (Mozannar et al. 2019), Arabic: ``data/arcd.json`` (all), or its halves test and train."""
    return read_squad(folder, name=name, language="ar", files=ARCD, **options)


def read_iapp(folder: str | Path, *, name: str = "iapp-wiki-qa", **options: Any) -> Benchmark:
    """Read iApp Wiki QA, Thai: test, valid or train in ``squad_format/data.zip``."""
    return read_squad(folder, name=name, language="th", files=IAPP, **options)


def read_cmrc2018(folder: str | Path, *, name: str = "cmrc2018", **options: Any) -> Benchmark:
    """Read CMRC 2018 (Cui et al. 2019), Chinese: dev, trial or train in ``squad-style-data``."""
    return read_squad(folder, name=name, language="zh", files=CMRC2018, **options)


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


def _from_squad(path: Path) -> Iterator[_Question]:
    for article in read_form(path, _Squad)["data"]:
        for paragraph in article["paragraphs"]:
            title, context = article.get("title") or "", paragraph["context"].strip()
            yield _Question("", "", title, context)
            for question in paragraph["qas"]:
                if not question.get("is_impossible"):
                    yield _Question(str(question["id"]), question["question"].strip(), title, context)


class _Line(TypedDict):
    question_id: NotRequired[str | int]
    id: NotRequired[str | int]
    title: NotRequired[str | None]
    context: NotBlank
    question: NotBlank


def _from_lines(path: Path, member: str | None) -> Iterator[_Question]:
    for number, row in json_objects(path, member):
        where = f"{path}, line {number}" if member is None else f"{path} ({member}), line {number}"
        line = validated(_Line, row, where, fix="fetch the file again")
        label = line.get("question_id", line.get("id"))
        if label is None:
            raise PanglotError(f"{where}: 'question_id' is missing; fetch the file again.")
        yield _Question(
            str(label), line["question"].strip(), line.get("title") or "", line["context"].strip()
        )
