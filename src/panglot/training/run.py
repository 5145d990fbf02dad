"""Train an encoder."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from transformers import EarlyStoppingCallback

from panglot.batches import Sampler
from panglot.data import ParallelPairs
from panglot.encoders import all_finite, cut_at, model_sha256
from panglot.errors import PanglotError
from panglot.files import explained, write_json
from panglot.training.adapters import adapted, compiled, dropout_of, without_checkpointing_after
from panglot.training.card import model_card
from panglot.training.checkpoints import (
    last_step,
    prepare_folder,
    processes_of,
    remove_checkpoints,
    save_model,
)
from panglot.training.held_out import Measure, held_out_measure, stopping_measure
from panglot.training.micro_batches import micro_batched
from panglot.training.objective import InfoNCE
from panglot.training.optimisation import CPU_TOKENS, GPU_TOKENS, Optimisation, training_arguments
from panglot.training.optimizer import table_mode
from panglot.training.processes import decided_by_first, is_first, of_first, on_any
from panglot.training.shards import check_shards, close_shards, gather_weights
from panglot.training.steps import Steps
from panglot.training.teacher import Guidance
from panglot.training.trainer import PairsTrainer
from panglot.training.watching import StepReport, Watcher, check_tracker, tensorboard_in


@dataclass(frozen=True)
class Training:
    """What came of a training run.

    Attributes:
        steps: that were made in all.
        figures: on held-out documents, of the model that was kept.
        log: what was logged on the way.
        finished: False after Ctrl-C; then a checkpoint waits to be resumed.
    """

    steps: int
    figures: dict[str, float]
    log: list[dict[str, float]]
    finished: bool


def train(
    model: SentenceTransformer,
    sources: Sequence[ParallelPairs],
    output: str | Path,
    *,
    strategy: str = "hybrid",
    alpha: float | tuple[float, ...] = 0.5,
    batch_size: int = 128,
    language: str | None = None,
    language_temperature: float = float("inf"),
    source_temperature: float = 1.0,
    temperature: float = 0.05,
    guidance: Guidance | None = None,
    optimisation: Optimisation | None = None,
    held_out: Sequence[ParallelPairs] = (),
    held_out_items: int = 100,
    model_name: str = "encoder",
    resume: bool = False,
    tell: Callable[[StepReport], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> Training:
    """Fine-tune an encoder on parallel pairs, in place, and save it to a folder.

    Args:
        model: any sentence-transformers encoder.
        sources: what to train on; a batch comes from one source.
        output: folder for the model, its card, ``run.json`` and ``log.json``.
        strategy: how batches are drawn; with alpha, batch_size, language and the two temperatures of
            languages and sources see ``panglot.batches.Sampler``. batch_size counts all processes.
        temperature: of InfoNCE.
        guidance: a teacher, and what it adds to InfoNCE.
        optimisation: steps, rates, seed, when to measure, save and stop.
        held_out: pairs of other documents to measure on.
        held_out_items: of each source at most so many, evenly spread, so that measuring stays cheap.
        model_name: what the run and the card call the model.
        resume: continue an interrupted run in ``output``; the result is that of an uninterrupted one.
        tell: called after each step and whenever something is logged.
        note: called with sentences that a person should read.

    Raises:
        PanglotError: settings that cannot work, or a folder that holds another run.
    """
    folder, how = Path(output), optimisation or Optimisation()
    sampler = Sampler(
        [source.index for source in sources],
        strategy=strategy,  # type: ignore[arg-type]
        batch_size=batch_size,
        alpha=alpha,
        seed=how.seed,
        language=language,
        language_temperature=language_temperature,
        source_temperature=source_temperature,
        names=[source.name for source in sources],
        steps=how.steps,
    )
    _check(how, bool(held_out), model, guidance)
    run = _describe(model, model_name, sources, sampler, temperature, guidance, how)
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    arguments = training_arguments(folder, how, bool(held_out))  # several processes meet here
    # several GPUs take several processes; DataParallel would cut through what a step consists of
    arguments._n_gpu = min(1, arguments.n_gpu)
    if not _has_idle_parts(model):  # else each step would look for parameters without a gradient
        arguments.ddp_find_unused_parameters = False
    ranks = arguments.world_size
    if batch_size % ranks:
        raise PanglotError(f"a batch of {batch_size} cannot be shared by {ranks} processes; use a multiple.")
    checkpoint = _begin(folder, run, resume, ranks, note)
    for sentence in sampler.notes():
        if note is not None:
            note(sentence)
    cuda = torch.cuda.is_available()
    if ranks > 1 and cuda and how.table == "sparse":  # NCCL sums no sparse gradients
        how = replace(how, table="dense")
    measure = None
    if held_out:
        found = held_out_measure(held_out, held_out_items, model.max_seq_length, how.stop_on)
        measure = partial(_agreed, found)
    watcher = Watcher(tell)
    budget = how.micro_batch_tokens or (GPU_TOKENS if cuda else CPU_TOKENS)
    arguments.max_steps = last_step(checkpoint, how)
    steps = Steps(sampler, sources, model, arguments.max_steps, ranks, budget)
    if guidance is not None:
        guidance.teacher.to(arguments.device).eval()
        steps = replace(steps, teacher=guidance.teacher, pivot=guidance.pivot)
    with _prepared(model, how):
        with tensorboard_in(folder / "tensorboard"):
            trainer = PairsTrainer(
                steps=steps,
                objective=InfoNCE(model, temperature, guidance),
                measure=measure if how.evaluate_every else None,
                table_learning_rate=how.table_learning_rate,
                args=arguments,
                callbacks=[watcher, *([EarlyStoppingCallback(how.patience)] if how.patience else [])],
            )
        check_shards(trainer, checkpoint)
        try:
            with explained(folder), cut_at(model, how.max_length):
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            watcher.release()
            if is_first():  # the one that writes them
                remove_checkpoints(folder, only_broken=True)
    made = trainer.state.global_step
    log: list[dict[str, float]] = trainer.state.log_history
    if watcher.stopped:
        return Training(made, {}, log, finished=False)
    figures = measure(model) if measure else {}
    own_module = any(type(module).__module__.startswith("panglot.") for module in model)
    card = model_card(run, figures, made, own_module)
    gather_weights(model)
    _check_finite(model, folder, how.learning_rate)
    decided_by_first(partial(_keep, model, folder, card, {"log": log, "held_out": figures}))
    return Training(made, figures, log, finished=True)


def _check_finite(model: SentenceTransformer, folder: Path, rate: float) -> None:
    """Refuse to save a model that its last step broke."""
    if not all_finite(model):
        raise PanglotError(
            f"{folder}: the last step made weights that are not finite, so no model is saved. "
            f"Lower learning_rate ({rate:g})."
        )


def _has_idle_parts(model: SentenceTransformer) -> bool:
    """Say whether a model may have weights that training never reaches, such as BERT's pooler."""
    if getattr(model[0], "every_weight_trains", False):
        return False
    inner = getattr(model[0], "model", None)
    return inner is None or getattr(inner, "pooler", None) is not None


def _begin(
    folder: Path, run: dict[str, Any], resume: bool, ranks: int, note: Callable[[str], None] | None
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
    if before != ranks and note is not None:
        note(
            f"the run was begun on {before} processes and goes on on {ranks}: "
            "its batches stay the same, but what dropout leaves out does not."
        )
    return checkpoint


def _agreed(measure: Measure, model: SentenceTransformer) -> dict[str, float]:
    """Measure on all processes, which sharded models need, and go by one: else some might stop alone."""
    figures = of_first(measure(model))
    close_shards(model)
    return figures


def _keep(model: SentenceTransformer, folder: Path, card: str, log: dict[str, Any]) -> None:
    """Write what is kept of a finished run."""
    write_json(folder / "log.json", log)
    save_model(model, folder, card)
    remove_checkpoints(folder)


@contextmanager
def _prepared(model: SentenceTransformer, how: Optimisation) -> Iterator[None]:
    """Make a model ready to be trained as asked, and a plain one again."""
    with (
        table_mode(model, how.table),
        adapted(model, how.lora, how.seed),
        dropout_of(model, how.dropout),
        without_checkpointing_after(model),
        compiled(model, how.compile),
        micro_batched(model, cached=how.gradient_cache),
    ):
        yield


def _check(how: Optimisation, held_out: bool, model: SentenceTransformer, guidance: Guidance | None) -> None:
    """Refuse settings that cannot work together."""
    stopping_measure(how.stop_on)
    if how.patience and not (held_out and how.evaluate_every):
        raise PanglotError("patience needs held-out documents and evaluate_every; set both, or patience = 0.")
    for name in how.report_to:
        check_tracker(name)
    if guidance is None:
        return
    if guidance.teacher is model:
        raise PanglotError("the teacher is the model that is trained, which changes; load it once more.")
    own, other = (m.get_embedding_dimension() for m in (model, guidance.teacher))
    if guidance.pull and own != other:
        raise PanglotError(
            f"the teacher's embeddings have {other} dimensions and the model's {own}, so translations cannot "
            "be pulled to the teacher's; use another teacher, or distillation alone."
        )


def _describe(
    model: SentenceTransformer,
    name: str,
    sources: Sequence[ParallelPairs],
    sampler: Sampler,
    temperature: float,
    guidance: Guidance | None,
    how: Optimisation,
) -> dict[str, Any]:
    """Return all that a run depends on."""
    return {
        "panglot": version("panglot"),
        "model": {"name": name, "sha256": model_sha256(model), "max_length": model.max_seq_length},
        "data": [
            {
                "name": source.name,
                "sha256": source.sha256,
                "items": len(source),
                "rows": source.index.entries,
                "languages": list(source.languages),
            }
            for source in sources
        ],
        "batches": {
            "strategy": sampler.strategy,
            "alpha": list(sampler.alpha) if isinstance(sampler.alpha, tuple) else sampler.alpha,
            "size": sampler.batch_size,
            "language": sampler.language,
            "language_temperature": str(sampler.language_temperature),
            "source_temperature": sampler.source_temperature,
        },
        "objective": {
            "temperature": temperature,
            "distillation": guidance.distillation if guidance else 0.0,
            "distillation_temperature": guidance.temperature if guidance else None,
            "pull": guidance.pull if guidance else 0.0,
            "pivot": guidance.pivot if guidance else None,
            "teacher_sha256": model_sha256(guidance.teacher) if guidance else None,
        },
        "training": asdict(how),
    }
