"""Tables of parallel texts: captions of images, translated questions, requests to an assistant.

XM3600 (Thapliyal et al. 2022, arXiv 2205.12522), xFlickr&CO (Bugliarello et al. 2022, arXiv 2201.11732), MKQA
(Longpre, Lu and Daiber 2021, arXiv 2007.15207) and MTOP (Li et al. 2021, arXiv 2008.09335).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import TypedDict

from panglot.data.benchmark import Benchmark
from panglot.data.readers.collection import Questions
from panglot.data.readers.files import (
    CODE,
    NumberedObject,
    bcp47,
    checksum,
    chosen_languages,
    chosen_option,
    files_by_language,
    files_of,
    json_lines,
    named,
    official_files,
    text_lines,
)
from panglot.data.readers.parallel import ParallelText, counterparts
from panglot.errors import PanglotError
from panglot.languages import is_language
from panglot.parse import NotBlank, read_form, validated

SPLITS = {"test": "test", "dev": "eval", "train": "train"}  # what MTOP's official files call them
COLUMNS = 8


def read_table(
    folder: str | Path,
    *,
    name: str,
    files: Sequence[str],
    key: str,
    text: str,
    candidate_text: str,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    every_caption: bool = False,
) -> Benchmark:
    """Read JSON lines with the texts of one item each: a text looks for the others of its item.

    Roles: the first text of an item in a language is a query there; every text is a passage; a query's own
    text is left out of its pool. So the monolingual setting finds *another* caption of an image, and is null
    where languages have one text an item. Captions of one image are counterparts, not translations.

    Args:
        files: patterns: of a file for each language (``{code}``), or of one for all; ``archive.zip!member``.
        key: field with the item's id.
        text: path to a text, or to a list of captions: ``sentences``, ``queries.{code}``, ``{code}.caption``.
        candidate_text: what a text is called in results.
        every_caption: every caption is a query, not the first of each item and language only.
    """
    folder = Path(folder)
    chosen_option(split, ("test",), name)
    single = text.endswith(CODE)
    if single and every_caption:
        raise PanglotError(f"benchmark '{name}' has no option 'every_caption'.")
    tables = _tables(folder, name, files, text, languages)
    texts: list[ParallelText] = []
    for path, numbered, places in tables:
        for line, item, row in _items(path, numbered, key):
            for language, place in places.items():
                value, where = _at(row, place), f"{path}, line {line}"
                if single:
                    if not isinstance(value, str) or not value.strip():
                        raise PanglotError(f"{where}: has no text in '{place}'; fetch the file again.")
                    texts.append(ParallelText(f"{language}:{item}", item, language, value))
                elif value is not None or CODE not in text:  # an image may lack a language
                    texts += _captions(item, language, value, where, every_caption)
    if single:
        texts.sort(key=lambda one: one.language)
    return counterparts(texts, name, checksum([path for path, *_ in tables]), candidate_text)


def _tables(
    folder: Path, name: str, files: Sequence[str], text: str, languages: Sequence[str] | None
) -> list[tuple[Path, Iterator[NumberedObject], dict[str, str]]]:
    """Return each file, its rows, and where in a row the texts of each language are."""
    if any(CODE in pattern for pattern in files):
        found = official_files(folder, files, name, others=True)
        chosen = chosen_languages(languages, found, name)
        return [(found[one][0], json_lines(found[one][0]), {one: text}) for one in chosen]
    path, member = _one_of(folder, files, name)
    rows = list(json_lines(path, member))
    codes = _codes_in(path, rows, text)
    chosen = chosen_languages(languages, codes, name, least=2 if text.endswith(CODE) else 1)
    return [(path, iter(rows), {one: text.replace(CODE, codes[one]) for one in chosen})]


def _codes_in(path: Path, rows: Sequence[NumberedObject], text: str) -> dict[str, str]:
    """Return the file's own code of each BCP-47 code that its rows have texts in."""
    before, _, after = text.partition(CODE)
    codes: dict[str, str] = {}
    for line, row in rows:
        own = _at(row, before.strip(".")) if before else row
        if not isinstance(own, dict):
            raise PanglotError(
                f"{path}, line {line}: has no '{before.strip('.')}' by language; fetch it again."
            )
        codes |= {bcp47(code): code for code in own if not after or isinstance(own[code], dict)}
    return {language: code for language, code in codes.items() if is_language(language)}


def _at(row: Any, place: str) -> Any:
    """Return what is at a dotted path in a row; None where there is nothing."""
    for part in place.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    return row


def _one_of(folder: Path, files: Sequence[str], name: str) -> tuple[Path, str | None]:
    """Return the first file that is there, and the member of the archive that it is."""
    for place in files:
        file, _, member = place.partition("!")
        if found := files_of(folder, file):
            return found[0], member or None
    needed = " or ".join(place.partition("!")[0] for place in files)
    raise PanglotError(f"{folder}: holds no files of {name}; it needs {needed}.")


def _items(path: Path, rows: Iterator[NumberedObject], key: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield line, item and row; an item that occurs twice is a ``PanglotError``."""
    seen: set[str] = set()
    for line, row in rows:
        item = named(path, line, row, key)
        if item in seen:
            raise PanglotError(f"{path}, line {line}: {key} '{item}' occurs twice; fetch the file again.")
        seen.add(item)
        yield line, item, row


def _captions(
    item: str, language: str, value: object, where: str, every_caption: bool
) -> Iterator[ParallelText]:
    texts = validated(list[str], value, f"{where}, captions in '{language}'", fix="fetch the file again")
    # a few images of xFlickrCO have an empty caption: there is none
    for position, caption in enumerate(caption for caption in texts if caption.strip()):
        is_query = every_caption or position == 0
        yield ParallelText(f"{language}:{item}:{position}", item, language, caption, is_query)


@dataclass(frozen=True)
class Utterance:
    """One request in one language; translations share an id."""

    id: str
    language: str
    intent: str
    text: str


def read_mtop(
    folder: str | Path,
    *,
    name: str = "mtop",
    languages: Sequence[str] | None = None,
    split: str | None = None,
    task: str = "utterance",
    candidates: str = "dev",
) -> Benchmark:
    """Read MTOP as retrieval between languages, or of requests with the same intent.

    Two layouts are read: the official one, a folder a language with ``train.txt``, ``eval.txt`` and
    ``test.txt`` (tab-separated: id, intent, slots, utterance, domain, locale, decoupled form, tokens), and
    XSemPLR's, one ``train.json``, ``dev.json`` and ``test.json`` for all languages.

    ``utterance``: each request of the split looks for its translations among all requests of the split. Its
    own text is left out of its pool, so that there is no monolingual setting.

    ``intent``: each request of the split looks for those of another split with its intent, in every language.
    Success@1 in a pool is the accuracy of nearest-neighbour intent classification.

    Args:
        split: of the queries: test (the default), dev or train.
        candidates: split of the passages, ``intent`` only.
    """
    folder = Path(folder)
    queried = chosen_option(split, SPLITS, name)
    if task == "utterance":
        utterances, paths = _read(folder, queried, languages, name, least=2)
        texts = [
            ParallelText(f"{one.language}:{one.id}", one.id, one.language, one.text) for one in utterances
        ]
        return counterparts(texts, name, checksum(paths), "utterance")
    if task != "intent":
        raise PanglotError(f"{name} has no task '{task}'; use utterance or intent.")
    pool = chosen_option(candidates, SPLITS, name)
    if pool == queried:
        raise PanglotError(f"{name}: queries and candidates are both of '{pool}'; name two splits.")
    queries, query_paths = _read(folder, queried, languages, name)
    passages, passage_paths = _read(folder, pool, languages, name)
    found = Questions(sorted({one.language for one in [*queries, *passages]}))
    for one in passages:
        row = found.add_passage(f"{one.language}:{one.id}", one.language, one.text)
        found.answers.setdefault(one.intent, []).append(row)
    for one in queries:
        found.add_question(f"{one.language}:{one.id}", one.language, one.text, one.id, one.intent)
    sha256 = checksum(list(dict.fromkeys([*query_paths, *passage_paths])))
    return found.benchmark(name, sha256, "utterance")


def _read(
    folder: Path, split: str, languages: Sequence[str] | None, name: str, least: int = 1
) -> tuple[list[Utterance], list[Path]]:
    """Return the utterances of a split, language by language, and the files that they are in."""
    file = f"{SPLITS[split]}.txt"
    if found := files_by_language(folder, [f"{{code}}/{file}"], others=True):
        chosen = chosen_languages(languages, found, name, least)
        read = [one for language in chosen for one in _official(found[language][0], language)]
        return _checked(read, folder), [found[language][0] for language in chosen]
    path = folder / f"{split}.json"
    if not path.exists():
        raise PanglotError(f"{folder}: holds no MTOP {split} data; it needs en/{file}, ..., or {path.name}.")
    utterances = _xsemplr(path)
    chosen = chosen_languages(languages, {one.language for one in utterances}, name, least)
    kept = [one for language in chosen for one in utterances if one.language == language]
    return _checked(kept, path), [path]


def _official(path: Path, language: str) -> list[Utterance]:
    found = []
    for number, line in enumerate(text_lines(path), 1):
        fields = line.split("\t")
        if len(fields) != COLUMNS or not all(fields[k].strip() for k in (0, 1, 3)):
            raise PanglotError(
                f"{path}, line {number}: has {len(fields)} columns or an empty one; MTOP's files have "
                f"{COLUMNS}, divided by tabs, among them id, intent and utterance."
            )
        found.append(Utterance(fields[0], language, fields[1], fields[3]))
    return found


class _Forms(TypedDict):
    slot_intent: dict[str, str]


class _Entry(TypedDict):
    id: str | int
    question: dict[str, NotBlank]
    mr: _Forms


def _xsemplr(path: Path) -> list[Utterance]:
    found = []
    for number, entry in enumerate(read_form(path, list[_Entry])):
        for language, text in entry["question"].items():
            intent = entry["mr"]["slot_intent"].get(language, "").split(" ")[0].removeprefix("[")
            if not intent.startswith("IN:"):
                raise PanglotError(
                    f"{path}: {number}.mr.slot_intent.{language} has no intent; fetch the file again."
                )
            found.append(Utterance(str(entry["id"]), language, intent, text))
    return found


def _checked(utterances: list[Utterance], place: Path) -> list[Utterance]:
    seen: set[tuple[str, str]] = set()
    for one in utterances:
        if (one.language, one.id) in seen:
            raise PanglotError(
                f"{place}: id '{one.id}' occurs twice in '{one.language}'; ids must be unique."
            )
        seen.add((one.language, one.id))
    return utterances
