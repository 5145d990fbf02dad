"""A benchmark whose queries are changed as people's are: mistyped, romanised, without question marks."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import numpy as np

from panglot.data.benchmark import Benchmark
from panglot.data.perturb.changes import (
    Lexicon,
    lower_case,
    no_question_mark,
    romanised,
    switch_code,
    typos,
    without_diacritics,
    wrong_layout,
)
from panglot.errors import PanglotError
from panglot.files import sha256_of

Change = Callable[[str, str, Random], str]  # of a text in a language, by chance


@dataclass(frozen=True)
class Kind:
    """One way to change queries: what it does, in a few words, and the function."""

    title: str
    change: Change


CODE_SWITCH = "code-switch"
KINDS: dict[str, Kind] = {
    "typos": Kind("slips of the finger in one letter of twenty", typos),
    "no-diacritics": Kind("no accents, no vowel points", without_diacritics),
    "romanised": Kind("other scripts in Latin letters", romanised),
    "wrong-layout": Kind("typed while the US keyboard layout is on", wrong_layout),
    "lower-case": Kind("all in lower case", lower_case),
    "no-question-mark": Kind("no question marks", no_question_mark),
}
TITLES = {
    **{name: kind.title for name, kind in KINDS.items()},
    CODE_SWITCH: "half of the words in another language, by a lexicon",
}
NO_LEXICON = f"{CODE_SWITCH} needs a lexicon; name a file of word pairs such as en-de.txt."


def perturb(benchmark: Benchmark, kind: str, seed: int = 0, lexicon: Lexicon | None = None) -> Benchmark:
    """Change a benchmark's queries; passages and judgements stay.

    What a query becomes depends on the seed, the kind and its id, and on nothing else. A query that a
    kind has nothing to change in stays as it is (``share_changed`` says how many do).

    Args:
        seed: of chance, for typos and code-switching.

    Raises:
        PanglotError: an unknown kind, or a lexicon that is missing, not needed or of other languages.
    """
    change = _change(benchmark, kind, lexicon)
    queries = benchmark.queries
    texts = [
        change(text, benchmark.languages[language], _chance(seed, kind, name))
        for name, language, text in zip(queries.ids, queries.languages, queries.texts, strict=True)
    ]
    mark = f"{benchmark.sha256}\n{kind}\n{seed}\n" + "\n".join(texts)
    return replace(
        benchmark,
        name=f"{benchmark.name}+{kind}",
        queries=replace(queries, texts=texts),
        sha256=sha256_of(mark),
    )


def parse_kinds(names: str) -> list[str]:
    """Split ``typos,lower-case`` into kinds, or raise a ``PanglotError`` at one that is unknown."""
    kinds = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for kind in kinds:
        _check(kind)
    if not kinds:
        raise PanglotError(f"no change of queries is named; use some of {', '.join(TITLES)}.")
    return kinds


def check_kinds(kinds: Sequence[str], lexicon: Lexicon | None = None) -> None:
    """Raise a ``PanglotError`` at an unknown kind, and at a lexicon that is missing or not needed."""
    for kind in kinds:
        _check(kind)
    if lexicon is not None and CODE_SWITCH not in kinds:
        raise PanglotError(f"a lexicon is for {CODE_SWITCH}, which is not asked for; leave it out.")
    if lexicon is None and CODE_SWITCH in kinds:
        raise PanglotError(NO_LEXICON)


def share_changed(before: Benchmark, after: Benchmark) -> dict[str, float]:
    """Return by query language the share of queries that read otherwise afterwards."""
    pairs = zip(before.queries.texts, after.queries.texts, strict=True)
    changed = np.array([a != b for a, b in pairs], float)
    language = before.queries.languages
    return {
        code: float(changed[language == k].mean())
        for k, code in enumerate(before.languages)
        if (language == k).any()
    }


def _change(benchmark: Benchmark, kind: str, lexicon: Lexicon | None) -> Change:
    _check(kind)
    if kind != CODE_SWITCH:
        if lexicon is not None:
            raise PanglotError(f"a lexicon is for {CODE_SWITCH}, not for {kind}; leave it out.")
        return KINDS[kind].change
    if lexicon is None:
        raise PanglotError(NO_LEXICON)
    spoken = {benchmark.languages[k] for k in np.unique(benchmark.queries.languages)}
    if not spoken & set(lexicon):
        raise PanglotError(
            f"{benchmark.name} has queries in {', '.join(sorted(spoken))}, but the lexicon is from "
            f"{', '.join(sorted(lexicon))}; give one from a language of the queries."
        )
    return partial(switch_code, lexicon=lexicon)


def _check(kind: str) -> None:
    if kind not in TITLES:
        raise PanglotError(f"'{kind}' is not a change of queries; choose one of {', '.join(TITLES)}.")


def _chance(seed: int, kind: str, query: str) -> Random:
    digest = hashlib.sha256(f"{seed}\n{kind}\n{query}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))
