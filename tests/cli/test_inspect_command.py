"""``panglot inspect``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Panglot = Callable[..., Any]


@pytest.fixture
def results(panglot: Panglot, tiny_checkpoint: Path, tmp_path: Path) -> Path:
    path = tmp_path / "results.json"
    outcome = panglot("evaluate", tiny_checkpoint, "--languages", "ar,de,en", "--output", path)
    assert outcome.code == 0, outcome.err
    return path


def test_worst_queries_as_json(panglot: Panglot, results: Path) -> None:
    outcome = panglot("inspect", results, "--pairs", "ar-all,de-en", "--count", 2, "--depth", 3, "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.results
    assert [(f["query_language"], f["pool"]) for f in found] == [("ar", "*")] * 2 + [("de", "en")] * 2
    assert all(len(f["above"]) == min(3, f["answer"]["rank"] - 1) for f in found)
    assert all(f["answer"]["relevance"] == 1 for f in found)
    assert found[0]["value"] <= found[1]["value"]


def test_worst_queries_to_read(panglot: Panglot, results: Path) -> None:
    outcome = panglot("inspect", results)
    assert outcome.code == 0, outcome.err
    for language in ("Arabic (ar)", "German (de)", "English (en)"):
        assert f"Queries in {language}, passages in all languages" in outcome.out
    shown = panglot("inspect", results, "--json").results[0]
    # right-to-left text is on lines of its own, isolated from what is around it
    assert shown["query_language"] == "ar" and f"\u2068{shown['query']}\u2069" in outcome.out


def test_results_remember_where_their_data_are(
    panglot: Panglot, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    rows = [
        {
            "item_id": str(k),
            "language": code,
            "frage": f"question {k} {code}",
            "passage": f"answer {k} {code}",
        }
        for k in range(3)
        for code in ("de", "en")
    ]
    pairs, path = tmp_path / "pairs.jsonl", tmp_path / "results.json"
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ("--benchmark", "pairs", "--data", pairs, "--column", "query=frage")
    assert panglot("evaluate", tiny_checkpoint, *given, "--output", path).code == 0
    assert len(panglot("inspect", path, "--json").results) == 2
    pairs.unlink()
    moved = panglot("inspect", path)
    assert moved.code == 2 and str(pairs) in moved.err


def test_results_of_bm25_are_refused(panglot: Panglot, results: Path) -> None:
    content = json.loads(results.read_text())
    content["model"]["name"] = "bm25"
    results.write_text(json.dumps(content))
    outcome = panglot("inspect", results)
    assert outcome.code == 2 and "is of bm25, which has no embeddings" in outcome.err
