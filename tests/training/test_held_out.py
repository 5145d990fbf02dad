"""Measuring on held-out documents: which figure says what the best model is, and when patience ends a run."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, evaluate, load_encoder, make_sampler, sample_pairs
from panglot.data import benchmark_from_pairs
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import encode, model_sha256, passage_prompt, query_prompt
from panglot.training import StepReport, Training, TrainingConfig, held_out_measure, read_recipe
from panglot.training.config import BatchesPart, LossPart
from panglot.training.held_out import held_out_loss
from panglot.training.recipes import run_recipe

Runner = Callable[..., tuple[Training, SentenceTransformer]]
HOW: dict[str, Any] = {"steps": 4, "learning_rate": 1e-3, "eval_steps": 1}
SETTINGS = ("monolingual", "crosslingual", "multilingual")


def test_the_figures_are_those_of_evaluate_by_setting_and_their_mean(
    tiny_encoder: SentenceTransformer,
) -> None:
    pairs = sample_pairs().select(languages=["en", "de", "tr"], items=np.arange(8))
    figures = held_out_measure([pairs], metric="crosslingual_nDCG@10")(tiny_encoder)
    results = evaluate(tiny_encoder, benchmark_from_pairs(pairs), measures=["AP", "nDCG@10"]).results
    expected = {
        f"{setting}_{name}": results["settings"][setting][name]
        for setting in SETTINGS
        for name in ("AP", "nDCG@10")
    }
    for name in ("AP", "nDCG@10"):
        expected[name] = sum(expected[f"{setting}_{name}"] for setting in SETTINGS) / 3
    expected["rank_distance"] = results["bias"]["rank_distance"]
    assert figures == pytest.approx(expected)
    assert len(set(figures.values())) == 9


def test_figures_are_averaged_over_sources(tiny_encoder: SentenceTransformer) -> None:
    whole = sample_pairs().select(languages=["en", "de", "tr"])
    sources = [whole.select(items=np.arange(4)), whole.select(items=np.arange(10, 20))]
    one, other = (held_out_measure([source])(tiny_encoder) for source in sources)
    both = held_out_measure(sources)(tiny_encoder)
    assert both == pytest.approx({name: (one[name] + other[name]) / 2 for name in one})
    assert one["rank_distance"] != other["rank_distance"]


def test_a_large_source_is_measured_on_some_items_spread_evenly(tiny_encoder: SentenceTransformer) -> None:
    pairs = sample_pairs().select(languages=["en", "de"])
    some = held_out_measure([pairs], items=5)(tiny_encoder)
    # 0 to 47 in five even steps of 11.75, rounded down
    assert some == held_out_measure([pairs.select(items=np.array([0, 11, 23, 35, 47]))])(tiny_encoder)
    assert some != held_out_measure([pairs.select(items=np.arange(5))])(tiny_encoder)


def test_pairs_in_one_language_have_no_crosslingual_figure(tiny_encoder: SentenceTransformer) -> None:
    english = sample_pairs().select(languages=["en"], items=np.arange(6))
    figures = held_out_measure([english])(tiny_encoder)
    assert "crosslingual_AP" not in figures
    kept = [value for name, value in figures.items() if name.endswith("_AP")]
    assert figures["AP"] == pytest.approx(sum(kept) / len(kept))
    with pytest.raises(
        PanglotError,
        match=r"is crosslingual_AP, which the held-out pairs do not have.*Use one of .*monolingual_AP",
    ):
        held_out_measure([english], metric="crosslingual_AP")(tiny_encoder)


UNKNOWN = ["accuracy", "eval_AP", "bilingual_AP", "nDCG@0", "R", "multilingual_rank_distance", "", "AP_"]
KNOWN = ["AP", "nDCG@10", "R@100", "multilingual_AP", "crosslingual_RR@10", "rank_distance"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_figure_is_refused_when_a_recipe_is_read_and_before_a_run_begins(
    run: Runner, name: str, tmp_path: Path
) -> None:
    with pytest.raises(PanglotError, match="not a measure that panglot knows"):
        read_recipe(None, {"training.metric_for_best_model": name})
    with pytest.raises(PanglotError, match="not a measure that panglot knows"):
        run(tmp_path / "run", {**HOW, "metric_for_best_model": name}, held_out=[sample_pairs()])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_figure_is_read_from_a_recipe(name: str) -> None:
    assert read_recipe(None, {"training.metric_for_best_model": name}).training.metric_for_best_model == name


class Scripted:
    """Stands for the held-out measure: gives one figure after the other, and remembers the weights it saw."""

    def __init__(self, figures: list[float], name: str = "nDCG@10") -> None:
        self.name, self.figures = name, iter(figures)
        self.seen: list[str] = []

    def __call__(self, model: SentenceTransformer) -> dict[str, float]:
        self.seen.append(model_sha256(model))
        return {"AP": 0.01 * len(self.seen), self.name: next(self.figures)}  # AP rises, and does not count


@pytest.mark.parametrize(
    ("metric_for_best_model", "best"), [("nDCG@10", 1), ("multilingual_AP", 1), ("rank_distance", 2)]
)
def test_the_model_that_is_best_by_the_chosen_figure_is_kept(
    run: Runner, metric_for_best_model: str, best: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = [30.0, 50.0, 10.0, 20.0]  # the second is the largest, the third the smallest
    script = Scripted([*figures, figures[best]], metric_for_best_model)
    asked: list[tuple[Any, ...]] = []

    def made(*arguments: Any) -> Scripted:
        asked.append(arguments)
        return script

    monkeypatch.setattr("panglot.training.run.measure_of", made)
    outcome, model = run(
        tmp_path, {**HOW, "metric_for_best_model": metric_for_best_model}, held_out=[sample_pairs()]
    )
    assert asked[0][0].training.metric_for_best_model == metric_for_best_model
    assert len(set(script.seen[:4])) == 4
    assert model_sha256(model) == script.seen[4] == script.seen[best]
    assert model_sha256(load_encoder(str(tmp_path), device="cpu")) == script.seen[best]
    assert outcome.figures[metric_for_best_model] == figures[best]


def test_patience_takes_a_smaller_rank_distance_for_a_gain(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Scripted([30.0, 20.0, 25.0, 26.0, 20.0], "rank_distance")
    monkeypatch.setattr("panglot.training.run.measure_of", lambda *_: script)
    how: dict[str, Any] = {**HOW, "steps": 6, "metric_for_best_model": "rank_distance", "patience": 2}
    outcome, model = run(tmp_path, how, held_out=[sample_pairs()])
    assert outcome.steps == 4  # two measurements after the best, the second
    assert model_sha256(model) == script.seen[1]


PATIENT: dict[str, Any] = {**HOW, "steps": 6, "patience": 2, "metric_for_best_model": "nDCG@10"}
Measured = Callable[..., tuple[Training, SentenceTransformer]]


@pytest.fixture
def measured(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Train with patience, measured by a script."""

    def start(script: Scripted, **more: Any) -> tuple[Training, SentenceTransformer]:
        monkeypatch.setattr("panglot.training.run.measure_of", lambda *_: script)
        how = {**PATIENT, **more.pop("how", {})}
        return run(tmp_path / "run", how, held_out=[sample_pairs()], **more)

    return start


def test_patience_ends_the_run_and_the_best_model_is_kept(measured: Measured, tmp_path: Path) -> None:
    script = Scripted([0.1, 0.5, 0.4, 0.3, 0.5])  # the fifth is of the kept model, at the end
    outcome, _ = measured(script)
    assert (outcome.steps, outcome.finished) == (4, True)
    assert len(set(script.seen[:4])) == 4
    assert script.seen[4] == script.seen[1]
    assert model_sha256(load_encoder(str(tmp_path / "run"), device="cpu")) == script.seen[1]
    assert json.loads((tmp_path / "run" / "log.json").read_text())["held_out"]["nDCG@10"] == 0.5
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_the_final_model_is_measured_once_where_nothing_is_measured_on_the_way(measured: Measured) -> None:
    script = Scripted([0.7])
    outcome, model = measured(script, how={"steps": 2, "eval_steps": 0, "patience": 0})
    assert outcome.figures["nDCG@10"] == 0.7
    assert script.seen == [model_sha256(model)]


def test_a_resumed_run_has_the_patience_that_was_left(measured: Measured) -> None:
    def crash(report: StepReport) -> None:
        if report.step == 3:
            raise RuntimeError("crash")

    first = Scripted([0.5, 0.4])
    with pytest.raises(RuntimeError, match="crash"):
        measured(first, progress=crash)
    # without a gain since step 1, step 3 is the last
    outcome, model = measured(Scripted([0.3, 0.6, 0.6, 0.6, 0.6]), resume=True)
    assert outcome.steps == 3
    assert model_sha256(model) == first.seen[0]


def test_a_run_that_was_killed_when_its_patience_had_run_out_makes_no_further_step(
    measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("crash")

    first, script = Scripted([0.1, 0.5, 0.4, 0.3, 0.5]), Scripted([0.5])
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="crash"):
        patched.setattr("panglot.training.run._keep", crash)
        measured(first)
    outcome, model = measured(script, resume=True)
    assert (outcome.steps, outcome.finished) == (4, True)
    assert script.seen == [model_sha256(model)] == [first.seen[1]]


def test_a_run_is_measured_and_stopped_on_the_figure_that_it_keeps(run: Runner, tmp_path: Path) -> None:
    held_out = [sample_pairs().select(languages=["en", "de"], items=np.arange(6))]
    how: dict[str, Any] = {**HOW, "steps": 3, "learning_rate": 3e-2, "metric_for_best_model": "rank_distance"}
    outcome, _ = run(tmp_path, how, held_out=held_out)
    measured = [entry["eval_rank_distance"] for entry in outcome.log if "eval_rank_distance" in entry]
    assert len(measured) == 3
    assert len(set(measured)) > 1
    assert outcome.figures["rank_distance"] == min(measured)


def test_the_held_out_loss_is_info_nce_on_fixed_batches(tiny_encoder: SentenceTransformer) -> None:
    pairs = sample_pairs().select(languages=["de", "en"], items=np.arange(12))
    config = TrainingConfig(
        batches=BatchesPart(strategy="crosslingual", size=6), loss=LossPart(temperature=0.1)
    )
    found = held_out_loss([pairs], config)(tiny_encoder)
    sampler = make_sampler([pairs], strategy="crosslingual", batch_size=6, steps=8)
    losses = []
    for step in range(8):
        batch = sampler.draw(step)
        texts = [
            pairs.texts(role, pairs.rows(batch.items, languages))
            for role, languages in (("query", batch.query_languages), ("passage", batch.passage_languages))
        ]
        queries, passages = (
            torch.tensor(encode(tiny_encoder, of_role, prompt(tiny_encoder)))
            for of_role, prompt in zip(texts, (query_prompt, passage_prompt), strict=True)
        )
        losses.append(float(torch.nn.functional.cross_entropy(queries @ passages.t() / 0.1, torch.arange(6))))
    assert found == pytest.approx(np.mean(losses), rel=1e-4)
    assert held_out_loss([pairs], config)(tiny_encoder) == found
    # one language and few items: a smaller monolingual batch
    few = sample_pairs().select(languages=["en"], items=np.arange(5))
    assert 0 < held_out_loss([few], config)(tiny_encoder) < math.log(4) + 10


def test_a_recipe_is_validated_on_pairs_that_it_names_and_stops_on_their_loss(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    recipe = read_recipe(
        None,
        {
            "model.name": str(tiny_checkpoint),
            "data.pairs": [str(SAMPLE_FOLDER / "train.jsonl")],
            "data.validation": [str(SAMPLE_FOLDER / "held-out.jsonl")],
            "batches.size": 8,
            "training.steps": 4,
            "training.eval_steps": 1,
            "training.patience": 1,
            "training.metric_for_best_model": "loss",
            "training.learning_rate": 1e-2,
        },
    )
    (outcome,) = run_recipe(recipe, tmp_path / "run", progress=False).values()
    seen = [entry["eval_loss"] for entry in outcome.log if "eval_loss" in entry]
    assert len(seen) == outcome.steps and outcome.figures["loss"] == pytest.approx(min(seen), rel=1e-3)
    assert {"AP", "rank_distance"} <= outcome.figures.keys()


def test_a_benchmark_of_the_catalogue_is_what_a_run_is_validated_on(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paragraphs = [
        {"context": f"Paragraph {k}.", "qas": [{"id": f"{k}", "question": f"Which is {k}?", "answers": []}]}
        for k in range(4)
    ]
    for paragraph in paragraphs:
        paragraph["qas"][0]["answers"] = [{"text": "Paragraph", "answer_start": 0}]  # type: ignore[index]
    (tmp_path / "squadshifts").mkdir()
    content = json.dumps({"data": [{"title": "", "paragraphs": paragraphs}]})
    (tmp_path / "squadshifts/nyt_v1.0.json").write_text(content)
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path))
    path = tmp_path / "recipe.toml"
    path.write_text(
        f"""
model.name = "{tiny_checkpoint}"
data.pairs = ["{SAMPLE_FOLDER / "train.jsonl"}"]
data.validation = ["squadshifts-nyt"]
batches.size = 4
training.steps = 1
training.metric_for_best_model = "loss"
"""
    )
    (outcome,) = run_recipe(read_recipe(path, {}), tmp_path / "run", progress=False).values()
    assert outcome.figures["loss"] > 0 and "monolingual_AP" in outcome.figures
