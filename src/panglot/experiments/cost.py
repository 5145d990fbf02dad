"""What training costs: pairs a second and peak memory of a recipe, each measured in a process of its own."""

import gc
import math
import multiprocessing
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch

from panglot.data import ParallelPairs
from panglot.encoders import load_encoder
from panglot.errors import PanglotError
from panglot.training import StepReport, TrainingConfig, override
from panglot.training.recipes import train_recipe

RESET = "5"  # what Linux takes to forget a process's highest memory


@dataclass(frozen=True)
class Cost:
    """What training costs.

    Attributes:
        pairs_per_second: after a step to warm up.
        pairs: that this was measured over.
        memory: bytes at the highest, beyond what the process held with model and data loaded: gradients,
            the optimizer's state and activations. On a GPU, its memory.
        peak: bytes at the highest, in all.
    """

    pairs_per_second: float
    pairs: int
    memory: int
    peak: int


def measure_cost(recipe: TrainingConfig, sources: Sequence[ParallelPairs], pairs: int) -> Cost:
    """Train a step to warm up and then some more, in a fresh process, whose memory nothing else has used.

    Args:
        recipe: how to train; its data part and its number of steps are not used.
        sources: what to train on; they are sent to the process.
        pairs: to measure over, at least; a step at least.

    Raises:
        PanglotError: the process died, or the recipe cannot work.
    """
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(_measured, recipe, sources, pairs, torch.get_num_threads()).result()
    except BrokenProcessPool as error:
        raise PanglotError(
            f"measuring the cost of batches of {recipe.batches.size:,}: the process died, probably "
            "because memory ran out; leave that size out, or lower grid.cached_above."
        ) from error


def machine() -> dict[str, str | int]:
    """Say what costs are measured on."""
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    else:
        device = _line_of("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    return {"device": device, "threads": torch.get_num_threads()}


class _EnoughError(Exception):
    """Ends training once all is measured; the model is not needed."""


def _measured(recipe: TrainingConfig, sources: Sequence[ParallelPairs], pairs: int, threads: int) -> Cost:
    torch.set_num_threads(threads)
    size = recipe.batches.size
    steps = 1 + max(1, math.ceil(pairs / size))
    model = load_encoder(recipe.model.name, trust_remote_code=recipe.model.trust_remote_code)
    gc.collect()
    _forget_peak()
    before = _memory("VmRSS")
    times: dict[int, float] = {}

    def on_step(report: StepReport) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.setdefault(report.step, time.perf_counter())
        if report.step == steps:
            raise _EnoughError

    timed = override(recipe, {"training.steps": steps})
    with TemporaryDirectory() as folder, suppress(_EnoughError):
        if not train_recipe(timed, model, sources, Path(folder) / "model", progress=on_step).finished:
            raise KeyboardInterrupt
    measured, peak = (steps - 1) * size, _memory("VmHWM")
    return Cost(measured / (times[steps] - times[1]), measured, max(0, peak - before), peak)


def _memory(of_linux: Literal["VmRSS", "VmHWM"]) -> int:
    """Return the bytes of this process: held now (``VmRSS``), or most since ``_forget_peak`` (``VmHWM``)."""
    if torch.cuda.is_available():
        return torch.cuda.memory_allocated() if of_linux == "VmRSS" else torch.cuda.max_memory_allocated()
    # not ru_maxrss on Linux: there a process begins with that of the one that started it
    if figure := _line_of("/proc/self/status", f"{of_linux}:"):
        return 1024 * int(figure.split()[0])
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _forget_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text(RESET)


def _line_of(path: str, name: str) -> str:
    """Return what a file of the system says after a name; nothing where there is none."""
    with suppress(OSError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    return ""
