"""A suite: several benchmarks with pools of their own that are reported as one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from panglot.data.benchmark import Benchmark, Texts
from panglot.data.index import IntArray
from panglot.errors import PanglotError
from panglot.languages import check_among

SETTINGS = ("monolingual", "crosslingual", "multilingual")


@dataclass(frozen=True)
class Suite:
    """Benchmarks whose queries never search each other's passages: Tatoeba's pairs, CQADupStack's forums."""

    name: str  # of the suite
    # benchmarks with names of their own. Items with one number are the same in all parts
    parts: tuple[Benchmark, ...]
    settings: tuple[str, ...] = SETTINGS  # those that mean something here; the others are not reported
    # parts, by name, that are reported together, such as ``xtreme-36``
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [part.name for part in self.parts]
        if not names:
            raise PanglotError(f"{self.name}: has no parts.")
        if twice := [name for k, name in enumerate(names) if name in names[:k]]:
            raise PanglotError(f"{self.name}: part '{twice[0]}' occurs twice; names must be unique.")
        for group, members in self.groups.items():
            if unknown := sorted(set(members) - set(names)):
                raise PanglotError(f"{self.name}: group '{group}' names '{unknown[0]}', which is not a part.")

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of all parts, sorted."""
        return tuple(sorted({language for part in self.parts for language in part.languages}))

    def restrict(self, languages: Sequence[str]) -> "Suite":
        """Return the suite of the parts whose languages are all named, with the groups left whole."""
        check_among(languages, self.languages, self.name)
        kept = tuple(part for part in self.parts if set(part.languages) <= set(languages))
        if not kept:
            pairs = ", ".join(" and ".join(part.languages) for part in self.parts[:3])
            raise PanglotError(
                f"{self.name}: no part has these languages alone; name all of a part's, such as {pairs}."
            )
        names = {part.name for part in kept}
        whole = {group: members for group, members in self.groups.items() if names.issuperset(members)}
        return replace(self, parts=kept, groups=whole)


def as_benchmark(chosen: Benchmark | Suite) -> Benchmark:
    """Return a benchmark itself, and a suite merged into one."""
    return merge(chosen) if isinstance(chosen, Suite) else chosen


def merge(suite: Suite) -> Benchmark:
    """Put the texts and judgements of all parts into one benchmark, part after part.

    It serves to encode, count and describe a suite, not to rank: the parts' pools are apart. Ids are those of
    the parts after their name: ``af-en/af:0``.
    """
    languages = suite.languages
    digest = hashlib.sha256()
    for part in suite.parts:
        digest.update(f"{part.name} {part.sha256}\n".encode())
    query_start = np.cumsum([0, *(len(part.queries) for part in suite.parts)])
    passage_start = np.cumsum([0, *(len(part.passages) for part in suite.parts)])
    numbered = list(enumerate(suite.parts))
    return Benchmark(
        name=suite.name,
        languages=languages,
        queries=_join([(part.name, part.languages, part.queries) for part in suite.parts], languages),
        passages=_join([(part.name, part.languages, part.passages) for part in suite.parts], languages),
        query_items=np.concatenate([part.query_items for part in suite.parts]),
        judged_query=np.concatenate([part.judged_query + query_start[k] for k, part in numbered]),
        judged_passage=np.concatenate([part.judged_passage + passage_start[k] for k, part in numbered]),
        gains=np.concatenate([part.gains for part in suite.parts]),
        candidate_text=suite.parts[0].candidate_text,
        sha256=digest.hexdigest(),
    )


def _join(parts: Sequence[tuple[str, tuple[str, ...], Texts]], languages: tuple[str, ...]) -> Texts:
    codes: list[IntArray] = [
        np.array([languages.index(language) for language in own])[texts.languages] for _, own, texts in parts
    ]
    titled = any(texts.titles is not None for _, _, texts in parts)
    titles = [title for _, _, texts in parts for title in texts.titles or [""] * len(texts)]
    return Texts(
        [f"{name}/{label}" for name, _, texts in parts for label in texts.ids],
        np.concatenate(codes),
        [text for _, _, texts in parts for text in texts.texts],
        titles if titled else None,
    )
