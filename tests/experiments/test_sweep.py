"""A sweep: their order, what is told, what is shared, and several at once."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from small_runs import read_results

from panglot import PanglotError
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.experiments import runs as runs_module
from panglot.experiments import sweep as sweep_module
from panglot.experiments.runs import Data, Run, folder_of, missing_targets
from panglot.experiments.sweep import Progress, sweep
from panglot.training import StepReport, TrainingConfig

MakeRun = Callable[..., Run]


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A worker takes its share of the processors; here that would stay with the tests after it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runs that are finished without work, by group; one called "stopped" is interrupted."""
    made: dict[str, Any] = {"finished": ["done before"], "begun": []}

    def finish(run: Run, data: Data, folder: Path, tell: Callable[[StepReport], None]) -> bool:
        made["begun"].append(run.name)
        tell(StepReport(1, 2))
        if run.name == "stopped":
            return False
        tell(StepReport(2, 2))
        made["finished"].append(run.name)
        return True

    monkeypatch.setattr(sweep_module, "finish", finish)
    monkeypatch.setattr("panglot.experiments.sweep.gc.collect", lambda: None)  # there is nothing large
    monkeypatch.setattr(sweep_module, "check_run", lambda *_: None)
    monkeypatch.setattr(runs_module, "missing_targets", lambda run, *_: run.name not in made["finished"])
    return made


def test_it_is_told_how_far_the_sweep_is(pretended: dict[str, Any], make_run: MakeRun) -> None:
    told: list[Progress] = []
    runs = [make_run(group, trained=group != "zero") for group in ("zero", "done before", "hybrid")]
    sweep(runs, Data(()), Path(), progress=told.append)
    assert told == [
        Progress(1, 3, "zero"),
        Progress(1, 3, "zero", (1, 2)),
        Progress(1, 3, "zero", (2, 2)),
        Progress(2, 3, "zero"),
        Progress(2, 3, "hybrid, seed 0"),
        Progress(2, 3, "hybrid, seed 0", (1, 2)),
        Progress(2, 3, "hybrid, seed 0", (2, 2)),
        Progress(3, 3, "hybrid, seed 0"),
    ]
    sweep(runs, Data(()), Path())  # nothing is left to do
    assert pretended["begun"] == ["zero", "hybrid"]


def test_an_interrupted_run_ends_the_sweep(pretended: dict[str, Any], make_run: MakeRun) -> None:
    runs = [make_run(group) for group in ("first", "stopped", "third")]
    with pytest.raises(KeyboardInterrupt):
        sweep(runs, Data(()), Path())
    assert pretended["begun"] == ["first", "stopped"]


def test_two_runs_of_one_name_are_refused(make_run: MakeRun) -> None:
    runs = [make_run("hybrid", {"batches.alpha": alpha}) for alpha in (0.4, 0.5)]
    with pytest.raises(PanglotError, match="two runs are called 'hybrid, seed 0'; give every run a name"):
        sweep(runs, Data(()), Path())


def test_experiments_share_runs_in_one_folder(
    make_run: MakeRun, data: Data, trained: list[TrainingConfig], tmp_path: Path
) -> None:
    zero, first = make_run("zero-shot", trained=False), make_run("hybrid")
    same, second = make_run("alpha 0.5"), make_run("alpha 0.6", {"batches.alpha": 0.6})
    sweep([zero, first], data, tmp_path)
    sweep([zero, same, second], data, tmp_path)
    assert [recipe.batches.used_alpha for recipe in trained] == [0.5, 0.6]
    assert len(list(tmp_path.iterdir())) == 3
    found = {run.name: read_results(run, data, tmp_path)["sample"].results for run in (first, same)}
    assert found["hybrid"] == found["alpha 0.5"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"batches.size": 500}, "the most is 48: choose a batch size up to 48"),
        ({"training.patience": 2}, "patience needs held-out documents"),
        ({"training.report_to": ["tensorbord"]}, "'tensorbord' cannot be used"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_trained(
    make_run: MakeRun,
    data: Data,
    trained: list[TrainingConfig],
    tmp_path: Path,
    wrong: dict[str, Any],
    said: str,
) -> None:
    runs = [make_run("hybrid"), make_run("wrong", wrong)]
    with pytest.raises(PanglotError, match=said):
        sweep(runs, data, tmp_path)
    assert trained == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("having", "workers", "share"),
    [
        ({"CPU": 16.0}, 3, (5, 0)),
        ({"CPU": 2.0}, 2, (1, 0)),
        ({"CPU": 2.0}, 3, (0.6666, 0)),  # three of it are not more than 2
        ({"CPU": 32.0, "GPU": 8.0}, 3, (10, 2)),
        ({"CPU": 8.0, "GPU": 1.0}, 4, (2, 0.25)),
    ],
    ids=str,
)
def test_workers_have_equal_shares_that_ray_takes(
    having: dict[str, float], workers: int, share: tuple[float, float]
) -> None:
    assert sweep_module._share(having, workers) == share


class FakeRay(ModuleType):
    """Ray, whose workers run at once and in turn, until one fails."""

    class RayTaskError(Exception):
        """What Ray raises for what a worker raised."""

        cause: Exception | None = None

    def __init__(self) -> None:
        super().__init__("ray")
        self.exceptions = SimpleNamespace(RayTaskError=self.RayTaskError)
        self.results: dict[int, Exception | None] = {}
        self.options: dict[str, Any] = {}
        self.cancelled: list[int] = []
        self.running = False

    def is_initialized(self) -> bool:
        return self.running

    def init(self, **_: Any) -> None:
        self.running = True

    def shutdown(self) -> None:
        self.running = False

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 4.0}

    def remote(self, **options: Any) -> Any:
        self.options = options

        def submit(*arguments: Any) -> int:
            try:
                sweep_module._in_worker(*arguments)
                error = None
            except Exception as raised:
                error = raised
            self.results[len(self.results)] = error
            return len(self.results) - 1

        return lambda _: SimpleNamespace(remote=submit)

    def wait(self, tasks: Sequence[int], num_returns: int) -> tuple[list[int], list[int]]:
        return list(tasks[:num_returns]), list(tasks[num_returns:])

    def get(self, task: int) -> None:
        if (cause := self.results[task]) is not None:
            error = self.RayTaskError("a traceback of many lines")
            error.cause = cause
            raise error

    def cancel(self, task: int) -> None:
        self.cancelled.append(task)


def test_what_a_worker_raises_is_one_sentence_and_ends_the_others(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("panglot.experiments.sweep.gc.collect", lambda: None)
    monkeypatch.setattr(sweep_module, "check_run", lambda *_: None)
    monkeypatch.setattr(sweep_module, "missing_targets", lambda *_: [True])

    def finish(run: Run, data: Data, folder: Path) -> bool:
        assert folder.is_absolute()
        if run.name == "wrong":
            raise PanglotError("this cannot work.")
        return True

    monkeypatch.setattr(sweep_module, "finish", finish)
    told: list[Progress] = []
    runs = [make_run(group) for group in ("right", "wrong", "after")]
    with pytest.raises(PanglotError) as raised:
        sweep(runs, Data(()), Path("runs"), workers=2, progress=told.append)
    assert str(raised.value) == "wrong, seed 0: this cannot work."
    assert told == [Progress(0, 3, "3 runs, 2 at once"), Progress(1, 3, "right, seed 0")]
    assert ray.options == {"num_cpus": 2, "num_gpus": 0}
    assert ray.cancelled == [1, 2]
    assert not ray.running


def test_workers_without_ray_are_refused(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(sweep_module, "check_run", lambda *_: None)
    monkeypatch.setattr(sweep_module, "missing_targets", lambda *_: [True])
    with pytest.raises(PanglotError, match=r"ray is not installed; use --workers 1, or run pip"):
        sweep([make_run("a"), make_run("b")], Data(()), Path(), workers=2)


@pytest.mark.slow
def test_two_workers_give_the_figures_of_one_process(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")

    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's own 15 starves workers on a busy machine
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.jsonl").write_bytes((SAMPLE_FOLDER / "train.jsonl").read_bytes())
    data = Data(("train.jsonl",))  # workers find it, too
    runs = [make_run("hybrid", {"training.seed": seed}) for seed in (0, 1)]
    told: list[Progress] = []
    sweep(runs, data, Path("several"), workers=2, progress=told.append)
    assert sorted(progress.run for progress in told[1:]) == ["hybrid, seed 0", "hybrid, seed 1"]
    assert [progress.done for progress in told] == [0, 1, 2]
    sweep(runs, data, Path("one"))
    for run in runs:
        assert missing_targets(run, data, Path("several")) == []
        several, one = (read_results(run, data, Path(name))["sample"] for name in ("several", "one"))
        for part in ("settings", "bias", "matrix"):
            assert several.results[part] == one.results[part]
        assert several.results["model"]["sha256"] == one.results["model"]["sha256"]
        assert folder_of(run, data, Path()).name in {path.name for path in Path("several").iterdir()}
