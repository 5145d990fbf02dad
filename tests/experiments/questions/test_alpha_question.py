"""The question of alpha: its runs, and what it says of findings with numbers worked by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from panglot import PanglotError
from panglot.evaluation import Evaluation
from panglot.experiments.experiment import Experiment
from panglot.experiments.questions import alpha, question
from panglot.experiments.runs import Measured, Places
from panglot.report.blocks import Grid, Picture, Sentences
from panglot.training import override

ITEMS = 12  # 4096 assignments of signs: all are looked at


@pytest.fixture
def experiment() -> Experiment:
    grid = {"alphas": [0.4, 0.5, 1.0], "schedules": {"falling": [1.0, 0.0]}, "languages": ["de", "en"]}
    return Experiment(question="alpha", benchmarks=["sample", "xquad-r"], seeds=2, grid=grid)


def test_the_encoder_as_it_comes_and_every_share_with_every_seed(experiment: Experiment) -> None:
    runs = alpha.plan(experiment, Places(()))
    assert [run.name for run in runs] == [
        "as it comes",
        *(f"{name}, seed {k}" for name in ("alpha 0.4", "alpha 0.5", "alpha 1", "falling") for k in (0, 1)),
    ]
    assert [run.trained for run in runs] == [False] + [True] * 8
    alphas: list[Any] = [0.4, 0.4, 0.5, 0.5, 1.0, 1.0, [1.0, 0.0], [1.0, 0.0]]
    assert [run.recipe.batches.alpha for run in runs[1:]] == alphas
    assert [run.recipe.training.seed for run in runs[1:]] == [0, 1] * 4
    for run in runs:
        assert run.benchmarks == (Measured("sample", ("de", "en")), Measured("xquad-r", ("de", "en")))
    same = {"batches.alpha": 0.5, "training.seed": 0}
    assert len({override(run.recipe, same).model_dump_json() for run in runs}) == 1
    assert runs[1].recipe.data.languages == ["de", "en"]
    assert runs[1].recipe.batches.strategy == "hybrid"


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"alphas": [0.4]}, "alphas must hold 0.5, with which the others are compared"),
        ({"alphas": [0.5, 1.5]}, "alphas.1 is wrong: Input should be less than or equal to 1"),
        ({"alphas": [0.5], "schedules": {"alpha 0.5": [0, 1]}}, "a schedule cannot be called 'alpha 0.5'"),
        (
            {"alphas": [0.5], "schedules": {"as it comes": [0, 1]}},
            "a schedule cannot be called 'as it comes'",
        ),
        ({}, "grid: lacks 'alphas'"),
        ({"alphas": [0.5], "alpha": 1}, "grid: alpha is no setting"),
    ],
    ids=str,
)
def test_a_grid_that_cannot_work_is_refused(
    experiment: Experiment, grid: dict[str, Any], message: str
) -> None:
    with pytest.raises(PanglotError, match=message):
        alpha.plan(experiment.model_copy(update={"grid": grid}), Places(()))


def evaluation(mono: Any, cross: Any, multi: Any, distance: Any) -> Evaluation:
    """Make an evaluation of English queries, one an item: AP in English, in German and in all."""
    columns = [np.broadcast_to(values, ITEMS) for values in (mono, cross, multi)]
    table = pa.table(
        {
            "query_id": [f"q{k}" for k in range(ITEMS)] * 3,
            "item": pa.array(list(range(ITEMS)) * 3, pa.int64()),
            "query_language": ["en"] * ITEMS * 3,
            "pool": ["en"] * ITEMS + ["de"] * ITEMS + ["*"] * ITEMS,
            "relevant": pa.array([1] * ITEMS * 3, pa.int64()),
            "best_rank": pa.array([1] * ITEMS * 3, pa.int64()),
            "worst_rank": pa.array([1] * ITEMS * 3, pa.int64()),
            "AP": np.concatenate(columns),
            "rank_distance": pa.array(
                [None] * ITEMS * 2 + np.broadcast_to(distance, ITEMS).astype(float).tolist(), pa.float64()
            ),
        }
    )
    means = [{"AP": float(values.mean())} for values in columns]
    results = {
        "model": {"name": "m", "sha256": "m", "training": None},
        "benchmark": {"name": "made", "sha256": "0", "candidate_text": "passage", "languages": ["de", "en"]},
        "settings": dict(zip(("monolingual", "crosslingual", "multilingual"), means, strict=True)),
        "bias": {"rank_distance": float(np.mean(distance))},
        "by_language": {},
        "matrix": {},
    }
    return Evaluation(results, table)


def findings() -> dict[str, dict[str, Sequence[Evaluation]]]:
    """Two seeds each."""
    wave = np.array([0.1, -0.1] * (ITEMS // 2))
    return {
        "made": {
            "as it comes": [evaluation(0.1, 0.1, 0.1, 50)],
            "alpha 0.4": [evaluation(0.45 + wave, 0.5, 0.4, 20 + 10 * wave)] * 2,
            "alpha 0.5": [evaluation(0.4, 0.5, 0.3, 20), evaluation(0.6, 0.5, 0.5, 20)],
            "alpha 1": [evaluation(0.8, 0.2, 0.25, 30)] * 2,
            "falling": [evaluation(0.6, 0.5, 0.3, 10)] * 2,
        }
    }


def test_sentences_follow_from_the_figures(experiment: Experiment) -> None:
    answer = alpha.answer(experiment, [], findings())
    # four groups against 0.5 in three settings and rank distance are 16 tests; where all items agree p is
    # 2 / 4096, the smallest there is, and 16 times that is .0078
    assert answer.sentences == [
        "made, monolingual mAP: 1 is the best constant share (0.8000); that is +0.3000 against 0.5 "
        "(p = .008 after Holm's correction).",
        "made, cross-lingual mAP: 0.5 is the best constant share (0.5000).",
        "made, multilingual mAP: 0.5 is the best constant share (0.4000).",
        "made, rank distance: 0.5 is the best constant share (20).",
        "made: 0.4 does not differ significantly from 0.5 in any setting.",
        "made: the schedule 'falling' against 0.5: significantly better in monolingual and rank distance; "
        "significantly worse in multilingual.",
    ]


def test_a_share_that_is_better_in_rank_distance_is_the_lower_one(experiment: Experiment) -> None:
    found = findings()
    found["made"]["alpha 0.4"] = [evaluation(0.3, 0.3, 0.3, 15)]
    sentences = alpha.answer(experiment, [], found).sentences
    assert (
        "made, rank distance: 0.4 is the best constant share (15); that is −5 against 0.5 "
        "(p = .008 after Holm's correction)."
    ) in sentences
    assert (
        "made: 0.4 against 0.5: significantly better in rank distance; significantly worse in monolingual, "
        "cross-lingual and multilingual."
    ) in sentences


def test_a_section_holds_sentences_a_curve_and_a_table(experiment: Experiment) -> None:
    answer = alpha.answer(experiment, [], findings())
    (section,) = answer.sections
    sentences, picture, table = section.blocks
    assert isinstance(sentences, Sentences)
    assert isinstance(picture, Picture)
    assert isinstance(table, Grid)
    assert list(sentences.sentences) == list(answer.sentences)
    rows = picture.spec["data"]["values"]
    drawn = {(row["panel"], row["x"]): row["value"] for row in rows}
    assert len(rows) == len(drawn) == 3 * 4  # constant shares in three settings and rank distance
    assert drawn["monolingual", 0.4] == pytest.approx(0.45 - 0.5)
    assert drawn["monolingual", 0.5] == 0
    assert drawn["rank distance", 1.0] == pytest.approx(30 - 20)
    assert all(row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9 for row in rows)
    assert [row[0].text for row in table.rows] == [
        "as it comes",
        "alpha 0.4",
        "alpha 0.5",
        "alpha 1",
        "falling",
    ]
    assert [cell.verdict for cell in table.rows[4][1:]] == ["better", None, "worse", "better"]
    seeds = answer.figures["made"]["by_seed"]["alpha 0.5"]
    assert seeds["monolingual"] == pytest.approx([0.4, 0.6])


def test_the_question_is_found_by_its_name() -> None:
    assert question("alpha") is alpha
    with pytest.raises(KeyError):
        question("beta")
