"""Train an encoder."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from transformers import EarlyStoppingCallback, TrainerCallback

from panglot.batches import Sampler
from panglot.data import ParallelPairs, benchmark_from_pairs
from panglot.encoders import UseMultilingual, cut_at, encode, model_sha256, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.evaluation import evaluate_embeddings
from panglot.files import explained, write_json
from panglot.training.card import model_card
from panglot.training.checkpoints import prepare_folder, remove_checkpoints, save_model
from panglot.training.objective import InfoNCE
from panglot.training.optimizer import TableMode, set_table_mode
from panglot.training.steps import Steps
from panglot.training.trainer import Measure, PairsTrainer
from panglot.training.watching import StepReport, Watcher

STOP_ON = "AP"  # the mean over the three settings


@dataclass(frozen=True)
class Optimisation:
    """How the weights are changed; see ``panglot.training.settings.TrainingPart`` for bounds.

    Attributes:
        steps: optimizer steps.
        max_length: cut training texts at so many tokens; None: where the model cuts. Measuring and the
            saved model keep the model's own length.
        learning_rate: the highest, for everything but the token table.
        table_learning_rate: the highest for the token table; None: the same.
        table: ``sparse`` (only used rows are touched), ``dense`` or ``frozen``.
        warmup: share of the steps in which the rate rises.
        schedule: how it falls afterwards.
        weight_decay: of matrices.
        max_gradient_norm: gradients are scaled down to it.
        seed: of the draws and of dropout.
        bf16: compute in bfloat16 where that is safe.
        evaluate_every: measure on held-out documents every so many steps; 0: only at the end.
        patience: stop after so many measurements without a gain; 0: never. The best model is kept.
        save_every: checkpoint every so many steps (as often as measured, where it is measured); 0: never.
    """

    steps: int = 200
    max_length: int | None = None
    learning_rate: float = 5e-5
    table_learning_rate: float | None = None
    table: TableMode = "sparse"
    warmup: float = 0.1
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    seed: int = 0
    bf16: bool = False
    evaluate_every: int = 0
    patience: int = 0
    save_every: int = 0


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
    alpha: float = 0.5,
    batch_size: int = 128,
    language: str | None = None,
    language_temperature: float = float("inf"),
    source_temperature: float = 1.0,
    temperature: float = 0.05,
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
    )
    if how.patience and not (held_out and how.evaluate_every):
        raise PanglotError("patience needs held-out documents and evaluate_every; set both, or patience = 0.")
    run = _describe(model, model_name, sources, sampler, temperature, how)
    checkpoint = prepare_folder(folder, run, resume)
    for sentence in sampler.notes():
        if note is not None:
            note(sentence)
    set_table_mode(model, how.table)
    arguments = _arguments(folder, how, bool(held_out))
    if batch_size % arguments.world_size:
        raise PanglotError(
            f"a batch of {batch_size} cannot be shared by {arguments.world_size} processes; use a multiple."
        )
    measure = held_out_measure(held_out, held_out_items, model.max_seq_length) if held_out else None
    watcher = Watcher(tell)
    callbacks: list[TrainerCallback] = [watcher]
    if how.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=how.patience))
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    trainer = PairsTrainer(
        steps=Steps(sampler, sources, model, how.steps, arguments.world_size),
        objective=InfoNCE(model, temperature),
        measure=measure if how.evaluate_every else None,
        table_learning_rate=how.table_learning_rate,
        args=arguments,
        callbacks=callbacks,
    )
    try:
        with explained(folder), cut_at(model, how.max_length):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        watcher.release()
        if trainer.is_world_process_zero():  # the one that writes them
            remove_checkpoints(folder, only_broken=True)
    made = trainer.state.global_step
    log: list[dict[str, float]] = trainer.state.log_history
    if watcher.interrupted and made < how.steps:
        return Training(made, {}, log, finished=False)
    figures = measure(model) if measure else {}
    if trainer.is_world_process_zero():
        write_json(folder / "log.json", {"log": log, "held_out": figures})
        save_model(model, folder, model_card(run, figures, made, isinstance(model[0], UseMultilingual)))
        remove_checkpoints(folder)
    return Training(made, figures, log, finished=True)


def held_out_measure(
    held_out: Sequence[ParallelPairs], items: int = 100, max_length: int | None = None
) -> Measure:
    """Return a function that measures a model on held-out pairs: AP by setting, and their mean.

    Args:
        held_out: pairs of each source.
        items: at most so many of each source, evenly spread, so that measuring stays cheap.
        max_length: cut texts at so many tokens; None: where the model cuts.
    """
    benchmarks = []
    for pairs in held_out:
        few = np.unique(np.linspace(0, len(pairs) - 1, min(items, len(pairs))).astype(int))
        benchmarks.append(benchmark_from_pairs(pairs.select(items=few)))

    def measure(model: SentenceTransformer) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for benchmark in benchmarks:
            with cut_at(model, max_length):
                queries = encode(model, benchmark.queries.texts, query_prompt(model))
                passages = encode(model, benchmark.passages.texts, passage_prompt(model))
            results = evaluate_embeddings(benchmark, queries, passages, ["AP"]).results
            for setting, figures in results["settings"].items():
                if figures is not None:
                    found.setdefault(f"{setting}_AP", []).append(figures["AP"])
        means = {name: float(np.mean(values)) for name, values in found.items()}
        return {**means, STOP_ON: float(np.mean(list(means.values())))}

    return measure


def _arguments(folder: Path, how: Optimisation, held_out: bool) -> SentenceTransformerTrainingArguments:
    """Translate into the trainer's arguments."""
    measured = held_out and how.evaluate_every > 0
    save = how.evaluate_every if measured else how.save_every
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder / "checkpoints"),
        max_steps=how.steps,
        per_device_train_batch_size=1,
        learning_rate=how.learning_rate,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(how.schedule, how.schedule),
        warmup_steps=round(how.warmup * how.steps),
        weight_decay=how.weight_decay,
        max_grad_norm=how.max_gradient_norm,
        seed=how.seed,
        bf16=how.bf16,
        eval_strategy="steps" if measured else "no",
        eval_steps=how.evaluate_every or None,
        save_strategy="steps" if save else "no",
        save_steps=save or how.steps,
        save_total_limit=2 if measured else 1,
        load_best_model_at_end=measured,
        metric_for_best_model=STOP_ON if measured else None,
        greater_is_better=True if measured else None,
        restore_callback_states_from_checkpoint=True,  # the patience that is left
        logging_steps=min(10, how.steps),
        report_to="none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )


def _describe(
    model: SentenceTransformer,
    name: str,
    sources: Sequence[ParallelPairs],
    sampler: Sampler,
    temperature: float,
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
            "alpha": sampler.alpha,
            "size": sampler.batch_size,
            "language": sampler.language,
            "language_temperature": str(sampler.language_temperature),
            "source_temperature": sampler.source_temperature,
        },
        "objective": {"temperature": temperature},
        "training": asdict(how),
    }
