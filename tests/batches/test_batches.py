"""What holds for every batch that a sampler draws, over random incomplete grids with passage groups."""

import itertools
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.batches import STRATEGIES, Batch, Sampler, Strategy, make_sampler
from panglot.data import ParallelPairs, pairs_from_rows

LANGUAGES = ["ar", "en", "ti-ER", "zh"]
STEPS = (0, 1, 2, 999, 10**12)


class Source(NamedTuple):
    pairs: ParallelPairs
    cells: set[tuple[int, str]]  # the (item, language) that exist
    groups: list[int]  # of each item

    def most(self, language: str | None = None) -> int:
        """Return the largest batch of different passages in one language, or of items in two or more."""
        items = {i for i, k in self.cells if k == language}
        if language is None:
            items = {i for i in range(len(self.groups)) if sum(i == j for j, _ in self.cells) > 1}
        return len({self.groups[i] for i in items})

    def shared(self, first: str, second: str) -> int:
        """Return the largest batch of different passages of items that are in both languages."""
        return len({self.groups[i] for i, k in self.cells if k == first and (i, second) in self.cells})


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """Draw items in some languages each, one of which is English for two items of different groups."""
    some = st.sets(st.sampled_from(LANGUAGES), min_size=1)
    languages = [*draw(st.lists(some, max_size=20)), {"en", "ar"}, {"en", "ar", "zh"}]
    groups = [*draw(st.lists(st.integers(0, 9), min_size=20, max_size=20))[: len(languages) - 2], 10, 11]
    rows: list[dict[str, object]] = [
        {"item_id": str(i), "passage_id": str(groups[i]), "language": k, "query": "q", "passage": "p"}
        for i, found in enumerate(languages)
        for k in sorted(found)
    ]
    cells = {(i, k) for i, found in enumerate(languages) for k in found}
    return Source(pairs_from_rows(rows, "mine"), cells, groups)


def sampler_of(source: Source, strategy: Strategy, size: int, seed: int, alpha: float = 0.5) -> Sampler:
    language = "en" if strategy == "specific" else None
    return make_sampler(
        [source.pairs], strategy=strategy, batch_size=size, seed=seed, alpha=alpha, language=language
    )


def largest(source: Source, strategy: Strategy) -> int:
    """Return the largest batch that the strategy can draw."""
    in_one = max(source.most(language) for language in LANGUAGES)
    return {
        "monolingual": in_one,
        "crosslingual": source.most(),
        "mixed": len(set(source.groups)),
        "hybrid": min(in_one, source.most()),
        "bilingual": max(
            source.shared(*two) for two in itertools.combinations(LANGUAGES, 2)
        ),  # at most in_one
        "english": source.most("en"),
        "specific": source.most("en"),
    }[strategy]


def codes(pairs: ParallelPairs, batch: Batch) -> tuple[list[str], list[str]]:
    query = [pairs.languages[k] for k in batch.query_languages]
    return query, [pairs.languages[k] for k in batch.passage_languages]


@settings(max_examples=80, deadline=None)
@given(sources(), st.sampled_from(STRATEGIES), st.integers(0, 2**32), st.data())
def test_a_batch_keeps_what_its_kind_promises(
    source: Source, strategy: Strategy, seed: int, data: st.DataObject
) -> None:
    size = data.draw(st.integers(2, largest(source, strategy)))
    sampler = sampler_of(source, strategy, size, seed)
    for step in STEPS:
        batch = sampler.draw(step)
        query, passage = codes(source.pairs, batch)
        items = batch.items.tolist()
        assert len(batch) == len(items) == len(query) == len(passage) == size
        assert len({source.groups[i] for i in items}) == size  # so no item twice either
        assert {*zip(items, query, strict=True), *zip(items, passage, strict=True)} <= source.cells
        assert batch.kind == sampler.kind(step)
        if batch.kind == "monolingual":
            assert len({*query, *passage}) == 1
        elif batch.kind == "mixed":
            assert query == passage
        elif batch.kind == "bilingual":
            two = {*query, *passage}
            assert len(two) <= 2
            assert {(i, k) for i in items for k in two} <= source.cells
        else:
            assert all(a != b for a, b in zip(query, passage, strict=True))
        if strategy in ("english", "specific"):
            assert {*query, *passage} == {"en"}


@pytest.mark.parametrize(
    ("strategy", "kinds"),
    [
        ("monolingual", {"monolingual"}),
        ("crosslingual", {"crosslingual"}),
        ("mixed", {"mixed"}),
        ("hybrid", {"monolingual", "crosslingual"}),
        ("bilingual", {"monolingual", "bilingual"}),
        ("english", {"monolingual"}),
        ("specific", {"monolingual"}),
    ],
)
def test_each_strategy_has_its_kinds_of_batches(strategy: Strategy, kinds: set[str]) -> None:
    sampler = sampler_of(grid(40), strategy, 8, seed=1)
    assert {sampler.draw(step).kind for step in range(60)} == kinds


def grid(items: int) -> Source:
    """Return items that all are in all languages."""
    cells = {(i, k) for i in range(items) for k in LANGUAGES}
    rows: list[dict[str, object]] = [
        {"item_id": str(i), "language": k, "query": "q", "passage": "p"} for i, k in sorted(cells)
    ]
    return Source(pairs_from_rows(rows, "mine"), cells, list(range(items)))


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_parts_of_all_ranks_are_the_global_batch(strategy: Strategy, ranks: int) -> None:
    sampler = sampler_of(grid(40), strategy, 16, seed=5)
    for step in range(5):
        batch = sampler.draw(step)
        parts = [batch.part(rank, ranks) for rank in range(ranks)]
        assert [len(part) for part in parts] == [16 // ranks] * ranks
        assert {(part.source, part.kind) for part in parts} == {(batch.source, batch.kind)}
        for name in ("items", "query_languages", "passage_languages"):
            together = np.concatenate([getattr(part, name) for part in parts])
            assert together.tolist() == getattr(batch, name).tolist()


def test_a_monolingual_batch_has_one_language_over_all_ranks() -> None:
    sampler = sampler_of(grid(40), "monolingual", 16, seed=5)
    seen = set()
    for step in range(40):
        parts = [sampler.draw(step).part(rank, 4) for rank in range(4)]
        languages = {int(k) for part in parts for k in (*part.query_languages, *part.passage_languages)}
        assert len(languages) == 1
        seen |= languages
    assert seen == {0, 1, 2, 3}


def drawn(sampler: Sampler, step: int) -> tuple[object, ...]:
    batch = sampler.draw(step)
    arrays = (batch.items, batch.query_languages, batch.passage_languages)
    return (batch.source, batch.kind, *(array.tolist() for array in arrays))


@settings(max_examples=30, deadline=None)
@given(sources(), st.integers(0, 2**63), st.permutations(STEPS))
def test_a_draw_depends_on_seed_and_step_alone(source: Source, seed: int, order: list[int]) -> None:
    once = sampler_of(source, "hybrid", 2, seed)
    again = sampler_of(source, "hybrid", 2, seed)
    in_order = {step: drawn(once, step) for step in STEPS}
    assert {step: drawn(again, step) for step in order} == in_order
    assert {step: drawn(once, step) for step in order} == in_order


def test_the_chance_of_one_step_is_none_of_anothers() -> None:
    sampler = sampler_of(grid(40), "hybrid", 16, seed=5)
    # streams that overlapped would hold equal 53-bit numbers at some shift
    numbers = np.concatenate([sampler._rng(step).random(200) for step in range(20)])
    assert len(np.unique(numbers)) == 20 * 200


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_other_seeds_and_other_steps_draw_other_batches(strategy: Strategy) -> None:
    source = grid(40)
    samplers = [sampler_of(source, strategy, 16, seed) for seed in range(20)]
    # 40 items hold some 10^10 sets of 16: two equal draws among 400 are out of the question
    batches = {str(drawn(sampler, step)) for sampler in samplers for step in range(20)}
    assert len(batches) == 400
