"""The sampler: which pairs, in which languages, make up the batch of a step."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from panglot.batches.draws import distinct_items, one_language_each, two_languages_each
from panglot.data import IntArray, PairIndex, Source, as_sources
from panglot.errors import PanglotError, some_of
from panglot.languages import language_code, matches, matching

Strategy = Literal["monolingual", "crosslingual", "mixed", "hybrid", "bilingual", "english", "specific"]
Kind = Literal["monolingual", "crosslingual", "mixed", "bilingual"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
KINDS: dict[Strategy, tuple[Kind, ...]] = {
    "monolingual": ("monolingual",),
    "crosslingual": ("crosslingual",),
    "mixed": ("mixed",),
    "hybrid": ("monolingual", "crosslingual"),
    "bilingual": ("monolingual", "bilingual"),
    "english": ("monolingual",),
    "specific": ("monolingual",),
}
MEANINGS: dict[Strategy, str] = {  # sentences about each, as model cards have them
    "monolingual": "every batch is in one language.",
    "crosslingual": "each pair of a batch has its query in one language and its passage in another.",
    "mixed": "each pair of a batch has its own language.",
    "hybrid": "each batch is monolingual with probability {alpha}, else cross-lingual.",
    "bilingual": "each batch is in two languages, with each query and each passage in either of them; with "
    "probability {alpha} it is monolingual.",
    "english": "every batch is in one language.",
    "specific": "every batch is in one language, the model's own.",
}
OF_ONE_LANGUAGE: tuple[Strategy, ...] = ("english", "specific")
# The usual alpha of each strategy that has one.
ALPHAS: dict[Strategy, float] = {"hybrid": 0.5, "bilingual": 0.0}
# What to use where a kind of batch cannot be filled: the first that can.
INSTEAD: dict[Kind, tuple[Strategy, ...]] = {
    "monolingual": ("mixed",),
    "crosslingual": ("monolingual", "mixed"),
    "mixed": (),
    "bilingual": ("hybrid", "monolingual", "mixed"),
}


@dataclass(frozen=True)
class Batch:
    """The pairs of one step; pair k is (items[k], query_languages[k], passage_languages[k]).

    Attributes:
        source: which source all pairs come from.
        kind: how their languages were drawn.
        items: ``(B,)`` items, all different, no two of one passage group.
        query_languages: ``(B,)``.
        passage_languages: ``(B,)``.
    """

    source: int
    kind: Kind
    items: IntArray
    query_languages: IntArray
    passage_languages: IntArray

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.items)

    def part(self, rank: int, ranks: int) -> "Batch":
        """Return the slice of the batch that one of several processes works on."""
        size = len(self) // ranks
        own = slice(rank * size, (rank + 1) * size)
        return Batch(
            self.source, self.kind, self.items[own], self.query_languages[own], self.passage_languages[own]
        )


@dataclass(frozen=True, repr=False)
class Sampler:
    """Draws the global batch of any step; a pure function of (seed, step), so it has no state to save.

    Attributes:
        indexes: one per source.
        strategy: see ``STRATEGIES``.
        batch_size: pairs in the global batch, over all processes.
        alpha: probability that a hybrid or bilingual batch is monolingual; several numbers: a schedule,
            linear between them, the first at the first step and the last at the last; None: as in ``ALPHAS``.
        seed: of all draws.
        language: the one language of ``english`` and ``specific``; ``en`` includes ``en-US``.
        language_temperature: languages of monolingual batches (pairs of languages of bilingual ones) are
            drawn in proportion to size ** (1 / temperature): 1 is by size, infinity (the default) uniform.
        source_temperature: the same for sources; the default is 1.
        source_sizes: sizes of sources, by name, to draw by in place of their numbers of items.
        names: of the sources, for messages.
        steps: over which a schedule of alpha runs; needed for one.
    """

    indexes: Sequence[PairIndex]
    strategy: Strategy = "hybrid"
    batch_size: int = 128
    alpha: float | tuple[float, ...] | None = None
    seed: int = 0
    language: str | None = None
    language_temperature: float = math.inf
    source_temperature: float = 1.0
    source_sizes: Mapping[str, float] = field(default_factory=dict)
    names: Sequence[str] = ()
    steps: int | None = None
    _plans: dict[Kind, "_Plan"] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise PanglotError(f"'{self.strategy}' is not a strategy; use one of {', '.join(STRATEGIES)}.")
        alphas = self._alphas
        if not alphas or not all(0 <= alpha <= 1 for alpha in alphas):
            raise PanglotError(f"alpha is {self.alpha}; it is a probability, between 0 and 1.")
        if len(alphas) > 1 and self.steps is None:
            raise PanglotError("alpha is a schedule; say over how many steps it runs.")
        if self.batch_size < 2:
            raise PanglotError(f"the batch size is {self.batch_size}; in-batch negatives need 2 or more.")
        if not (self.language_temperature > 0 and self.source_temperature > 0):  # also catches nan
            raise PanglotError("a temperature is not above 0; use 1 for by size, inf for uniform.")
        if unknown := sorted(set(self.source_sizes) - set(self.names)):
            raise PanglotError(
                f"source_sizes names '{unknown[0]}'; the sources are {', '.join(self.names) or 'not named'}."
            )
        if self.strategy == "specific" and self.language is None:
            raise PanglotError("strategy 'specific' trains one model per language; name the language.")
        kinds = KINDS[self.strategy]
        if self.strategy in ALPHAS:
            likeliest = (max(alphas), 1 - min(alphas))
            kinds = tuple(kind for kind, most in zip(kinds, likeliest, strict=True) if most > 0)
        object.__setattr__(self, "_plans", self._planned(kinds))

    def __repr__(self) -> str:
        """Return one line."""
        alpha = f", alpha {' to '.join(map(str, self._alphas))}" if self.strategy in ALPHAS else ""
        sources = some_of([self._name(k) for k in range(len(self.indexes))])
        return f"Sampler({self.strategy}{alpha}, batches of {self.batch_size} from {sources})"

    def kind(self, step: int) -> Kind:
        """Return how the batch of a step draws its languages."""
        return self._kind(step, self._rng(step))

    def alpha_at(self, step: int) -> float:
        """Return the probability that the batch of a step (from 0) is monolingual, where that is drawn."""
        alphas = self._alphas
        if len(alphas) == 1 or self.steps is None or self.steps < 2:
            return alphas[0]
        return float(np.interp(step, np.linspace(0, self.steps - 1, len(alphas)), alphas))

    def draw(self, step: int) -> Batch:
        """Return the global batch of a step (from 0)."""
        rng = self._rng(step)
        kind = self._kind(step, rng)
        plan = self._plans[kind]
        source = plan.sources[_pick(plan.source_bounds, rng)]
        index = self.indexes[source]
        if kind == "monolingual":
            languages, bounds = plan.languages[source]
            language = int(languages[_pick(bounds, rng), 0])
            items = distinct_items(index, index.items_in(language), self.batch_size, rng)
            query = passage = np.full(self.batch_size, language)
        elif kind == "mixed":
            items = distinct_items(index, None, self.batch_size, rng)
            query = passage = one_language_each(index, items, rng)
        elif kind == "bilingual":
            languages, bounds = plan.languages[source]
            rarer, other = languages[_pick(bounds, rng)]
            items = distinct_items(index, index.items_in(rarer), self.batch_size, rng, language=other)
            query, passage = np.where(rng.random((2, self.batch_size)) < 0.5, rarer, other)
        else:
            items = distinct_items(index, plan.candidates[source], self.batch_size, rng)
            query, passage = two_languages_each(index, items, rng)
        return Batch(source, kind, items, query, passage)

    def notes(self) -> list[str]:
        """Say, a sentence each, which sources and languages can never fill a batch of their own."""
        found = []
        for kind, plan in self._plans.items():
            for k in sorted(set(range(len(self.indexes))) - set(plan.sources)):
                found.append(
                    f"{self._name(k)}: has too few items for a {kind} batch of {self.batch_size}; "
                    "it is never drawn for one."
                )
            if self.language is None and self.strategy != "english":
                for source, (languages, _) in sorted(plan.languages.items()):
                    found += self._never_drawn(source, kind, languages)
        return found

    def _never_drawn(self, source: int, kind: Kind, drawn: IntArray) -> Iterator[str]:
        """Say in which languages, or pairs of languages, of a source no batch is drawn."""
        index, name = self.indexes[source], self._name(source)
        codes, few = index.languages, f"have fewer than {self.batch_size} items"
        known = sorted(set(drawn.ravel().tolist()))
        small = [k for k in range(len(codes)) if k not in known]
        if kind == "monolingual" and small:
            sizes = [_groups(index, index.items_in(k), self.batch_size) for k in small]
            names = [f"{codes[k]} ({size})" for k, size in zip(small, sizes, strict=True)]
            yield f"{name}: {some_of(names)} {few}; no monolingual batch is drawn in them."
        if kind == "bilingual" and small:
            names = [codes[k] for k in small]
            common = "in common with any other language; no bilingual batch is drawn in them."
            yield f"{name}: {some_of(names)} {few} {common}"
        if kind == "bilingual":
            pairs = {frozenset(pair) for pair in drawn.tolist()}
            others = [pair for pair in itertools.combinations(known, 2) if frozenset(pair) not in pairs]
            if names := [f"{codes[x]}/{codes[y]}" for x, y in others]:
                yield f"{name}: {some_of(names)} {few} in common; no bilingual batch is drawn in them."

    @property
    def _alphas(self) -> tuple[float, ...]:
        alpha = usual_alpha(self.strategy) if self.alpha is None else self.alpha
        return tuple(alpha) if isinstance(alpha, (tuple, list)) else (alpha,)

    def _rng(self, step: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, step]))

    def _kind(self, step: int, rng: np.random.Generator) -> Kind:
        first = rng.random() < self.alpha_at(step)
        kinds = KINDS[self.strategy]
        return kinds[0] if len(kinds) == 1 or first else kinds[1]

    def _name(self, source: int) -> str:
        return self.names[source] if source < len(self.names) else f"source {source + 1}"

    @property
    def _only(self) -> str | None:
        """The one language that is drawn; None: all."""
        only = self.language or ("en" if self.strategy == "english" else None)
        return only and (language_code(only) or only)

    def _planned(self, kinds: Iterable[Kind]) -> dict[Kind, "_Plan"]:
        """Return the plan of every kind, or refuse a kind of which no batch can be drawn."""
        only = self._only
        if only is not None and not any(matching([only], index.languages) for index in self.indexes):
            raise PanglotError(
                f"no source has a pair in '{only}', which strategy '{self.strategy}' needs; "
                "add some, or choose another language."
            )
        plans = {kind: self._plan(kind) for kind in kinds}
        if empty := next((kind for kind, plan in plans.items() if not plan.sources), None):
            raise PanglotError(self._why_not(empty, plans))
        return plans

    def _plan(self, kind: Kind) -> "_Plan":
        """Find the sources (and languages) that can fill a batch, and how likely each is drawn."""
        sources: list[int] = []
        sizes: list[float] = []
        languages: dict[int, tuple[IntArray, npt.NDArray[np.float64]]] = {}
        candidates: dict[int, IntArray | None] = {}
        largest, joined = 0, Counter[frozenset[str]]()
        for number, index in enumerate(self.indexes):
            chosen = None if kind in ("monolingual", "mixed") else _multilingual(index)
            size = index.items if chosen is None else len(chosen)
            if kind in ("monolingual", "bilingual"):
                of = _ones(index, self._only or "*") if kind == "monolingual" else _twos(index)
                passages = {
                    own: _groups(index, index.items_in(own[0]), self.batch_size, *own[1:]) for own in of
                }
                able = max(passages.values(), default=0)
                joined.update({frozenset(index.languages[k] for k in own): n for own, n in passages.items()})
                if fits := [own for own in of if passages[own] >= self.batch_size]:
                    bounds = _bounds([of[own] for own in fits], self.language_temperature)
                    languages[number] = np.array(fits), bounds
            else:
                candidates[number] = chosen
                able = _groups(index, np.arange(size) if chosen is None else chosen, self.batch_size)
                joined[frozenset()] += able
            largest = max(largest, able)
            if able >= self.batch_size:
                sources.append(number)
                sizes.append(self.source_sizes.get(self._name(number), size))
        bounds = _bounds(sizes, self.source_temperature)
        return _Plan(sources, bounds, languages, candidates, largest, max(joined.values(), default=0))

    def _why_not(self, kind: Kind, plans: Mapping[Kind, "_Plan"]) -> str:
        """Say why no batch of a kind can be drawn, and what to do: only what works for all kinds."""
        size, only = self.batch_size, self._only
        others = INSTEAD.get(kind, ()) if only is None else ()
        able = [name for name in others if all(self._plan(each).sources for each in KINDS[name])]
        most, fits = plans[kind].largest, min(plan.largest for plan in plans.values())
        fixes = []
        if fits >= 2:
            fixes.append(
                f"choose a batch size up to {fits} (--batch-size {fits}, in Python batch_size={fits})"
            )
        if all(plan.joined >= size for plan in plans.values()):
            fixes.append("draw from all sources together with batches.join_sources = true")
        if able:
            fixes.append(f"use '{able[0]}'")
        fix = ", or ".join(fixes) or "add pairs"
        if kind in ("crosslingual", "bilingual") and most == 0:
            return f"no item exists in two languages, so no {kind} batch can be drawn; {fix}."
        places = {"monolingual": "in any one language ", "bilingual": "in any two languages "}
        place = f"in '{only}' " if only else places.get(kind, "")
        return (
            f"no source has {size} items with different passages {place}for a {kind} batch of {size}; "
            f"the most is {most}: {fix}."
        )


@dataclass(frozen=True)
class _Plan:
    """What a kind of batch can be drawn from."""

    sources: list[int]
    source_bounds: npt.NDArray[np.float64]
    # of each source: ``(n, 1)`` languages or ``(n, 2)`` pairs of them, and their cumulative probabilities
    languages: dict[int, tuple[IntArray, npt.NDArray[np.float64]]]
    candidates: dict[int, IntArray | None]
    largest: int  # items of different passages in the source that has most; from the batch size on, or more
    joined: int  # the same, of all sources together


def usual_alpha(strategy: Strategy) -> float:
    """Return the probability that a batch is monolingual where none is given; 0.5 if it has no effect."""
    return ALPHAS.get(strategy, 0.5)


def make_sampler(sources: Source | Iterable[Source], **settings: object) -> Sampler:
    """Make a sampler of parallel pairs; the settings are those of ``Sampler``."""
    found = as_sources(sources)
    return Sampler([s.index for s in found], names=[s.name for s in found], **settings)  # type: ignore[arg-type]


def possible_strategies(
    indexes: Sequence[PairIndex], batch_size: int, names: Sequence[str] = ()
) -> dict[Strategy, list[str] | PanglotError]:
    """Say for each strategy that draws in all languages what its batches lack, or why none can be drawn.

    Args:
        indexes: one per source.
        names: of the sources.

    Returns:
        by strategy, the notes of its sampler, or the error with which training would refuse it.
    """
    found: dict[Strategy, list[str] | PanglotError] = {}
    for strategy in STRATEGIES:
        if strategy not in OF_ONE_LANGUAGE:
            try:
                found[strategy] = Sampler(indexes, strategy, batch_size, names=names).notes()
            except PanglotError as error:
                found[strategy] = error
    return found


def _ones(index: PairIndex, pattern: str) -> dict[tuple[int, ...], int]:
    """Return the languages that fit a pattern, with their numbers of items."""
    fits = [k for k, code in enumerate(index.languages) if matches(pattern, code)]
    return {(k,): len(index.items_in(k)) for k in fits}


def _twos(index: PairIndex) -> dict[tuple[int, ...], int]:
    """Return every two languages, the one with fewer items first, with the number of items in both."""
    shared = index.coverage()
    rarest = np.argsort(shared.diagonal(), kind="stable").tolist()
    return {(x, y): int(shared[x, y]) for x, y in itertools.combinations(rarest, 2) if shared[x, y]}


def _groups(index: PairIndex, items: IntArray, enough: int, language: int | None = None) -> int:
    """Count the passage groups among some items (in a language); from ``enough`` up it may be too low."""
    if index.item_group is None and language is None:
        return len(items)
    size = 4 * enough
    while True:  # a part of a large set is often enough
        found = len(np.unique(index.groups_of(index.those_in(items[:size], language))))
        if found >= enough or size >= len(items):
            return found
        size *= 4


def _multilingual(index: PairIndex) -> IntArray | None:
    """Return the items that exist in two languages or more; None where all do."""
    enough = np.diff(index.item_offsets) >= 2
    return None if enough.all() else np.flatnonzero(enough)


def _bounds(sizes: Sequence[float], temperature: float) -> npt.NDArray[np.float64]:
    """Return cumulative probabilities in proportion to size ** (1 / temperature)."""
    largest = max(sizes, default=1)  # shares of the largest: no power of them overflows
    weights = (np.asarray(sizes, np.float64) / largest) ** (1.0 / temperature)
    return np.cumsum(weights / weights.sum())


def _pick(bounds: npt.NDArray[np.float64], rng: np.random.Generator) -> int:
    return min(int(np.searchsorted(bounds, rng.random(), side="right")), len(bounds) - 1)
