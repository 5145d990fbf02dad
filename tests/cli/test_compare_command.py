"""``panglot compare`` on results files of random vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from panglot.cli import show
from panglot.cli.compare import compare
from panglot.data import sample_benchmark
from panglot.errors import PanglotError
from panglot.evaluation import Evaluation, describe_run, evaluate_embeddings
from panglot.evaluation.results import describe_benchmark

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs on the sample in three languages: the second one's vectors have more meaning in them."""
    folder = tmp_path_factory.mktemp("runs")
    benchmark = sample_benchmark().restrict(["en", "de", "sw"])
    rng = np.random.default_rng(0)
    meaning = rng.normal(size=(int(benchmark.query_items.max()) + 1, 32))
    item_of = np.zeros(len(benchmark.passages), np.int64)
    item_of[benchmark.judged_passage] = benchmark.query_items[benchmark.judged_query]
    paths = []
    for name, share in (("plain", 0.2), ("tuned", 2.0)):
        queries, passages = (
            share * meaning[items] + rng.normal(size=(len(items), 32))
            for items in (benchmark.query_items, item_of)
        )
        unit = [
            (v / np.linalg.norm(v, axis=1, keepdims=True)).astype(np.float32) for v in (queries, passages)
        ]
        found = evaluate_embeddings(benchmark, *unit)
        described = {
            **describe_run(),
            "model": {"name": name, "sha256": None},
            "benchmark": describe_benchmark(benchmark),
        }
        paths.append(folder / f"{name}.json")
        Evaluation({**described, **found.results}, found.per_query).save(paths[-1])
    return paths


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    from rich.console import Console

    app = typer.Typer()
    app.command()(compare)

    def invoke(*arguments: object) -> Any:
        monkeypatch.setattr(show, "out", Console(width=80))
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


def test_json_holds_the_figures_of_the_files(run: Run, files: list[Path]) -> None:
    outcome = run(*files, "--json", "--flips", 300, "--resamples", 50)
    compared = json.loads(outcome.stdout)
    assert (compared["runs"], compared["baseline"]) == (["plain", "tuned"], "plain")
    for path, name in zip(files, compared["runs"], strict=True):
        results = json.loads(path.read_text())
        for setting, figures in results["settings"].items():
            value = compared["compared"][name]["settings"][setting]["value"]
            assert value == pytest.approx(figures["AP"])
        assert compared["compared"][name]["rank_distance"]["value"] == pytest.approx(
            results["bias"]["rank_distance"]
        )
    assert compared["compared"]["tuned"]["settings"]["multilingual"]["verdict"] == "better"


def test_a_person_sees_tables(run: Run, files: list[Path]) -> None:
    outcome = run(*files, "--measure", "nDCG@10")
    assert outcome.exit_code == 0
    text = " ".join(outcome.stdout.split())
    assert "nDCG@10 on sample; baseline: plain" in text
    assert "tuned minus plain: nDCG@10 by query language" in text
    assert "Change of nDCG@10 × 100 from plain: tuned" in text
    assert outcome.stdout.count("▲") >= 3 + 3 * 3 + 9  # in all settings, languages and pairs
    assert outcome.stdout.count("▼ (better)") == 1 + 3  # of rank distance
    assert "Swahili (sw) +" in text
    assert max(map(len, outcome.stdout.splitlines())) <= 160


def test_the_baseline_is_chosen_by_number(run: Run, files: list[Path]) -> None:
    text = " ".join(run(*files, "--baseline", 2).stdout.split())
    assert "nDCG@10 on sample; baseline: tuned" in text or "mAP on sample; baseline: tuned" in text
    assert "plain minus tuned: mAP by query language" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--baseline", "3"), "there is no run 3 to be the baseline"),
        (("--measure", "P@5"), "not all runs hold 'P@5'"),
        (("--flips", "0"), "0 flips cannot be drawn"),
        (("--alpha", "5"), "alpha is 5; use a number between 0 and 1"),
    ],
)
def test_bad_options_are_one_sentence(
    run: Run, files: list[Path], arguments: tuple[str, str], sentence: str
) -> None:
    outcome = run(*files, *arguments)
    assert isinstance(outcome.exception, PanglotError)
    assert sentence in str(outcome.exception)


def test_runs_of_other_queries_are_refused(run: Run, files: list[Path], tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**json.loads(files[0].read_text()), "schema": 7}))
    assert "has schema 7" in str(run(files[0], other).exception)
    assert "one run cannot be compared" in str(run(files[0]).exception)
