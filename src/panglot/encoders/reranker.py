"""Rerankers: models that read a query and a passage together and score them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from panglot.data import FloatArray
from panglot.data.index import numbered
from panglot.encoders.encoding import bfloat16
from panglot.encoders.load import check_weights, loading, model_sha256
from panglot.errors import PanglotError, of_kind

DEPTH = 100  # passages of each list that are reranked
PART = 512  # pairs between two reports of progress
BATCH = 32  # pairs


@dataclass(frozen=True)
class Reranker:
    """A cross-encoder of sentence-transformers.

    Attributes:
        name: folder or hub id.
        model: with one output.
        bf16: compute in bfloat16.
    """

    name: str
    model: CrossEncoder
    bf16: bool = False

    def score(
        self,
        queries: Sequence[str],
        passages: Sequence[str],
        progress: Callable[[int], None] | None = None,
    ) -> FloatArray:
        """Return the model's output, before any sigmoid, for each query and the passage beside it.

        Equal pairs are read once, and pairs of about the same length together.

        Args:
            progress: called with the number of pairs just scored, n in all.

        Returns:
            ``(n,)`` float32; more is better.

        Raises:
            PanglotError: a score is not finite.
        """
        of_pair, unique = numbered(zip(queries, passages, strict=True))
        uses = np.bincount(of_pair, minlength=len(unique))
        order = np.argsort([-len(query) - len(passage) for query, passage in unique], kind="stable")
        out = np.empty(len(unique), np.float32)
        with bfloat16(self.model.device, self.bf16):
            for start in range(0, len(order), PART):
                rows = order[start : start + PART]
                out[rows] = self.model.predict(
                    [unique[k] for k in rows.tolist()],
                    batch_size=BATCH,
                    show_progress_bar=False,
                    activation_fn=torch.nn.Identity(),  # a sigmoid makes high scores equal
                )
                if progress is not None:
                    progress(int(uses[rows].sum()))
        if not np.isfinite(out).all():
            raise PanglotError(f"'{self.name}' gives scores that are not finite; check its weights.")
        return out[of_pair]

    def describe(self) -> dict[str, str | None]:
        """Return its name and the checksum of its weights, for a results file."""
        return {"name": self.name, "sha256": model_sha256(self.model)}


def load_reranker(
    name: str | Path, *, max_length: int | None = None, trust_remote_code: bool = False, bf16: bool = False
) -> Reranker:
    """Load a reranker, such as ``BAAI/bge-reranker-v2-m3``.

    Args:
        name: folder or hub id of a cross-encoder with one output.
        max_length: cut a pair at this many tokens (default: the model's own limit).
        trust_remote_code: let the model run code of its own.
        bf16: compute in bfloat16.

    Raises:
        PanglotError: there is no such model, it is not a reranker, or it cannot be loaded.
    """
    name = str(name)
    with loading(name, None, trust_remote_code, "a reranker") as local:
        model = CrossEncoder(
            name, max_length=max_length, trust_remote_code=trust_remote_code, local_files_only=local
        )
        labels = model.num_labels
        check_weights(model, name, "A reranker is a cross-encoder, such as BAAI/bge-reranker-v2-m3.")
    if labels != 1:
        raise PanglotError(
            f"'{name}' has {labels} outputs; a reranker has one. Name one such as BAAI/bge-reranker-v2-m3."
        )
    return Reranker(name, model, bf16)


def as_reranker(reranker: Reranker | str | Path) -> Reranker:
    """Return a reranker as it is, or load the one that has this name or path."""
    return of_kind(reranker, load_reranker, Reranker)
