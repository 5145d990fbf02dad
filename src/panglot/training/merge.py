"""Several models trained from one start, and the weighted mean of their weights as the result."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from panglot import encoders
from panglot.files import write_json
from panglot.parse import read_form
from panglot.training.card import model_card
from panglot.training.checkpoints import (
    MERGE_FILE,
    MODEL_FILE,
    RUN_FILE,
    check_folder,
    check_same,
    last_checkpoint,
    save_model,
)
from panglot.training.checks import check_settings
from panglot.training.config import LESS_IS_BETTER, TrainingConfig, parts_of
from panglot.training.distributed import decided_by_first, is_first
from panglot.training.held_out import measure_of
from panglot.training.run import Training, train

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from panglot.data import ParallelPairs
    from panglot.training.callbacks import OnStep

PARTS = "parts"


def train_merged(
    recipe: TrainingConfig,
    model: SentenceTransformer,
    sources: Sequence[ParallelPairs],
    output: Path,
    *,
    held_out: Sequence[ParallelPairs] = (),
    resume: bool = False,
    progress: OnStep | Literal[False] | None = None,
    note: Callable[[str], None] | None = None,
) -> Training:
    """Train the parts that ``recipe.merge`` names, and put their mean into ``model`` and into ``output``.

    Averages of models that were fine-tuned from one start: Wortsman et al. 2022, arXiv 2203.05482. The parts
    stay in ``output/parts``, so that ``panglot average`` can merge them again with other weights.

    Args:
        held_out: pairs that the weights are chosen on, where the recipe gives none.
        resume: go on with the part that was interrupted.

    Raises:
        PanglotError: as in ``train``; weights are missing, and no documents are held out to choose them on.
    """
    merge = recipe.merge
    assert merge is not None
    check_settings(recipe, bool(held_out))
    decided_by_first(partial(_begin, output, recipe, resume))
    trained: list[SentenceTransformer] = []
    steps, log, trust = 0, [], recipe.model.trust_remote_code
    for name, config in parts_of(recipe).items():
        folder = output / PARTS / name
        if (folder / MODEL_FILE).exists():
            trained.append(encoders.load_encoder(str(folder), trust_remote_code=trust))
            continue
        if note is not None:
            note(f"training {name}, to be merged")
        trained.append(copy.deepcopy(model))
        outcome = train(
            trained[-1],
            sources,
            folder,
            config=config,
            held_out=held_out,
            model_name=recipe.model.name,
            resume=last_checkpoint(folder) is not None,
            progress=progress,
            note=note,
        )
        steps += outcome.steps
        log += outcome.log
        if not outcome.finished:
            return outcome
    weights, figures = _weights(recipe, trained, held_out)
    merged = encoders.average(trained, weights)
    model.load_state_dict(merged.state_dict())
    of_part = dict(zip(merge.parts, weights, strict=True))
    if is_first():
        _keep(model, output, of_part, figures)
    return Training(steps, figures, log, finished=True, weights=of_part)


def _begin(output: Path, recipe: TrainingConfig, resume: bool) -> None:
    """Write which parts are trained, or check that they are those that were begun."""
    wanted = recipe.model_dump(mode="json")
    check_folder(output, resume, merged=True)
    if resume:
        check_same(output / MERGE_FILE, wanted)
    else:
        write_json(output / MERGE_FILE, wanted)


def _weights(
    recipe: TrainingConfig, models: Sequence[SentenceTransformer], held_out: Sequence[ParallelPairs]
) -> tuple[list[float], dict[str, float]]:
    """Return the recipe's weights, or those with the best held-out figure, and the held-out figures."""
    assert recipe.merge is not None
    metric = recipe.training.metric_for_best_model
    if not held_out:
        return recipe.merge.weights, {}
    measure = measure_of(recipe, held_out, models[0].max_seq_length)

    def figures_of(weights: Sequence[float]) -> dict[str, float]:
        first = copy.deepcopy(models[0])
        return measure(encoders.average([first, *models[1:]], weights))

    if recipe.merge.weights:
        return recipe.merge.weights, figures_of(recipe.merge.weights)
    sign = -1 if metric in LESS_IS_BETTER else 1
    tried = [(weights, figures_of(weights)) for weights in shares(len(models), 10 if len(models) == 2 else 4)]
    return max(tried, key=lambda pair: sign * pair[1][metric])


def shares(parts: int, pieces: int) -> Iterator[list[float]]:
    """Yield all ways to share so many equal pieces out among the parts, as weights that sum to 1."""
    if parts == 1:
        yield [1.0]
        return
    for own in range(pieces + 1):
        if own == pieces:
            yield [1.0, *[0.0] * (parts - 1)]
            continue
        for rest in shares(parts - 1, pieces - own):
            yield [own / pieces, *(share * (pieces - own) / pieces for share in rest)]


def _keep(
    model: SentenceTransformer, output: Path, weights: dict[str, float], figures: dict[str, float]
) -> None:
    """Write the merged model, its card and how it was made."""
    first = read_form(output / PARTS / next(iter(weights)) / RUN_FILE, dict[str, Any])
    parts = {
        name: {"weight": weight, "run": read_form(output / PARTS / name / RUN_FILE, dict[str, Any])}
        for name, weight in weights.items()
    }
    run = {**first, "merge": parts}
    write_json(output / RUN_FILE, run)
    write_json(output / "log.json", {"log": [], "held_out": figures})
    save_model(model, output, model_card(run, figures, 0, model))
