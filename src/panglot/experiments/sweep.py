"""A sweep: models that are trained and measured, each kept under a hash of all that it depends on.

A finished run is never repeated, whichever experiment asks for it; one that was interrupted goes on.
"""

import gc
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, FloatArray
from panglot.data.catalogue import entry_named
from panglot.data.fetch import get_data
from panglot.data.suite import as_benchmark
from panglot.encoders import Store, load_encoder, open_store, shift_of_pairs
from panglot.encoders.names import LASER2
from panglot.errors import PanglotError, needs
from panglot.evaluation import embed_benchmark, evaluate
from panglot.evaluation.run import embed_queries
from panglot.evaluation.stores import encode_passages, store_facts
from panglot.experiments.runs import (
    IN_MEMORY,
    Data,
    Run,
    Target,
    benchmark_of,
    chosen_sources,
    digest,
    folder_of,
    key_of,
    missing_targets,
    results_of,
    sources_of,
    unfinished,
    validation_of,
)
from panglot.files import write_json
from panglot.parse import read_form
from panglot.search.balanced import balanced_lists
from panglot.search.baseline import bm25_evaluation
from panglot.search.bm25 import BM25
from panglot.training import StepReport
from panglot.training.checkpoints import MERGE_FILE, last_checkpoint
from panglot.training.checks import check_settings, check_trackers
from panglot.training.config import chosen_precision
from panglot.training.recipes import check_batches, train_recipe

STORES = "stores"
KEPT = ("run.json", "log.json")  # of a trained model, once it is measured
IN_FULL = ("centred", "shift")  # remedies that need all passages in memory
PIVOT = "en"  # where the remedy shift moves passages


@dataclass(frozen=True)
class Progress:
    """How far a sweep is.

    Attributes:
        done: runs that are finished.
        total: all runs.
        run: title of the run that begins, goes on or was finished.
        step: of its training, with all its steps; None at its beginning and end.
    """

    done: int
    total: int
    run: str
    step: tuple[int, int] | None = None


OnProgress = Callable[[Progress], None]


def sweep(
    runs: Sequence[Run], data: Data, folder: Path, *, workers: int = 1, progress: OnProgress | None = None
) -> None:
    """Train and measure all runs that are not finished yet.

    Args:
        runs: with titles of their own.
        data: to train and measure on.
        folder: that holds the runs, of any number of experiments.
        workers: runs at once, through Ray; on a cluster that Ray is connected to, all machines must find data
            and folder at the same place. Each worker has an equal share of the processors and GPUs.
        progress: called when a run begins and ends, and after each step of its training.

    Raises:
        KeyboardInterrupt: a run was interrupted; the same call goes on with it.
        PanglotError: Ray is wanted and not installed, or a run cannot work: that is looked for first, before
            any is trained.
    """
    titles = [run.title for run in runs]
    if twice := next((title for k, title in enumerate(titles) if title in titles[:k]), None):
        raise PanglotError(f"two runs are called '{twice}'; give every run a name of its own.")
    missing = unfinished(runs, data, folder)
    for run in missing:
        check_run(run, data, folder)
    progress = progress or (lambda _: None)
    done = len(runs) - len(missing)
    if workers > 1 and len(missing) > 1:
        progress(Progress(done, len(runs), f"{len(missing)} runs, {min(workers, len(missing))} at once"))
        for name in _with_ray(missing, data, folder, min(workers, len(missing))):
            done += 1
            progress(Progress(done, len(runs), name))
        return
    for run in missing:
        progress(Progress(done, len(runs), run.title))
        with _named(run):
            if not finish(run, data, folder, _step_of(run, done, len(runs), progress)):
                raise KeyboardInterrupt
        gc.collect()  # trainer and model refer to each other; gigabytes are free before the next
        done += 1
        progress(Progress(done, len(runs), run.title))


def _step_of(run: Run, done: int, total: int, progress: OnProgress) -> Callable[[StepReport], None]:
    return lambda report: progress(Progress(done, total, run.title, (report.step, report.steps)))


def _with_ray(runs: Sequence[Run], data: Data, folder: Path, workers: int) -> Iterator[str]:
    """Let Ray's workers finish the runs; give the title of each as it is done."""
    needs("ray", "ray", hint="use --workers 1, or ")
    import ray

    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    waiting = {}
    try:
        cpus, gpus = _share(ray.cluster_resources(), workers)  # type: ignore[no-untyped-call]
        task = ray.remote(num_cpus=cpus, num_gpus=gpus)(_in_worker)
        threads = max(1, int(cpus))
        waiting = {task.remote(run, data, folder.absolute(), threads): run.title for run in runs}
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


def _in_worker(run: Run, data: Data, folder: Path, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    with _named(run):
        if not finish(run, data, folder):
            raise PanglotError("was interrupted; the same command goes on with it.")
    gc.collect()


@contextmanager
def _named(run: Run) -> Iterator[None]:
    """Say in an error which run it is of."""
    try:
        yield
    except PanglotError as error:
        raise PanglotError(f"{run.title}: {error}") from error


def check_run(run: Run, data: Data, folder: Path) -> None:
    """Refuse, before anything is trained, a run that could not be trained or measured."""
    for target in missing_targets(run, data, folder):
        benchmark = as_benchmark(benchmark_of(data, target.name, target.languages))
        if target.remedy in IN_FULL and len(benchmark.passages) > IN_MEMORY:
            raise PanglotError(
                f"{target.name} has more than {IN_MEMORY:,} passages, too many for the remedy "
                f"'{target.remedy}'; leave out one of them."
            )
    if run.trained:
        check_settings(run.recipe, bool(data.validation))
        check_trackers(run.recipe)
        check_batches(run.recipe, chosen_sources(run, data))


def finish(run: Run, data: Data, folder: Path, progress: Callable[[StepReport], None] | None = None) -> bool:
    """Train and measure a run where that was not done before.

    ``model`` in the run's folder holds the model until all is measured, so that it is trained once even if
    measuring is interrupted; then only ``run.json`` and ``log.json`` stay.

    Returns:
        False where training was interrupted; the same call goes on with it.
    """
    if not missing_targets(run, data, folder):
        return True
    place = folder_of(run, data, folder)
    key = json.dumps(key_of(run, data))
    write_json(place / "key.json", json.loads(key, parse_constant=str))  # JSON has no infinity
    with FileLock(place / ".lock"):  # another experiment may be at the same run
        targets = missing_targets(run, data, folder)
        check_run(run, data, folder)
        if run.recipe.model.name == BM25:
            for target in targets:
                benchmark = benchmark_of(data, target.name, target.languages)
                bm25_evaluation(benchmark, measures=data.measures).save(results_of(run, target, data, folder))
            return True
        found = _model(run, data, place, progress) if targets else None
        if found is None:
            return not targets
        _measure(run, targets, data, folder, *found)
        _drop_model(place)
        return True


def _measure(
    run: Run,
    targets: Sequence[Target],
    data: Data,
    folder: Path,
    model: SentenceTransformer,
    training: dict[str, Any] | None,
) -> None:
    """Measure a model and save the results; texts of one benchmark are encoded once."""
    loaded = [benchmark_of(data, target.name, target.languages) for target in targets]
    bf16 = chosen_precision(data.bf16)
    for benchmark in {id(one): one for one in loaded}.values():
        shared: dict[str, Any] = {
            "name": run.title,
            "measures": data.measures,
            "training": training,
            "seed": 0,  # of changed queries: the same for all runs, which are compared on them
            "bf16": bf16,
            "embeddings": _embedded(model, as_benchmark(benchmark), bf16, folder_of(run, data, folder)),
        }
        for target in (t for t, one in zip(targets, loaded, strict=True) if one is benchmark):
            how = {"perturb": target.perturb, **_remedy(target, model, data)}
            found = evaluate(model, benchmark, progress=False, **how, **shared)
            found.save(results_of(run, target, data, folder))


def _remedy(target: Target, model: SentenceTransformer, data: Data) -> dict[str, Any]:
    """Return what applies the remedy of a target, as ``evaluate`` names it."""
    if target.remedy in ("scores", "turns"):
        return {"rerank": partial(balanced_lists, kind=target.remedy)}
    if target.remedy == "shift":
        return {"centre": shift_of_pairs(model, sources_of(data)[0], PIVOT)}
    return {"centre": "corpus" if target.remedy == "centred" else None}


def _embedded(
    model: SentenceTransformer, benchmark: Benchmark, bf16: bool, place: Path
) -> tuple[FloatArray, FloatArray | Store]:
    """Encode a benchmark; the passages of a large one go into a store below the run's folder."""
    if len(benchmark.passages) <= IN_MEMORY:
        return embed_benchmark(model, benchmark, bf16=bf16)
    facts = store_facts(model, benchmark, bf16=bf16)
    folder = place / STORES / digest(facts.corpus)  # one name may be measured in several sets of languages
    encode_passages(model, benchmark, folder, facts)
    return embed_queries(model, benchmark, bf16=bf16), open_store(folder)


def _model(
    run: Run, data: Data, place: Path, progress: Callable[[StepReport], None] | None
) -> tuple[SentenceTransformer, dict[str, Any] | None] | None:
    """Return the model and how it was trained; None where training was interrupted."""
    recipe, trust = run.recipe, run.recipe.model.trust_remote_code
    folder, trained = place / "model", place / "trained.json"
    if trained.exists() and (folder / "modules.json").exists():  # stopped while it was measured
        return load_encoder(str(folder), trust_remote_code=trust), read_form(trained, dict[str, Any])
    if recipe.model.name == LASER2:  # loading a model of the hub fetches it; this one is the catalogue's
        get_data(entry_named(LASER2))
    model = load_encoder(recipe.model.name, trust_remote_code=trust)
    if not run.trained:
        return model, None
    sources = chosen_sources(run, data)
    (folder / "modules.json").unlink(missing_ok=True)  # saved but not noted: made again from what is left
    resume = last_checkpoint(folder) is not None or (folder / MERGE_FILE).exists()
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    outcome = train_recipe(
        recipe,
        model,
        sources,
        folder,
        held_out=validation_of(data),
        resume=resume,
        progress=progress or False,
    )
    if not outcome.finished:
        return None
    training = {
        "strategy": recipe.batches.strategy,
        "alpha": recipe.batches.used_alpha,
        "batch_size": recipe.batches.size,
        "steps": outcome.steps,
        "seed": recipe.training.seed,
        "seconds": time.perf_counter() - start,
        "data": [
            {"name": source.name, "sha256": source.sha256, "languages": list(source.languages)}
            for source in sources
        ],
    }
    write_json(trained, training)
    return model, training


def _drop_model(place: Path) -> None:
    """Remove a model that is measured, but for what says how it was trained, and its stores."""
    shutil.rmtree(place / STORES, ignore_errors=True)
    (place / "trained.json").unlink(missing_ok=True)  # first: without it the model is not looked at
    for path in (place / "model").glob("*"):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()
