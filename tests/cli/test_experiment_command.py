"""``panglot experiment NAME``, as its questions are asked from the command line."""

import contextlib
import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers.utils.logging import disable_progress_bar

from panglot.cli import main
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.experiments import sweep
from panglot.training import Training

Runner = Callable[..., Any]
SAMPLE = SAMPLE_FOLDER / "train.jsonl"
SETTINGS = ["grid.alphas=[0.4, 0.5]", 'grid.languages=["de", "en"]', "grid.schedules={}"]
SETTINGS += ["training.steps=2", "training.max_length=24", "training.learning_rate=0.01", "batches.size=4"]
FILES = {"report.html", "report.md", "summary.json", "runs"}
TABLES = ("alpha-sample", "alpha-sample-languages")
FILES |= {f"{name}{ending}" for name in TABLES for ending in (".csv", ".tex", ".md")}
FILES |= {f"alpha-sample-curve{ending}" for ending in (".svg", ".png")}
NAMES = ["zero-shot", "alpha 0.4, seed 0", "alpha 0.5, seed 0"]


@pytest.fixture(scope="module")
def given(tiny_checkpoint: Path) -> list[str]:
    """A small experiment: three runs of two steps."""
    asked = ["experiment", "alpha", "--pairs", SAMPLE, "--benchmark", "sample", "--model", tiny_checkpoint]
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return [*map(str, asked), "--seeds", "1", *settings, "--output"]


@pytest.fixture(scope="module")
def finished(given: list[str], tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """That experiment's folder, and what was said on the way."""
    folder = tmp_path_factory.mktemp("experiment") / "alpha"
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of other libraries
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["panglot", *given, str(folder)])
        streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
        with streams[0], streams[1], pytest.raises(SystemExit) as stopped:
            main()
    assert stopped.value.code == 0, err.getvalue()
    return SimpleNamespace(folder=folder, out=out.getvalue(), err=err.getvalue())


@pytest.fixture
def copied(finished: SimpleNamespace, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.folder, tmp_path / "copied"))


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained."""
    monkeypatch.setattr(sweep, "train_recipe", lambda *_, **__: pytest.fail("a run is trained"))


def test_the_answer_is_written_and_shown(finished: SimpleNamespace) -> None:
    assert {path.name for path in finished.folder.iterdir()} == FILES
    summary = json.loads((finished.folder / "summary.json").read_text(encoding="utf-8"))
    *lines, last = finished.out.splitlines()
    assert lines[0].startswith("mAP on sample by share of monolingual batches")
    assert last == f"wrote the report, plots and tables to {finished.folder}"
    assert [run["name"] for run in summary["runs"]] == NAMES
    assert summary["benchmarks"]["sample"]["languages"] == ["de", "en"]
    assert list(summary["tables"]) == list(TABLES)
    rows = summary["tables"]["alpha-sample"]["rows"]
    assert len(rows) == 3 * 4  # runs, in three settings and rank distance
    own = [row for row in rows if row["run"] == "alpha 0.4"]
    assert {row["baseline"] for row in own} == {"alpha 0.5"}
    assert all(
        row["low"] <= row["value"] <= row["high"] and 0 < row["p"] <= row["p_holm"] <= 1 for row in own
    )
    with (finished.folder / "alpha-sample.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [float(row["value"]) for row in written] == [row["value"] for row in rows]
    picture = (finished.folder / "alpha-sample-curve.svg").read_text(encoding="utf-8")
    assert "mAP on sample: difference from alpha 0.5" in picture


def test_progress_in_a_pipe_is_a_line_a_beginning_and_an_end(finished: SimpleNamespace) -> None:
    lines = [line for line in finished.err.splitlines() if line.startswith("[")]
    begun = [f"[{k}/3] {name}" for k, name in enumerate(NAMES)]
    ended = [f"[{k}/3] done: {name}" for k, name in enumerate(NAMES, 1)]
    assert [line.split("  ")[0] for line in lines] == [
        line for pair in zip(begun, ended, strict=True) for line in pair
    ]
    assert lines[-1].endswith("  about 0 min left")
    assert "\r" not in finished.err
    assert "\x1b" not in finished.err


@pytest.mark.usefixtures("untrained")
def test_json_is_the_summary_and_a_finished_grid_is_not_run_again(
    panglot: Runner, given: list[str], copied: Path
) -> None:
    before = json.loads((copied / "summary.json").read_text(encoding="utf-8"))
    outcome = panglot(*given, copied, "--json")
    assert outcome.code == 0
    assert outcome.results == json.loads((copied / "summary.json").read_text(encoding="utf-8"))
    for part in ("tables", "runs", "benchmarks", "sources", "experiment"):
        assert outcome.results[part] == before[part]
    assert "[" not in outcome.err


@pytest.mark.usefixtures("untrained")
def test_a_dry_run_lists_what_is_to_do(
    panglot: Runner, given: list[str], finished: SimpleNamespace, tmp_path: Path
) -> None:
    outcome = panglot(*given, tmp_path / "new", "--dry-run")
    assert outcome.out.splitlines() == [f"to do  {name}" for name in NAMES]
    assert not (tmp_path / "new").exists()
    runs = ("--runs", finished.folder / "runs")
    outcome = panglot(*given, tmp_path / "new", "--dry-run", *runs, "--seeds", "2")
    lines = [line.split("  ", 1) for line in outcome.out.splitlines()]
    assert {name.strip(): state for state, name in lines} == dict.fromkeys(NAMES, "done") | {
        f"alpha {alpha}, seed 1": "to do" for alpha in (0.4, 0.5)
    }
    listed = panglot(*given, tmp_path / "new", "--dry-run", *runs, "--json").results
    assert listed == [{"name": name, "done": True} for name in NAMES]


def test_ctrl_c_is_130_and_writes_no_answer(
    panglot: Runner, given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = Training(1, {}, [], finished=False)
    monkeypatch.setattr(sweep, "train_recipe", lambda *_, **__: stopped)
    outcome = panglot(*given, tmp_path / "new")
    assert outcome.code == 130
    assert "Traceback" not in outcome.err
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"runs"}


def test_another_measure_is_measured_and_asked_for(panglot: Runner, given: list[str], tmp_path: Path) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        'question = "alpha"\nbenchmarks = ["sample"]\nmeasure = "nDCG@3"\n[grid]\nalphas = [0.5]'
    )
    outcome = panglot(*given, tmp_path / "new", "--recipe", recipe, "--dry-run")
    assert outcome.code == 0, outcome.err


@pytest.mark.usefixtures("untrained")
def test_without_what_draws_nothing_is_begun(
    panglot: Runner, given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "altair", None)
    outcome = panglot(*given, tmp_path / "new")
    assert (outcome.code, outcome.out) == (2, "") and "panglot[report]" in outcome.err
    assert not (tmp_path / "new").exists()
