"""Benchmarks of parallel texts: a text looks for its counterparts in other languages.

Bitexts with English, one sentence a line, aligned, or rows with an id: FLORES (NLLB Team 2022, arXiv
2207.04672), NTREX-128 (Federmann, Kocmi and Xin 2022) and Tatoeba (Artetxe and Schwenk 2019, arXiv
1812.10464). Tables, with the texts of one item in each row: XM3600 (Thapliyal et al. 2022, arXiv
2205.12522), xFlickr&CO (Bugliarello et al. 2022, arXiv 2201.11732), MKQA (Longpre, Lu and Daiber 2021,
arXiv 2007.15207); and MTOP (Li et al. 2021, arXiv 2008.09335).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from typing_extensions import TypedDict

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.index import IntArray
from panglot.data.readers.collection import Questions
from panglot.data.readers.files import (
    CODE,
    NumberedObject,
    bcp47,
    checksum,
    chosen_languages,
    chosen_option,
    code_of,
    files_by_language,
    files_of,
    json_lines,
    named,
    official_files,
    table_rows,
    text_lines,
)
from panglot.data.suite import Suite
from panglot.data.text_column import first_twice
from panglot.errors import PanglotError
from panglot.languages import is_language
from panglot.parse import NotBlank, read_form, validated

SPLITS = {"test": "test", "dev": "eval", "train": "train"}  # what MTOP's official files call them
COLUMNS = 8


class ParallelText(NamedTuple):
    """A text that looks for its counterparts."""

    id: str  # unique
    item: str  # what it says or shows: equal for counterparts
    language: str  # BCP-47 code
    text: str  # of a query, a passage or both
    is_query: bool = True  # whether it is a query; every text is a passage


def counterparts(texts: Sequence[ParallelText], name: str, sha256: str, candidate_text: str) -> Benchmark:
    """Make a benchmark in which each query looks for the other texts of its item, in every language.

    Equal texts of one language are one passage, which belongs to all their items. The query's own text is
    left out of its pool: it is judged with a gain of -1.
    """
    found = Questions(sorted({one.language for one in texts}))
    row_of: dict[tuple[str, str], int] = {}
    own: list[int] = []
    answers: dict[str, set[int]] = {}
    for one in texts:
        key = one.language, one.text
        if key not in row_of:
            row_of[key] = found.add_passage(one.id, one.language, one.text)
        answers.setdefault(one.item, set()).add(row_of[key])
        if one.is_query:
            found.add_question(one.id, one.language, one.text, one.item, key=one.item)
            own.append(row_of[key])
    if not own:
        raise PanglotError(f"{name}: has no texts in these languages; check the folder and the languages.")
    found.answers = {item: sorted(rows) for item, rows in answers.items()}
    benchmark = found.benchmark(name, sha256, candidate_text)
    is_own = benchmark.judged_passage == np.array(own)[benchmark.judged_query]
    return replace(benchmark, gains=np.where(is_own, -1, 1))


def bitext(
    name: str,
    languages: tuple[str, str],
    sides: tuple[Sequence[str], Sequence[str]],
    items: IntArray,
    sha256: str = "",
) -> Benchmark:
    """Make a benchmark of n sentence pairs: each sentence looks for its partner on the other side.

    Repeated sentences stay, as in published accuracies; Success@1 in the
    cross-lingual setting is that accuracy, averaged over both directions.

    Args:
        sides: n sentences each.
        items: ``(n,)`` what each pair says; equal for translations of one sentence in other bitexts.
    """
    n = len(items)
    if languages[0] > languages[1]:
        languages, sides = (languages[1], languages[0]), (sides[1], sides[0])
    texts = Texts(
        [f"{language}:{k}" for language in languages for k in range(n)],
        np.repeat([0, 1], n),
        [*sides[0], *sides[1]],
    )
    return Benchmark(
        name=name,
        languages=languages,
        queries=texts,
        passages=texts,
        query_items=np.tile(items, 2),
        judged_query=np.arange(2 * n),
        judged_passage=(np.arange(2 * n) + n) % (2 * n),
        gains=np.ones(2 * n, np.int64),
        candidate_text="sentence",
        sha256=sha256,
    )


def read_bitext(
    folder: str | Path,
    *,
    name: str,
    files: Sequence[str],
    beside: str | None = None,
    splits: Sequence[str] = ("test",),
    padded_ids: bool = False,
    groups: Mapping[str, str] | None = None,
    languages: Sequence[str] | None = None,
    split: str | None = None,
    pairs: str = "english",
) -> Benchmark | Suite:
    """Read sentences in many languages as retrieval of translations.

    ``pairs="english"`` makes a suite of bitexts with English. Success@1 of a part in the cross-lingual
    setting is the accuracy that LASER and LaBSE report: the share of sentences whose nearest neighbour on the
    other side is their partner, averaged over both directions. ``pairs="all"`` makes one benchmark in which
    each sentence looks for its translations in every language.

    Args:
        files: patterns of each language's file (``.parquet`` or ``.jsonl`` with ``id`` and ``text``, or one
            sentence a line); with ``beside``, of the English side of each bitext.
        beside: pattern of the other side's name, where each language has English sentences of its own.
        splits: names that take the place of ``{split}`` in patterns; the default first.
        padded_ids: lines are numbered from 0001, not from 0, in the ids of ``pairs="all"``.
        groups: official codes of languages that the literature reports together, by name of the group.
        languages: those wanted beside English; None for all; or one name of a group.
    """
    folder, split = Path(folder), chosen_option(split, splits, name)
    if pairs not in ("english", "all") or (pairs == "all" and beside):
        raise PanglotError(f"{name} has no pairs '{pairs}'; use english{'' if beside else ' or all'}.")
    patterns = [pattern.replace("{split}", split) for pattern in files]
    paths = {language: found[0] for language, found in official_files(folder, patterns, name).items()}
    members = {group: [bcp47(code) for code in codes.split()] for group, codes in (groups or {}).items()}
    if languages is not None:
        languages = [code for language in languages for code in members.get(language, [language])]
    if pairs == "all":
        chosen = chosen_languages(languages, paths, name, least=2)
        paths = {language: paths[language] for language in chosen}
        texts = [
            ParallelText(f"{language}:{key}", key, language, text)
            for language, of_language in _aligned(paths, padded_ids).items()
            for key, text in of_language.items()
        ]
        return counterparts(texts, name, checksum(list(paths.values())), "sentence")
    if beside is None and "en" not in paths:
        raise PanglotError(f"{name} has no English file, which the pairs need; add it, or use pairs 'all'.")
    if languages is not None and not (languages := [one for one in languages if one != "en"]):
        raise PanglotError(f"{name} pairs languages with English; name another one beside it.")
    chosen = [language for language in chosen_languages(languages, paths, name) if language != "en"]
    item: dict[str, int] = {}
    parts = []
    for language in chosen:
        other, english = paths[language], paths["en"] if beside is None else paths[language]
        if beside is not None:
            other = _beside(english, folder, patterns, beside)
        sides = _aligned({"en": english, language: other}, padded_ids)
        keys = [key for key in sides["en"] if key in sides[language]]
        # the same English sentence in several bitexts is one item; in files of one text, the same line is
        items = [item.setdefault(sides["en"][key] if beside else key, len(item)) for key in keys]
        both = [sides[language][key] for key in keys], [sides["en"][key] for key in keys]
        sha256 = checksum([other, english])
        parts.append(bitext(f"{language}-en", (language, "en"), both, np.array(items, np.int64), sha256))
    names = {part.name for part in parts}
    of_parts = {group: tuple(f"{code}-en" for code in sorted(codes)) for group, codes in members.items()}
    whole = {group: parts_of for group, parts_of in of_parts.items() if names.issuperset(parts_of)}
    return Suite(name, tuple(parts), ("crosslingual",), whole)


def _beside(english: Path, folder: Path, patterns: Sequence[str], beside: str) -> Path:
    """Return the other side of a bitext, whose name has the same code."""
    code = next(code for pattern in patterns if (code := code_of(pattern, folder, english)))
    other = english.with_name(beside.replace("{code}", code))
    if not other.exists():
        raise PanglotError(f"{other}: no such file; it goes with {english.name}.")
    return other


def _aligned(paths: Mapping[str, Path], padded_ids: bool) -> dict[str, dict[str, str]]:
    """Return the sentences of files by language and id; all files have as many."""
    texts = {language: _sentences(path, padded_ids) for language, path in paths.items()}
    first = "en" if "en" in texts else next(iter(texts))
    for language, own in texts.items():
        if len(own) != len(texts[first]):
            raise PanglotError(
                f"{paths[language]}: has {len(own)} lines, but {paths[first].name} has {len(texts[first])}; "
                "fetch both."
            )
    return texts


def _sentences(path: Path, padded_ids: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    if path.suffix in (".parquet", ".jsonl"):
        for number, row in table_rows(path, ("id", "text")):
            key, text = row.get("id"), row.get("text")
            if key is None or not isinstance(text, str) or not text.strip() or str(key) in found:
                raise PanglotError(
                    f"{path}, row {number}: needs an 'id' of its own and a 'text'; fetch the file again."
                )
            found[str(key)] = text
        return found
    lines = text_lines(path)
    if not lines:
        raise PanglotError(f"{path}: is empty; fetch the file again.")
    width = len(str(len(lines)))
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise PanglotError(f"{path}, line {number}: is empty; each line needs a sentence.")
        found[f"{number:0{width}d}" if padded_ids else str(number - 1)] = line
    return found


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
        seen: set[str] = set()
        for line, row in numbered:
            item = named(path, line, row, key)
            if item in seen:
                raise PanglotError(f"{path}, line {line}: {key} '{item}' occurs twice; fetch the file again.")
            seen.add(item)
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


def _captions(
    item: str, language: str, value: object, where: str, every_caption: bool
) -> Iterator[ParallelText]:
    texts = validated(list[str], value, f"{where}, captions in '{language}'", fix="fetch the file again")
    # a few images of xFlickrCO have an empty caption: there is none
    for position, caption in enumerate(caption for caption in texts if caption.strip()):
        is_query = every_caption or position == 0
        yield ParallelText(f"{language}:{item}:{position}", item, language, caption, is_query)


class Utterance(NamedTuple):
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
    file, place = f"{SPLITS[split]}.txt", folder
    if found := files_by_language(folder, [f"{{code}}/{file}"], others=True):
        chosen = chosen_languages(languages, found, name, least)
        paths = [found[language][0] for language in chosen]
        utterances = [one for language in chosen for one in _official(found[language][0], language)]
    else:
        place = folder / f"{split}.json"
        if not place.exists():
            raise PanglotError(f"{folder}: holds no MTOP {split} data; it needs en/{file} or {place.name}.")
        every, paths = _xsemplr(place), [place]
        chosen = chosen_languages(languages, {one.language for one in every}, name, least)
        utterances = [one for language in chosen for one in every if one.language == language]
    if twice := first_twice([f"{one.language}:{one.id}" for one in utterances]):
        language, _, label = twice.partition(":")
        raise PanglotError(f"{place}: id '{label}' occurs twice in '{language}'; ids must be unique.")
    return utterances, paths


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
