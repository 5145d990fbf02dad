"""InfoNCE against a slow loop, sentence-transformers, and numbers worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor, nn

from panglot.training import InfoNCE, info_nce


def unit(rows: int, seed: int, width: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return nn.functional.normalize(torch.randn(rows, width, generator=generator, dtype=torch.double), dim=-1)


def keys(rows: int, seed: int, values: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, values, (rows, 3), generator=generator)


def apart(rows: int, first: int = 0) -> Tensor:
    """Keys that no two rows share."""
    return torch.arange(first, first + rows)[:, None].expand(rows, 3)


def slow_info_nce(
    q: Tensor, p: Tensor, q_keys: Tensor, p_keys: Tensor, t: float, n: Tensor, n_keys: Tensor
) -> float:
    total = 0.0
    for i in range(len(q)):
        own = math.exp(float(q[i] @ p[i]) / t)
        below = own
        for candidates, of_candidates in ((p, p_keys), (n, n_keys)):
            for j in range(len(candidates)):
                shared = any(int(q_keys[i, k]) == int(of_candidates[j, k]) for k in range(3))
                if shared or (candidates is p and j == i):
                    continue
                below += math.exp(float(q[i] @ candidates[j]) / t)
        total -= math.log(own / below)
    return total / len(q)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 7),
    negatives=st.integers(0, 5),
    values=st.integers(1, 12),
    temperature=st.floats(0.05, 2),
    seed=st.integers(0, 10_000),
)
def test_the_loss_equals_a_slow_loop_with_masks(
    size: int, negatives: int, values: int, temperature: float, seed: int
) -> None:
    q, p, n = unit(size, seed), unit(size, seed + 1), unit(negatives, seed + 2)
    own, of_n = keys(size, seed, values), keys(negatives, seed + 3, values)
    fast = info_nce(q, p, own, own, temperature, n, of_n)
    assert float(fast) == pytest.approx(slow_info_nce(q, p, own, own, temperature, n, of_n), abs=1e-9)


def test_the_loss_of_two_pairs_is_that_worked_by_hand() -> None:
    # similarities: q1 to p1 1, to p2 0; q2 to p1 0, to p2 -1; temperature 0.5
    q = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    p = torch.tensor([[1.0, 0.0], [0.0, -1.0]])
    loss = info_nce(q, p, apart(2), apart(2), 0.5)
    assert float(loss) == pytest.approx((math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))) / 2)


@pytest.mark.parametrize("hard", [False, True])
def test_the_loss_equals_multiple_negatives_ranking_where_nothing_is_masked(hard: bool) -> None:
    q, p, n = unit(6, 1), unit(6, 2), unit(6, 3)
    theirs = MultipleNegativesRankingLoss(SentenceTransformer(modules=[nn.Identity()]), scale=20.0)
    columns = [q, p, n] if hard else [q, p]
    expected = theirs.compute_loss_from_embeddings(columns, torch.empty(0))
    found = info_nce(q, p, apart(6), apart(6), 0.05, n if hard else None, apart(6, first=6) if hard else None)
    assert float(found) == pytest.approx(float(expected), rel=1e-9)


def test_hard_negatives_are_candidates_of_every_query() -> None:
    q, p, n = unit(3, 1), unit(3, 2), unit(2, 3)
    for query in range(3):
        nearer = n.clone()
        nearer[0] = q[query]
        without, with_negatives = [
            float(info_nce(q, p, apart(3), apart(3), 0.1, x, apart(2, first=3))) for x in (n, nearer)
        ]
        assert with_negatives > without


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_shared_key_in_any_column_masks_the_pair(column: int) -> None:
    q, p = unit(2, 1), unit(2, 2)
    shared = apart(2).clone()
    shared[:, column] = 7
    assert float(info_nce(q, p, shared, shared, 0.1)) == 0.0


def test_the_same_number_in_different_columns_masks_nothing() -> None:
    q, p = unit(2, 1), unit(2, 2)
    crossed = torch.tensor([[0, 1, 2], [1, 2, 0]])
    assert float(info_nce(q, p, crossed, crossed, 0.1)) == float(info_nce(q, p, apart(2), apart(2), 0.1))


def test_masked_pairs_change_neither_loss_nor_gradient() -> None:
    q, p, n = unit(3, 1), unit(3, 2), unit(2, 3)
    of_n = torch.tensor([[-1, -1, 0], [-1, -1, 5]])  # the first negative reads like the first passage
    own = torch.tensor([[0, 0, 0], [0, 1, 1], [2, 2, 2]])  # the first two pairs are one item

    def gradients(first_negative: Tensor) -> tuple[float, Tensor, Tensor]:
        a, b = q.clone().requires_grad_(), torch.stack([first_negative, n[1]]).requires_grad_()
        loss = info_nce(a, p, own, own, 0.1, b, of_n)
        loss.backward()  # type: ignore[no-untyped-call]
        assert a.grad is not None and b.grad is not None
        return float(loss.detach()), a.grad, b.grad

    _, before, of_negatives = gradients(n[0])
    _, after, _ = gradients(q[0])
    assert torch.equal(before[0], after[0])  # masked for the first query
    assert not torch.equal(before[1], after[1])  # not for the others
    assert of_negatives[0].any()

    alone = of_n.clone()
    alone[0] = torch.tensor([0, -1, 2])  # shares a key with every query
    b = n.clone().requires_grad_()
    loss = info_nce(q, p, own, own, 0.1, b, alone)
    loss.backward()  # type: ignore[no-untyped-call]
    assert b.grad is not None
    assert not b.grad[0].any()
    without = info_nce(q, p, own, own, 0.1, n[1:], alone[1:])
    assert float(loss.detach()) == pytest.approx(float(without))


def test_equal_texts_are_embedded_once_and_used_in_every_row() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 4)

        def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
            assert set(features) == {"input_ids"}
            return {"sentence_embedding": self.table(features["input_ids"])}

    table = Table()
    queries = {"input_ids": torch.tensor([0, 1]), "rows": torch.tensor([0, 1, 0]), "keys": apart(3)}
    passages = {"input_ids": torch.tensor([4, 2]), "rows": torch.tensor([1, 1, 0]), "keys": apart(3)}
    vectors = nn.functional.normalize(table.table.weight, dim=-1)
    expected = info_nce(vectors[[0, 1, 0]], vectors[[2, 2, 4]], apart(3), apart(3), 0.2)
    found = InfoNCE(table, 0.2)([queries, passages])
    assert float(found.detach()) == pytest.approx(float(expected.detach()))
