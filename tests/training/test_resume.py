"""An interrupted run goes on and ends with the weights of an uninterrupted one."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import warm
from filelock import FileLock
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, load_encoder, sample_pairs, train
from panglot.data import ParallelPairs
from panglot.encoders import model_sha256
from panglot.files import MANIFEST, write_manifest
from panglot.training import Lora, StepReport, Training, callbacks
from panglot.training.checkpoints import LOCK_FILE, last_checkpoint, only_training

HOW: dict[str, Any] = {"steps": 6, "learning_rate": 1e-3, "save_steps": 2}
Runner = Callable[..., tuple[Training, SentenceTransformer]]


class CrashError(Exception):
    """Stands for whatever ends a process."""


def crash_after(step: int) -> Callable[[StepReport], None]:
    def tell(report: StepReport) -> None:
        if report.step == step:
            raise CrashError

    return tell


def press_ctrl_c(step: int, times: int = 1) -> Callable[[StepReport], None]:
    def tell(report: StepReport) -> None:
        if report.step == step and not report.figures:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    return tell


@pytest.fixture(scope="module")
def run(run: Runner) -> Runner:
    """Train as other tests do, by default for six steps; the model has dropout, which must be resumed too."""
    return lambda output, how=HOW, **settings: run(output, how, **settings)


@pytest.fixture(scope="module")
def uninterrupted(run: Runner, tmp_path_factory: pytest.TempPathFactory) -> str:
    return model_sha256(run(tmp_path_factory.mktemp("uninterrupted"))[1])


@pytest.fixture(scope="module")
def crash(run: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crashed")
    with pytest.raises(CrashError):
        run(folder, progress=crash_after(5))
    return folder


@pytest.fixture
def crashed(crash: Path, tmp_path: Path) -> Path:
    """The folder of a run that crashed in step 5; it saved after step 4."""
    return Path(shutil.copytree(crash, tmp_path / "run"))


def test_a_crashed_run_ends_with_the_weights_of_an_uninterrupted_one(
    run: Runner, crashed: Path, uninterrupted: str
) -> None:
    made: list[int] = []
    outcome, model = run(crashed, resume=True, progress=lambda report: made.append(report.step))
    assert min(made) == 5
    assert outcome.steps == 6
    assert model_sha256(model) == uninterrupted
    assert model_sha256(load_encoder(str(crashed), device="cpu")) == uninterrupted


def test_a_run_that_crashed_before_its_first_checkpoint_begins_anew(
    run: Runner, uninterrupted: str, tmp_path: Path
) -> None:
    with pytest.raises(CrashError):
        run(tmp_path, progress=crash_after(1))
    assert model_sha256(run(tmp_path, resume=True)[1]) == uninterrupted


def test_sources_that_are_joined_fill_a_batch_and_are_resumed(tiny_checkpoint: Path, tmp_path: Path) -> None:
    sources = sample_pairs().split(0.5)
    size = max(map(len, sources)) + 2  # more than any source has

    def start(folder: str, **more: Any) -> str:
        model = load_encoder(str(tiny_checkpoint), device="cpu")
        how: dict[str, Any] = {
            "steps": 3,
            "save_steps": 1,
            "max_length": 8,
            "batch_size": size,
            "join_sources": True,
        }
        train(model, sources, tmp_path / folder, **how, **more)
        return model_sha256(model)

    whole = start("whole")
    with pytest.raises(CrashError):
        start("crashed", progress=crash_after(2))
    assert start("crashed", resume=True) == whole
    run = json.loads((tmp_path / "whole" / "run.json").read_text(encoding="utf-8"))
    assert [source["items"] for source in run["data"]] == [len(source) for source in sources]
    assert run["batches"]["join_sources"]


CHANGES: dict[str, dict[str, Any]] = {
    "lora": {"how": {"lora": Lora(rank=2, dropout=0.1, targets=["query", "dense"])}},
    "all-at-once": {
        "how": {"gradient_cache": True, "dropout": 0.2, "bf16": True, "embedding_update": "dense"},
        "alpha": (0.2, 0.9, 0.4),
        "distillation": 1.0,
        "pull": 0.5,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_trained_a_crashed_run_ends_with_the_weights_of_an_uninterrupted_one(
    run: Runner, tiny_checkpoint: Path, tmp_path: Path, name: str
) -> None:
    if name == "lora":
        pytest.importorskip("peft")
    how: dict[str, Any] = {**HOW, "steps": 4, **CHANGES[name].get("how", {})}

    def start(folder: str, **more: Any) -> str:
        settings = {key: value for key, value in CHANGES[name].items() if key != "how"}
        if "distillation" in settings:  # the teacher has dropout too, which must be off
            settings["teacher"] = load_encoder(str(tiny_checkpoint), device="cpu")
        return model_sha256(run(tmp_path / folder, how, **settings, **more)[1])

    whole = start("whole")
    with pytest.raises(CrashError):
        start("crashed", progress=crash_after(3))
    made: list[int] = []
    assert start("crashed", resume=True, progress=lambda report: made.append(report.step)) == whole
    assert min(made) == 3


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no manifest": lambda half: (half / MANIFEST).unlink(),
    "no optimizer": lambda half: (half / "optimizer.pt").unlink(),
    "no scheduler": lambda half: (half / "scheduler.pt").unlink(),
    "half the weights": lambda half: (half / "model.safetensors").write_bytes(b"half"),
    "another state": lambda half: (half / "trainer_state.json").write_text('{"global_step": 6, "log_hist'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_newest_checkpoint_that_is_not_whole_is_passed_over(
    run: Runner, crashed: Path, uninterrupted: str, damage: str
) -> None:
    half = crashed / "checkpoints" / "checkpoint-6"
    shutil.copytree(crashed / "checkpoints" / "checkpoint-4", half)
    assert last_checkpoint(crashed) == half
    DAMAGE[damage](half)
    assert last_checkpoint(crashed) == crashed / "checkpoints" / "checkpoint-4"
    if damage == "no optimizer":  # resuming takes a while; once is enough
        assert model_sha256(run(crashed, resume=True)[1]) == uninterrupted


def test_a_run_killed_before_a_manifest_has_the_checkpoint_before(
    run: Runner, uninterrupted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path) -> None:
        if folder.name == "checkpoint-4":
            raise CrashError
        write_manifest(folder)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "write_manifest", killed)
        with pytest.raises(CrashError):
            run(tmp_path)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "checkpoint-2"
    assert model_sha256(run(tmp_path, resume=True)[1]) == uninterrupted


def test_a_run_without_a_whole_checkpoint_is_not_begun_anew_unasked(run: Runner, crashed: Path) -> None:
    for checkpoint in (crashed / "checkpoints").iterdir():
        (checkpoint / "optimizer.pt").unlink()
    with pytest.raises(PanglotError, match="no checkpoint of this run is whole"):
        run(crashed, resume=True)


def test_checkpoints_are_compared_as_numbers(tmp_path: Path) -> None:
    for step in (90, 100):
        folder = tmp_path / "checkpoints" / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "trainer_state.json").write_text("{}")
        write_manifest(folder)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "checkpoint-100"


def test_ctrl_c_saves_stops_and_can_be_resumed(run: Runner, uninterrupted: str, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    outcome, _ = run(tmp_path, progress=press_ctrl_c(3))
    assert (outcome.finished, outcome.steps) == (False, 3)
    assert signal.getsignal(signal.SIGINT) == before
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoints" / "checkpoint-3"
    assert not (tmp_path / "modules.json").exists()
    outcome, model = run(tmp_path, resume=True)
    assert (outcome.finished, outcome.steps) == (True, 6)
    assert model_sha256(model) == uninterrupted


def test_a_second_ctrl_c_stops_at_once(run: Runner, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, progress=press_ctrl_c(1, times=2))
    assert last_checkpoint(tmp_path) is None


def test_ctrl_c_in_the_last_step_lets_the_run_finish(run: Runner, uninterrupted: str, tmp_path: Path) -> None:
    outcome, model = run(tmp_path, progress=press_ctrl_c(6))
    assert outcome.finished
    assert model_sha256(model) == uninterrupted


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.3}, "batches.alpha was 0.5 and is now 0.3"),
        ({"batch_size": 4}, "batches.size was 8 and is now 4"),
        ({"strategy": "mixed"}, 'batches.strategy was "hybrid" and is now "mixed"'),
        ({"temperature": 0.1}, "loss.temperature was 0.05 and is now 0.1"),
        ({"alpha": (0.5, 0.5)}, r"batches.alpha was 0.5 and is now \[0.5, 0.5\]"),
        ({"how": {**HOW, "lora": Lora()}}, "training.lora was null and is now"),
        ({"how": {**HOW, "seed": 1}}, "training.seed was 0 and is now 1"),
        ({"how": {**HOW, "steps": 7}}, "training.steps was 6 and is now 7"),
        ({"model_name": "other"}, 'model.name was ".*tiny-bert.*" and is now "other"'),
    ],
)
def test_resuming_with_another_setting_is_refused_naming_it(
    run: Runner, crashed: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(PanglotError, match=message):
        run(crashed, resume=True, **settings)


def test_resuming_with_other_held_out_pairs_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pairs = sample_pairs()

    def start(held_out: list[ParallelPairs], **how: Any) -> Any:
        model = load_encoder(str(tiny_checkpoint), device="cpu")
        settings: dict[str, Any] = {"batch_size": 8, "steps": 4, "eval_steps": 2, "max_length": 16}
        return train(model, pairs, tmp_path / "run", held_out=held_out, **settings, **how)

    assert not start([pairs.select(items=range(8))], progress=press_ctrl_c(2)).finished
    for other in ([pairs.select(items=range(6))], [], [pairs.select(items=range(8), languages=["de", "en"])]):
        with pytest.raises(PanglotError, match="cannot resume, because held_out"):
            start(other, resume=True)
    assert start([pairs.select(items=range(8))], resume=True).finished


def test_resuming_with_another_teacher_is_refused(
    run: Runner, still_checkpoint: Path, tiny_encoder: SentenceTransformer, crashed: Path, tmp_path: Path
) -> None:
    with pytest.raises(PanglotError, match=r"cannot resume, because loss\.pull was 0\.0 and is now 1\.0"):
        run(crashed, resume=True, teacher=tiny_encoder, pull=1.0)
    with pytest.raises(CrashError):
        run(tmp_path / "taught", teacher=tiny_encoder, pull=1.0, progress=crash_after(3))
    other = load_encoder(str(still_checkpoint), device="cpu")
    with torch.no_grad():
        next(other.parameters()).mul_(2)
    with pytest.raises(PanglotError, match=r"loss\.teacher_sha256 was"):
        run(tmp_path / "taught", resume=True, teacher=other, pull=1.0)


def test_resuming_with_other_data_is_refused(tiny_encoder: SentenceTransformer, crashed: Path) -> None:
    fewer = sample_pairs().select(languages=["en", "de"])
    with pytest.raises(PanglotError, match="cannot resume, because data was"):
        train(tiny_encoder, [fewer], crashed, batch_size=8, **HOW, resume=True)


def test_an_unfinished_run_is_not_written_over(run: Runner, crashed: Path) -> None:
    described = json.loads((crashed / "run.json").read_text())
    with pytest.raises(PanglotError, match="holds an unfinished run; continue it with --resume"):
        run(crashed, alpha=0.1)
    assert json.loads((crashed / "run.json").read_text()) == described


def test_a_finished_run_cannot_be_resumed(run: Runner, tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(PanglotError, match="this run is finished"):
        run(tmp_path, resume=True)


def test_the_end_of_a_run_leaves_the_lock_of_another_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, release = FileLock(tmp_path / LOCK_FILE, timeout=0), FileLock.release

    def taken_at_once(lock: FileLock, force: bool = False) -> None:
        release(lock, force)
        if not other.is_locked:
            other.acquire()

    with monkeypatch.context() as patch:
        patch.setattr(FileLock, "release", taken_at_once)
        with only_training(tmp_path):
            pass
    with pytest.raises(PanglotError, match="is training in this folder"), only_training(tmp_path):
        pass
    other.release()


HOLD = """
import sys, time
from pathlib import Path
from panglot.training.checkpoints import only_training
with only_training(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_training_in_one_folder_is_refused_with_the_process_of_the_first(
    run: Runner, crashed: Path, tmp_path: Path
) -> None:
    for folder, resume in ((tmp_path / "new", False), (crashed, True)):
        first = warm.start([str(folder)], code=HOLD)
        assert first.stdout.readline() == "held\n"
        with pytest.raises(PanglotError, match=f"process {first.pid} is training in this folder"):
            run(folder, resume=resume)
        first.kill()
        first.wait()
        assert run(folder, resume=resume)[0].finished  # a killed process holds nothing
