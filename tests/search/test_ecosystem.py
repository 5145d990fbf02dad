"""The model in other programs, as it stands."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot.encoders import encode, passage_prompt, query_prompt


def test_langchain_gives_the_same_vectors(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    langchain = pytest.importorskip("langchain_huggingface")
    tiny_encoder.save_pretrained(str(tmp_path / "model"))
    embeddings = langchain.HuggingFaceEmbeddings(
        model_name=str(tmp_path / "model"),
        model_kwargs={"device": "cpu"},
        query_encode_kwargs={"prompt_name": "query", "normalize_embeddings": True},
        encode_kwargs={"prompt_name": "document", "normalize_embeddings": True},
    )
    texts = ["one text", "another one, longer"]
    assert query_prompt(tiny_encoder) != passage_prompt(tiny_encoder)
    expected = encode(tiny_encoder, texts, passage_prompt(tiny_encoder))
    assert np.array(embeddings.embed_documents(texts)) == pytest.approx(expected, abs=1e-5)
    expected = encode(tiny_encoder, texts[:1], query_prompt(tiny_encoder))
    assert np.array([embeddings.embed_query(texts[0])]) == pytest.approx(expected, abs=1e-5)


def test_haystack_gives_the_same_vectors(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAYSTACK_TELEMETRY_ENABLED", "False")
    from haystack import Document
    from haystack.utils import ComponentDevice
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )

    tiny_encoder.save_pretrained(str(tmp_path / "model"))
    shared: dict[str, Any] = {"model": str(tmp_path / "model"), "device": ComponentDevice.from_str("cpu")}
    shared |= {"normalize_embeddings": True, "progress_bar": False}
    of_queries = SentenceTransformersTextEmbedder(prefix="Query: ", **shared)
    of_documents = SentenceTransformersDocumentEmbedder(prefix="Passage: ", **shared)
    of_queries.warm_up()
    of_documents.warm_up()
    assert (query_prompt(tiny_encoder), passage_prompt(tiny_encoder)) == ("Query: ", "Passage: ")
    texts = ["one text", "another one, longer"]
    found = of_documents.run(documents=[Document(content=text) for text in texts])["documents"]
    expected = encode(tiny_encoder, texts, passage_prompt(tiny_encoder))
    assert np.array([document.embedding for document in found]) == pytest.approx(expected, abs=1e-5)
    expected = encode(tiny_encoder, texts[:1], query_prompt(tiny_encoder))
    assert np.array([of_queries.run(text=texts[0])["embedding"]]) == pytest.approx(expected, abs=1e-5)


def test_sentence_transformers_gives_the_same_vectors(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    tiny_encoder.save_pretrained(str(tmp_path / "model"))
    model = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    expected = encode(tiny_encoder, ["one text"], query_prompt(tiny_encoder))
    assert model.encode_query(["one text"], normalize_embeddings=True) == pytest.approx(expected, abs=1e-5)
