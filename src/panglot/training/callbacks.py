"""Callbacks of the Trainer: what is reported of a run, and a first Ctrl-C that saves before it stops."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from panglot.files import write_manifest
from panglot.progress import err, say
from panglot.training.distributed import is_first, on_any, wait_for_all

TENSORBOARD = "TENSORBOARD_LOGGING_DIR"


OnStep = Callable[["StepReport"], None]


@dataclass(frozen=True)
class StepReport:
    """What is reported after a step: its number from 1, of how many, and the figures logged with it."""

    step: int
    steps: int
    figures: dict[str, float] = field(default_factory=dict)


class StepCallback(TrainerCallback):
    """Reports each step and what is logged, and turns the first Ctrl-C into save-and-stop.

    Attributes:
        stopped: whether Ctrl-C has ended training before its last step.
    """

    def __init__(self, progress: Callable[[StepReport], None] | None) -> None:
        self.progress = progress
        self.stopped = False
        self._interrupted = False  # on this process
        self._previous: Any = None

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Catch the first Ctrl-C; only the main thread may."""
        if threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGINT, self._interrupt)

    def on_save(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Write a checkpoint's manifest, when all processes have written their parts of it."""
        wait_for_all()
        if is_first():
            write_manifest(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")

    def release(self) -> None:
        """Let Ctrl-C mean again what it meant; to be called however training ends."""
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """Report the step; after Ctrl-C save a checkpoint and stop, on all processes after the same step."""
        if self.progress is not None:
            self.progress(StepReport(state.global_step, state.max_steps))
        if on_any(self._interrupted) and state.global_step < state.max_steps:
            self.stopped = True
            control.should_save = True
            control.should_training_stop = True
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Report what was logged."""
        if self.progress is not None and logs:
            self.progress(StepReport(state.global_step, state.max_steps, dict(logs)))

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:
            raise KeyboardInterrupt
        self._interrupted = True


@contextmanager
def tensorboard_in(folder: Path) -> Iterator[None]:
    """Let a Trainer made meanwhile write TensorBoard's files to a folder, unless the environment names one.

    It would put them among the checkpoints, which are removed in the end.
    """
    chosen = TENSORBOARD in os.environ
    os.environ.setdefault(TENSORBOARD, str(folder))
    try:
        yield
    finally:
        if not chosen:
            del os.environ[TENSORBOARD]


@contextmanager
def training_progress() -> Iterator[Callable[[StepReport], None]]:
    """Show steps, loss and held-out figures: a bar on a terminal, lines in a pipe."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("training", total=None, figures="")

        def tell_step(report: StepReport) -> None:
            progress.update(task, completed=report.step, total=report.steps)
            shown = {
                name.removeprefix("eval_"): value
                for name, value in report.figures.items()
                if name == "loss" or (name.startswith("eval_") and name.endswith("AP"))
            }
            if shown:
                line = "  ".join(f"{name} {value:.3f}" for name, value in shown.items())
                progress.update(task, figures=line)
                if not err.is_terminal or "loss" not in shown:
                    say(f"step {report.step}/{report.steps}  {line}")

        yield tell_step
