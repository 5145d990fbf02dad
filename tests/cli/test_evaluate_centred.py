"""``panglot centre``, and ``panglot evaluate --centre``."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from panglot import evaluate, load_encoder, sample_benchmark
from panglot.data import load_pairs
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import load_language_means, means_of_pairs

Runner = Callable[..., Any]
TRAIN = SAMPLE_FOLDER / "train.jsonl"


@pytest.fixture
def model(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A folder with the tiny model, which may be written into."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))


def test_the_corpus_is_centred_as_by_the_python_api(panglot: Runner, tiny_checkpoint: Path) -> None:
    given = ("--languages", "en,sw", "--measures", "AP,RR@10", "--json")
    printed = panglot("evaluate", tiny_checkpoint, *given, "--centre", "corpus").results
    encoder, benchmark = load_encoder(str(tiny_checkpoint)), sample_benchmark().restrict(["en", "sw"])
    expected = evaluate(encoder, benchmark, measures=["AP", "RR@10"], centre="corpus").results
    for part in ("settings", "by_language", "matrix"):
        assert printed[part] == expected[part]
    assert printed["model"]["centring"]["means"] == "corpus"
    assert printed["model"]["centring"]["texts"]["query"] == {"en": 24, "sw": 24}


def test_means_are_kept_with_the_model_and_used(panglot: Runner, model: Path) -> None:
    told = panglot("centre", model, "--pairs", TRAIN, "--texts", "20", "--json").results
    place = model / "language_means.safetensors"
    assert told["means"] == str(place)
    assert len(told["texts"]["query"]) == 12
    assert set(told["texts"]["query"].values()) == set(told["texts"]["passage"].values()) == {20}
    encoder = load_encoder(str(model))
    expected = means_of_pairs(encoder, [load_pairs(TRAIN)], 20)
    kept = load_language_means(model)
    assert kept.query.vectors == pytest.approx(expected.query.vectors, abs=1e-6)
    given = ("evaluate", model, "--languages", "en,sw", "--json")
    printed = panglot(*given, "--centre", "model").results
    by_api = evaluate(encoder, sample_benchmark().restrict(["en", "sw"]), centre=expected).results
    assert printed["settings"] == {
        setting: pytest.approx(figures, abs=1e-6) for setting, figures in by_api["settings"].items()
    }
    plain = panglot(*given).results
    assert plain["model"]["centring"] is None
    assert plain["settings"] != printed["settings"]


def test_means_are_kept_in_another_folder(panglot: Runner, small_checkpoint: Path, tmp_path: Path) -> None:
    given = (small_checkpoint, "--pairs", TRAIN, "--texts", "3")
    outcome = panglot("centre", *given, "--output", tmp_path)
    assert outcome.code == 0
    assert f"wrote the means of 12 languages to {tmp_path / 'language_means.safetensors'}" in outcome.out
    assert "note: the means of queries and of passages rest on fewer than 10 texts in ar (3)" in outcome.err
    used = panglot("evaluate", small_checkpoint, "--languages", "en,sw", "--centre", tmp_path, "--json")
    assert used.results["model"]["centring"]["texts"]["query"] == {"en": 3, "sw": 3}
    assert "note: the means of queries rest on fewer than 10 texts in en (3), sw (3);" in used.err


def test_a_file_of_pairs_gives_means_of_the_benchmarks_languages(panglot: Runner, model: Path) -> None:
    outcome = panglot("evaluate", model, "--languages", "en,sw", "--centre", TRAIN, "--json")
    centring = outcome.results["model"]["centring"]
    assert centring["means"] == "pairs"
    assert centring["texts"] == {"query": {"en": 48, "sw": 48}, "passage": {"en": 48, "sw": 48}}
    assert centring["sources"][0]["name"] == "train"
    shown = panglot("evaluate", model, "--languages", "en,sw", "--centre", TRAIN)
    assert "embeddings are centred by language, with means of train" in shown.out
