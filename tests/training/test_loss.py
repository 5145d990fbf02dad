"""InfoNCE against a slow loop, sentence-transformers, and numbers worked by hand."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from torch import Tensor, nn

from panglot import ParallelPairs
from panglot.batches import Batch, Sampler
from panglot.data import pairs_from_rows
from panglot.training import InfoNCE, info_nce
from panglot.training.dataset import Steps
from panglot.training.micro_batches import Features


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


class Vectors(nn.Module):
    """Stands for a model: gives a step's vectors, whatever it is asked to encode."""

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = nn.Parameter(vectors)
        self.asked: list[list[Features]] = []

    def forward(self, micro_batches: list[Features]) -> Tensor:
        self.asked.append(micro_batches)
        return self.vectors


def one_batch() -> list[Features]:
    return [{"input_ids": torch.zeros(1, 1)}]


def test_a_steps_rows_say_which_vectors_are_compared() -> None:
    vectors = unit(5, 1)
    model, batches = Vectors(vectors), one_batch()
    features = {
        "micro_batches": batches,
        "query_rows": torch.tensor([0, 1, 0]),
        "passage_rows": torch.tensor([2, 2, 4]),
        "keys": apart(3),
    }
    expected = info_nce(vectors[[0, 1, 0]], vectors[[2, 2, 4]], apart(3), apart(3), 0.2)
    found = InfoNCE(model, 0.2)(features)
    assert found.keys() == {"info_nce"}
    assert float(found["info_nce"].detach()) == pytest.approx(float(expected))
    assert model.asked == [batches]
    features |= {"negative_rows": torch.tensor([3]), "negative_keys": apart(1, first=3)}
    hard = info_nce(
        vectors[[0, 1, 0]], vectors[[2, 2, 4]], apart(3), apart(3), 0.2, vectors[[3]], apart(1, first=3)
    )
    assert float(InfoNCE(model, 0.2)(features)["info_nce"].detach()) == pytest.approx(float(hard))
    assert float(hard) > float(expected)


def test_matryoshka_dimensions_add_up_the_loss_of_each_with_the_same_masks() -> None:
    vectors = unit(5, 1)
    keys_of = torch.tensor([[0], [1], [0]])  # the first and the last pair are one item
    features = {
        "micro_batches": one_batch(),
        "query_rows": torch.tensor([0, 1, 2]),
        "passage_rows": torch.tensor([2, 3, 4]),
        "keys": keys_of,
        "negative_rows": torch.tensor([1]),
        "negative_keys": torch.tensor([[7]]),
    }
    short = nn.functional.normalize(vectors[:, :2], dim=-1)
    whole, cut = (
        float(info_nce(v[[0, 1, 2]], v[[2, 3, 4]], keys_of, keys_of, 0.2, v[[1]], torch.tensor([[7]])))
        for v in (vectors, short)
    )
    found = InfoNCE(Vectors(vectors), 0.2, dimensions={4: 1.0, 2: 0.5})(features)
    assert float(found["info_nce"].detach()) == pytest.approx(whole + 0.5 * cut)


ITEMS, LANGUAGES = 6, ("de", "en", "sw")


class Reader:
    """Stands for the model that cuts a step up: it has no modules, and reads nothing."""

    max_seq_length = None
    prompts: dict[str, str] = {}  # noqa: RUF012 (a stand-in)

    def __iter__(self) -> Iterator[None]:
        return iter(())

    def __getitem__(self, number: int) -> None: ...

    def preprocess(self, texts: list[str], prompt: str | None) -> Features:
        return {"input_ids": torch.zeros(len(texts), 1)}


@st.composite
def batches(draw: st.DrawFn) -> tuple[ParallelPairs, Batch, list[dict[str, Any]]]:
    """Draw pairs whose queries, passages, groups and negatives are often shared, and any batch of them."""
    groups = draw(st.lists(st.integers(0, 9), min_size=ITEMS, max_size=ITEMS))
    text, asked = st.integers(0, 40), st.integers(0, 60)
    lines: list[dict[str, Any]] = [
        {
            "item_id": str(item),
            "passage_id": f"group {groups[item]}",
            "language": language,
            "query": f"{draw(asked)}?",
            "passage": f"text {draw(text)}",
            "negatives": [f"text {k}" for k in draw(st.lists(text, max_size=2))] or None,
        }
        for item in range(ITEMS)
        for language in LANGUAGES
    ]
    size = draw(st.integers(2, 5))
    cells = st.lists(st.integers(0, len(LANGUAGES) - 1), min_size=size, max_size=size)
    items = np.array(draw(st.lists(st.integers(0, ITEMS - 1), min_size=size, max_size=size)))
    batch = Batch(0, "crosslingual", items, np.array(draw(cells)), np.array(draw(cells)))
    drawn = [lines[item * len(LANGUAGES) + k] for item, k in zip(items, batch.passage_languages, strict=True)]
    return pairs_from_rows(lines, "mine"), batch, drawn


@settings(max_examples=50, deadline=None)
@given(batches())
def test_no_item_and_no_passage_is_a_negative_of_another_pair_that_has_it(
    made: tuple[ParallelPairs, Batch, list[dict[str, Any]]],
) -> None:
    pairs, batch, drawn = made
    lines = pairs.table.to_pylist()
    hard = [text for line in drawn for text in line["negatives"] or []]
    size, count = len(batch), len(batch) + len(hard)
    reader = cast(SentenceTransformer, Reader())
    features = Steps(cast(Sampler, None), [pairs], reader, steps=1).features(batch)
    # a vector of its own for every row, so that each derivative tells of one comparison
    features |= {"query_rows": torch.arange(size), "passage_rows": torch.arange(size, 2 * size)}
    if hard:
        features["negative_rows"] = torch.arange(2 * size, size + count)
    model = Vectors(unit(size + count, seed=1))
    loss = InfoNCE(model, temperature=1.0)(features)["info_nce"]
    (slope,) = torch.autograd.grad(loss, model.vectors, create_graph=True)
    compared = torch.stack(
        [torch.autograd.grad(slope[i].sum(), model.vectors, retain_graph=True)[0] for i in range(size)]
    )
    moves_query = (compared[:, size:] != 0).any(-1)  # of query i: whether candidate j pulls or pushes it
    kin = components(lines, [line["item_id"] for line in drawn], hard)
    expected = [[i == j or b != a for j, b in enumerate(kin)] for i, a in enumerate(kin[:size])]
    alone = [row.count(True) == 1 for row in expected]  # nothing to be told from: no loss, no derivative
    for i in range(size):
        assert moves_query[i].tolist() == ([False] * count if alone[i] else expected[i])


def components(lines: list[dict[str, Any]], items: list[str], hard: list[str]) -> list[int]:
    """Number items and hard negatives by joining whatever shares anything, over and over."""
    owners: dict[str, str] = {}  # a hard negative stands for the item whose passage it is first
    for line in lines:
        owners.setdefault(line["passage"], line["item_id"])

    def traits(item: str) -> set[tuple[str, str]]:
        return {
            trait
            for line in lines
            if line["item_id"] == item
            for trait in (("id", item), *((k, line[k]) for k in ("passage_id", "query", "passage")))
        }

    of_hard = [{("passage", text)} | (traits(owners[text]) if text in owners else set()) for text in hard]
    nodes = [*map(traits, items), *of_hard]
    number = list(range(len(nodes)))
    for _ in nodes:
        for a, b in itertools.combinations(range(len(nodes)), 2):
            if nodes[a] & nodes[b]:
                number[a] = number[b] = min(number[a], number[b])
    return number
