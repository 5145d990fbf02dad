"""Settings that cannot work together, or have no effect beside each other; none of it loads a model."""

from typing import Any

from panglot.batches import ALPHAS
from panglot.errors import PanglotError
from panglot.training.config import TrainingConfig, parts_of


def check_settings(config: TrainingConfig, held_out: bool, processes: int = 1) -> None:
    """Refuse settings that exclude each other, in one model or in the parts of a merged one.

    Args:
        held_out: whether documents are held out.
        processes: that share each batch.
    """
    if config.merge is not None and not (config.merge.weights or held_out):
        raise PanglotError(
            "merge.weights is empty, and no documents are held out to choose weights on. Give one weight for "
            "each part, or use --held-out 0.1."
        )
    for part in parts_of(config).values():
        if part.training.patience and not (held_out and part.training.eval_steps):
            raise PanglotError("patience needs held-out documents and eval_steps. Set both, or patience = 0.")
        if part.batches.size % processes:
            raise PanglotError(
                f"A batch of {part.batches.size} cannot be shared by {processes} processes. Use a multiple."
            )


def check_trackers(config: TrainingConfig) -> None:
    """Refuse trackers that are unknown to the Trainer, or not installed; it is imported to know them."""
    for name in [name for part in parts_of(config).values() for name in part.training.report_to]:
        from transformers.integrations import integration_utils

        trackers: Any = integration_utils.get_reporting_integration_callbacks
        try:
            trackers([name])[0]()
        except (ImportError, RuntimeError, ValueError) as error:
            fix = "run pip install 'panglot[tensorboard]', or " if name == "tensorboard" else ""
            reason = str(error).rstrip(".")
            raise PanglotError(
                f"training.report_to: '{name}' cannot be used: {reason}; {fix}leave it out."
            ) from error


def idle_settings(config: TrainingConfig, held_out: bool) -> list[str]:
    """Say, a sentence each, which settings differ from the default and have no effect beside the others."""
    batches, loss, how = config.batches, config.loss, config.training
    guided = loss.distillation or loss.pull
    idle = {
        "batches.alpha": (batches.strategy not in ALPHAS, f"with {batches.strategy} batches"),
        "loss.teacher": (not guided, "without loss.distillation or loss.pull"),
        "loss.distillation_temperature": (not loss.distillation, "without loss.distillation"),
        "loss.pivot": (
            not guided and not loss.alignment,
            "without loss.distillation, loss.pull or loss.alignment",
        ),
        "training.embedding_learning_rate": (
            how.embedding_update == "frozen",
            "while training.embedding_update is frozen",
        ),
        "training.eval_steps": (not held_out, "without held-out documents; use --held-out 0.1"),
    }
    usual = TrainingConfig()

    def is_given(setting: str) -> bool:
        part, name = setting.split(".")
        return bool(getattr(getattr(config, part), name) != getattr(getattr(usual, part), name))

    return [
        f"{name} has no effect {why}." for name, (is_idle, why) in idle.items() if is_idle and is_given(name)
    ]
