"""The gradient-noise scale: worked by hand, against the sample covariance, and on a model."""

import math
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot import ParallelPairs, sample_pairs
from panglot.experiments.noise_scale import gradient_products, noise_scale
from panglot.training import TrainingConfig, read_recipe


def products(*gradients: Any) -> np.ndarray:
    rows = np.array(gradients, float).reshape(len(gradients), -1)
    found: np.ndarray = rows @ rows.T
    return found


def test_two_gradients_worked_by_hand() -> None:
    # the mean is (3, 0), each is 1 away from it: the covariance has a trace of (1 + 1) / (2 - 1) = 2;
    # |mean|^2 less its noise is 9 - 2 / 2 = 8, and with 4 pairs a batch the trace of one pair is 8
    found = noise_scale(products((3, 1), (3, -1)), 4)
    assert (found.squared, found.trace, found.scale) == pytest.approx((8, 8, 1))
    assert (found.size, found.gradients) == (4, 2)
    assert found.low is None  # two gradients say nothing of how sure that is


def test_the_interval_leaves_out_one_gradient_at_a_time() -> None:
    # 3, 4 and 5: |G|^2 is (12 + 15 + 20) / 3, the variance 1; without 3, 4, 5 the variance of the other two
    # is 1/2, 2, 1/2, and |G|^2 their product: 20, 15, 12
    found = noise_scale(products(3, 4, 5), 10)
    scale = 10 / (47 / 3)
    assert found.scale == pytest.approx(scale)
    logs = [math.log(10 * v / s) for v, s in ((0.5, 20), (2, 15), (0.5, 12))]
    mean = sum(logs) / 3
    error = math.sqrt(2 / 3 * sum((log - mean) ** 2 for log in logs))
    assert found.low == pytest.approx(scale * math.exp(-1.96 * error))
    assert found.high == pytest.approx(scale * math.exp(1.96 * error))


def test_a_mean_gradient_that_is_lost_in_the_noise_gives_no_scale() -> None:
    found = noise_scale(products((1, 0), (-1, 0), (0, 1)), 8)
    assert found.squared < 0
    assert (found.scale, found.low, found.high) == (None, None, None)


def test_it_is_the_sample_covariance_and_the_mean_less_its_noise() -> None:
    gradients = np.random.default_rng(0).normal(1, 2, (7, 5))
    found = noise_scale(products(*gradients), 3)
    trace = np.trace(np.cov(gradients, rowvar=False))
    mean = gradients.mean(axis=0)
    assert found.trace == pytest.approx(3 * trace)
    assert found.squared == pytest.approx(mean @ mean - trace / 7)


@pytest.mark.parametrize("size", [1, 16])
def test_of_independent_pairs_it_is_the_same_for_all_batch_sizes(size: int) -> None:
    # pairs of variance 4 in each of 40 dimensions around a mean of length 2: 40 * 4 / 2^2 = 40
    rng = np.random.default_rng(size)
    centre = np.full(40, 2 / math.sqrt(40))
    pairs = rng.normal(0, 2, (1000, size, 40)) + centre
    found = noise_scale(products(*pairs.mean(axis=1)), size)
    assert found.scale == pytest.approx(40, rel=0.2)


@pytest.fixture(scope="module")
def pairs() -> list[ParallelPairs]:
    return [sample_pairs().select(languages=["de", "en"])]


def recipe(**training: Any) -> TrainingConfig:
    given = {f"training.{name}": value for name, value in training.items()}
    return read_recipe(None, {"batches.size": 4, "training.max_length": 24, "training.dropout": 0.0, **given})


def test_gradients_of_a_model_are_the_same_however_they_are_computed(
    tiny_encoder: SentenceTransformer, pairs: list[ParallelPairs]
) -> None:
    dense = gradient_products(tiny_encoder, pairs, recipe(table="dense"), 3)
    assert dense.shape == (3, 3)
    assert np.array_equal(dense, dense.T)
    assert (np.linalg.eigvalsh(dense) > 0).all()  # as of three vectors that are not in one plane
    for how in ({"table": "sparse"}, {"table": "dense", "gradient_cache": True, "micro_batch_tokens": 64}):
        found = gradient_products(tiny_encoder, pairs, recipe(**how), 3)
        np.testing.assert_allclose(found, dense, rtol=1e-4, atol=1e-6)
    frozen = gradient_products(tiny_encoder, pairs, recipe(table="frozen"), 3)
    assert (np.diag(frozen) < np.diag(dense)).all()


def test_the_model_is_left_as_it_was(tiny_encoder: SentenceTransformer, pairs: list[ParallelPairs]) -> None:
    before = {name: value.clone() for name, value in tiny_encoder.state_dict().items()}
    training, length = tiny_encoder.training, tiny_encoder.max_seq_length
    gradient_products(tiny_encoder, pairs, recipe(), 2)
    assert all((value == before[name]).all() for name, value in tiny_encoder.state_dict().items())
    assert all(parameter.grad is None for parameter in tiny_encoder.parameters())
    assert (tiny_encoder.training, tiny_encoder.max_seq_length) == (training, length)
