"""The answer as files: the page, Markdown with its pictures and tables, and the summary for programs."""

import errno
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot import PanglotError
from panglot.data import sample
from panglot.experiments import answer as answering
from panglot.experiments import asking
from panglot.experiments.answer import Answer, summarised, write_answer
from panglot.experiments.asking import ask, planned, unfinished
from panglot.experiments.charts import dots
from panglot.experiments.experiment import Experiment
from panglot.experiments.runs import Measured, Places, Run
from panglot.report.blocks import Cell, Grid, Picture, Section, Sentences

SUM = hashlib.sha256((sample.FOLDER / "train.jsonl").read_bytes()).hexdigest()
HELD_OUT_SUM = hashlib.sha256((sample.FOLDER / "held-out.jsonl").read_bytes()).hexdigest()
ROWS = [{"name": "en", "value": 0.5, "low": 0.4, "high": 0.6, "series": "hybrid", "panel": "one"}]
SPEC = dots(ROWS, "a title", value="mAP", names=["en"], series=["hybrid"], panels=["one"])
ANSWER = Answer(
    ["Hybrid is better.", "It costs nothing."],
    [
        Section(
            "sample", "On the sample", [Sentences(["Hybrid is better."]), Picture("plot", "t", "alt", SPEC)]
        ),
        Section(
            "more", "More", [Grid("table", "Figures", ["", "mAP"], [[Cell("hybrid"), Cell("0.5", 0.5)]])]
        ),
    ],
    {"gain": 0.25, "nothing": math.nan, "pairs": (1, 2)},
)


@pytest.fixture
def experiment(make_run: Callable[..., Run]) -> Experiment:
    recipe = make_run("hybrid").recipe
    return Experiment(question="alpha", benchmarks=["sample"], recipe=recipe, grid={"alphas": [0.5]})


@pytest.fixture
def runs(make_run: Callable[..., Run]) -> list[Run]:
    measured = (Measured("sample", ("de", "en")),)
    return [
        make_run("as it comes", trained=False, benchmarks=measured),
        make_run("hybrid", benchmarks=measured),
        make_run("hybrid", {"training.seed": 1}, benchmarks=measured),
    ]


def test_all_files_are_written(
    experiment: Experiment, runs: list[Run], places: Places, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    output = tmp_path / "new" / "answer"
    written = write_answer(ANSWER, "Which one?", experiment, runs, places, tmp_path / "runs", output)
    names = ["report.html", "report.md", "summary.json", "plot.svg", "plot.png"]
    names += ["table.csv", "table.tex", "table.md"]
    assert [path.name for path in written] == names
    assert {path.name for path in output.iterdir()} == set(names)
    assert not (tmp_path / "runs").exists()
    subtitle = f"{tiny_checkpoint}; 3 runs, 2 seeds; measured on sample."
    page = (output / "report.html").read_text(encoding="utf-8")
    for text in ("Which one?", subtitle, "On the sample", "Hybrid is better.", "Figures", "<svg"):
        assert text in page
    markdown = (output / "report.md").read_text(encoding="utf-8")
    for text in ("# Which one?\n", "## On the sample\n", "![alt](plot.svg)", "| hybrid | 0.5 |"):
        assert text in markdown
    assert (output / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_summary_tells_all_that_repeating_takes(
    experiment: Experiment, runs: list[Run], places: Places, tmp_path: Path
) -> None:
    write_answer(ANSWER, "Which one?", experiment, runs, places, tmp_path / "runs", tmp_path)

    def refused(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    text = (tmp_path / "summary.json").read_text(encoding="utf-8")
    summary = json.loads(text, parse_constant=refused)
    assert Experiment.model_validate(summary["experiment"]) == experiment
    assert summary["sources"] == {"train": SUM}
    assert summary["held_out"] == 0
    assert summary["benchmarks"] == {"sample": {"languages": ["de", "en"], "sha256": [HELD_OUT_SUM]}}
    assert [run["name"] for run in summary["runs"]] == ["as it comes", "hybrid, seed 0", "hybrid, seed 1"]
    assert len({run["folder"] for run in summary["runs"]}) == 3
    assert summary["runs"][2]["key"]["training"]["seed"] == 1
    assert summary["sentences"] == ["Hybrid is better.", "It costs nothing."]
    assert summary["answer"] == {"gain": 0.25, "nothing": None, "pairs": [1, 2]}
    assert {"panglot", "command", "created", "versions"} <= set(summary)


def test_held_out_documents_are_told_even_where_nothing_is_trained(
    experiment: Experiment, runs: list[Run], places: Places, tmp_path: Path
) -> None:
    held_out = Places(places.pairs, held_out=0.25)
    summary = summarised(ANSWER, experiment, runs[:1], held_out, tmp_path)
    assert (summary["held_out"], summary["sources"]) == (0.25, {"train": SUM})


@pytest.mark.parametrize("drawing", ["page", "markdown", "write_assets"])
def test_where_drawing_fails_no_report_is_left(
    drawing: str,
    experiment: Experiment,
    runs: list[Run],
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> None:
        raise ValueError("cannot be drawn")

    monkeypatch.setattr(answering, drawing, fails)
    with pytest.raises(ValueError, match="cannot be drawn"):
        write_answer(ANSWER, "Which one?", experiment, runs, places, tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_last_answer(
    experiment: Experiment, runs: list[Run], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "report.html").write_text("the last answer")
    monkeypatch.setattr(answering, "write_assets", lambda *_: [])
    monkeypatch.setattr(Path, "write_text", no_space)
    with pytest.raises(PanglotError, match="the disk is full"):
        write_answer(ANSWER, "Which one?", experiment, runs, places, tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "the last answer"


class Question:
    """A question whose answer is what it was given."""

    TITLE = "Which one?"

    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs

    def plan(self, *_: Any) -> list[Run]:
        return self.runs

    def answer(self, experiment: Experiment, runs: Any, findings: Any, **more: Any) -> Answer:
        figures = {"findings": findings, "more": more}
        return Answer(["Found."], ANSWER.sections[1:], figures)


class PreparedQuestion(Question):
    """One that measures something once the runs are finished."""

    def prepare(self, experiment: Experiment, places: Places, folder: Path) -> str:
        assert (folder / "finished").exists()
        return f"{experiment.question} on {len(places.pairs)} source"


@pytest.mark.parametrize(
    ("kind", "more"), [(Question, {}), (PreparedQuestion, {"prepared": "alpha on 1 source"})]
)
def test_asking_runs_the_grid_and_writes_the_answer(
    kind: type[Question],
    more: dict[str, str],
    experiment: Experiment,
    runs: list[Run],
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_grid(given: Any, where: Places, folder: Path, **settings: Any) -> None:
        assert (given, where, settings["workers"]) == (runs, places, 3)
        folder.mkdir(parents=True)
        (folder / "finished").touch()

    monkeypatch.setattr(asking, "question", lambda _: kind(runs))
    monkeypatch.setattr(asking, "run_grid", run_grid)
    monkeypatch.setattr(asking, "read_findings", lambda *_: {"sample": {}})
    asked = ask(experiment, places, tmp_path, workers=3)
    assert asked.answer.figures == {"findings": {"sample": {}}, "more": more}
    assert asked.summary == json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert asked.written[0] == tmp_path / "report.html"
    assert (tmp_path / "runs" / "finished").exists()
    ask(experiment, places, tmp_path, runs_folder=tmp_path / "shared", workers=3)
    assert (tmp_path / "shared" / "finished").exists()


def test_what_is_unfinished_is_told(runs: list[Run], places: Places, tmp_path: Path) -> None:
    assert unfinished(runs, places, tmp_path) == runs


@pytest.mark.parametrize(
    ("changes", "places_of", "message"),
    [
        ({}, Places(()), "there is nothing to train on; name parallel pairs with --pairs"),
        ({"benchmarks": []}, Places(("x",)), "there is nothing to measure on; name a benchmark with --bench"),
        ({"measure": "nDCG@7"}, Places(("x",)), "the answer is wanted in nDCG@7, but AP, nDCG@10, R@100, "),
    ],
)
def test_what_cannot_be_answered_is_said_first(
    experiment: Experiment, changes: dict[str, Any], places_of: Places, message: str
) -> None:
    with pytest.raises(PanglotError, match=message):
        planned(experiment.model_copy(update=changes), places_of)
