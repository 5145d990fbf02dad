"""LazyAdamW against torch's optimizers, and clipping against torch's."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from panglot.encoders import encode
from panglot.training import LazyAdamW, make_optimizer, set_table_mode
from panglot.training.optimizer import clip_gradients, token_table

Gradients = Callable[[int], Tensor]


def randoms(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def dense(step: int) -> Tensor:
    return randoms(6, 3, seed=step)


def sparse(step: int) -> Tensor:
    """Some rows of 6, one of them twice, others in each step."""
    rows = torch.tensor([[step % 6, (step * 2) % 6, step % 6]])
    return torch.sparse_coo_tensor(rows, randoms(3, 3, seed=step), (6, 3), check_invariants=True)


def rows_only(rows: list[int], values: list[list[float]], of: int) -> Tensor:
    return torch.sparse_coo_tensor(torch.tensor([rows]), torch.tensor(values), (of, 1), check_invariants=True)


def trained(optimizer: Callable[..., torch.optim.Optimizer], gradients: Gradients, steps: int = 5) -> Tensor:
    weight = nn.Parameter(randoms(6, 3, seed=99))
    stepper = optimizer([weight])
    for step in range(1, steps + 1):
        weight.grad = gradients(step)
        stepper.step()
    return weight.detach()


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_dense_gradients_are_treated_as_by_adamw(decay: float) -> None:
    ours = trained(lambda p: LazyAdamW(p, lr=0.1, weight_decay=decay), dense)
    theirs = trained(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=decay), dense)
    assert torch.equal(ours, theirs)


def test_sparse_gradients_are_treated_as_by_sparse_adam() -> None:
    # the two place eps differently, so it is made too small to matter
    ours = trained(lambda p: LazyAdamW(p, lr=0.1, weight_decay=0.0, eps=1e-14), sparse)
    theirs = trained(lambda p: torch.optim.SparseAdam(p, lr=0.1, eps=1e-14), sparse)
    assert (ours - theirs).abs().max() < 1e-9
    assert (ours - randoms(6, 3, seed=99)).abs().max() > 0.1


def test_a_sparse_gradient_with_every_row_is_treated_as_a_dense_one() -> None:
    ours = trained(lambda p: LazyAdamW(p, lr=0.1, weight_decay=0.3), lambda step: dense(step).to_sparse(1))
    theirs = trained(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3), dense)
    assert (ours - theirs).abs().max() < 1e-12


def test_only_used_rows_are_decayed() -> None:
    weight = nn.Parameter(torch.tensor([[1.0], [1.0], [-2.0]]))
    weight.grad = rows_only([0, 2], [[3.0], [-0.5]], 3)
    LazyAdamW([weight], lr=0.1, weight_decay=0.5).step()
    # the first step of Adam is lr times the sign; used rows first lose lr * decay = 5 % of their value
    expected = torch.tensor([[0.95 - 0.1], [1.0], [-1.9 + 0.1]])
    assert torch.allclose(weight, expected, atol=1e-6)


def test_moments_of_unused_rows_stay() -> None:
    weight = nn.Parameter(torch.ones(2, 1))
    optimizer = LazyAdamW([weight], lr=0.1)
    for row in (0, 1):
        weight.grad = rows_only([row], [[2.0]], 2)
        optimizer.step()
    state = optimizer.state[weight]
    assert torch.allclose(state["exp_avg"], torch.full((2, 1), 0.2))  # (1 - 0.9) * 2
    assert torch.allclose(state["exp_avg_sq"], torch.full((2, 1), 0.004))  # (1 - 0.999) * 4


def test_the_state_can_be_saved_and_loaded() -> None:
    whole = trained(lambda p: LazyAdamW(p, lr=0.1), sparse, steps=4)
    weight = nn.Parameter(trained(lambda p: LazyAdamW(p, lr=0.1), sparse, steps=0))
    optimizer = LazyAdamW([weight], lr=0.1)
    for step in range(1, 5):
        if step == 3:
            state = optimizer.state_dict()
            optimizer = LazyAdamW([weight], lr=0.7)
            optimizer.load_state_dict(state)
        weight.grad = sparse(step)
        optimizer.step()
    assert torch.equal(weight.detach(), whole)


@settings(max_examples=40, deadline=None)
@given(maximum=st.floats(0.01, 100), seed=st.integers(0, 1000))
def test_clipping_equals_torchs_on_the_dense_equivalent(maximum: float, seed: int) -> None:
    gradients = [sparse(seed), randoms(4, 2, seed=seed + 1), randoms(5, seed=seed + 2)]
    ours = [nn.Parameter(torch.zeros(g.shape, dtype=torch.double)) for g in gradients]
    theirs = [nn.Parameter(torch.zeros(g.shape, dtype=torch.double)) for g in gradients]
    for a, b, gradient in zip(ours, theirs, gradients, strict=True):
        a.grad, b.grad = gradient.clone(), gradient.to_dense().clone()
    unused = nn.Parameter(torch.zeros(1))
    norm = clip_gradients([*ours, unused], maximum)
    expected = torch.nn.utils.clip_grad_norm_(theirs, maximum)
    assert float(norm) == pytest.approx(float(expected))
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad is not None and b.grad is not None
        assert (a.grad.to_dense() - b.grad).abs().max() < 1e-12
    assert unused.grad is None


def test_matrices_decay_vectors_do_not_and_the_table_has_its_own_rate(
    tiny_encoder: SentenceTransformer,
) -> None:
    optimizer = make_optimizer(tiny_encoder, 1e-3, 1e-2, weight_decay=0.1)
    of = {
        id(weight): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for weight in group["params"]
    }
    table = token_table(tiny_encoder).weight
    for name, weight in tiny_encoder.named_parameters():
        expected = (1e-2, 0.1) if weight is table else (1e-3, 0.1 if weight.ndim == 2 else 0.0)
        assert of.pop(id(weight)) == expected, name
    assert not of


def test_without_a_rate_of_its_own_the_table_has_the_others(tiny_encoder: SentenceTransformer) -> None:
    optimizer = make_optimizer(tiny_encoder, 1e-3, None, weight_decay=0.0)
    assert [group["lr"] for group in optimizer.param_groups] == [1e-3]


def test_the_token_table_is_the_one_of_pieces(encoder: SentenceTransformer) -> None:
    assert token_table(encoder).num_embeddings == len(encoder.tokenizer)


@pytest.mark.parametrize("mode", ["sparse", "dense", "frozen"])
def test_the_table_learns_from_used_rows_from_all_or_not_at_all(
    tiny_encoder: SentenceTransformer, mode: str
) -> None:
    set_table_mode(tiny_encoder, mode)  # type: ignore[arg-type]
    table = token_table(tiny_encoder).weight
    before, vector = table.detach().clone(), encode(tiny_encoder, ["abba"])
    optimizer = make_optimizer(tiny_encoder, 1e-2, None, weight_decay=0.5)
    features = tiny_encoder.preprocess(["abba"])
    tiny_encoder(features)["sentence_embedding"].square().sum().backward()
    assert (table.grad is None) == (mode == "frozen")
    assert mode == "frozen" or table.grad.is_sparse == (mode == "sparse")  # type: ignore[union-attr]
    optimizer.step()
    changed = {int(row) for row in (table != before).any(1).nonzero().flatten()}
    used = set(features["input_ids"].flatten().tolist())
    zero_padding = 1  # the row of [PAD] is zero, so decay leaves it
    expected = {"sparse": used, "frozen": set(), "dense": set(range(zero_padding, len(table)))}
    assert changed == expected[mode]
    assert (encode(tiny_encoder, ["abba"]) != vector).any()
