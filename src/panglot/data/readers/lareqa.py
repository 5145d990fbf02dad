"""LAReQA: XQuAD-R and MLQA-R, answer retrieval from a multilingual pool.

Roy et al. 2020, arXiv 2004.05484.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from typing_extensions import TypedDict

from panglot.data.benchmark import Benchmark, Texts
from panglot.errors import PanglotError
from panglot.languages import is_language
from panglot.parse import Count, NotBlank, read_form

CandidateText = Literal["sentence", "sentence+context"]


def read_lareqa(folder: str | Path, name: str, candidate_text: CandidateText = "sentence") -> Benchmark:
    """Read a folder of LAReQA files, one ``LANGUAGE.json`` each.

    The candidates are the sentences of every paragraph. A query's relevant ones are the sentences that hold
    its answer, in every language that has the question: the sentence whose [start, end) holds
    ``answer_start``, or, in a gap, the last one that starts before it.

    Args:
        folder: holds ``en.json`` and so on.
        name: of the benchmark.
        candidate_text: ``sentence``, or ``sentence+context`` (the sentence, a space, its paragraph).
    """
    folder = Path(folder)
    files = sorted(path for path in folder.glob("*.json") if is_language(path.stem))
    if not files:
        raise PanglotError(f"{folder}: holds no LAReQA files; it needs one en.json, de.json, ... a language.")
    digest = hashlib.sha256()
    query_ids: list[str] = []
    query_texts: list[str] = []
    passage_ids: list[str] = []
    passage_texts: list[str] = []
    query_language: list[int] = []
    passage_language: list[int] = []
    question_ids: list[str] = []
    answers: dict[str, list[int]] = {}
    for code, path in enumerate(files):
        language = path.stem
        paragraphs = _paragraphs(path)
        digest.update(path.name.encode() + path.read_bytes())
        for number, paragraph in enumerate(paragraphs):
            breaks = paragraph["sentence_breaks"]
            first = len(passage_ids)
            for position, sentence in enumerate(paragraph["sentences"]):
                passage_ids.append(f"{language}:{number:04d}:{position:02d}")
                text = sentence if candidate_text == "sentence" else f"{sentence} {paragraph['context']}"
                passage_texts.append(text)
                passage_language.append(code)
            for question in paragraph["qas"]:
                query_ids.append(f"{language}:{question['id']}")
                query_texts.append(question["question"])
                query_language.append(code)
                question_ids.append(question["id"])
                answer = first + _sentence_at(breaks, question["answers"][0]["answer_start"])
                answers.setdefault(question["id"], []).append(answer)
    item = {question: k for k, question in enumerate(sorted(answers))}
    relevant = [answers[question] for question in question_ids]
    judged_query = np.repeat(np.arange(len(relevant)), [len(rows) for rows in relevant])
    return Benchmark(
        name=name,
        languages=tuple(path.stem for path in files),
        queries=Texts(query_ids, np.array(query_language), query_texts),
        passages=Texts(passage_ids, np.array(passage_language), passage_texts),
        query_items=np.array([item[question] for question in question_ids]),
        judged_query=judged_query,
        judged_passage=np.array([row for rows in relevant for row in rows]),
        gains=np.ones(len(judged_query), np.int64),
        candidate_text=candidate_text,
        sha256=digest.hexdigest(),
    )


class _Answer(TypedDict):
    answer_start: Count


class _Question(TypedDict):
    id: NotBlank
    question: str
    answers: Annotated[list[_Answer], Field(min_length=1)]


class _Paragraph(TypedDict):
    context: str
    sentences: list[str]
    sentence_breaks: list[Annotated[list[Count], Field(min_length=2, max_length=2)]]
    qas: list[_Question]


class _Article(TypedDict):
    paragraphs: list[_Paragraph]


class _Lareqa(TypedDict):
    data: list[_Article]


def _paragraphs(path: Path) -> list[_Paragraph]:
    articles = read_form(path, _Lareqa)["data"]
    found = [paragraph for article in articles for paragraph in article["paragraphs"]]
    for number, paragraph in enumerate(found, 1):
        if len(paragraph["sentences"]) != len(paragraph["sentence_breaks"]):
            raise PanglotError(
                f"{path}: paragraph {number} has {len(paragraph['sentences'])} sentences and "
                f"{len(paragraph['sentence_breaks'])} sentence_breaks; fetch the file again."
            )
    return found


def _sentence_at(breaks: list[list[int]], position: int) -> int:
    """Return the sentence that holds a character: the last that starts at or before it."""
    starts = [start for start, _ in breaks]
    for sentence, (start, end) in enumerate(breaks):
        if start <= position < end:
            return sentence
    return max((k for k, start in enumerate(starts) if start <= position), default=0)
