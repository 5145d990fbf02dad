"""The folder of a run: what it trains, its checkpoints, and the finished model."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from panglot.encoders.names import set_name
from panglot.errors import PanglotError
from panglot.evaluation.results import Training
from panglot.files import (
    check_new_folder,
    check_writable,
    explained,
    flush,
    is_whole,
    readable_as_usual,
    write_json,
)
from panglot.parse import read_form, read_json, validated
from panglot.training.config import TrainingPart

if TYPE_CHECKING:  # a folder that cannot be trained in is refused without loading torch
    from sentence_transformers import SentenceTransformer

RUN_FILE = "run.json"  # what is being trained; compared on resume
MERGE_FILE = "merge.json"  # which parts are being trained to be merged; compared on resume
MODEL_FILE = "modules.json"  # there once the model is finished
STATE_FILE = "trainer_state.json"
LOCK_FILE, OWNER_FILE = ".training.lock", ".training.pid"


@contextmanager
def only_training(folder: Path) -> Iterator[None]:
    """Hold a run's folder while it is trained in, so that a second training cannot write into it.

    Of several processes that train together the first one holds it for all.

    Raises:
        PanglotError: another process holds it; the message names that process.
    """
    from panglot.training.distributed import decided_by_first

    lock = FileLock(folder / LOCK_FILE, timeout=0)
    decided_by_first(partial(_take, lock, folder))
    try:
        yield
    finally:
        if lock.is_locked:
            (folder / OWNER_FILE).unlink(missing_ok=True)
            with suppress(OSError):  # while it is held, for afterwards it may be another process's
                (folder / LOCK_FILE).unlink()
            lock.release()
            with suppress(OSError):  # a run that was refused leaves no empty folder
                folder.rmdir()


def _take(lock: FileLock, folder: Path) -> None:
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire()
    except Timeout as error:
        try:
            owner = f"process {int((folder / OWNER_FILE).read_text(encoding='utf-8'))}"
        except (OSError, ValueError):  # it has only just begun
            owner = "another process"
        raise PanglotError(
            f"{folder}: {owner} is training in this folder. Wait for it, or choose another output folder."
        ) from error
    (folder / OWNER_FILE).write_text(str(os.getpid()), encoding="utf-8")


def check_folder(folder: Path, resume: bool, *, merged: bool = False) -> None:
    """Refuse a folder in which a run cannot begin or, with ``resume``, go on; this needs no torch.

    Args:
        merged: the run trains parts of a merged model, in folders below this one.
    """
    if resume and not (folder / (MERGE_FILE if merged else RUN_FILE)).exists():
        raise PanglotError(f"{folder}: holds no run to resume; leave --resume out to begin one.")
    if (folder / MODEL_FILE).exists():
        raise PanglotError(
            f"{folder}: this run is finished, so there is nothing to resume; choose another output folder."
            if resume
            else f"{folder}: already holds a model; choose another output folder."
        )
    begun = folder / MERGE_FILE
    if not resume and (begun.exists() if merged else last_checkpoint(folder) is not None):
        raise PanglotError(
            f"{folder}: holds an unfinished run; continue it with --resume or choose another output folder."
        )
    if merged and not resume:
        check_new_folder(folder)
    check_writable(folder)


def prepare_folder(folder: Path, run: dict[str, Any], resume: bool) -> Path | None:
    """Begin or continue a run in a folder.

    Args:
        run: describes it: model, data, settings. A run is only continued as what it was begun.

    Returns:
        the checkpoint to continue from, or None to begin at the first step.
    """
    check_folder(folder, resume)
    if not resume:
        write_json(folder / RUN_FILE, run)
        return None
    check_same(folder / RUN_FILE, run)
    checkpoint = last_checkpoint(folder)
    if checkpoint is None and any((folder / "checkpoints").glob("checkpoint-*")):
        raise PanglotError(
            f"{folder}: no checkpoint of this run is whole, so it cannot be resumed. "
            "Remove the folder and begin again."
        )
    return checkpoint


def check_same(path: Path, run: dict[str, Any]) -> None:
    """Refuse to resume a run as another than it was begun; ``path`` describes what was begun."""
    run = json.loads(json.dumps(run))  # tuples become lists, as in the file
    if different := _difference(read_form(path, dict[str, Any]), run):
        raise PanglotError(
            f"{path.parent}: cannot resume, because {different}; "
            "give the settings it was begun with, or another output folder."
        )


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written whole: its manifest, written last, fits its files."""
    found = sorted((folder / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    return next((path for path in reversed(found) if is_whole(path)), None)


def processes_of(checkpoint: Path) -> int:
    """Return how many processes wrote a checkpoint: each kept the state of its random numbers."""
    return max(1, len(list(checkpoint.glob("rng_state_*.pth"))))


def last_step(checkpoint: Path | None, how: TrainingPart) -> int:
    """Return the step that ends a run: of the checkpoint if patience ran out there, else of the budget."""
    if checkpoint is None or not how.patience:
        return how.steps
    state = read_json(checkpoint / STATE_FILE)  # whole, as the manifest says
    counted = state["stateful_callbacks"]["EarlyStoppingCallback"]["attributes"]
    ran_out = counted["early_stopping_patience_counter"] >= how.patience
    return int(state["global_step"]) if ran_out else how.steps


def save_model(model: SentenceTransformer, folder: Path, card: str) -> None:
    """Write the finished model with its card into a folder, now its name; ``modules.json`` comes last."""
    from panglot.encoders.load import save_encoder

    part = folder / ".model.part"
    with explained(folder):
        shutil.rmtree(part, ignore_errors=True)
        try:
            save_encoder(model, part)
            (part / "README.md").write_text(card, encoding="utf-8")
            readable_as_usual(part)
            for path in part.rglob("*"):
                flush(path)
            for path in sorted(part.iterdir(), key=lambda path: path.name == MODEL_FILE):
                target = folder / path.name
                if target.is_dir():
                    shutil.rmtree(target)
                path.replace(target)
            flush(folder)
            set_name(model, str(folder))
        finally:
            shutil.rmtree(part, ignore_errors=True)


def remove_checkpoints(folder: Path, *, only_broken: bool = False) -> None:
    """Remove the checkpoints of a finished run, or those that were not written whole."""
    for path in (folder / "checkpoints").glob("checkpoint-*"):
        if not (only_broken and is_whole(path)):
            shutil.rmtree(path, ignore_errors=True)
    if not only_broken:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def training_of(model_folder: str | Path) -> dict[str, Any] | None:
    """Return how the model in a folder was trained, as its ``run.json`` says; None if panglot did not."""
    path = Path(model_folder) / RUN_FILE
    if not path.exists():
        return None
    found = read_form(path, dict[str, Any])
    validated(Training, found, path, fix="copy it again, or remove it")
    return found


def _difference(begun: dict[str, Any], now: dict[str, Any], name: str = "") -> str | None:
    """Say in which setting two descriptions differ first."""
    for key in sorted(set(begun) | set(now)):
        a, b = begun.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            if found := _difference(a, b, f"{name}{key}."):
                return found
        elif a != b:
            return f"{name}{key} was {json.dumps(a)} and is now {json.dumps(b)}"
    return None
