"""Training: the objective, the trainer, the settings of a run."""

from panglot.training.checkpoints import training_of
from panglot.training.objective import InfoNCE, info_nce
from panglot.training.optimizer import LazyAdamW, make_optimizer, set_table_mode
from panglot.training.run import Optimisation, Training, held_out_measure, train
from panglot.training.settings import Recipe, parse_override, read_recipe
from panglot.training.watching import StepReport

__all__ = [
    "InfoNCE",
    "LazyAdamW",
    "Optimisation",
    "Recipe",
    "StepReport",
    "Training",
    "held_out_measure",
    "info_nce",
    "make_optimizer",
    "parse_override",
    "read_recipe",
    "set_table_mode",
    "train",
    "training_of",
]
