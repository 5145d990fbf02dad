"""Models for ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from architectures import make_checkpoint
from sentence_transformers import SentenceTransformer

from panglot import load_encoder, sample_pairs, train
from panglot.data import sample_benchmark
from panglot.encoders import encode, model_sha256, prompts_of
from panglot.encoders.onnx import export_onnx, exported_from
from panglot.errors import PanglotError

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")
TEXTS = ["a", "Der Himmel ist blau.", "", *sample_benchmark().queries.texts[:40]]


def test_an_exported_model_gives_the_same_vectors(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    before = model_sha256(tiny_encoder)
    export_onnx(tiny_encoder, tmp_path / "onnx")
    exported = load_encoder(str(tmp_path / "onnx"), device="cpu")
    expected = encode(tiny_encoder, TEXTS, "Query: ")
    np.testing.assert_allclose(encode(exported, TEXTS, "Query: "), expected, atol=2e-6)
    np.testing.assert_allclose(encode(exported, TEXTS, "Query: ", token_budget=64), expected, atol=2e-6)
    assert prompts_of(exported) == prompts_of(tiny_encoder)
    assert exported.max_seq_length == tiny_encoder.max_seq_length
    assert exported_from(exported) == before == model_sha256(tiny_encoder)
    assert exported_from(tiny_encoder) is None


def test_int8_is_smaller_and_near(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    for folder, int8 in (("whole", False), ("small", True)):
        export_onnx(tiny_encoder, tmp_path / folder, int8=int8)
    whole, small = (load_encoder(str(tmp_path / name), device="cpu") for name in ("whole", "small"))
    cosines = (encode(small, TEXTS) * encode(tiny_encoder, TEXTS)).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.min() < 1 - 1e-7  # it was quantised
    assert model_sha256(whole) != model_sha256(small)
    assert exported_from(whole) == exported_from(small)


def test_what_was_exported_can_be_saved_again(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    export_onnx(tiny_encoder, tmp_path / "first")
    first = load_encoder(str(tmp_path / "first"), device="cpu")
    first.save(str(tmp_path / "second"))
    second = load_encoder(str(tmp_path / "second"), device="cpu")
    np.testing.assert_array_equal(encode(first, TEXTS), encode(second, TEXTS))


def test_an_exported_model_is_loaded_from_the_hub(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    fetched, commit = tmp_path / "models--me--onnx", "a" * 40
    export_onnx(tiny_encoder, fetched / "snapshots" / commit)
    (fetched / "refs").mkdir()
    (fetched / "refs" / "main").write_text(commit)
    assert exported_from(load_encoder("me/onnx", device="cpu")) == model_sha256(tiny_encoder)


def test_token_embeddings_come_back_to_the_device_of_the_features(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    export_onnx(tiny_encoder, tmp_path / "onnx")
    module: Any = load_encoder(str(tmp_path / "onnx"), device="cpu")[0]

    class Elsewhere:
        """A tensor of another device, in the place of a GPU's."""

        device = torch.device("meta")

        def __init__(self, values: torch.Tensor) -> None:
            self.values = values

        def cpu(self) -> torch.Tensor:
            return self.values

    features = {name: Elsewhere(values) for name, values in module.preprocess(["a"]).items()}
    assert module(features)["token_embeddings"].device.type == "meta"


def test_an_exported_model_is_not_trained(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    export_onnx(tiny_encoder, tmp_path / "onnx")
    exported = load_encoder(str(tmp_path / "onnx"), device="cpu")
    with pytest.raises(PanglotError, match="train its original"):
        train(exported, sample_pairs(), tmp_path / "run", batch_size=8, steps=1, progress=False)


def test_an_exported_deberta_keeps_its_character_map(tmp_path: Path) -> None:
    make_checkpoint(tmp_path / "deberta", "mdeberta-v3-base")
    model = load_encoder(str(tmp_path / "deberta"), device="cpu")
    export_onnx(model, tmp_path / "onnx")
    exported = load_encoder(str(tmp_path / "onnx"), device="cpu")
    text = "你好，世界"
    assert exported.tokenizer.tokenize(text) == model.tokenizer.tokenize(text)
    assert encode(exported, [text]) == pytest.approx(encode(model, [text]), abs=1e-5)


def test_pooling_that_leaves_the_prompt_out_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    model = load_encoder(str(tiny_checkpoint), device="cpu")
    pooling: Any = model[1]
    pooling.include_prompt = False
    with pytest.raises(PanglotError, match="leaves the prompt out"):
        export_onnx(model, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_what_is_no_transformer_is_refused(static_encoder: SentenceTransformer, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="only transformers are exported"):
        export_onnx(static_encoder, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


def test_a_folder_that_is_not_empty_is_left_alone(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(PanglotError, match="is not empty"):
        export_onnx(tiny_encoder, tmp_path)
    assert (tmp_path / "mine").read_text() == "mine"
