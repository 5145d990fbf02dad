"""The one trainer: sentence-transformers' own, fed with drawn steps and measured on held-out documents."""

from collections.abc import Callable
from typing import Any

import torch
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
from torch.utils.data import DataLoader
from transformers.trainer_callback import PrinterCallback

from panglot.training.objective import Features, InfoNCE
from panglot.training.optimizer import clip_gradients, make_optimizer
from panglot.training.steps import Steps

Measure = Callable[[SentenceTransformer], dict[str, float]]


class PairsTrainer(SentenceTransformerTrainer):
    """SentenceTransformerTrainer over ``Steps``; checkpoints, resuming, mixed precision are its own.

    Args:
        steps: the training data, one entry a step and process.
        objective: the loss.
        measure: maps the model to its figures on held-out data; None where nothing is measured on the way.
        table_learning_rate: of the token table; None: as for the rest.
        arguments: the library's own: ``args``, ``callbacks``.
    """

    def __init__(
        self,
        *,
        steps: Steps,
        objective: InfoNCE,
        measure: Measure | None,
        table_learning_rate: float | None,
        **arguments: Any,
    ) -> None:
        self._steps, self._measure, self._table_learning_rate = steps, measure, table_learning_rate
        super().__init__(
            model=steps.model,
            loss=objective,
            # an empty list stands for "evaluated by other means": see evaluate
            evaluator=None if measure is None else [],
            **arguments,
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Features]:
        """Load one entry at a time; accelerate deals entry i to process i mod the number of processes."""
        loader: DataLoader[Features] = DataLoader(
            self._steps,  # type: ignore[arg-type]
            batch_size=1,
            shuffle=False,
            collate_fn=_only,
            num_workers=self.args.dataloader_num_workers,
        )
        return self.accelerator.prepare(loader)  # type: ignore[no-any-return]

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make AdamW with a learning rate of its own, and lazy updates, for the token table."""
        if self.optimizer is None:
            self.optimizer = make_optimizer(
                self.model, self.args.learning_rate, self._table_learning_rate, self.args.weight_decay
            )
        return self.optimizer

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Measure the model on held-out data."""
        assert self._measure is not None
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in self._measure(self.model).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Do nothing: the library's callback wants a materialised dataset; panglot writes its own card."""

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        return clip_gradients(self.model.parameters(), self.args.max_grad_norm)


def _only(entries: list[Features]) -> Features:
    return entries[0]
