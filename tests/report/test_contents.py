"""What a report is written from."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from panglot.errors import PanglotError
from panglot.evaluation import Evaluation
from panglot.evaluation.bootstrap import intervals
from panglot.evaluation.groups import group_figures
from panglot.evaluation.inspect import as_json
from panglot.report import sections as module
from panglot.report.failures import read_failures
from panglot.report.sections import gather


def test_figures_lie_within_their_intervals_and_failures_go_to_their_run(runs: SimpleNamespace) -> None:
    contents = gather(runs.evaluations, failures=runs.failures[::-1], resamples=100, flips=200)
    assert list(contents.failures.values()) == runs.failures
    assert (contents.measure, contents.benchmark["languages"]) == ("AP", ["ar", "en", "sw"])
    for name, evaluation in contents.runs.items():
        rows = contents.rows("settings", "nDCG@10")
        found = rows[rows["run"] == name].set_index("setting")
        for setting, figures in evaluation.results["settings"].items():
            assert found.loc[setting, "value"] == figures["nDCG@10"]
        assert (found["low"] <= found["value"]).all()
        assert (found["value"] <= found["high"]).all()
    assert contents.compared is not None
    assert contents.compared.baseline == "plain"
    verdicts = contents.rows("settings", "AP").set_index(["run", "setting"])["verdict"]
    assert verdicts["plain"].isna().all()
    assert verdicts.drop("plain").tolist() == ["better"] * 3


def test_groups_have_their_figures(runs: SimpleNamespace) -> None:
    contents = gather(runs.evaluations[1:], resamples=10)
    values = contents.rows("languages training", "AP").set_index(["group", "setting"])["value"]
    by_language = runs.evaluations[1].results["by_language"]
    assert values["seen: en", "monolingual"] == pytest.approx(by_language["en"]["monolingual"]["AP"])
    means = [by_language[code]["multilingual"]["AP"] for code in ("ar", "sw")]
    assert values["unseen: ar, sw", "multilingual"] == pytest.approx(sum(means) / 2)
    assert set(contents.rows("pairs training")["group"]) == {"neither seen: 2 pairs", "one seen: 4 pairs"}


def test_stored_intervals_are_used_where_they_were_drawn_alike(
    runs: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, *_), table = runs.evaluations, runs.evaluations[0].per_query
    stored = intervals(table, first.measures, passages=first.results["benchmark"]["passages"], resamples=50)
    results = {
        **first.results,
        "intervals": stored,
        "groups": group_figures(first.results, table, resamples=50),
    }
    fresh = gather([first], resamples=50).figures
    drawn: list[int] = []

    def draw(*_: Any, seed: int, **__: Any) -> dict[str, Any]:
        drawn.append(seed)
        return stored

    monkeypatch.setattr(module, "intervals", draw)
    pd.testing.assert_frame_equal(gather([Evaluation(results, table)], resamples=50).figures, fresh)
    assert drawn == []
    gather([Evaluation(results, table)], resamples=50, seed=7)
    assert drawn == [7]


def test_a_single_run_is_not_compared(runs: SimpleNamespace) -> None:
    contents = gather(runs.evaluations[:1], resamples=10)
    assert contents.compared is None
    assert "verdict" not in contents.figures


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
    other = [replace(runs.failures[0][0], **change)]
    with pytest.raises(PanglotError, match="belong to none of these results"):
        gather(runs.evaluations, failures=[other], resamples=10, flips=10)


def test_reading_failures(runs: SimpleNamespace, tmp_path: Path) -> None:
    path, plain = tmp_path / "worst.json", as_json(runs.failures[0])
    path.write_text(json.dumps(plain))
    assert read_failures(path) == runs.failures[0]
    lacking = [{key: value for key, value in plain[0].items() if key != "answer"}]
    for content in ("{}", "[1]", '[{"query": 3}]', "no json", json.dumps(lacking)):
        path.write_text(content)
        with pytest.raises(PanglotError, match="write it with 'panglot inspect RESULTS --json"):
            read_failures(path)
