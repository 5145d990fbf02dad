"""What a sampler refuses, before the first batch is drawn, and the sentence it says."""

import math

import pytest

from panglot.batches import make_sampler
from panglot.data import ParallelPairs, pairs_from_rows
from panglot.errors import PanglotError


def source(*items: str, groups: str = "") -> ParallelPairs:
    """Make a source of items, each given by its languages: ``source("de en", "en")``."""
    rows: list[dict[str, object]] = [
        {
            "item_id": str(k),
            "passage_id": groups[k] if groups else None,
            "language": language,
            "query": "q",
            "passage": "p",
        }
        for k, languages in enumerate(items)
        for language in languages.split()
    ]
    return pairs_from_rows(rows, "mine")


PAIRS = source("de en", "de en", "de en", "en")


def message(*sources: ParallelPairs, **settings: object) -> str:
    with pytest.raises(PanglotError) as caught:
        make_sampler(sources, **settings)
    return str(caught.value)


def test_a_batch_larger_than_any_language_is_answered_with_the_largest() -> None:
    assert message(PAIRS, strategy="monolingual", batch_size=5) == (
        "no source has 5 items with different passages in any one language for a monolingual batch of 5; "
        "the most is 4: choose a batch size up to 4 (--batch-size 4, "
        "in Python batch_size=4)."
    )
    assert len(make_sampler([PAIRS], strategy="monolingual", batch_size=4).draw(0)) == 4


def test_a_crosslingual_batch_larger_than_the_items_in_two_languages_is_answered_likewise() -> None:
    for strategy in ("crosslingual", "hybrid"):
        said = message(PAIRS, strategy=strategy, batch_size=4)
        assert said.startswith("no source has 4 items with different passages for a crosslingual batch of 4")
        assert "the most is 3" in said
    assert len(make_sampler([PAIRS], strategy="hybrid", batch_size=3).draw(0)) == 3


def test_the_size_that_is_named_fits_all_kinds_of_batches_of_a_strategy() -> None:
    said = message(PAIRS, strategy="hybrid", batch_size=5)  # of 4 items in English, 3 are in German
    assert "for a monolingual batch of 5; the most is 4: choose a batch size up to 3 (" in said
    shared = source("de en", "de en", "en"), source("de", "fr en", "en", "en")
    said = message(*shared, strategy="hybrid", batch_size=4, alpha=0.5)
    assert "join_sources" not in said  # which would fill a monolingual batch alone


def test_a_bilingual_batch_larger_than_what_two_languages_share_is_answered_likewise() -> None:
    said = message(PAIRS, strategy="bilingual", batch_size=4)
    assert said.startswith(
        "no source has 4 items with different passages in any two languages for a bilingual"
    )
    assert "the most is 3" in said
    assert len(make_sampler([PAIRS], strategy="bilingual", batch_size=3).draw(0)) == 3


def test_a_mixed_batch_larger_than_a_source_is_answered_likewise() -> None:
    said = message(PAIRS, source("en"), strategy="mixed", batch_size=5)  # never across two sources
    assert said.startswith("no source has 5 items with different passages for a mixed batch of 5")
    assert "the most is 4" in said


def test_items_of_one_passage_count_once() -> None:
    shared = source("en", "en", "en", "en", groups="aabb")
    assert "the most is 2" in message(shared, strategy="monolingual", batch_size=3)
    assert "the most is 2" in message(shared, strategy="mixed", batch_size=3)


def test_a_batch_larger_than_the_one_language_is_answered_with_its_size() -> None:
    said = message(PAIRS, strategy="specific", language="de", batch_size=4)
    assert said.startswith("no source has 4 items with different passages in 'de' for a monolingual batch")
    assert "the most is 3" in said


def test_items_in_one_language_each_make_no_crosslingual_batch() -> None:
    for strategy, kind in (("crosslingual",) * 2, ("hybrid", "crosslingual"), ("bilingual",) * 2):
        said = message(source("de", "en", "en", "en"), strategy=strategy, batch_size=2)
        assert said.startswith(f"no item exists in two languages, so no {kind} batch can be drawn")


APART = source("de", "en", "fr")  # one item a language
TWO, PAIR = source("de en", "de en", "fr"), source("de en", "de fr", "en fr")
FIXES: dict[str, tuple[list[ParallelPairs], str, int, str]] = {
    "one item a language": ([APART], "monolingual", 3, "the most is 1: use 'mixed'."),
    "more than all items": ([APART], "monolingual", 4, "the most is 1: add pairs."),
    "two sources that suffice": (
        [TWO, TWO],
        "mixed",
        5,
        "the most is 3: choose a batch size up to 3 (--batch-size 3, in Python batch_size=3), "
        "or draw from all sources together with batches.join_sources = true.",
    ),
    "two sources that do not": (
        [TWO, TWO],
        "mixed",
        7,
        "the most is 3: choose a batch size up to 3 (--batch-size 3, in Python batch_size=3).",
    ),
    "two sources of other languages": ([source("de"), source("en")], "monolingual", 2, "is 1: add pairs."),
    "two sources of one language": (
        [source("en"), source("en-US"), source("en")],
        "english",
        2,
        "the most is 1: draw from all sources together with batches.join_sources = true.",
    ),
    "no translations": ([APART], "crosslingual", 2, "no crosslingual batch can be drawn; use 'mixed'."),
    "no two pairs": ([source("en")], "bilingual", 2, "no bilingual batch can be drawn; add pairs."),
    "no two languages that share items": (
        [PAIR],
        "bilingual",
        2,
        "bilingual batch of 2; the most is 1: use 'hybrid'.",
    ),
    "two languages that share few": (
        [source("de en", "de en", "de")],
        "bilingual",
        3,
        "the most is 2: choose a batch size up to 2 (--batch-size 2, in Python batch_size=2), "
        "or use 'monolingual'.",
    ),
    "two languages that share few of the items in two": (
        [source("de en", "de en", "de fr")],
        "bilingual",
        3,
        "the most is 2: choose a batch size up to 2 (--batch-size 2, in Python batch_size=2), "
        "or use 'hybrid'.",
    ),
}


@pytest.mark.parametrize(("sources", "strategy", "size", "said"), FIXES.values(), ids=FIXES.keys())
def test_only_fixes_that_work_are_offered(
    sources: list[ParallelPairs], strategy: str, size: int, said: str
) -> None:
    assert message(*sources, strategy=strategy, batch_size=size).endswith(said)


def test_a_language_without_a_pair_is_named() -> None:
    for strategy, language in (("english", None), ("english", "sw"), ("specific", "sw")):
        said = message(source("de el", "de el"), strategy=strategy, language=language, batch_size=2)
        assert f"no source has a pair in '{language or 'en'}', which strategy '{strategy}' needs" in said


def test_specific_needs_a_language() -> None:
    said = message(PAIRS, strategy="specific", batch_size=2)
    assert said == "strategy 'specific' trains one model per language; name the language."


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan, math.inf])
def test_alpha_is_a_probability(alpha: float) -> None:
    assert message(PAIRS, alpha=alpha) == f"alpha is {alpha}; it is a probability, between 0 and 1."


@pytest.mark.parametrize("name", ["language_temperature", "source_temperature"])
@pytest.mark.parametrize("temperature", [0.0, -1.0, -math.inf, math.nan])
def test_a_temperature_is_above_zero(name: str, temperature: float) -> None:
    said = message(PAIRS, batch_size=2, **{name: temperature})
    assert said == "a temperature is not above 0; use 1 for by size, inf for uniform."


@pytest.mark.parametrize("strategy", ["hybird", "", "X-X-mono"])
def test_an_unknown_strategy_is_answered_with_the_known_ones(strategy: str) -> None:
    assert message(PAIRS, strategy=strategy) == (
        f"'{strategy}' is not a strategy; "
        "use one of monolingual, crosslingual, mixed, hybrid, bilingual, english, specific."
    )


@pytest.mark.parametrize("size", [1, 0, -8])
def test_a_batch_has_two_pairs_or_more(size: int) -> None:
    said = message(PAIRS, strategy="mixed", batch_size=size)
    assert said == f"the batch size is {size}; in-batch negatives need 2 or more."


def test_without_sources_nothing_can_be_drawn() -> None:
    assert "no source has 2 items" in message(strategy="monolingual", batch_size=2)
