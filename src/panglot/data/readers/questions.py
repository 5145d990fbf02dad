"""Question answering as retrieval: a question looks for the passage that answers it.

LAReQA (Roy et al. 2020, arXiv 2004.05484), SQuAD's format, Belebele (Bandarkar et al. 2023, arXiv 2308.16884)
and AfriQA (Ogundepo et al. 2023, arXiv 2305.06897).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, get_args

from pydantic import Field
from typing_extensions import TypedDict

from panglot.data.benchmark import Benchmark, pairs_from_benchmark
from panglot.data.pairs import ParallelPairs
from panglot.data.pairs_files.columns import Columns, refuse_columns
from panglot.data.pairs_files.squad import Question, language_in_name, languages_of, squad_questions
from panglot.data.readers.collection import Questions
from panglot.data.readers.files import (
    as_example,
    checksum,
    chosen_languages,
    chosen_option,
    files_by_language,
    json_lines,
    named,
    official_files,
    table_rows,
)
from panglot.data.readers.files import field as text_field
from panglot.data.text_column import digest
from panglot.errors import PanglotError, leave_out
from panglot.parse import Count, NotBlank, read_form, validated

CandidateText = Literal["sentence", "sentence+context"]


class _Answer(TypedDict):
    answer_start: Count


class _Question(TypedDict):
    id: NotBlank
    question: NotBlank
    answers: Annotated[list[_Answer], Field(min_length=1)]


class _Paragraph(TypedDict):
    context: str
    sentences: list[str]
    sentence_breaks: list[Annotated[list[Count], Field(min_length=2, max_length=2)]]
    qas: list[_Question]


class _Article(TypedDict):
    title: NotRequired[str | None]
    paragraphs: list[_Paragraph]


class _Lareqa(TypedDict):
    data: list[_Article]


def read_lareqa(folder: str | Path, name: str, candidate_text: CandidateText = "sentence") -> Benchmark:
    """Read a folder of LAReQA files (XQuAD-R, MLQA-R), one ``LANGUAGE.json`` each.

    The candidates are the sentences of every paragraph. A query's relevant ones are the sentences that hold
    its answer, in every language that has the question: the sentence whose [start, end) holds
    ``answer_start``, or, in a gap, the last one that starts before it.

    Args:
        candidate_text: ``sentence``, or ``sentence+context`` (the sentence, a space, its paragraph).
    """
    folder = Path(folder)
    if candidate_text not in get_args(CandidateText):
        kinds = " or ".join(get_args(CandidateText))
        raise PanglotError(f"'{candidate_text}' is not a candidate text; use {kinds}.")
    files = files_by_language(folder, ["{code}.json"], others=True) if folder.is_dir() else {}
    if not files:
        raise PanglotError(f"{folder}: holds no LAReQA files; name a folder with en.json, de.json, ...")
    found = Questions(list(files))
    for language, (path, *_) in files.items():
        paragraphs = [
            (article.get("title") or paragraph["context"], paragraph)
            for article in read_form(path, _Lareqa)["data"]
            for paragraph in article["paragraphs"]
        ]
        for at, (title, paragraph) in enumerate(paragraphs):
            breaks = paragraph["sentence_breaks"]
            if len(paragraph["sentences"]) != len(breaks):
                raise PanglotError(
                    f"{path}: paragraph {at + 1} has {len(paragraph['sentences'])} sentences and "
                    f"{len(breaks)} sentence_breaks; fetch the file again."
                )
            first = len(found.passages)
            for position, sentence in enumerate(paragraph["sentences"]):
                text = sentence if candidate_text == "sentence" else f"{sentence} {paragraph['context']}"
                found.add_passage(f"{language}:{at:04d}:{position:02d}", language, text)
            for question in paragraph["qas"]:
                label = question["id"]
                asked, document = question["question"], f"{path.name}:{title}"
                found.add_question(f"{language}:{label}", language, asked, label, label, document)
                answer = first + _sentence_at(breaks, question["answers"][0]["answer_start"])
                found.answers.setdefault(label, []).append(answer)
    sha256 = checksum([path for path, *_ in files.values()])
    return found.benchmark(name, sha256, candidate_text, sorted_items=True)


def _sentence_at(breaks: list[list[int]], position: int) -> int:
    """Return the sentence that holds a character: the last that starts at or before it."""
    starts = [start for start, _ in breaks]
    for sentence, (start, end) in enumerate(breaks):
        if start <= position < end:
            return sentence
    return max((k for k, start in enumerate(starts) if start <= position), default=0)


def read_squad(
    folder: str | Path,
    *,
    name: str = "squad",
    language: str | None = None,
    files: Mapping[str, str] | None = None,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    candidate_text: str = "passage",
    columns: Columns | None = None,
) -> Benchmark:
    """Read SQuAD's format: questions, and the paragraphs of the files as the pool.

    Two forms: SQuAD's JSON, and one question a line (``context``, ``question``), in a zip archive or not.
    Paragraphs that read the same are one. Questions that have no answer (``is_impossible``) are left out;
    their paragraphs stay. Questions with one id in several languages are one item: each looks for its
    paragraph in all of them.

    Args:
        folder: holds the files; or one file, or a folder with a file for each language (``xquad.ro.json``).
        language: of all texts, where an official set has one.
        files: place in the folder of each official split, the default first; ``archive.zip!member`` for a
            zipped one.
        candidate_text: ``passage``, or ``title+passage``: the article's title is encoded with it.
        columns: ``{"language": "=ro"}``, the language of a file whose name does not say it.
    """
    folder = Path(folder)
    if candidate_text not in ("passage", "title+passage"):
        raise PanglotError(f"'{candidate_text}' is not a candidate text; use passage or title+passage.")
    asked = _squad_files(folder, name, language, files, split, columns)
    there = {code for *_, language_of in asked for code in language_of.values()}
    found = Questions(chosen_languages(languages, there, name))
    rows: dict[tuple[str, str], int] = {}
    for path, questions, language_of in asked:
        # a paragraph has the language of its questions; one without any, that of the others
        of_context = {one.context: language_of[one.id] for one in questions if one.text}
        usual = next(iter(of_context.values()), "")
        seen: set[str] = set()
        for question in questions:
            code = of_context.get(question.context, usual)
            if code not in found.languages:
                continue
            prefix = f"{code}:" if len(there) > 1 else ""
            key = code, question.context
            if key not in rows:
                label = f"{prefix}p{len(rows)}"
                rows[key] = found.add_passage(label, code, question.context, question.title)
            if question.text:
                if question.id in seen:
                    raise PanglotError(f"{path}: question id '{question.id}' occurs twice; make ids unique.")
                seen.add(question.id)
                label, document = prefix + question.id, f"{path.name}:{question.title or question.context}"
                found.add_question(label, code, question.text, question.id, question.id, document)
                found.answers.setdefault(question.id, []).append(rows[key])
    titled = candidate_text == "title+passage"
    return found.benchmark(name, checksum([path for path, *_ in asked]), candidate_text, titled=titled)


def _squad_files(
    folder: Path,
    name: str,
    language: str | None,
    files: Mapping[str, str] | None,
    split: str | None,
    columns: Columns | None,
) -> list[tuple[Path, list[Question], Mapping[str, str]]]:
    """Return each file, its questions, and their languages by id; of an official set, that of the split."""
    if files is None:
        if split is not None:
            raise PanglotError(f"{name} has no splits; leave --split out, and name the split's file.")
        asked = [(path, list(squad_questions(path))) for path in _own_files(folder)]
        return [(path, questions, languages_of(path, questions, columns)) for path, questions in asked]
    if columns:
        raise PanglotError("--column is for --benchmark pairs and squad alone; leave it out.")
    split = chosen_option(split, files, name)
    place, _, member = files[split].partition("!")
    path = folder / place
    if not path.exists():
        raise PanglotError(f"{path}: no such file; {name} needs it for its split '{split}'.")
    lined = member or path.suffix not in (".json", ".gz")
    questions = list(_from_lines(path, member or None) if lined else squad_questions(path))
    return [(path, questions, {question.id: str(language) for question in questions})]


def folder_pairs(folder: Path, columns: Columns | None = None) -> ParallelPairs:
    """Return the questions of a folder of LAReQA (with their answer sentences) or SQuAD files as pairs."""
    own = files_by_language(folder, ["{code}.json"], others=True)
    lareqa = own and b'"sentence_breaks"' in next(iter(own.values()))[0].read_bytes()
    if lareqa or not any(language_in_name(path) for path in folder.glob("*.json*")):
        refuse_columns(columns, folder)
        return pairs_from_benchmark(read_lareqa(folder, folder.name))
    return pairs_from_benchmark(read_squad(folder, name=folder.name, columns=columns))


def _own_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise PanglotError(f"{place}: no such file or folder; check the path.")
    found = [path for path in sorted(place.glob("*.json*")) if language_in_name(path)]
    if not found:
        raise PanglotError(f"{place}: holds no files such as xquad.ro.json or ro.json; name the file itself.")
    return found


class _Line(TypedDict):
    question_id: NotRequired[str | int]
    id: NotRequired[str | int]
    title: NotRequired[str | None]
    context: NotBlank
    question: NotBlank


def _from_lines(path: Path, member: str | None) -> Iterator[Question]:
    for line_number, row in json_lines(path, member):
        where = f"{path}{f' ({member})' if member else ''}, line {line_number}"
        line = validated(_Line, row, where, fix="fetch the file again")
        label = line.get("question_id", line.get("id"))
        if label is None:
            raise PanglotError(f"{where}: 'question_id' is missing; fetch the file again.")
        yield Question(str(label), line["question"].strip(), line.get("title") or "", line["context"].strip())


QUERY_TEXTS = {
    "question": ("question",),
    "question+options": ("question", "mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4"),
}


def read_belebele(
    folder: str | Path,
    *,
    name: str = "belebele",
    files: Sequence[str],
    languages: Sequence[str] | None = None,
    split: str | None = None,
    query_text: str = "question",
) -> Benchmark:
    """Read Belebele: 900 questions look for their passages, 488 of FLORES, in every language.

    A passage is known by its link, a question by that and its number; both are the same in all
    languages. (Should a link have several passages, they are counted in the order of the file.)
    """
    folder = Path(folder)
    chosen_option(split, ("test",), name)
    keys = QUERY_TEXTS[chosen_option(query_text, QUERY_TEXTS, name, "query text")]
    paths = official_files(folder, files, name)
    chosen = chosen_languages(languages, paths, name)
    found = Questions(chosen)
    for language in chosen:
        path = paths[language][0]
        labels: dict[tuple[str, str], str] = {}  # of passages, by link and text
        passages_of, seen = Counter[str](), set[str]()
        for line, row in table_rows(path, (), ("link", "flores_passage", "question_number", *keys)):
            context, link = named(path, line, row, "flores_passage"), named(path, line, row, "link")
            passage = labels.get(
                (link, context), f"{link}#{passages_of[link]}" if passages_of[link] else link
            )
            if (link, context) not in labels:
                labels[link, context] = passage
                passages_of[link] += 1
                answer = found.add_passage(f"{language}:{passage}", language, context)
                found.answers.setdefault(passage, []).append(answer)
            question = f"{passage}?{row.get('question_number')}"
            if question in seen:
                raise PanglotError(
                    f"{path}, line {line}: question '{question}' occurs twice; fetch it again."
                )
            seen.add(question)
            text = " ".join(named(path, line, row, key) for key in keys)
            found.add_question(f"{language}:{question}", language, text, question, passage)
    return found.benchmark(name, checksum([paths[language][0] for language in chosen]))


Passage = tuple[str, str, str]  # language, title, text; two with the same are one
Asked = tuple[str, str, str, str, Passage]  # item, language, text, its translation, passage


def read_afriqa(
    folder: str | Path,
    *,
    name: str = "afriqa",
    files: Sequence[str],
    source: str,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    translations: bool = False,
) -> Benchmark:
    """Read AfriQA's gold passages: each question looks for its passage among those of all questions.

    The official retrieval task looks for answer strings in all of Wikipedia, where no passage is judged; what
    is judged is which gold passage belongs to a question, and that is the benchmark here. A passage
    is known by its title and text. Questions without a passage are left out.

    Args:
        files: patterns of each language's file, with ``{split}``, and ``{pivot}`` for the passages' language.
        languages: of the questions (their passages' may be named, too); None for all whose files are there.
        split: ``test`` (the default), ``dev`` or ``train``.
        translations: also ask people's translations of the questions into the passages' language. They are
            the same items.
    """
    folder, split = Path(folder), split or "test"
    patterns = [pattern.replace("{split}", split) for pattern in files]
    paths: dict[str, tuple[Path, str]] = {}
    for pivot in ("en", "fr"):
        of_pivot = files_by_language(folder, [pattern.replace("{pivot}", pivot) for pattern in patterns])
        for language, (path, *_) in of_pivot.items():
            paths.setdefault(language, (path, pivot))
    if not paths:
        example = as_example(patterns[0]).replace("{pivot}", "en")
        raise PanglotError(f"{folder}: holds no passages of {name}, such as {example}; get it from {source}.")
    if languages is not None:  # those of passages come with the questions
        pivots = {pivot for _, pivot in paths.values()}
        languages = [code for code in languages if code not in pivots] or languages
    chosen = chosen_languages(languages, paths, name)
    asked = [row for language in chosen for row in _asked(language, *paths[language])]
    distinct = sorted(dict.fromkeys(passage for *_, passage in asked), key=lambda passage: passage[0])
    label = {passage: item for item, *_, passage in reversed(asked)}
    found = Questions(sorted({row[1] for row in asked} | {pivot for pivot, _, _ in distinct}))
    for passage in distinct:
        pivot, title, text = passage
        found.answers[passage] = [found.add_passage(f"{pivot}:{label[passage]}", pivot, text, title)]
    for item, language, text, _, passage in asked:
        found.add_question(item, language, text, item, passage)
    for item, _, _, text, passage in asked if translations else ():
        found.add_question(f"{passage[0]}:{item}", passage[0], text, item, passage)
    return found.benchmark(name, digest([paths[language][0] for language in chosen]), titled=True)


def _asked(language: str, path: Path, pivot: str) -> Iterator[Asked]:
    seen: dict[str, dict[str, Any]] = {}
    without = 0
    for line, row in json_lines(path):
        label = named(path, line, row, "id")
        if seen.get(label) == row:
            continue
        if label in seen:  # an official id that occurs twice gets its line behind it
            label = f"{label}-{line}"
        seen[label] = row
        title, text, question, translation = (
            "" if row.get(key, "") is None else text_field(path, line, row, key).strip()
            for key in ("title", "context", "question_lang", "question_translated")
        )
        if not text or not question:
            without += 1
        else:
            yield f"{language}:{label}", language, question, translation, (pivot, title, text)
    if without:
        leave_out(f"{path}: {without:,} questions have no text or no passage and are left out.")
