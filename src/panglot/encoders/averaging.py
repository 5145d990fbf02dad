"""Averaged weights: one model out of several that were fine-tuned from the same one."""

from collections.abc import Sequence

import torch
from sentence_transformers import SentenceTransformer

from panglot.encoders.load import prompts_of
from panglot.errors import PanglotError


def average(
    models: Sequence[SentenceTransformer], weights: Sequence[float] | None = None
) -> SentenceTransformer:
    """Put the weighted mean of several models' weights into the first one, and return it.

    Runs of other seeds from one start (a model soup: Wortsman et al. 2022, arXiv 2203.05482), or a fine-tuned
    model and the one it began as (WiSE-FT: Wortsman et al. 2022, arXiv 2109.01903), which keeps more of what
    that one knew. Costs nothing when the model is used.

    Args:
        models: of one architecture and vocabulary, with the same prompts.
        weights: one a model, not negative; they are divided by their sum. None: all the same.

    Raises:
        PanglotError: fewer than two models, weights that do not fit, or models that differ in more than
            their weights.
    """
    shares = _shares(len(models), weights)
    states = [model.state_dict() for model in models]
    for number, (model, state) in enumerate(zip(models[1:], states[1:], strict=True), 2):
        for name in sorted(states[0].keys() | state.keys()):
            shapes = [tuple(s[name].shape) if name in s else None for s in (states[0], state)]
            if shapes[0] != shapes[1]:
                raise PanglotError(
                    f"model {number} cannot be averaged with the first: '{name}' has the shape {shapes[1]} "
                    f"there and {shapes[0]} here; average models that were trained from the same one."
                )
        whole = (name for name, value in states[0].items() if not value.is_floating_point())
        if odd := next((name for name in whole if not state[name].equal(states[0][name])), None):
            raise PanglotError(
                f"model {number} cannot be averaged with the first: '{odd}' differs, which has no mean; "
                "average models before they are exported."
            )
        if prompts_of(models[0]) != prompts_of(model):
            raise PanglotError(
                f"model {number} has other prompts than the first; average models that were trained from the "
                "same one."
            )
    done = set()  # tied weights are under several names
    with torch.no_grad():
        for name, value in states[0].items():
            if value.is_floating_point() and value.data_ptr() not in done:
                done.add(value.data_ptr())
                mean = sum(share * state[name].to(value) for share, state in zip(shares, states, strict=True))
                value.copy_(mean)
    return models[0]


def _shares(count: int, weights: Sequence[float] | None) -> list[float]:
    if count < 2:
        raise PanglotError("there is nothing to average; name two models or more.")
    weights = [1.0] * count if weights is None else weights
    if len(weights) != count:
        raise PanglotError(f"there are {count} models and {len(weights)} weights; give one a model.")
    if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
        raise PanglotError("weights are numbers from 0 up, and not all 0.")
    return [weight / sum(weights) for weight in weights]
