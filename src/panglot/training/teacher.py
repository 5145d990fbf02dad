"""What a teacher adds to the objective: its ranking to follow, and its place for every translation."""

import math
from dataclasses import dataclass

import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn


@dataclass(frozen=True)
class Guidance:
    """A frozen teacher that reads each pair in a pivot language, and how much its terms weigh.

    Attributes:
        teacher: any encoder; often the one that is trained, as it was.
        distillation: weight of ``distillation``; 0: none.
        temperature: of the two distributions that distillation compares.
        pull: weight of ``pull``; 0: none. The teacher then needs the model's dimension.
        pivot: the language it reads, where the item has it; None: the query's own.
    """

    teacher: SentenceTransformer
    distillation: float = 0.0
    temperature: float = 0.05
    pull: float = 0.0
    pivot: str | None = "en"


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
