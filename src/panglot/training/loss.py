"""The loss: InfoNCE on cosine similarity over in-batch negatives, without false negatives."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from sentence_transformers.util import all_gather, all_gather_with_grad
from torch import Tensor, distributed, nn

from panglot.training.distributed import several
from panglot.training.micro_batches import Features, embed, even_out
from panglot.training.teacher import Guidance, alignment, distillation, pull


class Candidates(NamedTuple):
    """What each query of a process is compared with.

    Attributes:
        similarity: ``(B, n)`` cosines to the passages of the global batch, then to all hard negatives.
        masked: ``(B, n)`` True where a candidate is not a negative: it shares an item or a passage.
        own: ``(B,)`` the column of each query's own passage.
        passages: how many of the columns are passages; the rest are hard negatives.
    """

    similarity: Tensor
    masked: Tensor
    own: Tensor
    passages: int


class InfoNCE(nn.Module):
    """Cross-entropy of each query's own passage against all passages of the batch (van den Oord et al. 2018).

    For unit vectors q, p and temperature t the loss of query i is
    ``-log(exp(q_i p_i / t) / sum_j exp(q_i p_j / t))``, averaged over queries. Candidates j are the passages
    of the whole global batch, over all processes, and its hard negatives. Masked out are those j that share
    an item or a passage with i: *keys* say which (see ``panglot.training.dataset``).

    Args:
        model: called with the list of a step's micro-batches (see ``micro_batched``).
        temperature: divides the similarities.
        guidance: a teacher and the terms that it adds; None: InfoNCE alone.
        aligned: weight of the Jensen-Shannon divergence from the model's own ranking in the pivot language.
        dimensions: weights of Matryoshka dimensions (Kusupati et al. 2022, arXiv 2205.13147): InfoNCE and
            distillation are the weighted sum of what they are for embeddings cut to each dimension and
            normalised again. Empty: those of the whole embeddings.
    """

    def __init__(
        self,
        model: nn.Module,
        temperature: float = 0.05,
        guidance: Guidance | None = None,
        dimensions: Mapping[int, float] | None = None,
        aligned: float = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        self.aligned = aligned
        self.dimensions: Mapping[int | None, float] = {None: 1.0}
        if dimensions:
            self.dimensions = {dimension: weight for dimension, weight in dimensions.items()}  # noqa: C416
        # in a list, so that the teacher is neither trained, saved nor wrapped for several processes
        self._guidance = [guidance] if guidance else []

    def forward(self, features: Features, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Return the loss by term; their sum is what is minimised."""
        found = self.model(even_out(features["micro_batches"]))
        queries, passages = found[features["query_rows"]], found[features["passage_rows"]]
        hard = "negative_rows" in features
        compared = []
        for dimension, weight in self.dimensions.items():
            cut = found if dimension is None else nn.functional.normalize(found[:, :dimension], dim=-1)
            candidates = compare(
                cut[features["query_rows"]],
                cut[features["passage_rows"]],
                features["keys"],
                features["keys"],
                cut[features["negative_rows"]] if hard else None,
                features["negative_keys"] if hard else None,
            )
            compared.append((weight, candidates))
        terms = {"info_nce": _sum(weight * cross_entropy(c, self.temperature) for weight, c in compared)}
        if self.aligned:
            pivot_queries, pivot_passages = (
                found[features[f"pivot_{name}_rows"]] for name in ("query", "passage")
            )
            keys = features["keys"]
            drawn, pivot = (
                compare(q, p, keys, keys) for q, p in ((queries, passages), (pivot_queries, pivot_passages))
            )
            terms["alignment"] = self.aligned * alignment(
                drawn.similarity, pivot.similarity, drawn.masked, self.temperature
            )
        for guidance in self._guidance:
            with torch.no_grad():
                taught = embed(guidance.teacher, features["teacher_micro_batches"])
            of_queries = taught[features["teacher_query_rows"]]
            of_passages = taught[features["teacher_passage_rows"]]
            if guidance.distillation:
                scores = of_queries @ gather(of_passages).t()
                terms["distillation"] = guidance.distillation * _sum(
                    weight
                    * distillation(
                        c.similarity[:, : c.passages], scores, c.masked[:, : c.passages], guidance.temperature
                    )
                    for weight, c in compared
                )
            if guidance.pull:
                terms["pull"] = guidance.pull * (pull(queries, of_queries) + pull(passages, of_passages)) / 2
        return terms


def _sum(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).sum()


def info_nce(
    queries: Tensor,
    passages: Tensor,
    query_keys: Tensor,
    passage_keys: Tensor,
    temperature: float,
    negatives: Tensor | None = None,
    negative_keys: Tensor | None = None,
) -> Tensor:
    """Return the mean InfoNCE loss of unit vectors; see ``compare`` for the arguments."""
    return cross_entropy(
        compare(queries, passages, query_keys, passage_keys, negatives, negative_keys), temperature
    )


def cross_entropy(compared: Candidates, temperature: float) -> Tensor:
    """Return the mean over queries of the cross-entropy of their own passage."""
    logits = (compared.similarity / temperature).masked_fill(compared.masked, float("-inf"))
    return nn.functional.cross_entropy(logits, compared.own)


def compare(
    queries: Tensor,
    passages: Tensor,
    query_keys: Tensor,
    passage_keys: Tensor,
    negatives: Tensor | None = None,
    negative_keys: Tensor | None = None,
    *,
    gathered: bool = True,
) -> Candidates:
    """Compare the queries of this process with the candidates of all.

    Args:
        queries: ``(B, d)`` unit vectors.
        passages: ``(B, d)``, passage i the one that query i looks for.
        query_keys: ``(B, k)`` integers; a candidate with one of them in the same column is masked.
        passage_keys: ``(B, k)``.
        negatives: ``(n, d)`` hard negatives, candidates of every query.
        negative_keys: ``(n, k)``.
        gathered: False: with the candidates of this process alone.
    """
    size = len(queries)
    first = 0
    if negatives is None or negative_keys is None:
        negatives, negative_keys = passages[:0], passage_keys[:0]
    if gathered and several():
        first = distributed.get_rank() * size
        negatives, negative_keys = _gather_ragged(negatives, negative_keys)
        passages, passage_keys = all_gather_with_grad(passages), all_gather(passage_keys)
    own = torch.arange(first, first + size, device=queries.device)
    similarity = torch.cat([queries @ passages.t(), queries @ negatives.t()], dim=1)
    same = (query_keys[:, None, :] == passage_keys[None, :, :]).any(-1)
    same[torch.arange(size, device=same.device), own] = False
    same = torch.cat([same, (query_keys[:, None, :] == negative_keys[None, :, :]).any(-1)], dim=1)
    return Candidates(similarity, same, own, len(passages))


def gather(rows: Tensor) -> Tensor:
    """Return the rows of all processes, without gradient."""
    return all_gather(rows) if several() else rows


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
