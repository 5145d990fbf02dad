"""Which held-out figure says what the best model is: its name, its value, and which way is better."""

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
from panglot.training import Training, TrainingConfig, held_out_measure, read_recipe
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


def test_rank_distance_is_averaged_over_sources(tiny_encoder: SentenceTransformer) -> None:
    whole = sample_pairs().select(languages=["en", "de", "tr"])
    sources = [whole.select(items=np.arange(4)), whole.select(items=np.arange(10, 20))]
    measured = [held_out_measure([source])(tiny_encoder)["rank_distance"] for source in sources]
    both = held_out_measure(sources, metric="rank_distance")(tiny_encoder)
    assert both["rank_distance"] == pytest.approx(sum(measured) / 2)
    assert measured[0] != measured[1]


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

    def __init__(self, name: str, figures: list[float]) -> None:
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
    script = Scripted(metric_for_best_model, [*figures, figures[best]])
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
    script = Scripted("rank_distance", [30.0, 20.0, 25.0, 26.0, 20.0])
    monkeypatch.setattr("panglot.training.run.measure_of", lambda *_: script)
    how: dict[str, Any] = {**HOW, "steps": 6, "metric_for_best_model": "rank_distance", "patience": 2}
    outcome, model = run(tmp_path, how, held_out=[sample_pairs()])
    assert outcome.steps == 4  # two measurements after the best, the second
    assert model_sha256(model) == script.seen[1]


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
