"""How often each kind, source and language is drawn, against probabilities worked by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from panglot import PanglotError
from panglot.batches import Sampler, make_sampler, possible_strategies
from panglot.batches.sampler import _bounds
from panglot.data import ParallelPairs, pairs_from_rows

STEPS = 2000
INF = math.inf


def source(name: str, **items: int) -> ParallelPairs:
    """Make a source: ``en=300`` items in English, ``de_en=20`` items in both German and English."""
    rows: list[dict[str, object]] = [
        {"item_id": f"{languages}-{k}", "language": language, "query": "q", "passage": "p"}
        for languages, count in items.items()
        for k in range(count)
        for language in languages.split("_")
    ]
    return pairs_from_rows(rows, name)


def check_share(hits: int, probability: float) -> None:
    """A count of ``STEPS`` draws lies within five standard deviations of a binomial one."""
    assert abs(hits - STEPS * probability) < 5 * math.sqrt(STEPS * probability * (1 - probability)), hits


def sources_drawn(sampler: Sampler) -> list[int]:
    counts: list[int] = np.bincount(
        [sampler.draw(step).source for step in range(STEPS)], minlength=len(sampler.indexes)
    ).tolist()
    return counts


def languages_drawn(sampler: Sampler) -> dict[str, int]:
    """Count the languages of monolingual batches of one source."""
    drawn = [int(sampler.draw(step).query_languages[0]) for step in range(STEPS)]
    return {code: drawn.count(k) for k, code in enumerate(sampler.indexes[0].languages)}


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.8])
def test_hybrid_is_monolingual_in_a_share_alpha_of_its_steps(alpha: float) -> None:
    sampler = make_sampler([source("s", de_en=40)], strategy="hybrid", batch_size=4, alpha=alpha, seed=7)
    kinds = [sampler.draw(step).kind for step in range(STEPS)]
    check_share(kinds.count("monolingual"), alpha)
    assert kinds.count("monolingual") + kinds.count("crosslingual") == STEPS


@pytest.mark.parametrize(("alpha", "kind"), [(0.0, "crosslingual"), (1.0, "monolingual")])
def test_alpha_zero_and_one_draw_one_kind_only(alpha: float, kind: str) -> None:
    sampler = make_sampler([source("s", de_en=40)], strategy="hybrid", batch_size=4, alpha=alpha)
    assert {sampler.draw(step).kind for step in range(STEPS)} == {kind}


def test_alpha_one_needs_no_translations_and_alpha_zero_no_full_language() -> None:
    alone = make_sampler([source("s", en=8)], strategy="hybrid", batch_size=8, alpha=1)
    assert len(alone.draw(0)) == 8
    apart = source("s", de_en=3, ar_sw=3, el_hi=3)  # 9 items, no language with more than 3
    sampler = make_sampler([apart], strategy="hybrid", batch_size=9, alpha=0)
    assert len(sampler.draw(0)) == 9


@pytest.mark.parametrize(
    ("sizes", "temperature", "expected"),
    [
        ([100, 300], 1.0, [1 / 4, 1]),
        ([100, 300], INF, [1 / 2, 1]),
        ([100, 400], 2.0, [1 / 3, 1]),  # square roots: 10 and 20
        ([100, 300], 0.5, [1 / 10, 1]),  # squares: 1 and 9
        ([10, 20, 30, 40], 1.0, [0.1, 0.3, 0.6, 1]),
        ([5], 3.0, [1]),
        ([100, 300], 1e-4, [0, 1]),  # only the largest is left, without an overflow
    ],
)
def test_probabilities_follow_sizes_and_temperature(
    sizes: Sequence[int], temperature: float, expected: list[float]
) -> None:
    assert _bounds(sizes, temperature) == pytest.approx(expected)


@pytest.mark.parametrize(("temperature", "smaller"), [(1.0, 1 / 4), (INF, 1 / 2), (0.5, 1 / 10)])
@pytest.mark.parametrize("strategy", ["monolingual", "crosslingual", "mixed", "hybrid", "english"])
def test_sources_are_drawn_by_size_and_temperature(strategy: str, temperature: float, smaller: float) -> None:
    both = [source("small", de_en=100), source("large", de_en=300)]
    sampler = make_sampler(both, strategy=strategy, batch_size=4, source_temperature=temperature, seed=3)
    hits = sources_drawn(sampler)
    check_share(hits[0], smaller)
    assert sum(hits) == STEPS


def test_sizes_of_sources_can_be_given() -> None:
    both = [source("small", de_en=100), source("large", de_en=300)]
    sampler = make_sampler(both, strategy="hybrid", batch_size=4, source_sizes={"small": 900.0}, seed=3)
    check_share(sources_drawn(sampler)[0], 3 / 4)
    with pytest.raises(PanglotError, match="source_sizes names 'smal'; the sources are small, large"):
        make_sampler(both, strategy="hybrid", batch_size=4, source_sizes={"smal": 900.0})


def test_sources_are_drawn_in_proportion_to_their_size_unless_set() -> None:
    sampler = make_sampler([source("small", en=100), source("large", en=300)], strategy="mixed", batch_size=4)
    check_share(sources_drawn(sampler)[0], 1 / 4)


def test_a_languages_are_drawn_evenly_unless_set() -> None:
    sampler = make_sampler([source("s", de=100, en=300)], strategy="monolingual", batch_size=4)
    check_share(languages_drawn(sampler)["de"], 1 / 2)


@pytest.mark.parametrize(("temperature", "smaller"), [(1.0, 1 / 4), (INF, 1 / 2), (0.5, 1 / 10)])
def test_languages_are_drawn_by_size_and_temperature(temperature: float, smaller: float) -> None:
    sampler = make_sampler(
        [source("s", de=100, en=300)], strategy="monolingual", batch_size=4, language_temperature=temperature
    )
    check_share(languages_drawn(sampler)["de"], smaller)


def test_english_draws_english_or_the_language_given() -> None:
    pairs = source("s", de_en=20, el_en=20)
    english = make_sampler([pairs], strategy="english", batch_size=8)
    assert languages_drawn(english) == {"de": 0, "el": 0, "en": STEPS}
    german = make_sampler([pairs], strategy="english", batch_size=8, language="de")
    assert languages_drawn(german) == {"de": STEPS, "el": 0, "en": 0}


def test_english_is_drawn_in_all_its_regions() -> None:
    pairs = pairs_from_rows(
        [
            {"item_id": f"{k}", "language": code, "query": "q", "passage": "p"}
            for k in range(20)
            for code in ("en-GB", "en-US", "de", "enm")
        ],
        "s",
    )
    drawn = languages_drawn(make_sampler([pairs], strategy="english", batch_size=8))
    assert (drawn["de"], drawn["enm"], drawn["en-GB"] + drawn["en-US"]) == (0, 0, STEPS)
    assert languages_drawn(make_sampler([pairs], strategy="specific", language="en-US", batch_size=8)) == {
        "de": 0,
        "en-GB": 0,
        "en-US": STEPS,
        "enm": 0,
    }


def test_specific_draws_its_language_from_the_sources_that_have_it() -> None:
    sources = [source("no Greek", de_en=20), source("Greek", el_en=20), source("Greek too", el=20)]
    sampler = make_sampler(sources, strategy="specific", batch_size=8, language="el")
    hits = sources_drawn(sampler)
    assert hits[0] == 0
    check_share(hits[1], 1 / 2)
    for step in range(20):
        batch = sampler.draw(step)
        languages = sources[batch.source].languages
        assert {languages[k] for k in (*batch.query_languages, *batch.passage_languages)} == {"el"}


def test_a_source_that_cannot_fill_a_batch_is_never_drawn_and_noted() -> None:
    sources = [source("tiny", de_en=7), source("wide", de_en=30), source("alone", en=30)]
    sampler = make_sampler(sources, strategy="hybrid", batch_size=8, seed=2)
    drawn = {(batch.source, batch.kind) for batch in map(sampler.draw, range(300))}
    assert drawn == {(1, "monolingual"), (1, "crosslingual"), (2, "monolingual")}
    assert sampler.notes() == [
        "tiny: has too few items for a monolingual batch of 8; it is never drawn for one.",
        "tiny: has too few items for a crosslingual batch of 8; it is never drawn for one.",
        "alone: has too few items for a crosslingual batch of 8; it is never drawn for one.",
    ]


def test_a_language_that_cannot_fill_a_batch_is_never_drawn_and_noted() -> None:
    pairs = source("s", de=7, el=8, en=50, sw=3)
    sampler = make_sampler([pairs], strategy="monolingual", batch_size=8)
    hits = languages_drawn(sampler)
    assert (hits["de"], hits["sw"]) == (0, 0)
    check_share(hits["el"], 1 / 2)
    assert sampler.notes() == [
        "s: de (7), sw (3) have fewer than 8 items; no monolingual batch is drawn in them."
    ]


def test_items_of_one_passage_do_not_help_to_fill_a_batch() -> None:
    rows: list[dict[str, object]] = [
        {"item_id": str(k), "passage_id": str(k % 3), "language": "en", "query": "q", "passage": "p"}
        for k in range(30)
    ]
    sources = [pairs_from_rows(rows, "windows"), source("plain", en=4)]
    sampler = make_sampler(sources, strategy="mixed", batch_size=4)
    assert sources_drawn(sampler) == [0, STEPS]
    assert make_sampler(sources, strategy="mixed", batch_size=3).notes() == []


def test_a_bilingual_batch_has_both_languages_on_either_side_alike() -> None:
    sampler = make_sampler([source("s", de_en=100, de=50)], strategy="bilingual", batch_size=50)
    batches = [sampler.draw(step) for step in range(200)]
    sides = np.array([(batch.query_languages, batch.passage_languages) for batch in batches])
    check_of = [np.mean(sides[:, 0] == 0), np.mean(sides[:, 1] == 0), np.mean(sides[:, 0] == sides[:, 1])]
    assert check_of == pytest.approx([0.5] * 3, abs=0.02)  # 10,000 pairs: four standard deviations
    assert {int(item) for batch in batches for item in batch.items} == set(range(100))


@pytest.mark.parametrize(("temperature", "smaller"), [(1.0, 1 / 4), (INF, 1 / 2)])
def test_pairs_of_languages_are_drawn_by_size_and_temperature(temperature: float, smaller: float) -> None:
    pairs = source("s", de_en=100, en_fr=300, sw_en=3)
    sampler = make_sampler([pairs], strategy="bilingual", batch_size=8, language_temperature=temperature)
    german = pairs.languages.index("de")
    drawn = [german in sampler.draw(step).query_languages for step in range(STEPS)]
    check_share(sum(drawn), smaller)
    assert sampler.notes() == [
        "s: sw have fewer than 8 items in common with any other language; "
        "no bilingual batch is drawn in them.",
        "s: de/fr have fewer than 8 items in common; no bilingual batch is drawn in them.",
    ]


def test_strategies_are_possible_where_a_sampler_can_be_made() -> None:
    sources = [source("wide", de_en=12, en_sw=9, sw=3), source("English", en=40)]
    indexes, names = [pairs.index for pairs in sources], [pairs.name for pairs in sources]
    for size in (8, 10, 20, 30, 50):
        found = possible_strategies(indexes, size, names)
        for strategy, notes in found.items():
            try:
                expected = make_sampler(sources, strategy=strategy, batch_size=size).notes()
            except PanglotError as error:
                assert isinstance(notes, PanglotError)
                assert str(notes) == str(error)
            else:
                assert notes == expected
    possible = [name for name, notes in found.items() if not isinstance(notes, PanglotError)]
    assert (list(found), possible) == (["monolingual", "crosslingual", "mixed", "hybrid", "bilingual"], [])
