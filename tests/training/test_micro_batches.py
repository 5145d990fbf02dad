"""The length-aware batch: however it is cut, loss and gradients are those of the plain batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Router
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
from torch import Tensor, nn

from panglot import ParallelPairs, encode, make_sampler, sample_pairs
from panglot.data import pairs_from_rows
from panglot.training import InfoNCE, set_table_mode
from panglot.training.dataset import Steps
from panglot.training.micro_batches import Cut, Features, cut, embed, micro_batched

SCALE = 20.0  # 1 / temperature
NO_LABELS = torch.empty(0)
Texts = Sequence[str]


class Backward(NamedTuple):
    """A loss and the gradient of every parameter."""

    loss: float
    gradients: dict[str, Tensor]


def gradients_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the gradients as dense tensors, zeros where there is none, and forget them in the model."""
    found = {}
    for name, parameter in model.named_parameters():
        gradient = parameter.grad
        found[name] = torch.zeros_like(parameter) if gradient is None else gradient.to_dense()
        parameter.grad = None
    return found


def through_micro_batches(
    model: SentenceTransformer,
    pairs: ParallelPairs,
    budget: int,
    cached: bool = False,
    dimensions: Mapping[int, float] | None = None,
    **sampler: Any,
) -> Backward:
    """The first step as it is trained, cut up."""
    drawn = make_sampler([pairs], **sampler)
    features = Steps(drawn, [pairs], model, steps=1, token_budget=budget)[0]
    with micro_batched(model, cached=cached):
        loss = sum(InfoNCE(model, 1 / SCALE, dimensions=dimensions)(features).values(), torch.tensor(0.0))
        loss.backward()
    return Backward(float(loss.detach()), gradients_of(model))


def padded(model: SentenceTransformer, texts: Texts) -> Tensor:
    """Embed texts in one padded batch, with the transformer itself and a mean over what is not padding."""
    batch = model.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
    transformer: Any = model[0].model
    states = transformer(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None]
    return nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)


def texts_of(pairs: ParallelPairs, **sampler: Any) -> tuple[list[str], list[str], list[str]]:
    """Return queries, passages and hard negatives of the first step, with the tiny BERT's prompts."""
    batch = make_sampler([pairs], **sampler).draw(0)
    query_rows = pairs.rows(batch.items, batch.query_languages)
    passage_rows = pairs.rows(batch.items, batch.passage_languages)
    hard = [text for texts in pairs.negatives(passage_rows) for text in texts]
    queries, passages = pairs.texts("query", query_rows), pairs.texts("passage", passage_rows)
    return (
        [f"Query: {text}" for text in queries],
        [f"Passage: {text}" for text in passages],
        [f"Passage: {text}" for text in hard],
    )


def check_equal(found: Backward, expected: Backward, tolerance: float = 1e-5) -> None:
    assert found.loss == pytest.approx(expected.loss, abs=1e-5)
    assert found.gradients.keys() == expected.gradients.keys()
    for name, gradient in expected.gradients.items():
        assert (found.gradients[name] - gradient).abs().max() < tolerance, name


BATCH: dict[str, Any] = {"strategy": "crosslingual", "batch_size": 12, "seed": 3}


def ranking_loss(model: SentenceTransformer, pairs: ParallelPairs) -> Backward:
    """The loss of sentence-transformers on queries and passages, each in one padded batch."""
    queries, passages, _ = texts_of(pairs, **BATCH)
    assert len({*queries, *passages}) == 24
    theirs = MultipleNegativesRankingLoss(model, scale=SCALE)
    loss = theirs.compute_loss_from_embeddings([padded(model, queries), padded(model, passages)], NO_LABELS)
    loss.backward()  # type: ignore[no-untyped-call]
    return Backward(float(loss.detach()), gradients_of(model))


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("weights", [{32: 1.0, 8: 1.0}, {8: 0.5, 32: 2.0, 3: 0.25}])
def test_matryoshka_dimensions_give_the_loss_and_gradients_of_sentence_transformers(
    still_encoder: SentenceTransformer, weights: dict[int, float], cached: bool
) -> None:
    queries, passages, _ = texts_of(sample_pairs(), **BATCH)
    theirs = MatryoshkaLoss(
        still_encoder,
        MultipleNegativesRankingLoss(still_encoder, scale=SCALE),
        matryoshka_dims=list(weights),
        matryoshka_weights=list(weights.values()),
    )
    loss = theirs([still_encoder.preprocess(texts) for texts in (queries, passages)], NO_LABELS)
    loss.backward()
    expected = Backward(float(loss.detach()), gradients_of(still_encoder))
    found = through_micro_batches(still_encoder, sample_pairs(), 64, cached, weights, **BATCH)
    check_equal(found, expected, 1e-4)


@pytest.mark.parametrize("table", ["sparse", "dense"])
@pytest.mark.parametrize("cached", [False, True])
def test_micro_batches_give_the_loss_and_gradients_of_the_padded_batch(
    still_encoder: SentenceTransformer, cached: bool, table: str
) -> None:
    expected = ranking_loss(still_encoder, sample_pairs())
    assert max(float(gradient.abs().max()) for gradient in expected.gradients.values()) > 1e-2
    set_table_mode(still_encoder, table)  # type: ignore[arg-type]
    still_encoder.train()
    for budget in (1, 20, 64, 10_000):
        found = through_micro_batches(still_encoder, sample_pairs(), budget, cached, **BATCH)
        check_equal(found, expected)


def rows(texts: Sequence[tuple[str, str, list[str]]], shared: Sequence[int]) -> ParallelPairs:
    """English items of (query, passage, hard negatives); ``shared`` names the passage group of each."""
    lines: list[dict[str, object]] = [
        {
            "item_id": f"i{k}",
            "passage_id": f"g{group}",
            "language": "en",
            "query": query,
            "passage": passage,
            "negatives": negatives or None,
        }
        for k, ((query, passage, negatives), group) in enumerate(zip(texts, shared, strict=True))
    ]
    return pairs_from_rows(lines, "mine")


def slow_loss(model: SentenceTransformer, pairs: ParallelPairs, **sampler: Any) -> Backward:
    """Query by query over the candidates that do not share a key with it."""
    queries, passages, hard = texts_of(pairs, **sampler)
    of_queries, of_passages = padded(model, queries), padded(model, passages)
    candidates = torch.cat([of_passages, padded(model, hard)]) if hard else of_passages
    features = Steps(make_sampler([pairs], **sampler), [pairs], model, steps=1)[0]
    keys = torch.cat([features["keys"], features["negative_keys"]]) if hard else features["keys"]
    total = torch.tensor(0.0)
    for i in range(len(queries)):
        scores = [SCALE * (of_queries[i] @ of_passages[i])]
        for j in range(len(candidates)):
            if keys[j] != keys[i]:
                scores.append(SCALE * (of_queries[i] @ candidates[j]))
        total = total + torch.logsumexp(torch.stack(scores), 0) - scores[0]
    loss = total / len(queries)
    loss.backward()  # type: ignore[no-untyped-call]
    return Backward(float(loss.detach()), gradients_of(model))


words = st.text("aber ", min_size=1, max_size=45)
few = st.sampled_from(["a", "ab", "a barn by a road", "aa"])  # so that texts are often equal
lines = st.tuples(words | few, words | few, st.lists(words | few, max_size=3))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(lines, min_size=2, max_size=7), budget=st.integers(1, 150), cached=st.booleans())
def test_any_texts_and_any_budget_give_the_loss_and_gradients_of_a_slow_loop(
    still_encoder: SentenceTransformer,
    texts: list[tuple[str, str, list[str]]],
    budget: int,
    cached: bool,
) -> None:
    pairs = rows(texts, shared=range(len(texts)))
    sampler: dict[str, Any] = {"strategy": "english", "batch_size": len(texts)}
    expected = slow_loss(still_encoder, pairs, **sampler)
    found = through_micro_batches(still_encoder, pairs, budget, cached, **sampler)
    check_equal(found, expected, 1e-4)  # texts such as a and aa have a cosine near 1, which costs digits


def with_dropout(model: SentenceTransformer, seed: int, cached: bool) -> Backward:
    torch.manual_seed(seed)
    return through_micro_batches(model, sample_pairs(), 40, cached, **BATCH)


def test_a_cached_batch_draws_its_dropout_the_same_in_both_passes(tiny_encoder: SentenceTransformer) -> None:
    tiny_encoder.train()
    kept, cached, other = (
        with_dropout(tiny_encoder, seed, c) for seed, c in ((1, False), (1, True), (2, True))
    )
    check_equal(cached, kept)
    assert abs(other.loss - kept.loss) > 1e-4


@contextmanager
def bytes_kept() -> Iterator[list[int]]:
    """Collect the sizes of what the forward pass keeps for the backward pass."""
    sizes: list[int] = []

    def pack(kept: Tensor) -> Tensor:
        sizes.append(kept.nbytes)
        return kept

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept):
        yield sizes


def test_a_cached_batch_keeps_the_embeddings_alone(still_encoder: SentenceTransformer) -> None:
    still_encoder.train()
    drawn = make_sampler([sample_pairs()], **BATCH)
    kept = {}
    for cached in (False, True):
        features = Steps(drawn, [sample_pairs()], still_encoder, steps=1, token_budget=96)[0]
        assert len(features["micro_batches"]) > 6
        with micro_batched(still_encoder, cached=cached), bytes_kept() as sizes:
            still_encoder(features["micro_batches"])
        kept[cached] = sum(sizes)
    # 24 vectors of 32 numbers of 4 bytes, their lengths, and the two for what normalising keeps
    assert kept[True] < 4 * 24 * 32 * 4
    assert kept[False] > 100 * kept[True]


class Passes:
    """Notes when each micro-batch (known by its shape) is encoded, and when its gradient is through."""

    def __init__(self, model: SentenceTransformer) -> None:
        self.seen: list[tuple[str, int]] = []
        self.number: dict[tuple[int, ...], int] = {}
        transformer: Any = model[0].model
        transformer.embeddings.register_forward_hook(self.note)

    def note(self, _: nn.Module, __: Any, out: Tensor) -> None:
        number = self.number.setdefault(tuple(out.shape), len(self.number))
        self.seen.append(("encoded", number))
        out.register_hook(lambda _: self.seen.append(("done", number)))  # type: ignore[no-untyped-call]


def test_a_cached_batch_encodes_its_micro_batches_again_one_at_a_time(
    still_encoder: SentenceTransformer,
) -> None:
    texts = [["a"], ["aaa", "aba"], ["aaaaa"]]
    batches = [still_encoder.preprocess(some) for some in texts]
    passes = Passes(still_encoder)
    still_encoder.train()
    embed(still_encoder.forward, batches, cached=True).sum().backward()  # type: ignore[no-untyped-call]
    forward = [("encoded", k) for k in (0, 1, 2)]
    # no micro-batch is encoded before the gradient of the one before it is through
    assert passes.seen == forward + [(what, k) for k in (2, 1, 0) for what in ("encoded", "done")]
    passes.seen.clear()
    embed(still_encoder.forward, batches, cached=False).sum().backward()  # type: ignore[no-untyped-call]
    assert passes.seen == forward + [("done", k) for k in (2, 1, 0)]


def read(model: SentenceTransformer, pieces: Cut) -> list[list[str]]:
    """Return the texts of each micro-batch, read back from their tokens."""
    return [
        [
            "".join(model.tokenizer.convert_ids_to_tokens(ids, skip_special_tokens=True))
            for ids in b["input_ids"]
        ]
        for b in pieces.batches
    ]


def test_equal_texts_are_encoded_once_over_all_columns_where_prompts_are_equal(
    still_encoder: SentenceTransformer,
) -> None:
    columns = {
        "query": ("", ["ab", "a", "ab"]),
        "passage": ("", ["a", "abba", "ab"]),
        "negative": ("", ["a"]),
    }
    pieces = cut(still_encoder, columns, budget=10_000)
    assert read(still_encoder, pieces) == [["abba", "ab", "a"]]
    assert {name: rows.tolist() for name, rows in pieces.rows.items()} == {
        "query": [1, 2, 1],
        "passage": [2, 0, 1],
        "negative": [2],
    }
    # with both ends 6, 4 and 3 tokens, in three rows of 6
    assert (pieces.tokens, pieces.padded) == (13, 18)


def test_a_text_with_another_prompt_is_another_text(still_encoder: SentenceTransformer) -> None:
    pieces = cut(still_encoder, {"query": ("b", ["a", "aa"]), "passage": ("a", ["a", "aa"])}, budget=10_000)
    assert read(still_encoder, pieces) == [["baa", "aaa", "ba", "aa"]]
    assert pieces.rows["query"].tolist() == [2, 0]
    assert pieces.rows["passage"].tolist() == [3, 1]


def test_a_text_that_a_prompt_makes_equal_to_another_is_encoded_once(
    still_encoder: SentenceTransformer,
) -> None:
    pieces = cut(still_encoder, {"query": ("a", ["b"]), "passage": ("", ["ab"])}, budget=10_000)
    assert read(still_encoder, pieces) == [["ab"]]
    assert pieces.rows["query"].tolist() == pieces.rows["passage"].tolist() == [0]


def test_micro_batches_hold_the_longest_first_up_to_the_budget(still_encoder: SentenceTransformer) -> None:
    columns = {"query": ("", ["a", "abab"]), "passage": ("", ["ab", "ababab"])}
    pieces = cut(still_encoder, columns, budget=14)  # 8 and 6 tokens, 4 and 3
    assert read(still_encoder, pieces) == [["ababab"], ["abab", "ab"], ["a"]]
    assert [tuple(b["input_ids"].shape) for b in pieces.batches] == [(1, 8), (2, 6), (1, 3)]
    assert (pieces.tokens, pieces.padded) == (8 + 6 + 4 + 3, 8 + 2 * 6 + 3)


def without_prompt(model: SentenceTransformer) -> SentenceTransformer:
    """Leave the prompt's tokens out of the mean."""
    model[1].include_prompt = False  # type: ignore[assignment]
    return model


def routed(model: SentenceTransformer) -> SentenceTransformer:
    router = Router.for_query_document([*model], [*model], default_route="document")
    prompts = {name: prompt or "" for name, prompt in model.prompts.items()}
    return SentenceTransformer(modules=[router], device="cpu", prompts=prompts)


@pytest.mark.parametrize("change", [without_prompt, routed])
def test_columns_of_a_model_that_treats_prompts_otherwise_are_cut_apart(
    still_encoder: SentenceTransformer, change: Callable[[SentenceTransformer], SentenceTransformer]
) -> None:
    model = change(still_encoder)
    given: list[tuple[str | None, list[str]]] = []
    real = model.preprocess

    def preprocess(texts: list[str], prompt: str | None = None, **more: Any) -> Features:
        given.append((prompt, texts))
        return dict(real(texts, prompt=prompt, **more))

    model.preprocess = preprocess  # type: ignore[method-assign,assignment]
    columns = {"query": ("b", ["a", "aa"]), "passage": ("a", ["a", "ba"]), "negative": ("a", ["a"])}
    pieces = cut(model, columns, budget=10_000)
    assert given == [("b", ["a", "aa"]), ("a", ["a", "ba"])]  # each text once
    assert {name: rows.tolist() for name, rows in pieces.rows.items()} == {
        "query": [1, 0],
        "passage": [3, 2],
        "negative": [3],
    }
    check_embeddings(model, columns, pieces)


def check_embeddings(
    model: SentenceTransformer, columns: Mapping[str, tuple[str, Texts]], pieces: Cut
) -> None:
    """Each column's rows hold the vectors that ``encode`` gives its texts."""
    with torch.no_grad():
        vectors = embed(model.forward, pieces.batches).numpy()
    for name, (prompt, texts) in columns.items():
        assert np.abs(vectors[pieces.rows[name].numpy()] - encode(model, texts, prompt)).max() < 1e-5


some_texts = st.lists(words | few, min_size=1, max_size=6)
prompts = st.sampled_from(["", "a", "a bear ", "b"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.dictionaries(
        st.sampled_from(["query", "passage"]), st.tuples(prompts, some_texts), min_size=1
    ),
    budget=st.integers(1, 200),
    include=st.booleans(),
)
def test_every_text_finds_its_embedding(
    still_encoder: SentenceTransformer, columns: dict[str, tuple[str, list[str]]], budget: int, include: bool
) -> None:
    still_encoder[1].include_prompt = include  # type: ignore[assignment]
    pieces = cut(still_encoder, columns, budget)
    check_embeddings(still_encoder, columns, pieces)
    shapes = [tuple(b["input_ids"].shape) for b in pieces.batches]
    assert all(number == 1 or number * length <= budget for number, length in shapes)
    assert pieces.padded == sum(number * length for number, length in shapes)
    assert pieces.tokens == sum(int(b["attention_mask"].sum()) for b in pieces.batches)


def test_the_model_takes_other_features_as_before_and_is_plain_again_afterwards(
    still_encoder: SentenceTransformer,
) -> None:
    features = still_encoder.preprocess(["a", "ab"])
    before = still_encoder(dict(features))["sentence_embedding"]
    with pytest.raises(KeyError, match="a bug"), micro_batched(still_encoder, cached=False):
        assert torch.equal(still_encoder(dict(features))["sentence_embedding"], before)
        assert still_encoder([features]).shape == (2, 32)
        raise KeyError("a bug")
    assert "forward" not in vars(still_encoder)
    assert torch.equal(still_encoder(dict(features))["sentence_embedding"], before)
