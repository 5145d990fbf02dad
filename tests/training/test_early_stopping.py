"""Measuring on held-out documents: the best model is kept, and patience ends a run."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot import ParallelPairs, evaluate, load_encoder, sample_pairs, train
from panglot.data import benchmark_from_pairs
from panglot.encoders import model_sha256
from panglot.training import StepReport, Training, held_out_measure

HOW: dict[str, Any] = {"steps": 6, "learning_rate": 1e-3, "eval_steps": 1, "patience": 2}


class Scripted:
    """Stands for the held-out measure: gives figures from a list, and remembers the weights it saw."""

    def __init__(self, figures: list[float]) -> None:
        self.figures: Iterator[float] = iter(figures)
        self.seen: list[str] = []

    def __call__(self, model: SentenceTransformer) -> dict[str, float]:
        self.seen.append(model_sha256(model))
        return {"AP": next(self.figures)}


def run(
    model: SentenceTransformer,
    output: Path,
    script: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    how: dict[str, Any] = HOW,
    **settings: Any,
) -> Training:
    monkeypatch.setattr("panglot.training.run.measure_of", lambda *_: script)
    pairs = sample_pairs()
    return train(model, [pairs], output, batch_size=8, **how, held_out=[pairs], **settings)


def test_patience_ends_the_run_and_the_best_model_is_kept(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Scripted([0.1, 0.5, 0.4, 0.3, 0.5])  # the fifth is of the kept model, at the end
    outcome = run(tiny_encoder, tmp_path, script, monkeypatch)
    assert (outcome.steps, outcome.finished) == (4, True)
    assert len(set(script.seen[:4])) == 4
    assert script.seen[4] == script.seen[1]
    assert model_sha256(load_encoder(str(tmp_path), device="cpu")) == script.seen[1]
    assert json.loads((tmp_path / "log.json").read_text())["held_out"] == {"AP": 0.5}
    assert not (tmp_path / "checkpoints").exists()


def test_without_patience_all_steps_are_made_and_the_best_model_is_kept(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Scripted([0.1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.5])
    outcome = run(tiny_encoder, tmp_path, script, monkeypatch, {**HOW, "patience": 0})
    assert outcome.steps == 6
    assert model_sha256(tiny_encoder) == script.seen[1]


def test_the_final_model_is_measured_once_where_nothing_is_measured_on_the_way(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Scripted([0.7])
    how: dict[str, Any] = {**HOW, "steps": 2, "eval_steps": 0, "patience": 0}
    assert run(tiny_encoder, tmp_path, script, monkeypatch, how).figures == {"AP": 0.7}
    assert script.seen == [model_sha256(tiny_encoder)]


def test_a_resumed_run_has_the_patience_that_was_left(
    tiny_encoder: SentenceTransformer,
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(report: StepReport) -> None:
        if report.step == 3:
            raise RuntimeError("crash")

    first = Scripted([0.5, 0.4])
    with pytest.raises(RuntimeError, match="crash"):
        run(tiny_encoder, tmp_path, first, monkeypatch, progress=crash)
    again = load_encoder(str(tiny_checkpoint), device="cpu")
    # without a gain since step 1, step 3 is the last
    script = Scripted([0.3, 0.6, 0.6, 0.6, 0.6])
    assert run(again, tmp_path, script, monkeypatch, resume=True).steps == 3
    assert model_sha256(again) == first.seen[0]


def test_a_run_that_was_killed_when_its_patience_had_run_out_makes_no_further_step(
    tiny_encoder: SentenceTransformer,
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("crash")

    first = Scripted([0.1, 0.5, 0.4, 0.3, 0.5])
    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="crash"):
        patched.setattr("panglot.training.run._keep", crash)
        run(tiny_encoder, tmp_path, first, monkeypatch)
    again = load_encoder(str(tiny_checkpoint), device="cpu")
    script = Scripted([0.5])
    outcome = run(again, tmp_path, script, monkeypatch, resume=True)
    assert (outcome.steps, outcome.finished) == (4, True)
    assert script.seen == [model_sha256(again)] == [first.seen[1]]


def part(pairs: ParallelPairs, items: list[int]) -> ParallelPairs:
    return pairs.select(items=np.array(items))


def test_held_out_figures_are_those_of_evaluate(tiny_encoder: SentenceTransformer) -> None:
    pairs = sample_pairs().select(languages=["en", "de", "tr"])
    sources = [part(pairs, [0, 1, 2, 3, 4, 5]), part(pairs, [6, 7, 8])]
    figures = held_out_measure(sources)(tiny_encoder)
    settings = [
        evaluate(tiny_encoder, benchmark_from_pairs(source), measures=["AP"]).results["settings"]
        for source in sources
    ]
    expected = {
        f"{name}_AP": (settings[0][name]["AP"] + settings[1][name]["AP"]) / 2
        for name in ("monolingual", "crosslingual", "multilingual")
    }
    expected["AP"] = sum(expected.values()) / 3
    assert {name: figures[name] for name in expected} == pytest.approx(expected)


def test_a_large_held_out_source_is_measured_on_some_items_spread_evenly(
    tiny_encoder: SentenceTransformer,
) -> None:
    pairs = sample_pairs().select(languages=["en", "de"])
    some = held_out_measure([pairs], items=5)(tiny_encoder)
    # 0 to 47 in five even steps of 11.75, rounded down
    assert some == held_out_measure([part(pairs, [0, 11, 23, 35, 47])])(tiny_encoder)
    assert some != held_out_measure([part(pairs, [0, 1, 2, 3, 4])])(tiny_encoder)
