"""Run the runs of an experiment, one after the other or several at once; a finished one is never repeated."""

import gc
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from panglot.errors import PanglotError
from panglot.experiments.runs import Places, Run, check_run, finish, missing_results
from panglot.training import StepReport


@dataclass(frozen=True)
class Progress:
    """How far a grid is.

    Attributes:
        done: runs that are finished.
        total: all runs.
        run: what is said about: the run that begins, goes on or was finished.
        step: of its training, with all its steps; None at its beginning and end.
    """

    done: int
    total: int
    run: str
    step: tuple[int, int] | None = None


Tell = Callable[[Progress], None]


def run_grid(
    runs: Sequence[Run],
    places: Places,
    folder: Path,
    *,
    workers: int = 1,
    tell: Tell | None = None,
) -> None:
    """Train and measure all runs that are not finished yet.

    Args:
        runs: with names of their own.
        places: of the data.
        folder: that holds the runs, of any number of experiments; each is kept under a hash of its settings
            and data.
        workers: runs at once, through Ray; on a cluster that Ray is connected to, all machines must find data
            and folder at the same place. Each worker has an equal share of the processors and GPUs.
        tell: called when a run begins and ends, and after each step of its training.

    Raises:
        KeyboardInterrupt: a run was interrupted; the same call goes on with it.
        PanglotError: Ray is wanted and not installed, or a run cannot work: that is looked for first, before
            any is trained.
    """
    names = [run.name for run in runs]
    if twice := next((name for k, name in enumerate(names) if name in names[:k]), None):
        raise PanglotError(f"two runs are called '{twice}'; every one needs a name of its own.")
    missing = [run for run in runs if missing_results(run, places, folder)]
    for run in missing:
        check_run(run, places, folder)
    done = len(runs) - len(missing)
    if workers > 1 and len(missing) > 1:
        for name in _with_ray(missing, places, folder, min(workers, len(missing))):
            done += 1
            if tell is not None:
                tell(Progress(done, len(runs), name))
        return
    for run in missing:
        if tell is not None:
            tell(Progress(done, len(runs), run.name))
        if not finish(run, places, folder, _steps_of(run, done, len(runs), tell)):
            raise KeyboardInterrupt
        gc.collect()  # trainer and model refer to each other; gigabytes are free before the next
        done += 1
        if tell is not None:
            tell(Progress(done, len(runs), run.name))


def _steps_of(run: Run, done: int, total: int, tell: Tell | None) -> Callable[[StepReport], None]:
    def tell_step(report: StepReport) -> None:
        if tell is not None:
            tell(Progress(done, total, run.name, (report.step, report.steps)))

    return tell_step


def _with_ray(runs: Sequence[Run], places: Places, folder: Path, workers: int) -> Iterator[str]:
    """Let Ray's workers finish the runs; give the name of each as it is done."""
    try:
        import ray
    except ImportError as error:
        raise PanglotError("Ray is not installed; pip install 'panglot[ray]', or use --workers 1.") from error
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    waiting = {}
    try:
        cpus, gpus = _share(ray.cluster_resources(), workers)  # type: ignore[no-untyped-call]
        task = ray.remote(num_cpus=cpus, num_gpus=gpus)(_in_worker)
        threads = max(1, int(cpus))
        waiting = {task.remote(run, places, folder.absolute(), threads): run.name for run in runs}
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            ray.get(ready)  # raises what the worker raised
            yield waiting.pop(ready)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, PanglotError):
            raise error.cause from error
        raise
    finally:
        for left in waiting:
            ray.cancel(left)
        if started:
            ray.shutdown()


def _share(having: Mapping[str, float], workers: int) -> tuple[float, float]:
    """Return each worker's part of the processors and GPUs; Ray knows four digits, and none above 1."""
    parts = (having.get("CPU", 1) / workers, having.get("GPU", 0) / workers)
    cpus, gpus = (int(part) if part >= 1 else int(part * 10_000) / 10_000 for part in parts)
    return cpus, gpus


def _in_worker(run: Run, places: Places, folder: Path, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    if not finish(run, places, folder):
        raise PanglotError(f"{run.name}: was interrupted; the same command goes on with it.")
    gc.collect()
