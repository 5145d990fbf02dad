"""The summary, from figures written by hand."""

from typing import Any

import pyarrow as pa
import pytest

from panglot.report.contents import Contents, Run
from panglot.report.words import listed, p_text, summary


def run(name: str, values: dict[str, float], distance: float, wins: float) -> Run:
    settings = {setting: {"AP": value} for setting, value in values.items()}
    bounds = {s: {"AP": [v - 0.02, v + 0.02]} for s, v in values.items()}
    by_language = {
        code: {s: {"AP": v + shift} for s, v in values.items()}
        for code, shift in (("de", 0.1), ("th", -0.2), ("sw", 0.0))
    }
    results = {
        "benchmark": {"passages": 5000},
        "settings": settings,
        "bias": {"rank_distance": distance, "own_language_wins": wins},
        "by_language": by_language,
    }
    return Run(name, results, pa.table({"item": [0, 1, 1]}), {"settings": bounds, "bias": {}}, {})


def difference(value: float, p: float, verdict: str | None) -> dict[str, Any]:
    return {"difference": value, "p_holm": p, "verdict": verdict}


@pytest.fixture
def two() -> Contents:
    old = run("old", {"monolingual": 0.5, "multilingual": 0.4}, 1200.4, 0.9)
    new = run("new", {"monolingual": 0.48, "multilingual": 0.45}, 300.0, 0.6)
    compared = {
        "baseline": "old",
        "runs": ["old", "new"],
        "method": {"alpha": 0.05},
        "compared": {
            "old": {"settings": {}, "by_language": {}},
            "new": {
                "settings": {
                    "monolingual": difference(-0.02, 0.31, None),
                    "multilingual": difference(0.05, 0.0004, "better"),
                },
                "by_language": {
                    "de": {"monolingual": difference(-0.03, 0.02, "worse")},
                    "th": {"monolingual": difference(-0.07, 0.001, "worse")},
                    "sw": {"monolingual": difference(0.1, 0.001, "better")},
                },
            },
        },
    }
    return Contents([old, new], "AP", ["AP"], compared)


def test_two_runs(two: Contents) -> None:
    assert summary(two) == [
        "Within one language (monolingual), old has the highest mAP 0.500 (95 % interval 0.480 to 0.520), "
        "not significantly more than new.",
        "With all languages in one list (multilingual), new has the highest mAP 0.450 "
        "(95 % interval 0.430 to 0.470), significantly more than old (+0.050, p < .001).",
        "Losing significantly with new against old: Thai (−0.070) and German (−0.030) in the monolingual "
        "setting.",
        "Rank distance, from the best to the worst rank of a query's right passages, is on average 1,200 "
        "with old and 300 with new, in a pool of 5,000 passages.",
        "A passage in the query's own language ranks above an equally relevant one in another language "
        "90 % of the time with old and 60 % of the time with new; without preference it would be 50 %.",
        "How sure: intervals and tests draw whole items (2), since translations of one question are not "
        "independent, and “significant” means p < 0.05 in a paired test after Holm's correction. With so few "
        "items, small differences cannot be told from chance.",
    ]


def test_one_run_names_its_weakest_and_strongest_language(two: Contents) -> None:
    sentences = summary(Contents(two.runs[1:], "AP", ["AP"], None))
    assert sentences[0] == "Within one language (monolingual): mAP 0.480 (95 % interval 0.460 to 0.500)."
    assert (
        "By query language, the multilingual setting is hardest for Thai (0.250), easiest for German (0.550)."
        in sentences
    )


def test_a_baseline_that_is_best_is_ahead_of_those_that_are_worse(two: Contents) -> None:
    assert two.compared is not None
    two.compared["compared"]["new"]["settings"]["monolingual"] = difference(-0.02, 0.01, "worse")
    assert "significantly more than new." in summary(two)[0]
    assert "not significantly" not in summary(two)[0]


def test_names_and_p_as_in_a_sentence() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefgh")) == "a, b, c, d, e, f and 2 others"
    assert [p_text(p) for p in (0.0004, 0.0313, 1.0)] == ["p < .001", "p = .031", "p = 1"]
