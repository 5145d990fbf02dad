"""Train an encoder."""

import copy
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import EarlyStoppingCallback

from panglot.batches import make_sampler
from panglot.data import ParallelPairs, Source, as_sources
from panglot.encoders import all_finite, as_encoder, cut_at, max_length_of, model_sha256, name_of
from panglot.encoders.load import quiet_transformers
from panglot.errors import PanglotError
from panglot.files import explained, write_json
from panglot.training.adapters import prepared
from panglot.training.callbacks import OnStep, StepCallback, tensorboard_in, training_progress
from panglot.training.card import model_card
from panglot.training.checkpoints import (
    last_step,
    only_training,
    prepare_folder,
    processes_of,
    remove_checkpoints,
    save_model,
)
from panglot.training.checks import check_settings, check_trackers, idle_settings
from panglot.training.config import TrainingConfig, config_of
from panglot.training.dataset import Steps
from panglot.training.distributed import (
    check_shards,
    close_shards,
    decided_by_first,
    gather_weights,
    is_first,
    of_first,
    on_any,
)
from panglot.training.held_out import Measure, measure_of
from panglot.training.loss import Guidance, InfoNCE
from panglot.training.trainer import PairsTrainer, token_budget, training_arguments


@dataclass(frozen=True)
class Training:
    """The outcome of a training run.

    Attributes:
        steps: that were made in all.
        figures: on held-out documents, of the model that was kept.
        log: what was logged on the way.
        finished: False after Ctrl-C; then a checkpoint waits to be resumed.
        weights: of merged parts, by name; empty for one model.
    """

    steps: int
    figures: dict[str, float]
    log: list[dict[str, float]]
    finished: bool
    weights: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        figures = "".join(f", {name} {value:.4f}" for name, value in sorted(self.figures.items()))
        return f"Training({self.steps} steps, {'finished' if self.finished else 'interrupted'}{figures})"


def train(
    model: SentenceTransformer | str | Path,
    pairs: Source | Iterable[Source],
    output: str | Path,
    *,
    config: TrainingConfig | None = None,
    held_out: Source | Iterable[Source] = (),
    teacher: SentenceTransformer | str | Path | None = None,
    model_name: str | None = None,
    resume: bool = False,
    progress: OnStep | Literal[False] | None = None,
    note: Callable[[str], None] | None = None,
    **settings: Any,
) -> Training:
    """Fine-tune an encoder on parallel pairs, in place, and save it to a folder.

    Args:
        model: any sentence-transformers encoder, or what ``load_encoder`` takes.
        pairs: what to train on: one source or several, each ``ParallelPairs`` or what
            ``panglot train --pairs`` takes; a batch comes from one, or (``join_sources``) all.
        output: folder for the model, its card, ``run.json`` and ``log.json``.
        config: all settings; None: the defaults, and what is known to suit the model. Its parts ``model`` and
            ``data`` are for recipes: model and pairs are given here; ``merge`` is refused.
        held_out: pairs of other documents to measure on; ``data.held_out_items`` of each, evenly spread.
        teacher: for ``distillation`` and ``pull``; None: the config's, else the model before training.
        model_name: what the run and the card call the model; None: the name or path that it was loaded from.
        resume: continue an interrupted run in ``output``; the result is that of an uninterrupted one.
        progress: called after each step and whenever something is logged. By default, standard error shows
            steps and loss; False shows nothing.
        note: called with sentences that a person should read.
        settings: single settings over the config, by the names of ``BatchesPart`` (and ``batch_size``),
            ``LossPart`` and ``TrainingPart``: ``alpha=0.3, steps=50``. batch_size counts all processes.

    Raises:
        PanglotError: settings that cannot work, or a folder that holds another run.
    """
    sources, measured, model = as_sources(pairs), as_sources(held_out), as_encoder(model)
    note = note or (lambda _: None)
    model_name = model_name or name_of(model)
    config = config_of(model_name, config, settings)
    if config.merge is not None:
        raise PanglotError(
            "merge: train() trains one model; use panglot.training.recipes.run_recipe, "
            "or panglot train with a recipe, to merge several."
        )
    if not config.loss.negatives:
        sources = [source.without_negatives() for source in sources]
        measured = [source.without_negatives() for source in measured]
    folder, how, loss, batches = Path(output), config.training, config.loss, config.batches
    guidance = _guidance(config, teacher, model)
    drawn = batches.drawn_from(sources)
    sampler = make_sampler(drawn, seed=how.seed, steps=how.steps, **batches.sampler_settings())
    check_trackers(config)
    _check(config, model, guidance)
    run = _describe(model, model_name, sources, config, guidance)
    if measured:  # it decides which model is the best
        run["held_out"] = [_facts_of(source) for source in measured]
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    arguments = training_arguments(folder, how, bool(measured))  # several processes meet here
    # several GPUs take several processes; DataParallel would cut through what a step consists of
    arguments._n_gpu = min(1, arguments.n_gpu)
    if not _has_idle_parts(model):  # else each step would look for parameters without a gradient
        arguments.ddp_find_unused_parameters = False
    ranks = arguments.world_size
    check_settings(config, bool(measured), ranks)
    with only_training(folder), quiet_transformers():
        checkpoint = _begin(folder, run, resume, ranks, note)
        for sentence in [*sampler.notes(), *idle_settings(config, bool(measured))]:
            note(sentence)
        steps = Steps(
            sampler,
            drawn,
            model,
            last_step(checkpoint, how),
            ranks,
            token_budget=token_budget(how, cuda=torch.cuda.is_available()),
            teacher=guidance.teacher if guidance else None,
            pivot=loss.pivot or None,
            aligned=loss.alignment > 0,
        )
        measure = None
        if measured:
            measure = partial(_agreed, measure_of(config, measured, model.max_seq_length))
        with _steps_shown(progress) as on_step:
            callback = StepCallback(on_step)
            trainer = _make_steps(steps, config, guidance, measure, arguments, checkpoint, callback)
            made, log = trainer.state.global_step, trainer.state.log_history
            if callback.stopped:
                return Training(made, {}, log, finished=False)
            figures = measure(model) if measure else {}
            card = model_card(run, figures, made, model)
            gather_weights(model)
            if not all_finite(model):
                raise PanglotError(
                    f"{folder}: the last step made weights that are not finite, so no model is saved. "
                    f"Lower learning_rate ({how.learning_rate:g})."
                )
            decided_by_first(partial(_keep, model, folder, card, {"log": log, "held_out": figures}))
            return Training(made, figures, log, finished=True)


def _steps_shown(progress: OnStep | Literal[False] | None) -> AbstractContextManager[OnStep | None]:
    """Yield one's own function, None (False, or another process shows the steps), or what shows the steps."""
    if progress is None and is_first():
        return training_progress()
    return nullcontext(progress or None)


def _make_steps(
    steps: Steps,
    config: TrainingConfig,
    guidance: Guidance | None,
    measure: Measure | None,
    arguments: SentenceTransformerTrainingArguments,
    checkpoint: Path | None,
    callback: StepCallback,
) -> PairsTrainer:
    """Make the steps that are left, from a checkpoint or the beginning; return the trainer that made them."""
    model, how, loss = steps.model, config.training, config.loss
    folder = Path(str(arguments.output_dir)).parent
    if steps.ranks > 1 and torch.cuda.is_available() and how.embedding_update == "sparse":
        how = how.model_copy(update={"embedding_update": "dense"})  # NCCL sums no sparse gradients
    arguments.max_steps = steps.steps
    if guidance is not None:
        guidance.teacher.to(arguments.device).eval()
    with prepared(model, how):
        with tensorboard_in(folder / "tensorboard"):
            trainer = PairsTrainer(
                steps=steps,
                loss=InfoNCE(model, loss.temperature, guidance, loss.weight_of_dimension, loss.alignment),
                measure=measure if how.eval_steps else None,
                embedding_learning_rate=how.embedding_learning_rate,
                args=arguments,
                callbacks=[callback, *([EarlyStoppingCallback(how.patience)] if how.patience else [])],
            )
        check_shards(trainer, checkpoint)
        try:
            with explained(folder), cut_at(model, how.max_length):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            callback.release()
            if is_first():  # the one that writes them
                remove_checkpoints(folder, only_broken=True)
    return trainer


def _has_idle_parts(model: SentenceTransformer) -> bool:
    """Say whether a model may have weights that training never reaches, such as BERT's pooler."""
    if getattr(model[0], "every_weight_trains", False):
        return False
    inner = getattr(model[0], "model", None)
    return inner is None or getattr(inner, "pooler", None) is not None


def _begin(
    folder: Path, run: dict[str, Any], resume: bool, ranks: int, note: Callable[[str], None]
) -> Path | None:
    """Begin or continue the run in a folder as the first process finds it; see ``prepare_folder``."""
    checkpoint = decided_by_first(partial(prepare_folder, folder, run, resume))
    if checkpoint is None:
        return None
    if on_any(not checkpoint.exists()):
        raise PanglotError(
            f"{checkpoint}: not every machine has this checkpoint; "
            "keep the output folder on a file system that all of them share."
        )
    before = processes_of(checkpoint)
    if before != ranks:
        note(
            f"the run began on {before} processes and continues on {ranks}: "
            "the batches stay the same, but dropout leaves out other units."
        )
    return checkpoint


def _agreed(measure: Measure, model: SentenceTransformer) -> dict[str, float]:
    """Measure on all processes, as sharded models need, and take the first's figures: all stop together."""
    figures = of_first(measure(model))
    close_shards(model)
    return figures


def _keep(model: SentenceTransformer, folder: Path, card: str, log: dict[str, Any]) -> None:
    """Write what is kept of a finished run."""
    write_json(folder / "log.json", log)
    save_model(model, folder, card)
    remove_checkpoints(folder)


def _check(config: TrainingConfig, model: SentenceTransformer, guidance: Guidance | None) -> None:
    """Refuse settings that do not fit the model or its teacher."""
    dims, own = config.loss.matryoshka_dims, model.get_embedding_dimension()
    if dims and own is not None and max(dims) > own:
        raise PanglotError(
            f"matryoshka_dims has {max(dims)}, but the model's embeddings have {own} dimensions. "
            "Use dimensions up to that."
        )
    if guidance is None:
        return
    if guidance.teacher is model:
        raise PanglotError("the teacher is the model that is trained, which changes; load it once more.")
    other = guidance.teacher.get_embedding_dimension()
    if guidance.pull and own != other:
        raise PanglotError(
            f"the teacher's embeddings have {other} dimensions and the model's {own}, so translations cannot "
            "be pulled to the teacher's; use another teacher, or distillation alone."
        )


def _guidance(
    config: TrainingConfig, teacher: SentenceTransformer | str | Path | None, model: SentenceTransformer
) -> Guidance | None:
    """Return the teacher and its weights, if the loss has a use for one."""
    loss = config.loss
    if not (loss.distillation or loss.pull):
        return None
    named = loss.teacher if teacher is None else teacher
    return Guidance(
        copy.deepcopy(model)
        if named is None
        else as_encoder(named, trust_remote_code=config.model.trust_remote_code),
        distillation=loss.distillation,
        temperature=loss.distillation_temperature,
        pull=loss.pull,
    )


def _describe(
    model: SentenceTransformer,
    name: str,
    sources: Sequence[ParallelPairs],
    config: TrainingConfig,
    guidance: Guidance | None,
) -> dict[str, Any]:
    """Return all that a run depends on."""
    settings = config.model_dump(include={"batches", "loss", "training"})
    settings["batches"]["alpha"] = config.batches.used_alpha
    settings["batches"]["language_temperature"] = str(config.batches.language_temperature)  # JSON has no inf
    for setting in ("matryoshka_dims", "matryoshka_weights"):
        if not settings["loss"][setting]:  # so that runs of before there were these can be resumed
            del settings["loss"][setting]
    if not config.batches.join_sources:
        del settings["batches"]["join_sources"]
    settings["loss"]["teacher_sha256"] = model_sha256(guidance.teacher) if guidance else None
    return {
        "panglot": version("panglot"),
        "model": {
            "name": name,
            "sha256": model_sha256(model),
            "max_length": max_length_of(model),
            "centre": config.model.centre,
        },
        "data": [_facts_of(source) for source in sources],
        **settings,
    }


def _facts_of(source: ParallelPairs) -> dict[str, Any]:
    return {
        "name": source.name,
        "sha256": source.sha256,
        "items": len(source),
        "rows": source.index.entries,
        "languages": list(source.languages),
    }
