"""Benchmarks of parallel texts: a text looks for its counterparts in other languages.

FLORES (NLLB Team 2022, arXiv 2207.04672), NTREX-128 (Federmann, Kocmi and Xin 2022) and Tatoeba (Artetxe and
Schwenk 2019, arXiv 1812.10464) are bitexts with English: one sentence a line, aligned, or rows with an id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.index import IntArray
from panglot.data.readers.collection import Questions
from panglot.data.readers.files import (
    bcp47,
    checksum,
    chosen_languages,
    chosen_option,
    code_of,
    official_files,
    table_rows,
    text_lines,
)
from panglot.data.suite import Suite
from panglot.errors import PanglotError


class ParallelText(NamedTuple):
    """A text that looks for its counterparts.

    Attributes:
        id: unique.
        item: what it says or shows: equal for counterparts.
        language: BCP-47 code.
        text: of a query, a passage or both.
        is_query: whether it is a query; every text is a passage.
    """

    id: str
    item: str
    language: str
    text: str
    is_query: bool = True


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
        own = paths[language]
        other, english = (
            (own, paths["en"]) if beside is None else (_beside(own, folder, patterns, beside), own)
        )
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
