"""The bundled sample is what its page says: 48 and 24 items in 12 languages, apart from each other."""

import unicodedata
from collections import Counter
from typing import Any

import pytest

from panglot.data import load_pairs, sample_benchmark, sample_pairs
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.languages import script

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "sw", "th", "tr", "vi", "zh")
# how the names of a script's letters begin in Unicode
LETTERS = {
    "Arab": "ARABIC",
    "Cyrl": "CYRILLIC",
    "Deva": "DEVANAGARI",
    "Grek": "GREEK",
    "Hans": "CJK UNIFIED",
    "Latn": "LATIN",
    "Thai": "THAI",
}
PARTS = {"train.jsonl": 48, "held-out.jsonl": 24}


def lines(part: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = load_pairs(SAMPLE_FOLDER / part).table.to_pylist()
    return found


def share_in_script(text: str, language: str) -> float:
    letters = [character for character in text if character.isalpha()]
    return sum(unicodedata.name(c).startswith(LETTERS[script(language)]) for c in letters) / len(letters)


@pytest.mark.parametrize(("part", "items"), PARTS.items())
def test_every_item_stands_in_all_languages(part: str, items: int) -> None:
    pairs = load_pairs(SAMPLE_FOLDER / part)
    assert pairs.languages == LANGUAGES
    assert len(pairs) == items
    counts = Counter(line["item_id"] for line in lines(part))
    assert set(counts.values()) == {12}


@pytest.mark.parametrize("part", PARTS)
def test_every_text_is_in_its_languages_script(part: str) -> None:
    for line in lines(part):
        for field in ("query", "passage"):
            assert share_in_script(line[field], line["language"]) > 0.9, line


@pytest.mark.parametrize("part", PARTS)
def test_no_text_stands_twice_or_untranslated(part: str) -> None:
    for field in ("query", "passage"):
        texts = Counter(line[field] for line in lines(part))
        assert texts.most_common(1)[0][1] == 1


def test_no_item_document_or_text_stands_in_both_parts() -> None:
    train, held_out = (lines(part) for part in PARTS)
    for field in ("item_id", "document_id", "query", "passage"):
        assert not {line[field] for line in train} & {line[field] for line in held_out}, field
    assert len({line["document_id"] for line in train}) == 8
    assert len({line["document_id"] for line in held_out}) == 4


def test_the_training_part_is_the_one_to_train_on() -> None:
    pairs = sample_pairs()
    assert (pairs.name, len(pairs), pairs.languages) == ("sample", 48, LANGUAGES)


def test_the_held_out_part_is_a_benchmark_of_all_pairs_of_languages() -> None:
    benchmark = sample_benchmark()
    assert (benchmark.name, benchmark.languages) == ("sample", LANGUAGES)
    assert len(benchmark.queries) == len(benchmark.passages) == 24 * 12
    assert len(benchmark.judged_query) == 24 * 12 * 12
    assert Counter(Counter(benchmark.query_items.tolist()).values()) == {12: 24}
