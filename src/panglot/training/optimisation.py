"""How the weights are changed, and what the Trainer is told of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from sentence_transformers import SentenceTransformerTrainingArguments

from panglot.training.adapters import Lora
from panglot.training.held_out import STOP_ON, less_is_better
from panglot.training.optimizer import TableMode

CPU_TOKENS, GPU_TOKENS = 1024, 16_384  # of a micro-batch, measured on either: see docs/performance.md


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
        dropout: rate of all dropout layers; None: the model's own.
        lora: train low-rank adapters instead of the weights, merged into them in the end; None: do not.
        bf16: compute in bfloat16 where that is safe.
        micro_batch_tokens: padded tokens that are encoded together; None: what suits a CPU or a GPU.
        gradient_cache: encode each micro-batch twice and keep the activations of one only, so that a batch
            of any size fits in memory.
        gradient_checkpointing: the same inside each layer of the transformer.
        compile: compile the transformer (torch.compile).
        evaluate_every: measure on held-out documents every so many steps; 0: only at the end.
        stop_on: the held-out figure that says which model is best: a measure's mean over the settings (AP,
            nDCG@10), one setting's (multilingual_AP), or rank_distance, of which less is better.
        patience: stop after so many measurements without a gain; 0: never. The best model is kept.
        save_every: checkpoint every so many steps (as often as measured, where it is measured); 0: never.
        workers: processes that look up and tokenise ahead; 0: the training process does.
        report_to: trackers that the Trainer knows, such as tensorboard.
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
    dropout: float | None = None
    lora: Lora | None = None
    bf16: bool = False
    micro_batch_tokens: int | None = None
    gradient_cache: bool = False
    gradient_checkpointing: bool = False
    compile: bool = False
    evaluate_every: int = 0
    stop_on: str = STOP_ON
    patience: int = 0
    save_every: int = 0
    workers: int = 0
    report_to: tuple[str, ...] = ()


def training_arguments(
    folder: Path, how: Optimisation, held_out: bool
) -> SentenceTransformerTrainingArguments:
    """Translate into the Trainer's arguments; checkpoints go to ``folder / "checkpoints"``."""
    measured = held_out and how.evaluate_every > 0
    save = how.evaluate_every if measured else how.save_every
    memory: dict[str, Any] = {}
    if how.gradient_checkpointing:
        memory = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    return SentenceTransformerTrainingArguments(
        **memory,
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
        dataloader_num_workers=how.workers,
        eval_strategy="steps" if measured else "no",
        eval_steps=how.evaluate_every or None,
        save_strategy="steps" if save else "no",
        save_steps=save or how.steps,
        save_total_limit=2 if measured else 1,
        load_best_model_at_end=measured,
        metric_for_best_model=how.stop_on if measured else None,
        greater_is_better=not less_is_better(how.stop_on) if measured else None,
        restore_callback_states_from_checkpoint=True,  # the patience that is left
        logging_steps=min(10, how.steps),
        report_to=list(how.report_to) or "none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )
