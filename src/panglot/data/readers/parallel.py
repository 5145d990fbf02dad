"""Benchmarks of parallel texts: a text looks for its counterparts in other languages."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.index import IntArray
from panglot.errors import PanglotError


@dataclass
class ParallelTexts:
    """Texts that are collected file by file.

    Attributes:
        ids: unique, one a text.
        items: what a text says or shows: equal for counterparts.
        languages: BCP-47 codes.
        texts: n texts.
        is_query: whether it is a query; each is a passage.
    """

    ids: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    languages: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    is_query: list[bool] = field(default_factory=list)

    def add(self, name: str, item: str, language: str, text: str, is_query: bool = True) -> None:
        """Add one text."""
        self.ids.append(name)
        self.items.append(item)
        self.languages.append(language)
        self.texts.append(text)
        self.is_query.append(is_query)


def counterparts(parallel: ParallelTexts, name: str, sha256: str, candidate_text: str) -> Benchmark:
    """Make a benchmark in which each query looks for the other texts of its item, in every language.

    Texts of one language that read the same are one passage, which belongs to all their items. The query's
    own text is left out of its pool: it is judged with a gain of -1.
    """
    languages = tuple(sorted(set(parallel.languages)))
    number = {language: k for k, language in enumerate(languages)}
    code = np.array([number[language] for language in parallel.languages], np.int64)
    # items are numbered in the order of the files
    seen: dict[str, int] = {}
    item = np.array([seen.setdefault(key, len(seen)) for key in parallel.items], np.int64)
    passage_of: dict[tuple[int, str], int] = {}
    keys = zip(code.tolist(), parallel.texts, strict=True)
    passage = np.array([passage_of.setdefault(key, len(passage_of)) for key in keys], np.int64)
    firsts = np.unique(passage, return_index=True)[1]
    queries = np.flatnonzero(parallel.is_query)
    if not len(queries):
        raise PanglotError(f"{name}: has no texts in these languages; check the folder and the languages.")
    judged_query, judged_passage = _judge(item, passage, queries)
    own = judged_passage == passage[queries][judged_query]
    return Benchmark(
        name=name,
        languages=languages,
        queries=_texts(parallel, queries, code),
        passages=_texts(parallel, firsts, code),
        query_items=item[queries],
        judged_query=judged_query,
        judged_passage=judged_passage,
        gains=np.where(own, -1, 1),
        candidate_text=candidate_text,
        sha256=sha256,
    )


def _judge(item: IntArray, passage: IntArray, queries: IntArray) -> tuple[IntArray, IntArray]:
    """Pair each query, by its place in ``queries``, with the passages of its item."""
    count = int(passage.max()) + 1
    of_item, members = np.divmod(np.unique(item * count + passage), count)
    start = np.searchsorted(of_item, np.arange(int(item.max()) + 2))
    sizes = np.diff(start)[item[queries]]
    judged_query = np.repeat(np.arange(len(queries)), sizes)
    within = np.arange(len(judged_query)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return judged_query, members[start[item[queries]][judged_query] + within]


def _texts(parallel: ParallelTexts, rows: IntArray, code: IntArray) -> Texts:
    return Texts([parallel.ids[k] for k in rows], code[rows], [parallel.texts[k] for k in rows])


def bitext(
    name: str,
    languages: tuple[str, str],
    sides: tuple[Sequence[str], Sequence[str]],
    items: IntArray,
    sha256: str = "",
) -> Benchmark:
    """Make a benchmark of n sentence pairs: each sentence looks for its partner on the other side.

    Pairs are taken as they are, also where sentences repeat, as published accuracies are; Success@1 in the
    cross-lingual setting is that accuracy, averaged over both directions.

    Args:
        name: of the benchmark.
        languages: of the two sides.
        sides: n sentences each.
        items: ``(n,)`` what each pair says; equal for translations of one sentence in other bitexts.
        sha256: checksum of the files.
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


def checksum(paths: Sequence[Path]) -> str:
    """Return the SHA-256 of some files' names and bytes, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
