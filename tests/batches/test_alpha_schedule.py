"""A schedule of alpha: the probability of a monolingual batch, step by step, worked by hand."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panglot.batches import Sampler, make_sampler
from panglot.data import ParallelPairs, pairs_from_rows
from panglot.errors import PanglotError


def source(items: int = 20, languages: Sequence[str] = ("de", "en")) -> ParallelPairs:
    rows: list[dict[str, object]] = [
        {"item_id": str(k), "language": language, "query": "q", "passage": "p"}
        for k in range(items)
        for language in languages
    ]
    return pairs_from_rows(rows, "s")


def sampler(alpha: float | tuple[float, ...], steps: int | None, seed: int = 0) -> Sampler:
    return make_sampler([source()], batch_size=4, alpha=alpha, steps=steps, seed=seed)


@pytest.mark.parametrize(
    ("alpha", "steps", "expected"),
    [
        ((1.0, 0.0), 5, [1, 0.75, 0.5, 0.25, 0]),
        ((0.2, 0.8), 4, [0.2, 0.4, 0.6, 0.8]),
        ((0.0, 1.0, 0.5), 5, [0, 0.5, 1, 0.75, 0.5]),
        ((0.0, 0.9, 0.3), 4, [0, 0.6, 0.7, 0.3]),  # the middle lies at step 1.5
        ((0.4, 0.4), 3, [0.4, 0.4, 0.4]),
        ((1.0, 0.0), 2, [1, 0]),
        ((0.3, 0.9), 1, [0.3]),  # one step is the first
        ((0.3,), 3, [0.3, 0.3, 0.3]),
        (0.3, 3, [0.3, 0.3, 0.3]),
    ],
)
def test_alpha_is_linear_between_its_numbers(
    alpha: float | tuple[float, ...], steps: int, expected: list[float]
) -> None:
    made = sampler(alpha, steps)
    assert [made.alpha_at(step) for step in range(steps)] == pytest.approx(expected)


def test_alpha_stays_where_it_ended() -> None:
    assert [sampler((1.0, 0.25), 5).alpha_at(step) for step in (4, 5, 10**12)] == [0.25] * 3


def test_without_alpha_the_strategy_has_its_own() -> None:
    def kinds(**how: object) -> set[str]:
        made = make_sampler([source()], batch_size=4, **how)
        return {made.kind(step) for step in range(100)}

    assert kinds(strategy="hybrid") == {"monolingual", "crosslingual"}
    assert kinds(strategy="bilingual") == {"bilingual"}
    assert kinds(strategy="bilingual", alpha=0.5) == {"monolingual", "bilingual"}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.integers(2, 500))
def test_a_schedule_begins_and_ends_with_its_numbers_and_stays_between_them(
    alphas: list[float], steps: int
) -> None:
    made = sampler(tuple(alphas), steps)
    found = [made.alpha_at(step) for step in range(steps)]
    assert found[0] == pytest.approx(alphas[0])
    assert found[-1] == pytest.approx(alphas[-1])
    assert min(alphas) - 1e-12 <= min(found) <= max(found) <= max(alphas) + 1e-12


def test_monolingual_batches_follow_the_schedule() -> None:
    steps = 6000
    made = sampler((0.1, 0.9, 0.5), steps, seed=3)
    hits = np.array([made.kind(step) == "monolingual" for step in range(steps)])
    # thirds by hand: from 0.1 to 0.6333; up to 0.9 and down to 0.7667, on average 0.8; down to 0.5
    for part, mean in zip(np.split(hits, 3), (0.3667, 0.8, 0.6333), strict=True):
        spread = math.sqrt(mean * (1 - mean) / len(part))
        assert abs(part.mean() - mean) < 5 * spread
    assert all(made.draw(step).kind == made.kind(step) for step in range(0, steps, 600))


@pytest.mark.parametrize(
    ("alpha", "first", "last"),
    [((1.0, 1.0, 0.0, 0.0), "monolingual", "crosslingual"), ((0.0, 1.0), "crosslingual", "monolingual")],
)
def test_a_schedule_may_go_from_one_kind_to_the_other(
    alpha: tuple[float, ...], first: str, last: str
) -> None:
    made = sampler(alpha, 30)
    assert (made.draw(0).kind, made.draw(29).kind) == (first, last)
    assert len({made.draw(step).kind for step in range(10, 20)}) == 2


def test_a_draw_of_a_schedule_depends_on_seed_and_step_alone() -> None:
    once, again = sampler((0.2, 0.8), 10), sampler((0.2, 0.8), 10)
    backwards = {step: again.draw(step) for step in reversed(range(10))}
    for step in range(10):
        batch = once.draw(step)
        assert batch.kind == backwards[step].kind
        assert batch.items.tolist() == backwards[step].items.tolist()


def test_a_schedule_of_one_number_draws_as_that_number() -> None:
    kinds = [[sampler(alpha, 50).kind(step) for step in range(50)] for alpha in (0.4, (0.4,), (0.4, 0.4))]
    assert kinds[0] == kinds[1] == kinds[2]
    assert len(set(kinds[0])) == 2


@pytest.mark.parametrize("alpha", [(), (0.5, 1.1), (-0.1, 0.5), (0.5, math.nan), (math.inf,)])
def test_every_number_of_a_schedule_is_a_probability(alpha: tuple[float, ...]) -> None:
    with pytest.raises(PanglotError) as caught:
        sampler(alpha, 10)
    assert str(caught.value) == f"alpha is {alpha}; it is a probability, between 0 and 1."


def test_a_schedule_runs_over_steps_that_are_known() -> None:
    with pytest.raises(PanglotError, match="alpha is a schedule; say over how many steps it runs"):
        sampler((0.5, 0.6), None)
    assert sampler((0.5,), None).alpha_at(7) == 0.5


def test_a_schedule_needs_both_kinds_of_batches_unless_it_is_all_one_or_all_zero() -> None:
    alone = source(languages=("en",))
    made = make_sampler([alone], batch_size=4, alpha=(1.0, 1.0), steps=9)
    assert {made.draw(step).kind for step in range(9)} == {"monolingual"}
    with pytest.raises(PanglotError, match="no item exists in two languages"):
        make_sampler([alone], batch_size=4, alpha=(1.0, 0.9), steps=9)
    # four items, no two of them in one language with another of them
    rows: list[dict[str, object]] = [
        {"item_id": str(k), "language": language, "query": "q", "passage": "p"}
        for k, languages in enumerate((("de", "en"), ("el", "sw")))
        for language in languages
    ]
    apart = pairs_from_rows(rows, "apart")
    made = make_sampler([apart], batch_size=2, alpha=(0.0, 0.0), steps=9)
    assert {made.draw(step).kind for step in range(9)} == {"crosslingual"}
    with pytest.raises(PanglotError, match="in any one language for a monolingual batch"):
        make_sampler([apart], batch_size=2, alpha=(0.0, 0.1), steps=9)
