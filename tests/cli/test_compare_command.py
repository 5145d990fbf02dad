"""``panglot compare`` on results files of random vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Runner = Callable[..., Any]


def test_json_holds_the_figures_of_the_files(panglot: Runner, runs: list[Path]) -> None:
    outcome = panglot("compare", *runs, "--json", "--flips", "300", "--resamples", "50")
    compared = outcome.results
    assert (compared["runs"], compared["baseline"]) == (["plain", "tuned"], "plain")
    for path, name in zip(runs, compared["runs"], strict=True):
        results = json.loads(path.read_text())
        for setting, figures in results["settings"].items():
            value = compared["compared"][name]["settings"][setting]["value"]
            assert value == pytest.approx(figures["AP"])
        assert compared["compared"][name]["rank_distance"]["value"] == pytest.approx(
            results["bias"]["rank_distance"]
        )
    assert compared["compared"]["tuned"]["settings"]["multilingual"]["verdict"] == "better"


def test_a_person_sees_the_settings_first_and_where_the_rest_is(panglot: Runner, runs: list[Path]) -> None:
    lines = panglot("compare", *runs, "--measure", "nDCG@10").out.splitlines()
    assert lines[0] == "nDCG@10 on sample; baseline: plain"
    assert sum("▲" in line for line in lines) == 3 + 1  # the settings, and what the mark means
    assert not any("Swahili" in line for line in lines)
    assert len(lines) <= 16 and "--details" in lines[-1]


def test_details_add_languages_and_language_pairs(panglot: Runner, runs: list[Path]) -> None:
    outcome = panglot("compare", *runs, "--measure", "nDCG@10", "--details")
    assert outcome.code == 0 and "--details" not in outcome.out
    text = " ".join(outcome.out.split())
    assert "nDCG@10 on sample; baseline: plain" in text
    assert "tuned minus plain: nDCG@10 by query language" in text
    assert "Change of nDCG@10 × 100 from plain: tuned" in text
    assert outcome.out.count("▲") >= 3 + 3 * 3 + 9  # in all settings, languages and pairs
    assert outcome.out.count("▼ (better)") == 1 + 3  # of rank distance
    assert "Swahili (sw) +" in text
    assert max(map(len, outcome.out.splitlines())) <= 160


def test_the_baseline_is_chosen_by_number(panglot: Runner, runs: list[Path]) -> None:
    text = " ".join(panglot("compare", *runs, "--baseline", "2", "--details").out.split())
    assert "nDCG@10 on sample; baseline: tuned" in text or "mAP on sample; baseline: tuned" in text
    assert "plain minus tuned: mAP by query language" in text
