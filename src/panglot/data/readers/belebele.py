"""Belebele: 900 questions on 488 FLORES passages in 122 languages (Bandarkar et al. 2023, arXiv 2308.16884).

Files: ``data/eng_Latn.jsonl`` and so on (or in ``Belebele`` or the folder itself), one question a line: link,
question_number, flores_passage, question, mc_answer1 to 4, correct_answer_num, dialect, ds.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.readers.codes import codes_of
from panglot.data.readers.parallel import checksum
from panglot.data.readers.text_files import chosen_languages, chosen_split, json_objects, text_of
from panglot.errors import PanglotError

QueryText = Literal["question", "question+options"]
PLACES = ("data", "Belebele", "")
OPTIONS = ("mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4")


def read_belebele(
    folder: str | Path,
    *,
    name: str = "belebele",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    query_text: QueryText = "question",
) -> Benchmark:
    """Read Belebele as retrieval: a question looks for its passage, in every language.

    Passages are told apart by their link, questions by that and their number; both are the same in all
    languages. (Should a link have several passages, they are counted in the order of the file.)

    Args:
        folder: holds one ``CODE.jsonl`` a language, directly or in ``data``.
        name: of the benchmark.
        languages: those wanted; None for all.
        split: there is one, ``test``.
        query_text: ``question`` (as MTEB has it), or ``question+options``: the four answers after it.
    """
    folder = Path(folder)
    chosen_split(split, ("test",), name)
    if query_text not in get_args(QueryText):
        raise PanglotError(f"'{query_text}' is not a query text; use {' or '.join(get_args(QueryText))}.")
    by_code = {
        path.stem: path for place in reversed(PLACES) for path in sorted((folder / place).glob("*_*.jsonl"))
    }
    if not by_code:
        raise PanglotError(f"{folder}: holds no Belebele files; it needs data/eng_Latn.jsonl, ...")
    official = codes_of(by_code, str(folder))
    chosen = chosen_languages(languages, list(official), name)
    item: dict[str, int] = {}
    passage_of: dict[tuple[str, int], int] = {}  # a passage and a language to its row
    queries, passages, query_passage = _Column(), _Column(), []
    for code, language in enumerate(chosen):
        path = by_code[official[language]]
        texts_of_link: dict[str, list[str]] = {}
        for number, row in json_objects(path):
            context = text_of(row, "flores_passage", path, number)
            place = _place(texts_of_link.setdefault(text_of(row, "link", path, number), []), context)
            passage = f"{row['link']}#{place}" if place else row["link"]
            question = f"{passage}?{row.get('question_number')}"
            if (passage, code) not in passage_of:
                passage_of[passage, code] = len(passages.ids)
                passages.add(f"{language}:{passage}", code, context)
            parts = [text_of(row, key, path, number) for key in _keys(query_text)]
            if f"{language}:{question}" in queries.seen:
                raise PanglotError(
                    f"{path}, line {number}: question '{question}' occurs twice; fetch it again."
                )
            queries.add(f"{language}:{question}", code, " ".join(parts))
            query_passage.append(passage)
            queries.items.append(item.setdefault(question, len(item)))
    rows_of: dict[str, list[int]] = {}
    for (passage, _), row_number in passage_of.items():
        rows_of.setdefault(passage, []).append(row_number)
    relevant = [np.array(rows_of[passage], np.int64) for passage in query_passage]
    judged_query = np.repeat(np.arange(len(relevant)), [len(rows) for rows in relevant])
    return Benchmark(
        name=name,
        languages=tuple(chosen),
        queries=queries.texts(),
        passages=passages.texts(),
        query_items=np.array(queries.items, np.int64),
        judged_query=judged_query,
        judged_passage=np.concatenate(relevant) if relevant else np.zeros(0, np.int64),
        gains=np.ones(len(judged_query), np.int64),
        sha256=checksum([by_code[official[language]] for language in chosen]),
    )


def _keys(query_text: QueryText) -> tuple[str, ...]:
    return ("question",) if query_text == "question" else ("question", *OPTIONS)


def _place(texts: list[str], text: str) -> int:
    """Return the place of a text in a list, which it is added to if it is new."""
    if text not in texts:
        texts.append(text)
    return texts.index(text)


class _Column:
    """Texts that are collected line by line."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.codes: list[int] = []
        self.lines: list[str] = []
        self.items: list[int] = []
        self.seen: set[str] = set()

    def add(self, label: str, code: int, text: str) -> None:
        self.ids.append(label)
        self.seen.add(label)
        self.codes.append(code)
        self.lines.append(text)

    def texts(self) -> Texts:
        return Texts(self.ids, np.array(self.codes, np.int64), self.lines)
