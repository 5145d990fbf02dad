"""An encoder whose vectors a test writes down."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import nn

Vectors = Mapping[str, Sequence[float]]


class Table(nn.Module):
    """Looks the vectors of texts up."""

    def __init__(self, vectors: Vectors) -> None:
        super().__init__()
        self.number = {text: k for k, text in enumerate(vectors)}
        self.vectors = nn.Parameter(torch.tensor([list(vector) for vector in vectors.values()]).float())
        self.max_seq_length = 8

    def get_embedding_dimension(self) -> int:
        return self.vectors.shape[1]

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        return [[self.number[text]] for text in texts]

    def preprocess(self, inputs: list[str], prompt: str | None = None, **_: Any) -> dict[str, torch.Tensor]:
        return {"rows": torch.tensor(self.token_ids([(prompt or "") + text for text in inputs]))[:, 0]}

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": self.vectors[features["rows"]]}


@pytest.fixture(scope="session")
def table_encoder() -> Callable[[Vectors], SentenceTransformer]:
    """Make an encoder of the vectors of some texts, with the prompts "ask " and "tell "."""

    def make(vectors: Vectors) -> SentenceTransformer:
        prompts = {"query": "ask ", "document": "tell "}
        return SentenceTransformer(modules=[Table(vectors)], device="cpu", prompts=prompts)

    return make
