"""Averaged weights, against means worked by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, load_encoder
from panglot.encoders import average


def filled(checkpoint: Path, value: float) -> SentenceTransformer:
    """The tiny BERT with one number in all its weights."""
    model = load_encoder(str(checkpoint), device="cpu")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)
    return model


@pytest.mark.parametrize(
    ("weights", "mean"), [(None, 3.0), ([1, 0, 0], 1.0), ([1, 1, 2], 3.75), ([0.2, 0, 0.2], 3.5)]
)
def test_every_weight_is_the_weighted_mean(
    tiny_checkpoint: Path, weights: list[float] | None, mean: float
) -> None:
    models = [filled(tiny_checkpoint, value) for value in (1.0, 2.0, 6.0)]
    averaged = average(models, weights)
    assert averaged is models[0]
    assert all(torch.allclose(value, torch.tensor(mean)) for value in averaged.parameters())
    assert all(bool((value == 2).all()) for value in models[1].parameters())  # the others stay


def test_tied_weights_are_averaged_once(tiny_checkpoint: Path) -> None:
    models = [filled(tiny_checkpoint, value) for value in (0.0, 1.0)]
    for model in models:
        bert: Any = model[0].model
        layers = bert.encoder.layer
        layers[1].output.dense.weight = layers[0].output.dense.weight
    average(models)
    assert all(torch.equal(value, torch.full_like(value, 0.5)) for value in models[0].parameters())


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_do_not_fit_are_refused(tiny_checkpoint: Path, weights: list[float]) -> None:
    models = [load_encoder(str(tiny_checkpoint), device="cpu") for _ in range(2)]
    with pytest.raises(PanglotError):
        average(models, weights)


def test_models_that_differ_in_more_than_weights_are_refused(
    tiny_checkpoint: Path, encoder: SentenceTransformer
) -> None:
    tiny, other = (load_encoder(str(tiny_checkpoint), device="cpu") for _ in range(2))
    with pytest.raises(PanglotError, match="name two models or more"):
        average([tiny])
    with pytest.raises(PanglotError, match="model 2 cannot be averaged with the first"):
        average([tiny, encoder])
    for model, number in ((tiny, 1), (other, 2)):
        model.register_buffer("graph", torch.tensor([number]))
    with pytest.raises(PanglotError, match="'graph' differs, which has no mean"):
        average([tiny, other])
    other.graph = tiny.graph
    other.prompts["query"] = "ask: "
    with pytest.raises(PanglotError, match="model 2 has other prompts"):
        average([tiny, other])
