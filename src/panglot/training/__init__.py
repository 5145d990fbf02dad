"""Training: the objective, the trainer, the settings of a run."""

from panglot.training.callbacks import StepReport
from panglot.training.checkpoints import training_of
from panglot.training.config import (
    Lora,
    TrainingConfig,
    known_settings,
    override,
    parse_override,
    read_recipe,
)
from panglot.training.distributed import is_first
from panglot.training.held_out import held_out_measure
from panglot.training.loss import InfoNCE, info_nce
from panglot.training.optimizer import LazyAdamW, make_optimizer, set_table_mode
from panglot.training.run import Training, train
from panglot.training.teacher import Guidance

__all__ = [
    "Guidance",
    "InfoNCE",
    "LazyAdamW",
    "Lora",
    "StepReport",
    "Training",
    "TrainingConfig",
    "held_out_measure",
    "info_nce",
    "is_first",
    "known_settings",
    "make_optimizer",
    "override",
    "parse_override",
    "read_recipe",
    "set_table_mode",
    "train",
    "training_of",
]
