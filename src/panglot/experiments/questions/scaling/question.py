"""What do more training languages and larger batches buy, and what do they cost?"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from panglot.batches import make_sampler
from panglot.data import ParallelPairs
from panglot.encoders import load_encoder
from panglot.errors import PanglotError
from panglot.experiments.answer import Answer
from panglot.experiments.cost import machine, measure_cost
from panglot.experiments.experiment import Experiment
from panglot.experiments.findings import Findings
from panglot.experiments.noise_scale import gradient_products, noise_scale
from panglot.experiments.questions.scaling.languages import languages_section
from panglot.experiments.questions.scaling.plan import ABOUT_SIZES, Grid, grid_of, plan, sized
from panglot.experiments.questions.scaling.sizes import sizes_section
from panglot.experiments.recipes import select_languages, train_recipe
from panglot.experiments.runs import Places, Run, key_of, sources_of
from panglot.files import write_json
from panglot.training import Recipe, override

TITLE = "What do more training languages and larger batches buy, and what do they cost?"
FEWEST, MOST = 3, 16  # batches that a noise scale is estimated from

__all__ = ["TITLE", "answer", "plan", "prepare"]


def prepare(experiment: Experiment, places: Places, folder: Path) -> dict[str, Any]:
    """Measure what batch sizes cost, and their gradient-noise scales; nothing is measured twice.

    Args:
        experiment: the settings.
        places: of the data.
        folder: of the runs; measurements are kept in ``prepared`` in it, under a hash of what they depend on.

    Returns:
        plain data, all by batch size: ``costs``, ``noise`` (``start``, and ``after`` training with the
        recipe's own size) and ``fills``: how many sources can fill a batch.
    """
    grid = grid_of(experiment)
    if not grid.sizes:
        return {}
    seeded = override(experiment.recipe, {"batches.strategy": "hybrid", "training.seed": 0})
    recipes = {size: sized(seeded, grid, size) for size in sorted(set(grid.sizes))}
    own = sized(seeded, grid, seeded.batches.size)
    sources = select_languages(sources_of(places)[0], grid.languages[: grid.size_languages])

    def kept(kind: str, recipe: Recipe, more: Mapping[str, Any], make: Callable[[Recipe], Any]) -> Any:
        key = {"kind": kind, "of": key_of(Run(kind, recipe, ()), places), **more}
        return _kept(folder / "prepared", key, partial(make, recipe))

    found: dict[str, Any] = {"fills": {str(size): _fills(sources, size) for size in recipes}}
    if grid.cost_pairs:
        costs = partial(_cost, sources=sources, pairs=grid.cost_pairs)
        more = {"pairs": grid.cost_pairs, **machine()}
        found["costs"] = {str(size): kept("cost", recipe, more, costs) for size, recipe in recipes.items()}
    if grid.noise_pairs:
        noise = partial(_noise, sources=sources, grid=grid)
        start = {str(s): kept("noise", recipe, _batches(grid, s), noise) for s, recipe in recipes.items()}
        found["noise"] = {"start": start}
        if grid.noise_after:
            after = partial(_noise_after, sources=sources, grid=grid)
            found["noise"]["after"] = kept("noise-after", own, _batches(grid, own.batches.size), after)
    return found


def answer(
    experiment: Experiment,
    runs: Sequence[Run],
    findings: Findings,
    prepared: Mapping[str, Any] | None = None,
) -> Answer:
    """Say what more languages do at equal steps and equal pairs, and which batch size is worth its cost."""
    grid = grid_of(experiment)
    sections, sentences, figures = [], [], {}
    for benchmark, groups in findings.items():
        if benchmark.endswith(f", {ABOUT_SIZES}"):
            found = sizes_section(experiment, runs, benchmark, groups, prepared or {})
        else:
            found = languages_section(experiment, grid, runs, benchmark, groups)
        sections.append(found[0])
        sentences += found[1]
        figures[benchmark] = found[2]
    return Answer(sentences, sections, {**figures, "prepared": dict(prepared or {})})


def _cost(recipe: Recipe, sources: Sequence[ParallelPairs], pairs: int) -> dict[str, Any]:
    return asdict(measure_cost(recipe, sources, pairs))


def _noise(recipe: Recipe, sources: Sequence[ParallelPairs], grid: Grid, model: Any = None) -> dict[str, Any]:
    """Estimate the noise scale of a recipe's batch size, at the encoder as it comes or at a model."""
    if model is None:
        model = load_encoder(recipe.model.name, trust_remote_code=recipe.model.trust_remote_code)
    size = recipe.batches.size
    products = gradient_products(model, sources, recipe, _batches(grid, size)["batches"])
    return asdict(noise_scale(products, size))


def _noise_after(recipe: Recipe, sources: Sequence[ParallelPairs], grid: Grid) -> dict[str, Any]:
    """Estimate it after training, which is done for it alone, as the models of runs are not kept."""
    model = load_encoder(recipe.model.name, trust_remote_code=recipe.model.trust_remote_code)
    with TemporaryDirectory() as folder:
        outcome = train_recipe(recipe, model, sources, Path(folder) / "model")
    if not outcome.finished:
        raise KeyboardInterrupt
    return _noise(recipe, sources, grid, model)


def _batches(grid: Grid, size: int) -> dict[str, int]:
    return {"batches": min(MOST, max(FEWEST, grid.noise_pairs // size))}


def _fills(sources: Sequence[ParallelPairs], size: int) -> dict[str, int]:
    """Count the sources that can fill a batch across languages, and all."""
    able = 0
    for source in sources:
        try:
            make_sampler([source], strategy="crosslingual", batch_size=size)
        except PanglotError:
            continue
        able += 1
    return {"sources": able, "of": len(sources)}


def _kept(folder: Path, key: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """Return what was made of a key before; else make and keep it."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=False)
    path = folder / f"{key['kind']}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        write_json(path, {"key": key, "found": make()})
    return json.loads(path.read_text(encoding="utf-8"))["found"]
