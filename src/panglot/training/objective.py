"""The objective: InfoNCE on cosine similarity over in-batch negatives, without false negatives."""

from typing import Any

import torch
from sentence_transformers.util import all_gather, all_gather_with_grad
from torch import Tensor, nn

Features = dict[str, Any]


class InfoNCE(nn.Module):
    """Cross-entropy of each query's own passage against all passages of the batch (van den Oord et al. 2018).

    For unit vectors q, p and temperature t the loss of query i is
    ``-log(exp(q_i p_i / t) / sum_j exp(q_i p_j / t))``, averaged over queries. Candidates j are the passages
    of the whole global batch, over all processes, and its hard negatives. Masked out are those j that share
    an item or a passage with i: *keys* say which (see ``panglot.training.steps``).
    """

    def __init__(self, model: nn.Module, temperature: float = 0.05) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, features: list[Features], labels: Tensor | None = None) -> Tensor:
        """Return the mean loss.

        Args:
            features: of B queries, of their B passages, and of any number of hard negatives; each with
                ``keys``, a ``(rows, 3)`` tensor.
            labels: unused; the trainer passes it.
        """
        embedded = [self._embed(part) for part in features]
        return info_nce(
            queries=embedded[0][0],
            passages=embedded[1][0],
            query_keys=embedded[0][1],
            passage_keys=embedded[1][1],
            temperature=self.temperature,
            negatives=embedded[2][0] if len(embedded) > 2 else None,
            negative_keys=embedded[2][1] if len(embedded) > 2 else None,
        )

    def _embed(self, features: Features) -> tuple[Tensor, Tensor]:
        inputs = {name: value for name, value in features.items() if name not in ("keys", "rows")}
        unique = nn.functional.normalize(self.model(inputs)["sentence_embedding"].float(), dim=-1)
        return unique[features["rows"]], features["keys"]


def info_nce(
    queries: Tensor,
    passages: Tensor,
    query_keys: Tensor,
    passage_keys: Tensor,
    temperature: float,
    negatives: Tensor | None = None,
    negative_keys: Tensor | None = None,
) -> Tensor:
    """Return the mean InfoNCE loss of unit vectors.

    Args:
        queries: ``(B, d)``.
        passages: ``(B, d)``, passage i the one that query i looks for.
        query_keys: ``(B, k)`` integers; a candidate that has one of them in the same column is no negative.
        passage_keys: ``(B, k)``.
        temperature: divides the similarities.
        negatives: ``(n, d)`` hard negatives, candidates of every query.
        negative_keys: ``(n, k)``.
    """
    size = len(queries)
    first = 0
    if negatives is None or negative_keys is None:
        negatives, negative_keys = passages[:0], passage_keys[:0]
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        first = torch.distributed.get_rank() * size
        negatives, negative_keys = _gather_ragged(negatives, negative_keys)
        passages, passage_keys = all_gather_with_grad(passages), all_gather(passage_keys)
    own = torch.arange(first, first + size, device=queries.device)
    similarity = torch.cat([queries @ passages.t(), queries @ negatives.t()], dim=1)
    same = (query_keys[:, None, :] == passage_keys[None, :, :]).any(-1)
    same[torch.arange(size, device=same.device), own] = False
    same = torch.cat([same, (query_keys[:, None, :] == negative_keys[None, :, :]).any(-1)], dim=1)
    logits = (similarity / temperature).masked_fill(same, float("-inf"))
    return nn.functional.cross_entropy(logits, own)


def _gather_ragged(rows: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Gather rows and their keys from all processes, of which each may have another number, or none."""
    counts = all_gather(torch.tensor([len(rows)], device=rows.device))
    longest = int(counts.max())
    if longest == 0:
        return rows, keys
    padding = (0, 0, 0, longest - len(rows))
    kept = (torch.arange(longest, device=rows.device) < counts[:, None]).flatten()
    rows = all_gather_with_grad(nn.functional.pad(rows, padding))[kept]
    return rows, all_gather(nn.functional.pad(keys, padding))[kept]
