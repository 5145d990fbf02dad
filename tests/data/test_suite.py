"""A suite: benchmarks with pools of their own."""

from collections.abc import Callable

import numpy as np
import pytest

from panglot.data import Benchmark
from panglot.data.readers.parallel import bitext
from panglot.data.suite import Suite, merge
from panglot.errors import PanglotError

GERMAN = bitext("de-en", ("de", "en"), (["eins", "zwei"], ["one", "two"]), np.array([0, 1]), "a" * 64)
CHINESE = bitext("zh-en", ("zh", "en"), (["二"], ["two"]), np.array([1]), "b" * 64)


@pytest.fixture
def suite() -> Suite:
    return Suite(
        "numbers", (GERMAN, CHINESE), ("crosslingual",), {"both": ("de-en", "zh-en"), "german": ("de-en",)}
    )


def test_languages_are_those_of_all_parts(suite: Suite) -> None:
    assert suite.languages == ("de", "en", "zh")


def test_restricting_keeps_parts_and_groups_that_stay_whole(suite: Suite) -> None:
    kept = suite.restrict(["en", "de"])
    assert [part.name for part in kept.parts] == ["de-en"]
    assert kept.groups == {"german": ("de-en",)}
    assert kept.settings == ("crosslingual",)
    with pytest.raises(PanglotError, match="numbers has no language 'fr'"):
        suite.restrict(["fr"])
    with pytest.raises(PanglotError, match="no part has these languages alone"):
        suite.restrict(["de", "zh"])


def test_merging_keeps_texts_judgements_and_items(
    suite: Suite,
    judged: Callable[[Benchmark], dict[str, dict[str, int]]],
    sizes: Callable[[Benchmark], dict[str, tuple[int, int]]],
) -> None:
    merged = merge(suite)
    assert (merged.name, merged.languages) == ("numbers", ("de", "en", "zh"))
    assert sizes(merged) == {"de": (2, 2), "en": (3, 3), "zh": (1, 1)}
    assert judged(merged) == {
        "de-en/de:0": {"one": 1},
        "de-en/de:1": {"two": 1},
        "de-en/en:0": {"eins": 1},
        "de-en/en:1": {"zwei": 1},
        "zh-en/en:0": {"二": 1},
        "zh-en/zh:0": {"two": 1},
    }
    assert merged.query_items.tolist() == [0, 1, 0, 1, 1, 1]
    assert merged.passages.ids == merged.queries.ids


def test_the_checksum_is_that_of_the_parts(suite: Suite) -> None:
    assert merge(suite).sha256 == merge(suite).sha256
    assert merge(suite).sha256 != merge(Suite("numbers", (GERMAN,))).sha256


def test_names_of_parts_are_checked() -> None:
    with pytest.raises(PanglotError, match="none: has no parts"):
        Suite("none", ())
    with pytest.raises(PanglotError, match="part 'de-en' occurs twice"):
        Suite("twice", (GERMAN, GERMAN))
    with pytest.raises(PanglotError, match="group 'g' names 'fr-en', which is not a part"):
        Suite("odd", (GERMAN,), groups={"g": ("fr-en",)})
