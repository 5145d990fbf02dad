"""Texts tokenised once give the features that the model's own preprocessing gives of each batch."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer

from panglot.encoders import Tokenised, token_batches, token_lengths
from panglot.encoders import tokenised as tokenised_module

TEXTS = ["one two three", "", "Ünïcode: 語, слово", "a " * 90, "one two three", "x"]


def assert_same_features(model: SentenceTransformer, texts: Sequence[str], prompt: str, budget: int) -> None:
    found = Tokenised(model, texts, prompt)
    assert found.lengths.tolist() == token_lengths(model, texts, prompt).tolist()
    for rows in token_batches(found.lengths, budget):
        own = dict(model.preprocess([texts[k] for k in rows], prompt=prompt or None))
        features = found.features(rows)
        assert features.keys() == own.keys()
        for name, value in own.items():
            if isinstance(value, torch.Tensor):
                assert features[name].dtype == value.dtype
                assert torch.equal(features[name], value), name
            else:
                assert features[name] == value


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=40), min_size=1, max_size=9), prompt=st.sampled_from(["", "query: "]))
def test_features_are_those_of_the_model(
    tiny_encoder: SentenceTransformer, texts: list[str], prompt: str
) -> None:
    assert_same_features(tiny_encoder, texts, prompt, 40)


def test_texts_of_several_slices_are_one(
    tiny_encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenised_module, "SLICE", 2)
    assert_same_features(tiny_encoder, TEXTS, "", 64)


def test_padding_on_the_left_stays_on_the_left(tiny_encoder: SentenceTransformer) -> None:
    tiny_encoder.tokenizer.padding_side = "left"
    try:
        assert_same_features(tiny_encoder, TEXTS, "query: ", 64)
        assert Tokenised(tiny_encoder, TEXTS).features(np.array([0, 5]))["attention_mask"][1, 0] == 0
    finally:
        tiny_encoder.tokenizer.padding_side = "right"


def test_a_model_with_features_of_another_form_makes_them_itself(
    tiny_encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tiny_encoder.preprocess

    def with_counts(texts: list[str], prompt: str | None = None) -> dict[str, object]:
        return {**own(texts, prompt=prompt), "counts": torch.ones(len(texts))}

    monkeypatch.setattr(tiny_encoder, "preprocess", with_counts)
    features = Tokenised(tiny_encoder, TEXTS).features(np.array([1, 3]))
    assert features["counts"].tolist() == [1, 1]


def test_no_texts_have_no_lengths(tiny_encoder: SentenceTransformer) -> None:
    assert Tokenised(tiny_encoder, []).lengths.tolist() == []


def test_a_long_text_does_not_lengthen_short_ones(
    tiny_encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, padded = tiny_encoder.preprocess, []

    def recorded(texts: list[str], prompt: str | None = None) -> dict[str, object]:
        features = own(texts, prompt=prompt)
        padded.append(features["input_ids"].numel())
        return features

    texts = [*(f"short {k}" for k in range(2000)), "a " * 5000]
    monkeypatch.setattr(tiny_encoder, "preprocess", recorded)
    monkeypatch.setattr(tokenised_module, "CHARACTERS", 1 << 15)
    lengths = Tokenised(tiny_encoder, texts).lengths
    assert lengths.argmax() == 2000
    assert sum(padded) < 2 * lengths.sum()
