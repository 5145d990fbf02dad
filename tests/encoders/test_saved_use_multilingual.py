"""use-multilingual written to a folder and read back."""

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot import encode, load_encoder
from panglot.encoders import model_sha256

TEXTS = ["Ein Schiff fährt über den See.", "A ship crosses the lake.", ""]


@pytest.fixture(scope="module")
def folder(encoder: SentenceTransformer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    module = encoder[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "max_seq_length", 32)
        patch.setattr(encoder, "prompts", {"query": "ask ", "document": ""})
        encoder.save_pretrained(str(folder), create_model_card=False)
    return folder


def test_load_encoder_gives_the_saved_model_back(encoder: SentenceTransformer, folder: Path) -> None:
    again = load_encoder(str(folder), device="cpu")
    assert model_sha256(again) == model_sha256(encoder)
    assert again.max_seq_length == 32
    assert again.prompts == {"query": "ask ", "document": ""}
    assert np.array_equal(encode(again, TEXTS), encode(encoder, TEXTS))


def test_sentence_transformers_gives_the_saved_model_back(encoder: SentenceTransformer, folder: Path) -> None:
    again = SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")
    assert model_sha256(again) == model_sha256(encoder)
    assert np.array_equal(encode(again, TEXTS), encode(encoder, TEXTS))


def test_the_embedded_encoder_has_no_prompts_and_reads_256_pieces(encoder: SentenceTransformer) -> None:
    assert encoder.prompts == {"query": "", "document": ""}
    assert encoder.max_seq_length == 256
    assert encoder.get_embedding_dimension() == 512


def test_the_maximum_length_can_be_chosen() -> None:
    assert load_encoder("use-multilingual", max_length=64, device="cpu").max_seq_length == 64
