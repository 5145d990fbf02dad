"""What a report is written from."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from panglot.errors import PanglotError
from panglot.evaluation import Evaluation
from panglot.report.contents import gather, read_failures


def test_figures_lie_within_their_intervals_and_failures_go_to_their_run(runs: SimpleNamespace) -> None:
    contents = gather(runs.evaluations, failures=runs.failures[::-1], resamples=100, flips=200)
    assert [list(run.failures) for run in contents.runs] == runs.failures
    assert (contents.measure, contents.languages) == ("AP", ["ar", "en", "sw"])
    for run, evaluation in zip(contents.runs, runs.evaluations, strict=True):
        for setting, figures in evaluation.results["settings"].items():
            low, high = run.bounds["settings"][setting]["nDCG@10"]
            assert low <= figures["nDCG@10"] <= high
    assert contents.compared is not None
    assert contents.compared["baseline"] == "plain"


def test_a_single_run_is_not_compared(runs: SimpleNamespace) -> None:
    contents = gather(runs.evaluations[:1], resamples=10)
    assert contents.compared is None


@pytest.mark.parametrize(
    ("count", "options", "sentence"),
    [
        (0, {}, "there is nothing to report"),
        (1, {"baseline": 1}, "there is no run 2 to be the baseline; there is one run only"),
        (2, {"baseline": 4}, "there is no run 5 to be the baseline"),
        (1, {"measure": "P@5"}, "not all runs hold 'P@5'"),
    ],
)
def test_what_cannot_be_reported(
    runs: SimpleNamespace, count: int, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PanglotError, match=sentence):
        gather(runs.evaluations[:count], resamples=10, **options)


def test_other_benchmarks_are_refused(runs: SimpleNamespace) -> None:
    first, second = runs.evaluations
    results = {**second.results, "benchmark": {**second.results["benchmark"], "sha256": "f" * 64}}
    with pytest.raises(PanglotError, match="different benchmarks"):
        gather([first, Evaluation(results, second.per_query)], resamples=10)


@pytest.mark.parametrize("change", [{"value": 0.123}, {"query_id": "none"}, {"measure": "P@3"}])
def test_failures_of_another_run_are_refused(runs: SimpleNamespace, change: dict[str, Any]) -> None:
    other = [{**runs.failures[0][0], **change}]
    with pytest.raises(PanglotError, match="not those of any of the results"):
        gather(runs.evaluations, failures=[other], resamples=10, flips=10)


def test_reading_failures(runs: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "worst.json"
    path.write_text(json.dumps(runs.failures[0]))
    assert read_failures(path) == json.loads(path.read_text())
    lacking = [{key: value for key, value in runs.failures[0][0].items() if key != "answer"}]
    for content in ("{}", "[1]", '[{"query": 3}]', "no json", json.dumps(lacking)):
        path.write_text(content)
        with pytest.raises(PanglotError, match="write it with 'panglot inspect RESULTS --json"):
            read_failures(path)
