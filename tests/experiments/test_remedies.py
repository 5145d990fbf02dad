"""The experiment on remedies against language bias, run whole on a tiny encoder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panglot import evaluate, load_encoder, load_results, sample_benchmark, sample_pairs
from panglot.encoders import encode, passage_prompt, shift_of_pairs
from panglot.errors import PanglotError
from panglot.experiments import Data
from panglot.experiments.experiment import read_experiment, run_experiment
from panglot.experiments.remedies import NAMES

LANGUAGES = ["de", "en"]


def test_every_remedy_is_compared_with_the_zero_shot_encoder(
    tiny_checkpoint: Path, data: Data, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "seeds": 1,
        "bf16": False,
        "grid.languages": LANGUAGES,
        "grid.measured": LANGUAGES,
        "model.name": str(tiny_checkpoint),
        "batches.size": 4,
        "training.steps": 2,
        "training.max_length": 24,
    }
    experiment = read_experiment("remedies", settings)
    answer = run_experiment(experiment, data, tmp_path / "found", progress=lambda _: None)
    rows = answer.summary["tables"]["remedies-sample"]["rows"]
    names = {row["run"] for row in rows}
    trained = {"mixed", "monolingual", "cross-lingual", "hybrid"}
    expected = {"zero-shot", *(f"{name} batches" for name in trained)}
    expected |= {"hybrid with a teacher", "hybrid with alignment", "merged specialists"}
    expected |= {f"{run}, {name}" for run in ("zero-shot", "hybrid batches") for name in NAMES.values()}
    assert names == expected
    # the remedy that moves passages is what evaluate says of it, on the whole data as it is by hand
    results = [load_results(path) for path in (tmp_path / "found/runs").glob("*/sample-*.json")]
    assert len(results) == 5 + 5 + 6
    model = load_encoder(str(tiny_checkpoint), device="cpu")
    shift = shift_of_pairs(model, [sample_pairs()], "en")
    by_hand = evaluate(model, sample_benchmark().restrict(LANGUAGES), centre=shift, progress=False)
    found = [r.results["settings"] for r in results if r.results["model"]["centring"]]
    assert any(
        one["multilingual"]["AP"] == pytest.approx(by_hand.results["settings"]["multilingual"]["AP"])
        for one in found
    )
    assert json.loads((tmp_path / "found/summary.json").read_text())["experiment"]["question"] == "remedies"


def test_a_shift_puts_the_mean_of_parallel_passages_together(tiny_checkpoint: Path) -> None:
    model, pairs = load_encoder(str(tiny_checkpoint), device="cpu"), sample_pairs()
    found = shift_of_pairs(model, [pairs], "en")
    assert not found.query.vectors.any()
    rows = {code: k for k, code in enumerate(found.passage.languages)}
    assert np.abs(found.passage.vectors[rows["en"]]).max() < 1e-6
    here, there = (pairs.languages.index(code) for code in ("de", "en"))
    items = np.intersect1d(pairs.index.items_in(here), pairs.index.items_in(there))
    means = [
        encode(
            model, pairs.texts("passage", pairs.rows(items, np.full(len(items), k))), passage_prompt(model)
        ).mean(0)
        for k in (here, there)
    ]
    assert found.passage.vectors[rows["de"]] == pytest.approx(means[0] - means[1], abs=1e-6)
    with pytest.raises(PanglotError, match="no source has a passage in 'xx'"):
        shift_of_pairs(model, [pairs], "xx")
    for texts in (0, -3):
        with pytest.raises(PanglotError, match="use 1 or more"):
            shift_of_pairs(model, [pairs], "en", texts)
