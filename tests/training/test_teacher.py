"""What a teacher adds, against numbers worked by hand, a slow loop and a teacher that says nothing new."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from torch import Tensor

from panglot import PanglotError, load_encoder, sample_pairs, train
from panglot.encoders import model_sha256
from panglot.training import Training
from panglot.training.loss import alignment, distillation, pull

Runner = Callable[..., tuple[Training, SentenceTransformer]]
ONE_STEP: dict[str, Any] = {"steps": 1, "learning_rate": 1e-3}


def test_the_divergence_of_two_pairs_is_that_worked_by_hand() -> None:
    student = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    teacher = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    nothing = torch.zeros(2, 2, dtype=torch.bool)
    found = distillation(student, teacher, nothing, temperature=0.5)
    # at temperature 0.5 scores of 1 and 0 give a = e^2 / (e^2 + 1) and 1 - a
    a = math.exp(2) / (math.exp(2) + 1)
    first = 0.5 * math.log(0.5 / a) + 0.5 * math.log(0.5 / (1 - a))
    second = a * math.log(a / (1 - a)) + (1 - a) * math.log((1 - a) / a)
    assert float(found) == pytest.approx((first + second) / 2, rel=1e-6)


def slow_divergence(student: Tensor, teacher: Tensor, masked: Tensor, temperature: float) -> float:
    total = 0.0
    for i in range(len(student)):
        kept = [j for j in range(student.shape[1]) if not masked[i, j]]
        ours = [math.exp(float(student[i, j]) / temperature) for j in kept]
        theirs = [math.exp(float(teacher[i, j]) / temperature) for j in kept]
        for a, b in zip(ours, theirs, strict=True):
            p, q = b / sum(theirs), a / sum(ours)
            total += p * math.log(p / q)
    return total / len(student)


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 6),
    more=st.integers(0, 4),
    share=st.floats(0, 0.9),
    temperature=st.floats(0.05, 2),
    seed=st.integers(0, 10_000),
)
def test_the_divergence_equals_a_slow_loop_with_masks(
    size: int, more: int, share: float, temperature: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (
        torch.rand(size, size + more, generator=generator, dtype=torch.double) * 2 - 1 for _ in range(2)
    )
    masked = torch.rand(size, size + more, generator=generator) < share
    masked[torch.arange(size), torch.arange(size)] = False  # its own passage is always a candidate
    ours = student.clone().requires_grad_()
    found = distillation(ours, teacher, masked, temperature)
    assert float(found.detach()) == pytest.approx(
        slow_divergence(student, teacher, masked, temperature), abs=1e-9
    )
    found.backward()  # type: ignore[no-untyped-call]
    assert ours.grad is not None
    assert ours.grad.isfinite().all()
    assert not ours.grad[masked].any()
    assert float(distillation(teacher, teacher, masked, temperature)) == pytest.approx(0, abs=1e-12)


def test_the_pull_is_one_minus_the_mean_cosine() -> None:
    student = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    teacher = torch.tensor([[0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]])
    assert float(pull(student, teacher)) == pytest.approx(1 - (0.6 + 1.0 - 1.0) / 3)  # cosines by hand


def logged(outcome: Training, name: str) -> float:
    """Return a term of the loss in the first line of the log."""
    return float(next(entry[name] for entry in outcome.log if "loss" in entry))


@pytest.mark.parametrize("gradient_cache", [False, True])
def test_a_teacher_that_knows_what_the_model_knows_adds_nothing(
    run: Runner, still_checkpoint: Path, tmp_path: Path, gradient_cache: bool
) -> None:
    how: dict[str, Any] = {
        "steps": 1,
        "learning_rate": 1e-3,
        "gradient_cache": gradient_cache,
        "micro_batch_tokens": 60,
    }
    terms = {}
    for strategy in ("english", "crosslingual"):
        teacher = load_encoder(str(still_checkpoint), device="cpu")
        taught = {"teacher": teacher, "distillation": 2.0, "pull": 1.0, "pivot": "en"}
        outcome, _ = run(tmp_path / strategy, how, checkpoint=still_checkpoint, strategy=strategy, **taught)
        terms[strategy] = {name: logged(outcome, name) for name in ("info_nce", "distillation", "pull")}
        total = sum(terms[strategy].values())
        assert logged(outcome, "loss") == pytest.approx(total, abs=2e-4)  # the log has four decimals
    assert (terms["english"]["distillation"], terms["english"]["pull"]) == (0.0, 0.0)
    assert min(terms["crosslingual"].values()) > 0.001


def test_distillation_is_added_up_over_matryoshka_dimensions(
    run: Runner, still_checkpoint: Path, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"steps": 1, "strategy": "crosslingual", "distillation": 1.0, "pull": 1.0}
    terms = {}
    for dims in ((32,), (8,), (32, 8)):
        name = "-".join(map(str, dims))
        outcome, _ = run(tmp_path / name, how, checkpoint=still_checkpoint, matryoshka_dims=list(dims))
        terms[dims] = {name: logged(outcome, name) for name in ("info_nce", "distillation", "pull")}
    for name in ("info_nce", "distillation"):
        assert terms[32, 8][name] == pytest.approx(terms[32,][name] + terms[8,][name], abs=2e-4)
        assert terms[8,][name] > 0
    assert terms[32, 8]["pull"] == terms[8,]["pull"] == terms[32,]["pull"]  # of whole embeddings


def test_the_teacher_does_not_change_and_has_no_gradient(
    run: Runner, tiny_checkpoint: Path, tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"steps": 3, "learning_rate": 1e-2}
    teacher = tiny_encoder.train()
    before = model_sha256(teacher)
    _, guided = run(tmp_path / "guided", how, teacher=teacher, distillation=1.0, pull=1.0)
    assert model_sha256(teacher) == before
    assert not teacher.training  # so its dropout is off
    assert all(parameter.grad is None for parameter in teacher.parameters())
    _, alone = run(tmp_path / "alone", how)
    assert len({before, model_sha256(guided), model_sha256(alone)}) == 3


def test_a_teacher_of_another_width_can_be_distilled_but_not_pulled_to(
    run: Runner, encoder: SentenceTransformer, tmp_path: Path
) -> None:
    for weights in ({"pull": 0.1}, {"pull": 0.1, "distillation": 1.0}):
        with pytest.raises(PanglotError, match=r"the teacher.s embeddings have 384 .* 32"):
            run(tmp_path / "refused", ONE_STEP, teacher=encoder, **weights)
    assert not (tmp_path / "refused").exists()
    outcome, _ = run(tmp_path / "run", ONE_STEP, teacher=encoder, distillation=1.0)
    assert logged(outcome, "distillation") > 0


def test_a_model_is_not_its_own_teacher(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    how: dict[str, Any] = {**ONE_STEP, "batch_size": 8, "teacher": tiny_encoder, "pull": 1.0}
    with pytest.raises(PanglotError, match="the teacher is the model that is trained"):
        train(tiny_encoder, [sample_pairs()], tmp_path / "run", **how)
    assert not (tmp_path / "run").exists()


def test_alignment_is_the_divergence_worked_by_hand() -> None:
    drawn, pivot = torch.tensor([[math.log(3.0), 0.0]]), torch.tensor([[0.0, 0.0]])
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    # 3/4 and 1/4 against halves; the middle is 5/8 and 3/8
    kl = [0.75 * math.log(0.75 / 0.625) + 0.25 * math.log(0.25 / 0.375)]
    kl += [0.5 * math.log(0.5 / 0.625) + 0.5 * math.log(0.5 / 0.375)]
    assert float(alignment(drawn, pivot, nothing, 1.0)) == pytest.approx(sum(kl) / 2, rel=1e-5)
    assert float(alignment(pivot, pivot, nothing, 1.0)) == pytest.approx(0, abs=1e-7)
    far = torch.tensor([[50.0, 0.0]]), torch.tensor([[0.0, 50.0]])
    assert float(alignment(*far, nothing, 1.0)) == pytest.approx(math.log(2), rel=1e-5)
    masked = torch.tensor([[False, True]])
    assert float(alignment(drawn, pivot, masked, 1.0)) == pytest.approx(0, abs=1e-7)


def test_training_with_alignment_brings_rankings_nearer(run: Runner, tmp_path: Path) -> None:
    """In monolingual English batches both rankings are one; in cross-lingual ones the term falls."""
    crossed = {"strategy": "crosslingual", "steps": 30, "learning_rate": 1e-3, "temperature": 0.01}
    falls = {}
    for weight in (1.0, 100.0):
        found, _ = run(tmp_path / str(weight), {**crossed, "alignment": weight})
        terms = [entry["alignment"] / weight for entry in found.log if "alignment" in entry]
        falls[weight] = sum(terms[-2:]) / len(terms[-2:])
    assert falls[100.0] < 0.8 * falls[1.0]
    english, _ = run(tmp_path / "en", {"strategy": "english", "steps": 2, "alignment": 1.0})
    assert all(entry.get("alignment", 0) == pytest.approx(0, abs=1e-6) for entry in english.log)
