"""One run of an experiment: what its model depends on, what is kept, repeated and resumed."""

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, evaluate, load_encoder, sample_benchmark, sample_pairs
from panglot.data import Suite, sample
from panglot.evaluation import embed_benchmark
from panglot.experiments import one_run, runs
from panglot.experiments.recipes import train_recipe
from panglot.experiments.runs import (
    HELD_OUT,
    Measured,
    Places,
    Run,
    benchmark_of,
    check_run,
    finish,
    folder_of,
    forget_data,
    missing_results,
    read_results,
    results_of,
    sources_of,
)
from panglot.search.bm25 import BM25, bm25_evaluation
from panglot.training import Recipe, StepReport, override

MakeRun = Callable[..., Run]
BOTH = Measured("sample", ("de", "en"))
ENGLISH = Measured("sample", ("en",), label="sample in English")
CENTRED = Measured("sample", ("de", "en"), centred=True, label="sample, centred")


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun, places: Places
) -> tuple[Path, dict[str, Any]]:
    """The folder of a trained run, and its results on the sample."""
    folder = tmp_path_factory.mktemp("finished")
    run = make_run("hybrid")
    assert finish(run, places, folder)
    return folder, read_results(run, places, folder)["sample"].results


@pytest.fixture
def copied(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "copied"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Recipe) -> SentenceTransformer:
    """The model of that run, trained without any of ``runs``."""
    model = load_encoder(tiny_recipe.model.name, device="cpu")
    pairs = sample_pairs().select(languages=["de", "en"])
    train_recipe(tiny_recipe, model, [pairs], tmp_path_factory.mktemp("reference") / "model")
    return model


def test_results_are_those_of_the_trained_model(
    finished: tuple[Path, dict[str, Any]], reference: SentenceTransformer
) -> None:
    results = finished[1]
    expected = evaluate(reference, sample_benchmark().restrict(["de", "en"])).results
    for part in ("settings", "bias", "by_language", "matrix", "intervals"):
        assert results[part] == expected[part]
    assert results["model"]["sha256"] == expected["model"]["sha256"]
    assert results["model"]["name"] == "hybrid, seed 0"
    training = results["model"]["training"]
    assert (training["strategy"], training["steps"], training["batch_size"]) == ("hybrid", 2, 4)
    assert training["data"][0]["languages"] == ["de", "en"]
    assert results["groups"]["languages"]["training"]["seen"]["languages"] == ["de", "en"]


def test_what_is_kept_of_a_model_says_how_it_was_trained(
    finished: tuple[Path, dict[str, Any]], make_run: MakeRun, places: Places
) -> None:
    place = folder_of(make_run("hybrid"), places, finished[0])
    assert {path.name for path in (place / "model").iterdir()} == {"run.json", "log.json"}
    assert json.loads((place / "model" / "run.json").read_text())["training"]["max_length"] == 24
    key = (place / "key.json").read_text(encoding="utf-8")
    assert "Infinity" not in key.replace('"Infinity"', "")  # which no JSON knows
    assert json.loads(key)["training"]["steps"] == 2


def test_a_finished_run_is_not_repeated(
    finished: tuple[Path, dict[str, Any]],
    make_run: MakeRun,
    places: Places,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(one_run, "load_encoder", lambda *_, **__: pytest.fail("a finished run is repeated"))
    other_words = make_run("called otherwise", benchmarks=(replace(BOTH, label="called otherwise, too"),))
    for run in (make_run("hybrid"), other_words):
        assert missing_results(run, places, finished[0]) == []
        assert finish(run, places, finished[0])
    assert read_results(other_words, places, finished[0])["called otherwise, too"].results == finished[1]


def test_a_benchmark_that_is_missing_is_added_and_the_others_are_left(
    copied: Path, reference: SentenceTransformer, make_run: MakeRun, places: Places
) -> None:
    run = make_run("hybrid", benchmarks=(BOTH, ENGLISH))
    first = results_of(run, BOTH, places, copied)
    before = first.stat().st_mtime_ns
    assert missing_results(run, places, copied) == [ENGLISH]
    assert finish(run, places, copied)
    assert first.stat().st_mtime_ns == before
    found = read_results(run, places, copied)
    assert set(found) == {"sample", "sample in English"}
    expected = evaluate(reference, sample_benchmark().restrict(["en"])).results
    assert found["sample in English"].results["settings"] == expected["settings"]


@pytest.mark.parametrize(
    "settings",
    [
        {"training.seed": 1},
        {"training.steps": 3},
        {"batches.alpha": 0.4},
        {"batches.strategy": "monolingual"},
        {"objective.temperature": 0.1},
        {"data.languages": ["de", "en", "tr"]},
        {"data.languages": None},
        {"model.name": "another-model"},
    ],
    ids=str,
)
def test_another_setting_is_another_run(
    finished: tuple[Path, dict[str, Any]], make_run: MakeRun, places: Places, settings: dict[str, Any]
) -> None:
    run = make_run("hybrid", settings)
    assert folder_of(run, places, finished[0]) != folder_of(make_run("hybrid"), places, finished[0])
    assert missing_results(run, places, finished[0]) == list(run.benchmarks)


def test_other_data_is_another_run(make_run: MakeRun, places: Places, tmp_path: Path) -> None:
    run = make_run("hybrid")
    path = tmp_path / "train.jsonl"
    lines = (sample.FOLDER / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines), encoding="utf-8")
    copy = Places((str(path),))
    assert folder_of(run, copy, tmp_path) == folder_of(run, places, tmp_path)  # where it lies is no matter
    path.write_text("".join(lines[:-12]), encoding="utf-8")
    forget_data()
    found = {folder_of(run, copy, tmp_path), folder_of(run, places, tmp_path)}
    found |= {folder_of(run, replace(places, held_out=share), tmp_path) for share in (0.1, 0.4)}
    found.add(folder_of(run, Places((*places.pairs, *copy.pairs)), tmp_path))
    assert len(found) == 5


def test_an_encoder_as_it_comes_depends_on_itself_alone(
    make_run: MakeRun, places: Places, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    run = make_run("as it comes", trained=False)
    other = make_run("as it comes", {"training.seed": 3, "batches.size": 2}, trained=False)
    assert folder_of(run, places, tmp_path) == folder_of(other, Places(()), tmp_path)
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    local = make_run("as it comes", {"model.name": str(folder)}, trained=False)
    before = folder_of(local, places, tmp_path)
    (folder / "README.md").write_text("no weights")
    forget_data()
    assert folder_of(local, places, tmp_path) == before
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.1}))
    forget_data()
    assert folder_of(local, places, tmp_path) != before


def test_results_depend_on_how_is_measured(make_run: MakeRun, places: Places, tmp_path: Path) -> None:
    run = make_run("hybrid")
    ways = [BOTH, ENGLISH, CENTRED, replace(BOTH, perturb=("typos",)), replace(BOTH, languages=None)]
    found = {results_of(run, measured, places, tmp_path) for measured in ways}
    found.add(results_of(run, BOTH, replace(places, bf16=True), tmp_path))
    found.add(results_of(run, BOTH, replace(places, measures=("AP",)), tmp_path))
    assert len(found) == 7
    assert {path.parent for path in found} == {folder_of(run, places, tmp_path)}


def test_ctrl_c_in_training_is_resumed_exactly(
    finished: tuple[Path, dict[str, Any]],
    make_run: MakeRun,
    places: Places,
    trained: list[Recipe],
    tmp_path: Path,
) -> None:
    def press(report: StepReport) -> None:
        if report.step == 1 and not report.figures:  # once: a second time would stop it at once
            signal.raise_signal(signal.SIGINT)

    run = make_run("hybrid")
    assert not finish(run, places, tmp_path, press)
    assert missing_results(run, places, tmp_path) == [BOTH]
    steps: list[int] = []
    assert finish(run, places, tmp_path, lambda report: steps.append(report.step))
    assert len(trained) == 2
    assert set(steps) == {2}  # the first step is not made again
    found = read_results(run, places, tmp_path)["sample"].results
    assert found["model"]["sha256"] == finished[1]["model"]["sha256"]
    assert found["settings"] == finished[1]["settings"]


class StopError(Exception):
    """Stands for whatever ends a process."""


def test_what_was_stopped_while_measuring_is_not_trained_again(
    finished: tuple[Path, dict[str, Any]],
    make_run: MakeRun,
    places: Places,
    trained: list[Recipe],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stops(*arguments: Any, **settings: Any) -> Any:
        if settings["centre"] is None:
            raise StopError
        return evaluate(*arguments, **settings)

    run = make_run("hybrid", benchmarks=(CENTRED, BOTH))
    with monkeypatch.context() as patch:
        patch.setattr(one_run, "evaluate", stops)
        with pytest.raises(StopError):
            finish(run, places, tmp_path)
    assert missing_results(run, places, tmp_path) == [BOTH]
    assert finish(run, places, tmp_path)
    assert len(trained) == 1
    found = read_results(run, places, tmp_path)["sample"].results
    for part in ("settings", "bias", "matrix"):
        assert found[part] == finished[1][part]
    assert found["model"]["sha256"] == finished[1]["model"]["sha256"]
    assert found["model"]["training"]["steps"] == 2


def test_a_benchmark_is_encoded_once_however_it_is_measured(
    make_run: MakeRun, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[tuple[str, ...]] = []

    def embed(model: Any, benchmark: Any, **settings: Any) -> Any:
        encoded.append(benchmark.languages)
        return embed_benchmark(model, benchmark, **settings)

    monkeypatch.setattr(one_run, "embed_benchmark", embed)
    run = make_run("as it comes", trained=False, benchmarks=(BOTH, ENGLISH, CENTRED))
    assert finish(run, places, tmp_path)
    assert encoded == [("de", "en"), ("en",)]
    found = read_results(run, places, tmp_path)
    model = load_encoder(run.recipe.model.name, device="cpu")
    both = sample_benchmark().restrict(["de", "en"])
    assert found["sample"].results["settings"] == evaluate(model, both).results["settings"]
    centred = evaluate(model, both, centre="corpus").results["settings"]
    assert found["sample, centred"].results["settings"] == centred
    assert found["sample"].results["model"]["training"] is None


def test_bm25_is_a_run_too(make_run: MakeRun, places: Places, tmp_path: Path) -> None:
    run = make_run("BM25", {"model.name": BM25}, trained=False, benchmarks=(ENGLISH,))
    assert finish(run, places, tmp_path)
    expected = bm25_evaluation(sample_benchmark().restrict(["en"])).results["settings"]
    assert read_results(run, places, tmp_path)["sample in English"].results["settings"] == expected


@pytest.fixture
def two_sources(tmp_path: Path) -> tuple[str, str]:
    """Two files of one name: the sample, and another with items of the same numbers."""
    lines = [
        {"item_id": f"i{k}", "document_id": f"d{k // 2}", "language": code}
        | {"query": f"{code}: how about {k}?", "passage": f"{code}: number {k}"}
        for k in range(8)
        for code in ("de", "en")
    ]
    path = tmp_path / "other" / "train.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(sample.FOLDER / "train.jsonl"), str(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_held_out_documents_are_never_trained_on(
    two_sources: tuple[str, str],
    share: float,
    make_run: MakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = Places(two_sources, held_out=share)
    seen: set[str] = set()

    class NoTrainingError(Exception):
        pass

    def look(recipe: Recipe, model: Any, sources: Any, *_: Any, **__: Any) -> None:
        for source in sources:
            rows = source.index.entry_row
            for column in ("query", "passage"):
                seen.update(source.texts(column, rows))
        raise NoTrainingError

    monkeypatch.setattr(one_run, "train_recipe", look)
    run = make_run("hybrid", {"data.languages": None}, benchmarks=(Measured(HELD_OUT),))
    with pytest.raises(NoTrainingError):
        finish(run, places, tmp_path)
    benchmark = benchmark_of(places, HELD_OUT)
    assert not isinstance(benchmark, Suite)
    held = {*benchmark.queries.texts, *benchmark.passages.texts}
    assert seen
    assert not seen & held
    every = {
        text
        for path in two_sources
        for line in Path(path).read_text(encoding="utf-8").splitlines()
        for text in (json.loads(line)["query"], json.loads(line)["passage"])
    }
    assert seen | held == every
    items = {name.rsplit(":", 1)[0] for name in benchmark.queries.ids}
    assert len(items) >= share * (48 + 8)
    assert len(set(benchmark.query_items.tolist())) == len(items)  # those of two sources are apart


def test_sources_of_one_name_are_told_apart(two_sources: tuple[str, str]) -> None:
    sources, held_out = sources_of(Places(two_sources))
    assert [source.name for source in sources] == ["train", "train (2)"]
    assert held_out == []


def test_held_out_documents_in_some_languages(places: Places) -> None:
    found = benchmark_of(replace(places, held_out=0.2), HELD_OUT, ("en", "sw"))
    assert found.languages == ("en", "sw")


def test_nothing_held_out_is_said(places: Places) -> None:
    with pytest.raises(PanglotError, match="no documents are held out to measure on; name pairs and set --h"):
        benchmark_of(places, HELD_OUT)


@pytest.mark.parametrize(
    ("settings", "measured", "message"),
    [
        ({"model.name": BM25}, Measured("two"), "'two' is a suite of pools, which BM25 does not rank"),
        ({}, Measured("two", perturb=("typos",)), "'two' is a suite of pools; it cannot be perturbed"),
    ],
)
def test_what_a_suite_cannot_do_is_said_before_training(
    make_run: MakeRun,
    places: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    measured: Measured,
    message: str,
) -> None:
    part = sample_benchmark().restrict(["en"])
    monkeypatch.setattr(runs, "benchmark_of", lambda *_: Suite("two", (part,)))
    run = make_run("hybrid", settings, benchmarks=(measured,))
    with pytest.raises(PanglotError, match=message):
        check_run(run, places, tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data.languages": ["en", "fr"]}, "no source has a pair in 'fr'"),
        ({"batches.size": 49}, "the most is 48: choose a batch size up to that"),
    ],
)
def test_what_cannot_be_trained_is_said_before_training(
    make_run: MakeRun, places: Places, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(PanglotError, match=message):
        check_run(make_run("hybrid", settings), places, tmp_path)


def test_a_run_is_named_by_its_group_and_seed(tiny_recipe: Recipe) -> None:
    assert Run("hybrid", override(tiny_recipe, {"training.seed": 2}), ()).name == "hybrid, seed 2"
    assert Run("as it comes", tiny_recipe, (), trained=False).name == "as it comes"
    assert (BOTH.title, ENGLISH.title) == ("sample", "sample in English")
