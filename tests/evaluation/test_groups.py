from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from panglot.evaluation import ALL
from panglot.evaluation.groups import group_figures, training_languages

LANGUAGES = ("de", "en", "hi", "ur", "ja")
# AP of queries in x against passages in y: a number that tells the cell
AP = {
    (x, y): (i + 1) / 10 + j / 100
    for i, x in enumerate(LANGUAGES)
    for j, y in enumerate((*LANGUAGES, ALL))
}  # fmt: skip


@pytest.fixture
def table() -> pa.Table:
    rows = [
        {
            "query_id": f"{k}:{x}",
            "item": k,
            "query_language": x,
            "pool": y,
            "relevant": 1,
            "best_rank": 1,
            "worst_rank": 1,
            "AP": value + (0.05 if k % 2 else -0.05),
            "rank_distance": 10.0 * (LANGUAGES.index(x) + 1) if y == ALL else None,
        }
        for (x, y), value in AP.items()
        for k in range(6)
    ]
    return pa.Table.from_pylist(rows)


def results(training: Any = None) -> dict[str, Any]:
    return {"model": {"training": training}, "settings": {"monolingual": {"AP": 0.5}}}


def test_a_group_averages_its_languages(table: pa.Table) -> None:
    found = group_figures(results(), table, resamples=30)["languages"]
    assert {name: group["languages"] for name, group in found["family"].items()} == {
        "Indo-European": ["de", "en", "hi", "ur"],
        "Japonic": ["ja"],
    }
    assert {name: group["languages"] for name, group in found["script"].items()} == {
        "Latn": ["de", "en"],
        "Arab": ["ur"],
        "Deva": ["hi"],
        "Jpan": ["ja"],
    }
    assert {name: group["languages"] for name, group in found["resource"].items()} == {
        "5": ["de", "en", "ja"],
        "3": ["ur"],
        "4": ["hi"],
    }
    latin = found["script"]["Latn"]["settings"]
    assert latin["monolingual"]["AP"]["value"] == pytest.approx((AP["de", "de"] + AP["en", "en"]) / 2)
    assert latin["multilingual"]["AP"]["value"] == pytest.approx((AP["de", ALL] + AP["en", ALL]) / 2)
    cross = [AP[x, y] for x in ("de", "en") for y in LANGUAGES if y != x]
    assert latin["crosslingual"]["AP"]["value"] == pytest.approx(np.mean(cross))
    assert found["script"]["Latn"]["rank_distance"]["value"] == pytest.approx(15)


def test_pairs_are_grouped_by_distance_and_script(table: pa.Table) -> None:
    found = group_figures(results(), table, resamples=30)["pairs"]
    branches = [("de", "en"), ("en", "de"), ("hi", "ur"), ("ur", "hi")]
    assert found["relation"]["same branch"]["pairs"] == 4
    value = found["relation"]["same branch"]["crosslingual"]["AP"]["value"]
    assert value == pytest.approx(np.mean([AP[pair] for pair in branches]))
    # 4 Indo-European languages: 12 ordered pairs, 4 of them in one branch; Japanese with each, both ways
    assert {name: group["pairs"] for name, group in found["relation"].items()} == {
        "same branch": 4,
        "same family": 8,
        "other family": 8,
    }
    assert found["script"]["same script"]["pairs"] == 2


def test_seen_is_what_the_run_was_trained_on(table: pa.Table) -> None:
    training = {"data": [{"languages": ["de"]}, {"languages": ["hi", "sw"]}]}
    assert training_languages(results(training)) == ["de", "hi", "sw"]
    found = group_figures(results(training), table, resamples=30)
    groups = {name: group["languages"] for name, group in found["languages"]["training"].items()}
    assert groups == {"unseen": ["en", "ja", "ur"], "seen": ["de", "hi"]}
    pairs = {name: group["pairs"] for name, group in found["pairs"]["training"].items()}
    assert pairs == {"both seen": 2, "one seen": 12, "neither seen": 6}


@pytest.mark.parametrize("seen", ["de-AT", "de", "DE", "de-Latn-DE"])
def test_a_language_is_seen_in_whatever_region(table: pa.Table, seen: str) -> None:
    found = group_figures(results(), table, trained_on=[seen, "e"], resamples=5)
    assert found["languages"]["training"]["seen"]["languages"] == ["de"]
    assert found["pairs"]["training"]["one seen"]["pairs"] == 8


@pytest.mark.parametrize("training", [None, {"strategy": "hybrid"}, {"data": [{"name": "x"}]}])
def test_what_is_not_known_of_training_makes_no_groups(table: pa.Table, training: Any) -> None:
    assert training_languages(results(training)) is None
    found = group_figures(results(training), table, resamples=5)
    assert "training" not in found["languages"]
    assert "training" not in found["pairs"]
    given = group_figures(results(training), table, trained_on=["ja"], resamples=5)
    assert given["languages"]["training"]["seen"]["languages"] == ["ja"]


def test_a_language_of_which_nothing_is_known_stands_in_no_group(table: pa.Table) -> None:
    column = ["tlh" if x == "ja" else x for x in table.column("query_language").to_pylist()]
    klingon = table.set_column(2, "query_language", pa.array(column))
    found = group_figures(results(), klingon, resamples=5)
    assert found["unknown"] == {"script": [], "family": ["tlh"], "resource": ["tlh"]}
    assert "Japonic" not in found["languages"]["family"]


def test_an_interval_is_that_of_the_items(table: pa.Table) -> None:
    # every second item is 0.1 above the others: the mean of 6 spreads by 0.05 / sqrt(6)
    figure = group_figures(results(), table, resamples=4000)["languages"]["script"]["Latn"]["settings"][
        "monolingual"
    ]["AP"]
    assert figure["high"] - figure["low"] == pytest.approx(2 * 1.96 * 0.05 / np.sqrt(6), rel=0.2)
    assert figure["low"] < figure["value"] < figure["high"]
