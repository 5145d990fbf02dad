"""Several processes, as torchrun and accelerate launch start them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from panglot import PanglotError, load_encoder, sample_pairs, train
from panglot.training import StepReport, run
from panglot.training.checkpoints import processes_of
from panglot.training.distributed import decided_by_first, first_to_report, is_first, of_first, on_any

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
STEADY: dict[str, Any] = {"steps": 4, "learning_rate": 1e-3, "save_steps": 2, "dropout": 0.0}
Found = dict[str, Any]
Weights = dict[str, torch.Tensor]


class CrashError(Exception):
    """Stands for whatever ends a process."""


def crash_in_third_step(report: StepReport) -> None:
    if report.step == 3:
        raise CrashError


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> tuple[Path, Weights]:
    """A run of one process that crashed after its checkpoint of step 2; the weights of one that did not."""
    folder = tmp_path_factory.mktemp("alone")
    settings: dict[str, Any] = {"batch_size": 8, **STEADY}
    with pytest.raises(CrashError):
        crashed = load_encoder(str(tiny_checkpoint), device="cpu")
        train(crashed, [sample_pairs()], folder / "run", progress=crash_in_third_step, **settings)
    model = load_encoder(str(tiny_checkpoint), device="cpu")
    train(model, [sample_pairs()], folder / "whole", **settings)
    return folder / "run", model.state_dict()


@pytest.fixture(scope="module")
def launched(
    tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path, alone: tuple[Path, Weights]
) -> tuple[Path, str]:
    """The folder in which two processes worked on the processor, and what torchrun said of them."""
    folder = tmp_path_factory.mktemp("launched")
    for place in (folder / "alone", folder / "machine-0" / "begun"):
        shutil.copytree(alone[0], place)
    script, tests = Path(__file__).with_name("launched.py"), Path(__file__).parents[1]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "COLUMNS": "160"}
    environment["PYTHONPATH"] = os.pathsep.join([str(tests), os.environ.get("PYTHONPATH", "")])
    command = [*TORCHRUN, str(script), str(folder), str(tiny_checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)
    assert len(list(folder.glob("process-*.json"))) == 2, done.stderr
    assert done.returncode != 0
    return folder, done.stderr


@pytest.fixture
def folder(launched: tuple[Path, str]) -> Path:
    return launched[0]


@pytest.fixture(params=[0, 1])
def found(request: pytest.FixtureRequest, folder: Path) -> Found:
    """What one of the processes found."""
    return dict(json.loads((folder / f"process-{request.param}.json").read_text()), rank=request.param)


@pytest.mark.slow
def test_ctrl_c_in_one_process_stops_all_after_the_same_step(found: Found) -> None:
    assert found["interrupted"]["stopped"] == [False, 3]
    assert found["interrupted"]["resumed"] == [True, 6]
    assert found["interrupted"]["exact"] is True


@pytest.mark.slow
def test_all_processes_refuse_what_the_first_refuses(found: Found) -> None:
    assert "already holds a model" in found["interrupted"]["refused"]
    assert found["decisions"] == {
        "first": found["rank"] == 0,
        "decided": "process 0",
        "called": [0] if found["rank"] == 0 else [],
        "refused": "process 0 refuses.",
        "of_first": 10,
        "on_any": [True, False],
    }


@pytest.mark.slow
def test_a_run_goes_on_on_more_processes_with_a_note(found: Found) -> None:
    (note,) = found["elsewhere"]["notes"]
    assert "began on 1 processes and continues on 2" in note


@pytest.mark.slow
def test_a_run_that_went_on_on_more_processes_has_the_weights_of_one(
    folder: Path, alone: tuple[Path, Weights]
) -> None:
    together = torch.load(folder / "together.pt")
    far = {k: float((together[k] - value).abs().max()) for k, value in alone[1].items()}
    assert max(far.values()) < 1e-5, far


@pytest.mark.slow
def test_a_checkpoint_that_a_machine_cannot_see_is_refused_by_all(found: Found) -> None:
    assert "not every machine has this checkpoint" in found["elsewhere"]["refused"]


@pytest.mark.slow
def test_all_processes_stop_on_the_figures_of_the_first(found: Found) -> None:
    assert found["disagreeing"]["steps"] == 3


@pytest.mark.slow
def test_sharded_weights_are_gathered(found: Found) -> None:
    assert 0.4 < found["shards"]["share"] < 0.6
    assert found["shards"]["same"] is True


@pytest.mark.slow
def test_one_process_speaks_for_all(folder: Path) -> None:
    of_both = [json.loads((folder / f"process-{rank}.json").read_text())["command"] for rank in (0, 1)]
    printed, said = ("".join(one[name] for one in of_both) for name in ("printed", "said"))
    output = folder / "command"
    assert [one["code"] for one in of_both] == [0, 0]
    assert json.loads(printed)[str(output)]["steps"] == 2
    assert said.count("loading") == 1
    assert said.count("step 2/2") == 1
    assert "Warning" not in said
    written = {path.name for path in output.iterdir()}
    assert {"modules.json", "run.json", "log.json", "README.md"} <= written
    assert not [name for name in written if name.endswith(".part") or name == "checkpoints"]


@pytest.mark.slow
def test_a_mistake_is_told_once_and_ends_all_with_2(launched: tuple[Path, str]) -> None:
    folder, said = launched
    assert said.count("error: A batch of 7 cannot be shared by 2 processes. Use a multiple.") == 1
    assert "PanglotError" not in said
    assert "exitcode  : 2" in said
    assert not (folder / "refused").exists()


def test_each_message_is_reported_by_whoever_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    store = TCPStore("127.0.0.1", 0, is_master=True)
    for name, value in {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
    }.items():
        monkeypatch.setenv(name, value)
    assert [first_to_report("one"), first_to_report("one"), first_to_report("two")] == [True, False, True]
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert first_to_report("one")
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE")
    assert first_to_report("one")


def test_a_process_alone_decides_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PanglotError("no.")

    assert is_first()
    assert decided_by_first(lambda: "yes") == "yes"
    assert of_first(3) == 3
    assert (on_any(True), on_any(False)) == (True, False)
    with pytest.raises(PanglotError, match=r"^no\.$"):
        decided_by_first(refuse)
    monkeypatch.setenv("RANK", "1")  # before the processes have met
    assert not is_first()


@pytest.mark.parametrize(
    ("files", "count"),
    [([], 1), (["rng_state.pth"], 1), (["rng_state_0.pth", "rng_state_1.pth", "rng_state_2.pth"], 3)],
)
def test_a_checkpoint_tells_how_many_processes_wrote_it(tmp_path: Path, files: list[str], count: int) -> None:
    for name in ["optimizer.pt", *files]:
        (tmp_path / name).touch()
    assert processes_of(tmp_path) == count


def test_one_process_uses_one_gpu_of_several(
    tiny_encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = []
    original = run.training_arguments  # type: ignore[attr-defined]

    def of_a_machine_with_four(*arguments: Any) -> Any:
        made.append(original(*arguments))
        made[0]._n_gpu = 4
        return made[0]

    monkeypatch.setattr(run, "training_arguments", of_a_machine_with_four)
    how: dict[str, Any] = {**STEADY, "steps": 1, "save_steps": 0}
    train(tiny_encoder, [sample_pairs()], tmp_path / "run", batch_size=8, **how)
    assert made[0].n_gpu == 1
