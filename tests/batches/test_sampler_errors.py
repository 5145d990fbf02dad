"""What a sampler refuses before the first batch is drawn, and which fixes it offers."""

import math
from typing import Any

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


@pytest.mark.parametrize(
    ("sources", "settings", "most"),
    [
        ([PAIRS], {"strategy": "monolingual"}, 4),
        ([PAIRS], {"strategy": "crosslingual"}, 3),
        ([PAIRS], {"strategy": "hybrid"}, 3),
        ([PAIRS], {"strategy": "bilingual"}, 3),
        ([PAIRS], {"strategy": "specific", "language": "de"}, 3),
        ([PAIRS, source("en")], {"strategy": "mixed"}, 4),  # never across two sources
        ([source("en", "en", "en", "en", groups="aabb")], {"strategy": "monolingual"}, 2),  # of one passage
        ([source("en", "en", "en", "en", groups="aabb")], {"strategy": "mixed"}, 2),
    ],
)
def test_a_batch_that_is_too_large_is_answered_with_the_largest(
    sources: list[ParallelPairs], settings: dict[str, Any], most: int
) -> None:
    assert f"the most is {most}" in message(*sources, **settings, batch_size=most + 1)
    assert len(make_sampler(sources, **settings, batch_size=most).draw(0)) == most


def test_the_size_that_is_named_fits_all_kinds_of_batches_of_a_strategy() -> None:
    said = message(PAIRS, strategy="hybrid", batch_size=5)  # of 4 items in English, 3 are in German
    assert "the most is 4" in said
    assert "--batch-size 3" in said
    shared = source("de en", "de en", "en"), source("de", "fr en", "en", "en")
    said = message(*shared, strategy="hybrid", batch_size=4, alpha=0.5)
    assert "join_sources" not in said  # which would fill a monolingual batch alone


def test_items_in_one_language_each_make_no_crosslingual_batch() -> None:
    for strategy, kind in (("crosslingual",) * 2, ("hybrid", "crosslingual"), ("bilingual",) * 2):
        said = message(source("de", "en", "en", "en"), strategy=strategy, batch_size=2)
        assert said.startswith(f"no item exists in two languages, so no {kind} batch can be drawn")


APART = source("de", "en", "fr")  # one item a language
TWO, PAIR = source("de en", "de en", "fr"), source("de en", "de fr", "en fr")
FEW, SOME = source("de en", "de en", "de"), source("de en", "de en", "de fr")
SIZE, JOIN = ["--batch-size"], ["batches.join_sources = true"]
FIXES: dict[str, tuple[list[ParallelPairs], str, int, list[str]]] = {
    "one item a language": ([APART], "monolingual", 3, ["'mixed'"]),
    "more than all items": ([APART], "monolingual", 4, ["add pairs"]),
    "two sources that suffice": ([TWO, TWO], "mixed", 5, SIZE + JOIN),
    "two sources that do not": ([TWO, TWO], "mixed", 7, SIZE),
    "two sources of other languages": ([source("de"), source("en")], "monolingual", 2, ["add pairs"]),
    "two sources of one language": ([source("en"), source("en-US"), source("en")], "english", 2, JOIN),
    "no translations": ([APART], "crosslingual", 2, ["'mixed'"]),
    "no two pairs": ([source("en")], "bilingual", 2, ["add pairs"]),
    "no two languages that share items": ([PAIR], "bilingual", 2, ["'hybrid'"]),
    "two languages that share few": ([FEW], "bilingual", 3, [*SIZE, "'monolingual'"]),
    "two languages that share few of the items in two": ([SOME], "bilingual", 3, [*SIZE, "'hybrid'"]),
}
EVERY_FIX = [*SIZE, *JOIN, "add pairs", "'mixed'", "'monolingual'", "'hybrid'"]


@pytest.mark.parametrize(("sources", "strategy", "size", "fixes"), FIXES.values(), ids=FIXES.keys())
def test_only_fixes_that_work_are_offered(
    sources: list[ParallelPairs], strategy: str, size: int, fixes: list[str]
) -> None:
    said = message(*sources, strategy=strategy, batch_size=size)
    assert [fix for fix in EVERY_FIX if fix in said] == fixes


def test_a_language_without_a_pair_is_named() -> None:
    for strategy, language in (("english", None), ("english", "sw"), ("specific", "sw")):
        said = message(source("de el", "de el"), strategy=strategy, language=language, batch_size=2)
        assert f"'{language or 'en'}'" in said and f"'{strategy}'" in said


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "specific"},  # without a language
        *({"alpha": alpha} for alpha in (-0.1, 1.1, math.nan, math.inf)),
        *({"language_temperature": value} for value in (0.0, -1.0, -math.inf, math.nan)),
        {"source_temperature": 0.0},
        *({"strategy": name} for name in ("hybird", "", "X-X-mono")),
        *({"strategy": "mixed", "batch_size": size} for size in (1, 0, -8)),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused(settings: dict[str, Any]) -> None:
    *_, name = settings
    assert name.split("_")[-1] in message(PAIRS, **{"batch_size": 2, **settings})


def test_without_sources_nothing_can_be_drawn() -> None:
    assert "no source has 2 items" in message(strategy="monolingual", batch_size=2)
