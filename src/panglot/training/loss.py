"""The loss: InfoNCE on cosines over in-batch negatives, and what a teacher adds to it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import all_gather, all_gather_with_grad
from torch import Tensor, distributed, nn

from panglot.training.distributed import several
from panglot.training.micro_batches import Features, embed, even_out


@dataclass(frozen=True)
class Guidance:
    """A frozen teacher that reads each pair in a pivot language, and how much its terms weigh.

    Attributes:
        teacher: any encoder; often the one that is trained, as it was.
        distillation: weight of ``distillation``; 0: none.
        temperature: of the two distributions that distillation compares.
        pull: weight of ``pull``; 0: none. The teacher then needs the model's dimension.
    """

    teacher: SentenceTransformer
    distillation: float = 0.0
    temperature: float = 0.05
    pull: float = 0.0


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


# a teacher's ranking to follow, and its place for every translation


def distillation(student: Tensor, teacher: Tensor, masked: Tensor, temperature: float) -> Tensor:
    """Return the mean KL divergence of the student's ranking of the batch from the teacher's.

    Both rank the same pairs, the teacher in its pivot language, the student in those drawn; so a model is
    taught to rank across languages as it did inside one (Hinton, Vinyals and Dean 2015; across languages
    e.g. Yang et al. 2024, arXiv 2405.00977, and ColBERT-X's translate-distill).

    Args:
        student: ``(B, n)`` similarities.
        teacher: ``(B, n)`` similarities.
        masked: ``(B, n)`` True for candidates that both leave out.
    """
    floor = torch.finfo(student.dtype).min  # not -inf, of which 0 times is nan
    ranked = (student / temperature).masked_fill(masked, floor).log_softmax(-1)
    wanted = (teacher / temperature).masked_fill(masked, floor).log_softmax(-1)
    return nn.functional.kl_div(ranked, wanted, reduction="batchmean", log_target=True)


def alignment(drawn: Tensor, pivot: Tensor, masked: Tensor, temperature: float) -> Tensor:
    """Return the mean Jensen-Shannon divergence between two rankings of the batch by one model.

    One ranking is in the drawn languages, the other of the same pairs in the pivot language; both are trained
    (as in arXiv 2604.05684, here over the batch). It is 0 where they agree, and ln 2 at most.

    Args:
        drawn: ``(B, n)`` similarities.
        pivot: ``(B, n)`` similarities.
        masked: ``(B, n)`` True for candidates that both leave out.
    """
    floor = torch.finfo(drawn.dtype).min
    p, q = ((scores / temperature).masked_fill(masked, floor).log_softmax(-1) for scores in (drawn, pivot))
    middle = torch.logaddexp(p, q) - math.log(2)
    divergences = [
        nn.functional.kl_div(middle, own, reduction="batchmean", log_target=True) for own in (p, q)
    ]
    return torch.stack(divergences).mean()


def pull(student: Tensor, teacher: Tensor) -> Tensor:
    """Return the mean of 1 - cosine between texts and where the teacher sees their pivot translation.

    All translations of a text are pulled to one place (Reimers and Gurevych 2020, arXiv 2004.09813, with the
    cosine in place of the squared distance).

    Args:
        student: ``(B, d)`` unit vectors.
        teacher: ``(B, d)`` unit vectors.
    """
    return 1 - nn.functional.cosine_similarity(student, teacher, dim=-1).mean()
