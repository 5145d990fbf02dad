"""MTOP: requests to an assistant in six languages (Li et al. 2021, arXiv 2008.09335).

Two layouts are read: the official one, a folder a language with ``train.txt``, ``eval.txt`` and ``test.txt``
(tab-separated: id, intent, slots, utterance, domain, locale, decoupled form, tokens), and XSemPLR's, one
``train.json``, ``dev.json`` and ``test.json`` for all languages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from typing_extensions import TypedDict

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.readers.lines import text_lines
from panglot.data.readers.parallel import ParallelTexts, checksum, counterparts
from panglot.data.readers.text_files import chosen_languages, chosen_split
from panglot.errors import PanglotError
from panglot.languages import is_language
from panglot.parse import NotBlank, read_form

Task = Literal["utterance", "intent"]
SPLITS = ("test", "dev", "train")
OFFICIAL_NAME = {"test": "test", "dev": "eval", "train": "train"}
COLUMNS = 8


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
    task: Task = "utterance",
    candidates: str = "dev",
) -> Benchmark:
    """Read MTOP as retrieval between languages, or of requests with the same intent.

    ``utterance``: each request of the split looks for its translations among all requests of the split. Its
    own text is left out of its pool, so that there is no monolingual setting.

    ``intent``: each request of the split looks for those of another split with its intent, in every language.
    Success@1 in a pool is the accuracy of nearest-neighbour intent classification.

    Args:
        folder: of either layout.
        name: of the benchmark.
        languages: those wanted; None for all.
        split: of the queries: test (the default), dev or train.
        task: ``utterance`` or ``intent``.
        candidates: split of the passages, ``intent`` only.
    """
    folder = Path(folder)
    queried = chosen_split(split, SPLITS, name)
    if task == "utterance":
        utterances, paths = _read(folder, queried, languages, name, least=2)
        parallel = ParallelTexts()
        for one in utterances:
            parallel.add(f"{one.language}:{one.id}", one.id, one.language, one.text)
        return counterparts(parallel, name, checksum(paths), "utterance")
    if task != "intent":
        raise PanglotError(f"{name} has no task '{task}'; use utterance or intent.")
    pool = chosen_split(candidates, SPLITS, name)
    if pool == queried:
        raise PanglotError(f"{name}: queries and candidates are both of '{pool}'; name two splits.")
    queries, query_paths = _read(folder, queried, languages, name)
    passages, passage_paths = _read(folder, pool, languages, name)
    sha256 = checksum(list(dict.fromkeys([*query_paths, *passage_paths])))
    return _same_intent(name, queries, passages, sha256)


def _same_intent(name: str, queries: list[Utterance], passages: list[Utterance], sha256: str) -> Benchmark:
    languages = tuple(sorted({one.language for one in [*queries, *passages]}))
    intents = sorted({one.intent for one in [*queries, *passages]})
    number = {intent: k for k, intent in enumerate(intents)}
    item: dict[str, int] = {}

    def texts(utterances: list[Utterance]) -> Texts:
        return Texts(
            [f"{one.language}:{one.id}" for one in utterances],
            np.array([languages.index(one.language) for one in utterances], np.int64),
            [one.text for one in utterances],
        )

    of_passage = np.array([number[one.intent] for one in passages], np.int64)
    members = np.argsort(of_passage, kind="stable")
    start = np.searchsorted(of_passage[members], np.arange(len(intents) + 1))
    of_query = np.array([number[one.intent] for one in queries], np.int64)
    sizes = np.diff(start)[of_query]
    judged_query = np.repeat(np.arange(len(queries)), sizes)
    within = np.arange(len(judged_query)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Benchmark(
        name=name,
        languages=languages,
        queries=texts(queries),
        passages=texts(passages),
        query_items=np.array([item.setdefault(one.id, len(item)) for one in queries], np.int64),
        judged_query=judged_query,
        judged_passage=members[start[of_query][judged_query] + within],
        gains=np.ones(len(judged_query), np.int64),
        candidate_text="utterance",
        sha256=sha256,
    )


def _read(
    folder: Path, split: str, languages: Sequence[str] | None, name: str, least: int = 1
) -> tuple[list[Utterance], list[Path]]:
    """Return the utterances of a split, language by language, and the files that they are in."""
    file = f"{OFFICIAL_NAME[split]}.txt"
    folders = {p.parent.name: p for p in sorted(folder.glob(f"*/{file}")) if is_language(p.parent.name)}
    if folders:
        chosen = chosen_languages(languages, list(folders), name, least)
        read = [one for language in chosen for one in _official(folders[language], language)]
        return _checked(read, folder), [folders[language] for language in chosen]
    path = folder / f"{split}.json"
    if not path.exists():
        raise PanglotError(f"{folder}: holds no MTOP {split} data; it needs en/{file}, ..., or {path.name}.")
    found = _xsemplr(path)
    chosen = chosen_languages(languages, sorted({one.language for one in found}), name, least)
    kept = [one for language in chosen for one in found if one.language == language]
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
