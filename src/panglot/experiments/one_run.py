"""One model, trained or as it comes, measured on loaded benchmarks: the work of a run."""

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, ParallelPairs, Suite, merge
from panglot.encoders import load_encoder
from panglot.errors import PanglotError
from panglot.evaluation import DEFAULT_MEASURES, Evaluation, embed_benchmark, evaluate, evaluate_suite
from panglot.experiments.recipes import train_recipe
from panglot.files import write_json
from panglot.search.bm25 import BM25, bm25_evaluation
from panglot.training import Recipe, StepReport
from panglot.training.checkpoints import last_checkpoint

KEPT = ("run.json", "log.json")  # of a trained model, once it is measured
Tell = Callable[[StepReport], None]


@dataclass(frozen=True)
class Wanted:
    """What a model is measured on.

    Attributes:
        benchmark: loaded. Texts of one object are encoded once, however often it is wanted.
        path: of the results file.
        perturb: kinds of change of the queries; see ``panglot.data.perturb``.
        centred: with language centring, means of the benchmark's own texts.
    """

    benchmark: Benchmark | Suite
    path: Path
    perturb: tuple[str, ...] = ()
    centred: bool = False


def train_and_measure(
    recipe: Recipe,
    sources: Sequence[ParallelPairs] | None,
    wanted: Sequence[Wanted],
    place: Path,
    *,
    name: str,
    bf16: bool = False,
    measures: Sequence[str] = DEFAULT_MEASURES,
    tell: Tell | None = None,
) -> bool:
    """Train a model, measure it, and save the results.

    Args:
        recipe: how it is trained; its data part is not used. ``model.name`` may be ``bm25``, untrained.
        sources: what it is trained on; None: the encoder as it comes.
        wanted: what it is measured on.
        place: folder of the run. ``model`` in it holds the model until all is measured, so that it is trained
            once even if that is interrupted; then only ``run.json`` and ``log.json`` stay.
        name: what the results call it.
        bf16: encode in bfloat16 when measuring.
        measures: of every evaluation.
        tell: called after each step of training.

    Returns:
        False where training was interrupted; the same call goes on with it.
    """
    if not wanted:
        return True
    check_wanted(recipe, wanted)
    if recipe.model.name == BM25:
        for one in wanted:
            assert isinstance(one.benchmark, Benchmark)  # which check_wanted saw to
            bm25_evaluation(one.benchmark, measures=measures).save(one.path)
        return True
    found = _model(recipe, sources, place, tell)
    if found is None:
        return False
    model, training = found
    for benchmark in {id(one.benchmark): one.benchmark for one in wanted}.values():
        whole = merge(benchmark) if isinstance(benchmark, Suite) else benchmark
        shared: dict[str, Any] = {
            "name": name,
            "measures": measures,
            "training": training,
            "seed": recipe.training.seed,
            "bf16": bf16,
            "embeddings": embed_benchmark(model, whole, bf16=bf16),
        }
        for one in wanted:
            if one.benchmark is benchmark:
                _evaluated(model, one, shared).save(one.path)
    _drop_model(place)
    return True


def check_wanted(recipe: Recipe, wanted: Sequence[Wanted]) -> None:
    """Refuse, before anything is trained, what cannot be measured."""
    for one in wanted:
        if isinstance(one.benchmark, Suite):
            if recipe.model.name == BM25:
                raise PanglotError(f"'{one.benchmark.name}' is a suite of pools, which BM25 does not rank.")
            if one.perturb:
                raise PanglotError(f"'{one.benchmark.name}' is a suite of pools; it cannot be perturbed.")


def _evaluated(model: SentenceTransformer, one: Wanted, shared: dict[str, Any]) -> Evaluation:
    centre: Any = "corpus" if one.centred else None
    if isinstance(one.benchmark, Suite):
        return evaluate_suite(model, one.benchmark, centre=centre, **shared)
    return evaluate(model, one.benchmark, centre=centre, perturb=one.perturb, **shared)


def _model(
    recipe: Recipe, sources: Sequence[ParallelPairs] | None, place: Path, tell: Tell | None
) -> tuple[SentenceTransformer, dict[str, Any] | None] | None:
    """Return the model and how it was trained; None where training was interrupted."""
    trust = recipe.model.trust_remote_code
    folder, trained = place / "model", place / "trained.json"
    if trained.exists() and (folder / "modules.json").exists():  # stopped while it was measured
        return load_encoder(str(folder), trust_remote_code=trust), json.loads(trained.read_text("utf-8"))
    model = load_encoder(recipe.model.name, trust_remote_code=trust)
    if sources is None:
        return model, None
    resume = last_checkpoint(folder) is not None
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    outcome = train_recipe(recipe, model, sources, folder, resume=resume, tell=tell)
    if not outcome.finished:
        return None
    training = {
        "strategy": recipe.batches.strategy,
        "alpha": recipe.batches.alpha,
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
    """Remove a model that is measured, but for what says how it was trained."""
    (place / "trained.json").unlink(missing_ok=True)  # first: without it the model is not looked at
    for path in (place / "model").glob("*"):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()
