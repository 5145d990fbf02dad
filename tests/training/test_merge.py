"""Parts trained from one start, and merged."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, load_encoder, sample_pairs, train
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import average, model_sha256
from panglot.training import StepReport, TrainingConfig, held_out_measure, read_recipe, training_of
from panglot.training.config import checked
from panglot.training.merge import shares
from panglot.training.recipes import run_recipe

PARTS = {
    "inside": {"batches.strategy": "monolingual"},
    "across": {"batches.strategy": "crosslingual", "training.learning_rate": 2e-3},
}


def recipe(checkpoint: Path, **merge: Any) -> TrainingConfig:
    values = {
        "model": {"name": str(checkpoint)},
        "data": {"pairs": [str(SAMPLE_FOLDER / "train.jsonl")]},
        "batches": {"size": 4},
        "training": {"steps": 3, "learning_rate": 1e-3},
        "merge": {"parts": PARTS, **merge},
    }
    return checked(TrainingConfig, values)


def alone(checkpoint: Path, folder: Path, **settings: Any) -> SentenceTransformer:
    """Train one part by itself."""
    model = load_encoder(str(checkpoint), device="cpu")
    how = {"batch_size": 4, "steps": 3, "learning_rate": 1e-3, **settings}
    train(model, sample_pairs(), folder, model_name=str(checkpoint), progress=False, **how)
    return model


def test_the_result_is_the_mean_of_parts_trained_alone(tiny_checkpoint: Path, tmp_path: Path) -> None:
    found = run_recipe(recipe(tiny_checkpoint, weights=[1, 3]), tmp_path / "run", progress=False)
    assert found[tmp_path / "run"].weights == {"inside": 1, "across": 3}
    inside = alone(tiny_checkpoint, tmp_path / "a", strategy="monolingual")
    across = alone(tiny_checkpoint, tmp_path / "b", strategy="crosslingual", learning_rate=2e-3)
    kept = {name: value.clone() for name, value in inside.state_dict().items()}
    merged = load_encoder(str(tmp_path / "run"), device="cpu").state_dict()
    for name, value in across.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(merged[name], kept[name] / 4 + 3 * value / 4, atol=1e-6, rtol=1e-5)
    described = training_of(tmp_path / "run")
    assert described is not None and described["merge"]["across"]["weight"] == 3
    assert "across (3)" in (tmp_path / "run/README.md").read_text()
    again = [load_encoder(str(tmp_path / "run/parts" / name), device="cpu") for name in PARTS]
    assert model_sha256(average(again, [1, 3])) == model_sha256(load_encoder(str(tmp_path / "run")))


def test_a_run_stopped_in_its_second_part_goes_on_to_the_same_weights(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    chosen = recipe(tiny_checkpoint, weights=[0.5, 0.5])
    run_recipe(chosen, tmp_path / "whole", progress=False)
    steps = []

    def stop(report: StepReport) -> None:
        steps.extend([report.step] if not report.figures else [])
        if len(steps) == 5 and not report.figures:  # three of the first part, two of the second
            signal.raise_signal(signal.SIGINT)

    (outcome,) = run_recipe(chosen, tmp_path / "cut", progress=stop).values()
    assert not outcome.finished and not (tmp_path / "cut/modules.json").exists()
    with pytest.raises(PanglotError):
        run_recipe(chosen, tmp_path / "cut", progress=False)  # not without resume
    with pytest.raises(PanglotError, match="merge: train"):
        train(load_encoder(str(tiny_checkpoint)), sample_pairs(), tmp_path / "new", config=chosen)
    with pytest.raises(PanglotError, match=r"merge\.weights"):
        run_recipe(recipe(tiny_checkpoint, weights=[1, 0]), tmp_path / "cut", resume=True, progress=False)
    (outcome,) = run_recipe(chosen, tmp_path / "cut", resume=True, progress=False).values()
    assert outcome.finished
    whole, cut = (load_encoder(str(tmp_path / name), device="cpu") for name in ("whole", "cut"))
    assert model_sha256(whole) == model_sha256(cut)
    with pytest.raises(PanglotError, match="finished"):
        run_recipe(chosen, tmp_path / "cut", resume=True, progress=False)


def test_weights_are_those_with_the_best_held_out_figure(tiny_checkpoint: Path, tmp_path: Path) -> None:
    chosen = recipe(tiny_checkpoint).model_copy()
    languages = ["de", "en"]  # twelve would be measured for a long time
    data = chosen.data.model_copy(update={"held_out": 0.3, "languages": languages})
    chosen = chosen.model_copy(update={"data": data})
    (outcome,) = run_recipe(chosen, tmp_path / "run", progress=False).values()
    _, held_out = sample_pairs().select(languages=languages).split(0.3, chosen.training.seed)
    measure = held_out_measure([held_out], chosen.data.held_out_items, 48)
    parts = [str(tmp_path / "run/parts" / name) for name in PARTS]
    tried = {
        k: measure(average([load_encoder(part, device="cpu") for part in parts], [k, 10 - k]))["AP"]
        for k in range(11)
    }
    best = max(tried.values())
    assert tried[round(10 * outcome.weights["inside"])] == pytest.approx(best, abs=1e-6)
    assert outcome.figures["AP"] == pytest.approx(best, abs=1e-6)


def test_shares_are_all_ways_to_share_pieces_out() -> None:
    assert list(shares(2, 2)) == [[0, 1], [0.5, 0.5], [1, 0]]
    found = [tuple(np.round(np.array(weights) * 4).astype(int)) for weights in shares(3, 4)]
    assert len(found) == len(set(found)) == 15 and all(sum(pieces) == 4 for pieces in found)


def test_what_cannot_be_merged_is_refused(tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="held out"):
        run_recipe(recipe(tiny_checkpoint), tmp_path / "run", progress=False)
    wrongs: list[dict[str, Any]] = [
        {"weights": [1]},
        {"weights": [0, 0]},
        {"parts": {"one": {}}},
        {"parts": {"../a": {}, "b": {}}},
        {"parts": {"a": {}, "b": {"data.languages": ["en"]}}},
        {"parts": {"a": {}, "b": {"data.pairs": ["other.jsonl"]}}},
        {"parts": {"a": {"model.name": "other"}, "b": {}}},
    ]
    for wrong in wrongs:
        with pytest.raises(PanglotError):
            recipe(tiny_checkpoint, **wrong)
    with pytest.raises(PanglotError, match=r"Did you mean batches\.alpha"):
        run_recipe(
            recipe(tiny_checkpoint, weights=[1, 1], parts={"a": {}, "b": {"batches.alhpa": 1}}),
            tmp_path / "run",
            progress=False,
        )
    assert not (tmp_path / "run").exists()
    specific = recipe(tiny_checkpoint, weights=[1, 1])
    specific = specific.model_copy(
        update={"batches": specific.batches.model_copy(update={"strategy": "specific"})}
    )
    with pytest.raises(PanglotError, match="specific"):
        run_recipe(specific, tmp_path / "other", progress=False)


def test_a_table_in_place_of_a_quoted_name_is_refused_when_the_recipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('[merge.parts.a]\nbatches.alpha = 0.3\n[merge.parts.b]\n"batches.alpha" = 0.7\n')
    with pytest.raises(PanglotError, match=r'quotation marks: "batches\.NAME"'):
        read_recipe(path, {})
