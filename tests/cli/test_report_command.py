"""``panglot report`` on results files of random vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

Runner = Callable[..., Any]
QUICK = ("--resamples", "20", "--flips", "50")


def failure(path: Path) -> dict[str, Any]:
    """A failure as ``panglot inspect --json`` prints it, of the first query in a run's table."""
    row = pq.read_table(path.with_suffix(".parquet")).slice(0, 1).to_pylist()[0]
    answer = {
        "rank": row["best_rank"],
        "score": 0.5,
        "id": "a",
        "language": "en",
        "text": "yes",
        "relevance": 1,
    }
    return {
        "query_id": row["query_id"],
        "query_language": row["query_language"],
        "query": "what was asked <b>",
        "pool": row["pool"],
        "measure": "AP",
        "value": row["AP"],
        "answer": answer,
        "above": [],
    }


def test_a_page_and_figures(panglot: Runner, runs: list[Path], tmp_path: Path) -> None:
    worst = tmp_path / "worst.json"
    worst.write_text(json.dumps([failure(runs[1])]))
    page, figures = tmp_path / "r.html", tmp_path / "figures"
    outcome = panglot("report", *QUICK, *runs, "--output", page, "--assets", figures, "--failures", worst)
    assert outcome.code == 0, outcome.err
    assert "mAP on sample; baseline: plain" in outcome.out
    assert f"wrote the report to {page}" in outcome.out
    text = page.read_text(encoding="utf-8")
    assert "Worst queries of tuned" in text
    assert "what was asked &lt;b&gt;" in text
    assert (figures / "settings.tex").is_file()


def test_json(panglot: Runner, runs: list[Path], tmp_path: Path) -> None:
    outcome = panglot(
        "report", *QUICK, runs[0], "--output", tmp_path / "r.html", "--json", "--measure", "nDCG@10"
    )
    found = outcome.results
    assert found["files"] == [str(tmp_path / "r.html")]
    assert found["compared"] is None
    value = json.loads(runs[0].read_text())["settings"]["monolingual"]["nDCG@10"]
    rows = {(row["setting"], row["measure"]): row for row in found["summary"]}
    row = rows["monolingual", "nDCG@10"]
    assert row["value"] == value
    assert row["low"] < value < row["high"]
