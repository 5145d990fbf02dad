import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from panglot.data import Benchmark
from panglot.evaluation import evaluate_embeddings
from panglot.evaluation.results import describe_benchmark
from panglot.report import (
    languages_table,
    matrix_table,
    settings_table,
)

MakeBenchmark = Callable[..., Benchmark]


def rendered(table: Table) -> tuple[str, list[str]]:
    """What a terminal shows: title and header, and the rows, blanks squeezed."""
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(table)
    lines = [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip()]
    rule = next(k for k, line in enumerate(lines) if not line.strip("─ "))
    return " ".join(lines[:rule]), lines[rule + 1 :]


def figures(ap: float, ndcg: float) -> dict[str, float]:
    return {"AP": ap, "nDCG@10": ndcg}


@pytest.fixture
def results() -> dict[str, Any]:
    return {
        "model": {"name": "mine"},
        "benchmark": {"name": "kitchen", "queries": 2380, "passages": 12345, "languages": ["de", "sw"]},
        "settings": {
            "monolingual": figures(0.61234, 0.7),
            "crosslingual": figures(0.31256, 0.4),
            "multilingual": figures(0.21278, 0.3),
        },
        "bias": {"rank_distance": 1234.56, "rank_distance_normalised": 0.1},
        "by_language": {
            "de": {
                "monolingual": figures(0.7, 0.8),
                "crosslingual": figures(0.4, 0.5),
                "multilingual": figures(0.3, 0.6),
                "rank_distance": 2000.04,
            },
            "sw": {
                "monolingual": figures(0.5246, 0.6),
                "crosslingual": None,
                "multilingual": figures(0.1, 0.2),
                "rank_distance": None,
            },
        },
        "matrix": {"AP": {"de": {"de": 0.7004, "sw": 0.4}, "sw": {"sw": 0.5246}}},
    }


def test_settings_are_a_row_each_with_rank_distance_in_the_last(results: dict[str, Any]) -> None:
    heading, rows = rendered(settings_table(results))
    for words in ("mine on kitchen", "2,380 queries", "12,345 passages", "2 languages", "mAP", "nDCG@10"):
        assert words in heading
    assert rows == [
        "monolingual 0.6123 0.7000",
        "cross-lingual 0.3126 0.4000",
        "multilingual 0.2128 0.3000 1,234.6",
    ]


def test_languages_are_named_and_what_is_missing_is_blank(results: dict[str, Any]) -> None:
    heading, rows = rendered(languages_table(results, "AP"))
    assert heading.startswith("mAP by query language")
    assert rows == ["German (de) 0.7000 0.4000 0.3000 2,000.0", "Swahili (sw) 0.5246 0.1000"]
    heading, rows = rendered(languages_table(results, "nDCG@10"))
    assert heading.startswith("nDCG@10 by query language")
    assert rows[0] == "German (de) 0.8000 0.5000 0.6000 2,000.0"


def test_the_matrix_has_query_languages_down_and_passage_languages_across(results: dict[str, Any]) -> None:
    heading, rows = rendered(matrix_table(results, "AP"))
    assert heading.startswith("mAP x 100: ")
    assert heading.endswith(" de sw")
    assert rows == ["de 70 40", "sw 52"]


def test_results_of_one_language_are_shown_without_what_they_lack(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"q0": "sw", "q1": "sw"}, {"p0": "sw", "p1": "sw"}, [("q0", "p0", 1), ("q1", "p1", 1)]
    )
    # both queries lie on the first passage: AP 1 and 1/2
    vectors = np.eye(2, dtype=np.float32)
    evaluation = evaluate_embeddings(benchmark, vectors[[0, 0]], vectors)
    results = {
        "model": {"name": "mine"},
        "benchmark": describe_benchmark(benchmark),
        **evaluation.results,
    }
    # nDCG@10 (1 + 1 / log2(3)) / 2
    assert rendered(settings_table(results))[1] == ["monolingual 0.7500 0.8155 1.0000 0.7500 0.5000"]
    assert rendered(languages_table(results, "AP"))[1] == ["Swahili (sw) 0.7500"]
    assert rendered(matrix_table(results, "AP"))[1] == ["sw 75"]
