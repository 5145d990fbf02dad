"""Many texts to embeddings."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, encode, load_encoder
from panglot.encoders import bfloat16, token_batches, token_lengths

TEXTS = ["a barn", "two old barns by the road", "a barn", "the roof of a barn was red", "x", "x"]


@pytest.fixture
def batches(tiny_encoder: SentenceTransformer) -> Iterator[list[list[int]]]:
    """The tokens of each text in each batch that the model reads."""
    found: list[list[int]] = []
    hook = tiny_encoder.register_forward_pre_hook(
        lambda _, given: found.append(given[0]["attention_mask"].sum(dim=1).tolist())
    )
    yield found
    hook.remove()


@pytest.mark.parametrize("prompt", ["", "Query: "])
def test_embeddings_equal_those_of_sentence_transformers(
    tiny_encoder: SentenceTransformer, prompt: str
) -> None:
    theirs = tiny_encoder.encode(TEXTS, prompt=prompt or None, normalize_embeddings=True)
    assert np.abs(encode(tiny_encoder, TEXTS, prompt) - theirs).max() < 1e-5


def test_truncated_embeddings_are_normalised_again(
    tiny_encoder: SentenceTransformer, tiny_checkpoint: Path
) -> None:
    model = load_encoder(str(tiny_checkpoint), truncate_dim=5, device="cpu")
    whole, found = encode(tiny_encoder, TEXTS), encode(model, TEXTS)
    assert found.shape == (len(TEXTS), 5)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-6
    assert np.abs(found - whole[:, :5] / np.linalg.norm(whole[:, :5], axis=1, keepdims=True)).max() < 1e-6
    assert np.abs(found - model.encode(TEXTS, normalize_embeddings=True)).max() < 1e-5


def test_a_model_saved_with_a_truncated_dimension_keeps_it(tiny_checkpoint: Path, tmp_path: Path) -> None:
    load_encoder(str(tiny_checkpoint), truncate_dim=5, device="cpu").save(str(tmp_path))
    model = load_encoder(str(tmp_path), device="cpu")
    assert model.truncate_dim == 5 and encode(model, TEXTS).shape == (len(TEXTS), 5)
    assert encode(load_encoder(str(tmp_path), truncate_dim=32, device="cpu"), TEXTS).shape[1] == 32


@pytest.mark.parametrize("dimension", [0, -1, 33])
def test_a_dimension_that_the_model_lacks_is_refused(tiny_checkpoint: Path, dimension: int) -> None:
    with pytest.raises(PanglotError, match="from 1 to 32"):
        load_encoder(str(tiny_checkpoint), truncate_dim=dimension, device="cpu")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text("abcde ", min_size=1, max_size=20), max_size=12),
    budget=st.integers(1, 80),
)
def test_the_order_and_the_budget_change_nothing(
    tiny_encoder: SentenceTransformer, texts: list[str], budget: int
) -> None:
    together = encode(tiny_encoder, texts, token_budget=budget)
    alone = [encode(tiny_encoder, [text])[0] for text in texts]
    assert together.shape == (len(texts), 32)
    for row, expected in zip(together, alone, strict=True):
        assert np.abs(row - expected).max() < 1e-5


def test_equal_texts_are_encoded_once(tiny_encoder: SentenceTransformer, batches: list[list[int]]) -> None:
    encode(tiny_encoder, TEXTS)
    assert sum(map(len, batches)) == len(set(TEXTS)) < len(TEXTS)


def test_long_texts_come_first_in_batches_of_the_budget(
    tiny_encoder: SentenceTransformer, batches: list[list[int]]
) -> None:
    encode(tiny_encoder, ["a", "abcdefgh", "ab", "abcdefg"], token_budget=20)
    assert batches == [[10, 9], [4, 3]]  # both ends are tokens, too


def test_vectors_have_length_one(tiny_encoder: SentenceTransformer) -> None:
    lengths = np.linalg.norm(encode(tiny_encoder, TEXTS), axis=1)
    assert np.abs(lengths - 1).max() < 1e-6


def test_no_texts_give_no_vectors(tiny_encoder: SentenceTransformer) -> None:
    assert encode(tiny_encoder, []).shape == (0, 32)


def test_progress_counts_every_text(tiny_encoder: SentenceTransformer) -> None:
    told: list[int] = []
    encode(tiny_encoder, TEXTS, token_budget=10, progress=told.append)
    assert len(told) > 1
    assert sum(told) == len(TEXTS)


def test_a_model_in_training_stays_so_and_is_encoded_without_dropout(
    tiny_encoder: SentenceTransformer,
) -> None:
    expected = encode(tiny_encoder, TEXTS)
    tiny_encoder.train()
    assert np.array_equal(encode(tiny_encoder, TEXTS), expected)
    assert tiny_encoder.training


def test_lengths_are_those_of_the_models_tokens(tiny_encoder: SentenceTransformer) -> None:
    lengths = token_lengths(tiny_encoder, ["abc", "a" * 100, ""], "Query: ")
    assert lengths.tolist() == [12, 48, 9]  # 7 of the prompt, 2 ends, and the letters, cut at 48


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(0, 300), max_size=80), budget=st.integers(1, 1000))
def test_batches_part_the_texts_and_keep_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(token_batches(np.array(lengths, np.int64), budget))
    assert sorted(k for batch in batches for k in batch.tolist()) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[k] for k in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
    flat = [lengths[k] for batch in batches for k in batch]
    assert flat == sorted(lengths, reverse=True)


def test_batches_are_as_large_as_the_budget_allows() -> None:
    batches = token_batches(np.array([3, 5, 1, 5, 2, 9]), 10)
    assert [batch.tolist() for batch in batches] == [[5], [1, 3], [0, 4, 2]]


@pytest.mark.parametrize("budget", [20, 4096])
def test_bfloat16_gives_unit_vectors_near_those_of_float32(
    tiny_encoder: SentenceTransformer, budget: int
) -> None:
    half = encode(tiny_encoder, TEXTS, "Query: ", bf16=True, token_budget=budget)
    whole = encode(tiny_encoder, TEXTS, "Query: ", token_budget=budget)
    assert half.dtype == np.float32
    assert np.abs(np.linalg.norm(half, axis=1) - 1).max() < 1e-6
    assert (half * whole).sum(1).min() > 0.99
    assert np.abs(half - whole).max() > 1e-5  # so it was computed in bfloat16
    assert {parameter.dtype for parameter in tiny_encoder.parameters()} == {torch.float32}


def attention_types() -> tuple[torch.dtype, torch.dtype]:
    """Return the type that attention over float32 numbers gives, and that of a matrix product."""
    x = torch.ones(1, 1, 2, 4)
    mask = torch.zeros(1, 1, 2, 2, dtype=torch.bfloat16)
    found = torch.nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=mask.to(x.dtype))
    return found.dtype, (x @ x.mT).dtype


def test_attention_stays_in_float32_where_a_cpu_computes_in_bfloat16() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert attention_types() == (torch.bfloat16, torch.bfloat16)
    with bfloat16(torch.device("cpu")):
        assert attention_types() == (torch.float32, torch.bfloat16)
        half = torch.ones(1, 1, 2, 4, dtype=torch.bfloat16)
        mask = torch.tensor([[0.0, -torch.inf]], dtype=torch.bfloat16)
        masked = torch.nn.functional.scaled_dot_product_attention(half, half, half, attn_mask=mask)
        assert (masked.dtype, set(masked.flatten().tolist())) == (torch.float32, {1.0})
    with bfloat16(torch.device("cpu"), wanted=False):
        assert attention_types() == (torch.float32, torch.float32)
