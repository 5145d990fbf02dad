"""The one trainer: sentence-transformers' own, fed with drawn steps and measured on held-out documents."""

import os
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_file, save_model
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from panglot.encoders import all_finite
from panglot.encoders.encoding import warn_of_slow_bfloat16
from panglot.errors import PanglotError
from panglot.training.config import LESS_IS_BETTER, TrainingPart, chosen_precision
from panglot.training.dataset import Steps
from panglot.training.held_out import Measure
from panglot.training.loss import InfoNCE
from panglot.training.micro_batches import Features
from panglot.training.optimizer import clip_gradients, make_optimizer

WEIGHTS = "model.safetensors"
COUNTED = ("pairs", "tokens", "padded", "monolingual")


class PairsTrainer(SentenceTransformerTrainer):
    """SentenceTransformerTrainer over ``Steps``; checkpoints, resuming, mixed precision are its own.

    Args:
        steps: the training data, one entry a step and process.
        loss: the loss.
        measure: maps the model to its figures on held-out data; None where nothing is measured on the way.
        embedding_learning_rate: of the token embeddings; None: as for the rest.
        arguments: the library's own: ``args``, ``callbacks``.
    """

    def __init__(
        self,
        *,
        steps: Steps,
        loss: InfoNCE,
        measure: Measure | None,
        embedding_learning_rate: float | None,
        **arguments: Any,
    ) -> None:
        self._steps, self._measure, self._embedding_learning_rate = steps, measure, embedding_learning_rate
        self._counts = dict.fromkeys((*COUNTED, "entries"), 0)
        self._since: float | None = None
        super().__init__(
            model=steps.model,
            loss=loss,
            # an empty list means "evaluated by other means": see evaluate
            evaluator=None if measure is None else [],
            **arguments,
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Features]:
        """Load one entry at a time; accelerate deals entry i to process i mod the number of processes."""
        workers = self.args.dataloader_num_workers
        if workers:  # forked from a process whose tokenizer may have threads, which a fork does not have
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        loader: DataLoader[Features] = DataLoader(
            self._steps,  # type: ignore[arg-type]
            batch_size=1,
            shuffle=False,
            collate_fn=_only,
            num_workers=workers,
        )
        return self.accelerator.prepare(loader)  # type: ignore[no-any-return]

    def collect_features(self, inputs: Features) -> tuple[Any, Tensor | None]:
        """Hand the features of a step to the loss as they are, and count what the log says of them."""
        if self._since is None:
            self._since = time.perf_counter()
        self._counts["entries"] += 1
        for name in COUNTED:
            self._counts[name] += inputs[name]
        return inputs, None

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make AdamW with a learning rate of its own, and lazy updates, for the token table."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(
                self.model, self.args.learning_rate, self._embedding_learning_rate, self.args.weight_decay
            )
        return self.optimizer

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Measure the model on held-out data."""
        assert self._measure is not None
        began = time.perf_counter()
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in self._measure(self.model).items()}
        if self._since is not None:
            self._since += time.perf_counter() - began  # pairs per second are those of training
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add to a logged loss what the steps since the last one were like, on this process."""
        if "loss" in logs and self._since is not None and self._counts["entries"]:
            counts, seconds = self._counts, time.perf_counter() - self._since
            logs |= {
                "pairs_per_second": counts["pairs"] * self.args.world_size / seconds,
                "padding_efficiency": counts["tokens"] / max(1, counts["padded"]),
                "monolingual_share": counts["monolingual"] / counts["entries"],
            }
            self._counts = dict.fromkeys(counts, 0)
            self._since = time.perf_counter()
        super().log(logs, start_time)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do nothing: the library's callback wants a materialised dataset; panglot writes its own card."""

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        """Scale the gradients; stop before the weights change where they are not finite."""
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:  # these know where the shards are
            norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        else:
            norm = clip_gradients(self.model.parameters(), self.args.max_grad_norm)
        if not bool(torch.isfinite(norm)):  # so is the norm where the loss is not finite
            raise PanglotError(_diverged(self.model, self.state.global_step + 1, self.args.learning_rate))
        return norm  # type: ignore[no-any-return]

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """Write a checkpoint's weights alone: model, tokenizer and adapters are there when it is resumed."""
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        if state_dict is None:
            save_model(self.model, str(folder / WEIGHTS))
        else:  # gathered from shards
            save_file({name: value.contiguous() for name, value in state_dict.items()}, folder / WEIGHTS)

    def _load_from_checkpoint(self, checkpoint_path: str, model: Any = None) -> None:
        if model is None:
            load_model(self.model, str(Path(checkpoint_path) / WEIGHTS))
        else:  # in shards
            Trainer._load_from_checkpoint(self, checkpoint_path, model)


def token_budget(how: TrainingPart, *, cuda: bool) -> int:
    """Return the tokens of a micro-batch: the settings', or what is fast (docs/results/performance.md)."""
    return how.micro_batch_tokens or (16_384 if cuda else 1024)


def training_arguments(
    folder: Path, how: TrainingPart, held_out: bool
) -> SentenceTransformerTrainingArguments:
    """Translate into the Trainer's arguments; checkpoints go to ``folder / "checkpoints"``."""
    measured = held_out and how.eval_steps > 0
    save = how.eval_steps if measured else how.save_steps
    memory: dict[str, Any] = {}
    if how.gradient_checkpointing:
        memory = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    bf16 = chosen_precision(how.bf16)
    if bf16:
        warn_of_slow_bfloat16()
    return SentenceTransformerTrainingArguments(
        **memory,
        output_dir=str(folder / "checkpoints"),
        max_steps=how.steps,
        per_device_train_batch_size=1,
        learning_rate=how.learning_rate,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(
            how.lr_scheduler_type, how.lr_scheduler_type
        ),
        warmup_steps=round(how.warmup_ratio * how.steps),
        weight_decay=how.weight_decay,
        max_grad_norm=how.max_grad_norm,
        seed=how.seed,
        bf16=bf16,
        dataloader_num_workers=how.dataloader_num_workers,
        eval_strategy="steps" if measured else "no",
        eval_steps=how.eval_steps or None,
        save_strategy="steps" if save else "no",
        save_steps=save or how.steps,
        # old ones go before the manifest of the new one is written: the one before it must stay
        save_total_limit=3 if measured else 2,
        load_best_model_at_end=measured,
        metric_for_best_model=how.metric_for_best_model if measured else None,
        greater_is_better=how.metric_for_best_model not in LESS_IS_BETTER if measured else None,
        restore_callback_states_from_checkpoint=True,  # the patience that is left
        logging_steps=min(10, how.steps),
        report_to=list(how.report_to) or "none",
        disable_tqdm=True,
        use_cpu=not torch.cuda.is_available(),
    )


def _diverged(model: nn.Module, step: int, rate: float) -> str:
    """Say at which step training diverged, the likely cause, and what to do."""
    if not all_finite(model):
        cause = "The model has weights that are infinite or not a number; start from another checkpoint"
        cause += "." if step == 1 else f", or lower learning_rate ({rate:g})."
    elif step == 1:
        cause = "The first batch already overflows; raise the temperature of the loss."
    else:
        cause = f"The learning rate ({rate:g}) is probably too high; lower learning_rate."
    return f"Training diverged at step {step}: the loss or its gradient is not finite. {cause}"


def _only(entries: list[Features]) -> Features:
    return entries[0]
