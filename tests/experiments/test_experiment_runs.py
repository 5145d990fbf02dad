"""One run of an experiment: what its model depends on, what is kept, repeated and resumed."""

import json
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from small_runs import read_results

from panglot import PanglotError, evaluate, load_encoder, sample_benchmark, sample_pairs
from panglot.data import Suite
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.evaluation import embed_benchmark
from panglot.experiments import runs as runs_module
from panglot.experiments import sweep as sweep_module
from panglot.experiments.runs import (
    HELD_OUT,
    Data,
    Run,
    Target,
    benchmark_of,
    folder_of,
    forget_data,
    key_of,
    missing_targets,
    results_of,
    sources_of,
)
from panglot.experiments.sweep import check_run, finish
from panglot.search.baseline import bm25_evaluation
from panglot.search.bm25 import BM25
from panglot.training import StepReport, TrainingConfig, override
from panglot.training.recipes import train_recipe

MakeRun = Callable[..., Run]


BOTH = Target("sample", ("de", "en"))
ENGLISH = Target("sample", ("en",), label="sample in English")
CENTRED = Target("sample", ("de", "en"), remedy="centred", label="sample, centred")


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, make_run: MakeRun, data: Data
) -> tuple[Path, dict[str, Any]]:
    """The folder of a trained run, and its results on the sample."""
    folder = tmp_path_factory.mktemp("finished")
    run = make_run("hybrid")
    assert finish(run, data, folder)
    return folder, read_results(run, data, folder)["sample"].results


@pytest.fixture
def copied(finished: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished[0], tmp_path / "copied"))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: TrainingConfig) -> SentenceTransformer:
    """The model of that run, trained without any of ``sweep``."""
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
    finished: tuple[Path, dict[str, Any]], make_run: MakeRun, data: Data
) -> None:
    place = folder_of(make_run("hybrid"), data, finished[0])
    assert {path.name for path in (place / "model").iterdir()} == {"run.json", "log.json"}
    assert json.loads((place / "model" / "run.json").read_text())["training"]["max_length"] == 24
    key = (place / "key.json").read_text(encoding="utf-8")
    assert "Infinity" not in key.replace('"Infinity"', "")  # which no JSON knows
    assert json.loads(key)["training"]["steps"] == 2


def test_a_finished_run_is_not_repeated(
    finished: tuple[Path, dict[str, Any]],
    make_run: MakeRun,
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        sweep_module, "load_encoder", lambda *_, **__: pytest.fail("a finished run is repeated")
    )
    other_words = make_run("called otherwise", targets=(replace(BOTH, label="called otherwise, too"),))
    for run in (make_run("hybrid"), other_words):
        assert missing_targets(run, data, finished[0]) == []
        assert finish(run, data, finished[0])
    assert read_results(other_words, data, finished[0])["called otherwise, too"].results == finished[1]


def test_a_benchmark_that_is_missing_is_added_and_the_others_are_left(
    copied: Path, reference: SentenceTransformer, make_run: MakeRun, data: Data
) -> None:
    run = make_run("hybrid", targets=(BOTH, ENGLISH))
    first = results_of(run, BOTH, data, copied)
    before = first.stat().st_mtime_ns
    assert missing_targets(run, data, copied) == [ENGLISH]
    assert finish(run, data, copied)
    assert first.stat().st_mtime_ns == before
    found = read_results(run, data, copied)
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
        {"loss.temperature": 0.1},
        {"data.languages": ["de", "en", "tr"]},
        {"data.languages": None},
        {"model.name": "another-model"},
    ],
    ids=str,
)
def test_another_setting_is_another_run(
    finished: tuple[Path, dict[str, Any]], make_run: MakeRun, data: Data, settings: dict[str, Any]
) -> None:
    run = make_run("hybrid", settings)
    assert folder_of(run, data, finished[0]) != folder_of(make_run("hybrid"), data, finished[0])
    assert missing_targets(run, data, finished[0]) == list(run.targets)


def test_other_data_is_another_run(make_run: MakeRun, data: Data, tmp_path: Path) -> None:
    run = make_run("hybrid")
    path = tmp_path / "train.jsonl"
    lines = (SAMPLE_FOLDER / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines), encoding="utf-8")
    copy = Data((str(path),))
    assert folder_of(run, copy, tmp_path) == folder_of(run, data, tmp_path)  # where it lies is no matter
    path.write_text("".join(lines[:-12]), encoding="utf-8")
    forget_data()
    found = {folder_of(run, copy, tmp_path), folder_of(run, data, tmp_path)}
    found |= {folder_of(run, replace(data, held_out=share), tmp_path) for share in (0.1, 0.4)}
    found.add(folder_of(run, Data((*data.pairs, *copy.pairs)), tmp_path))
    assert len(found) == 5


def test_joining_one_source_is_no_other_run(make_run: MakeRun, data: Data, tmp_path: Path) -> None:
    plain, joined = make_run("hybrid"), make_run("hybrid", {"batches.join_sources": True})
    assert (
        "join_sources" not in key_of(plain, data)["batches"]
    )  # runs of before there was this keep their places
    assert folder_of(plain, data, tmp_path) == folder_of(joined, data, tmp_path)
    two = replace(data, pairs=data.pairs * 2)
    assert folder_of(plain, two, tmp_path) != folder_of(joined, two, tmp_path)
    large = {"batches.size": len(sources_of(two)[0][0]) + 1}
    check_run(make_run("hybrid", {**large, "batches.join_sources": True}), two, tmp_path)
    with pytest.raises(PanglotError, match="no source has"):
        check_run(make_run("hybrid", large), two, tmp_path)


def test_an_zero_shot_encoder_depends_on_itself_alone(
    make_run: MakeRun, data: Data, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    run = make_run("zero-shot", trained=False)
    other = make_run("zero-shot", {"training.seed": 3, "batches.size": 2}, trained=False)
    assert folder_of(run, data, tmp_path) == folder_of(other, Data(()), tmp_path)
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    local = make_run("zero-shot", {"model.name": str(folder)}, trained=False)
    before = folder_of(local, data, tmp_path)
    (folder / "README.md").write_text("no weights")
    forget_data()
    assert folder_of(local, data, tmp_path) == before
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.1}))
    forget_data()
    assert folder_of(local, data, tmp_path) != before


def test_results_depend_on_how_is_measured(make_run: MakeRun, data: Data, tmp_path: Path) -> None:
    run = make_run("hybrid")
    ways = [BOTH, ENGLISH, CENTRED, replace(BOTH, perturb=("typos",)), replace(BOTH, languages=None)]
    found = {results_of(run, measured, data, tmp_path) for measured in ways}
    found.add(results_of(run, BOTH, replace(data, bf16=True), tmp_path))
    found.add(results_of(run, BOTH, replace(data, measures=("AP",)), tmp_path))
    assert len(found) == 7
    assert {path.parent for path in found} == {folder_of(run, data, tmp_path)}


def test_a_shift_is_measured_anew_for_other_pairs(make_run: MakeRun, data: Data, tmp_path: Path) -> None:
    run, shifted = make_run("zero-shot", trained=False), replace(BOTH, remedy="shift")
    text = Path(data.pairs[0]).read_text(encoding="utf-8").splitlines()
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(text[: len(text) // 2]) + "\n", encoding="utf-8")
    ways = [data, replace(data, pairs=(str(other),)), replace(data, held_out=0.5)]
    forget_data()
    assert len({results_of(run, BOTH, way, tmp_path) for way in ways}) == 1
    assert len({results_of(run, shifted, way, tmp_path) for way in ways}) == 3


def test_results_have_names_that_windows_takes(
    make_run: MakeRun, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "benchmark_of", lambda *_: sample_benchmark())
    found = results_of(make_run("hybrid"), Target("beir-parallel:nfcorpus"), data, tmp_path)
    assert found.name.startswith("beir-parallel-nfcorpus-")


def test_ctrl_c_in_training_is_resumed_exactly(
    finished: tuple[Path, dict[str, Any]],
    make_run: MakeRun,
    data: Data,
    trained: list[TrainingConfig],
    tmp_path: Path,
) -> None:
    def press(report: StepReport) -> None:
        if report.step == 1 and not report.figures:  # once: a second time would stop it at once
            signal.raise_signal(signal.SIGINT)

    run = make_run("hybrid")
    assert not finish(run, data, tmp_path, press)
    assert missing_targets(run, data, tmp_path) == [BOTH]
    steps: list[int] = []
    assert finish(run, data, tmp_path, lambda report: steps.append(report.step))
    assert len(trained) == 2
    assert set(steps) == {2}  # the first step is not made again
    found = read_results(run, data, tmp_path)["sample"].results
    assert found["model"]["sha256"] == finished[1]["model"]["sha256"]
    assert found["settings"] == finished[1]["settings"]


class StopError(Exception):
    """Stands for whatever ends a process."""


def test_what_was_stopped_while_measuring_is_not_trained_again(
    finished: tuple[Path, dict[str, Any]],
    make_run: MakeRun,
    data: Data,
    trained: list[TrainingConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stops(*arguments: Any, **settings: Any) -> Any:
        if settings["centre"] is None:
            raise StopError
        return evaluate(*arguments, **settings)

    run = make_run("hybrid", targets=(CENTRED, BOTH))
    with monkeypatch.context() as patch:
        patch.setattr(sweep_module, "evaluate", stops)
        with pytest.raises(StopError):
            finish(run, data, tmp_path)
    assert missing_targets(run, data, tmp_path) == [BOTH]
    assert finish(run, data, tmp_path)
    assert len(trained) == 1
    found = read_results(run, data, tmp_path)["sample"].results
    for part in ("settings", "bias", "matrix"):
        assert found[part] == finished[1][part]
    assert found["model"]["sha256"] == finished[1]["model"]["sha256"]
    assert found["model"]["training"]["steps"] == 2


MERGED = {
    "merge.parts": {"a": {"batches.alpha": 0.0}, "b": {"batches.alpha": 1.0}},
    "merge.weights": [1.0, 1.0],
}


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"training.save_steps": 1}, "panglot.training.run.remove_checkpoints"),  # the model is saved
        (MERGED, "panglot.experiments.sweep.write_json"),
    ],
)
def test_what_was_stopped_just_after_training_goes_on(
    make_run: MakeRun,
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    place: str,
) -> None:
    module, name = place.rsplit(".", 1)
    usual = getattr(sys.modules[module], name)

    def stops(path: Path, *arguments: Any, **more: Any) -> Any:
        if not more and path.name in ("model", "trained.json"):
            raise StopError
        return usual(path, *arguments, **more)

    run = make_run("hybrid", settings)
    with monkeypatch.context() as patch:
        patch.setattr(place, stops)
        with pytest.raises(StopError):
            finish(run, data, tmp_path)
    assert (folder_of(run, data, tmp_path) / "model/modules.json").exists()
    assert finish(run, data, tmp_path)
    assert missing_targets(run, data, tmp_path) == []


def test_a_benchmark_is_encoded_once_however_it_is_measured(
    make_run: MakeRun, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[tuple[str, ...]] = []

    def embed(model: Any, benchmark: Any, **settings: Any) -> Any:
        encoded.append(benchmark.languages)
        return embed_benchmark(model, benchmark, **settings)

    monkeypatch.setattr(sweep_module, "embed_benchmark", embed)
    run = make_run("zero-shot", trained=False, targets=(BOTH, ENGLISH, CENTRED))
    assert finish(run, data, tmp_path)
    assert encoded == [("de", "en"), ("en",)]
    found = read_results(run, data, tmp_path)
    model = load_encoder(run.recipe.model.name, device="cpu")
    both = sample_benchmark().restrict(["de", "en"])
    assert found["sample"].results["settings"] == evaluate(model, both).results["settings"]
    centred = evaluate(model, both, centre="corpus").results["settings"]
    assert found["sample, centred"].results["settings"] == centred
    assert found["sample"].results["model"]["training"] is None


def test_a_large_pool_goes_through_a_store(
    make_run: MakeRun, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "IN_MEMORY", 10)
    run = make_run("zero-shot", trained=False, targets=(BOTH, ENGLISH))  # each has a store of its own
    assert finish(run, data, tmp_path)
    found = read_results(run, data, tmp_path)["sample"].results
    model = load_encoder(run.recipe.model.name, device="cpu")
    expected = evaluate(model, sample_benchmark().restrict(["de", "en"])).results
    for setting, figures in expected["settings"].items():
        assert found["settings"][setting] == pytest.approx(figures, abs=0.01)  # stores have 16 bits
    assert not list(tmp_path.rglob("stores"))
    refused = make_run("zero-shot", trained=False, targets=(CENTRED,))
    with pytest.raises(PanglotError, match=r"more than 10 passages.* 'centred'; leave out"):
        check_run(refused, data, tmp_path)  # before anything is encoded


def test_runs_are_measured_on_validation_pairs(make_run: MakeRun, data: Data, tmp_path: Path) -> None:
    rows = (SAMPLE_FOLDER / "held-out.jsonl").read_text(encoding="utf-8").splitlines()
    few = tmp_path / "few.jsonl"  # all twelve languages would be measured for a long time
    few.write_text("\n".join(row for row in rows if json.loads(row)["language"] in ("de", "en")))
    validated = replace(data, validation=(str(few),))
    run = make_run("hybrid", {"training.eval_steps": 1, "training.metric_for_best_model": "loss"})
    assert folder_of(run, validated, tmp_path) != folder_of(run, data, tmp_path)
    assert finish(run, validated, tmp_path)
    log = json.loads((folder_of(run, validated, tmp_path) / "model" / "log.json").read_text())["log"]
    losses = [entry["eval_loss"] for entry in log if "eval_loss" in entry]
    assert len(losses) == run.recipe.training.steps


def test_an_encoder_of_the_catalogue_is_fetched_when_its_run_begins(
    make_run: MakeRun, data: Data, tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(sweep_module, "get_data", lambda entry: fetched.append(entry.name))
    monkeypatch.setattr(sweep_module, "load_encoder", lambda *_, **__: load_encoder(str(tiny_checkpoint)))
    run = make_run("zero-shot", {"model.name": "laser2"}, trained=False, targets=(ENGLISH,))
    assert not fetched
    assert finish(run, data, tmp_path)
    assert fetched == ["laser2"]


def test_bm25_is_a_run_too(make_run: MakeRun, data: Data, tmp_path: Path) -> None:
    run = make_run("BM25", {"model.name": BM25}, trained=False, targets=(ENGLISH,))
    assert finish(run, data, tmp_path)
    expected = bm25_evaluation(sample_benchmark().restrict(["en"])).results["settings"]
    assert read_results(run, data, tmp_path)["sample in English"].results["settings"] == expected


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
    return str(SAMPLE_FOLDER / "train.jsonl"), str(path)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_held_out_documents_are_never_trained_on(
    two_sources: tuple[str, str],
    share: float,
    make_run: MakeRun,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = Data(two_sources, held_out=share)
    seen: set[str] = set()

    class NoTrainingError(Exception):
        pass

    def look(recipe: TrainingConfig, model: Any, sources: Any, *_: Any, **__: Any) -> None:
        for source in sources:
            rows = source.index.entry_row
            for column in ("query", "passage"):
                seen.update(source.texts(column, rows))
        raise NoTrainingError

    monkeypatch.setattr(sweep_module, "train_recipe", look)
    run = make_run("hybrid", {"data.languages": None}, targets=(Target(HELD_OUT),))
    with pytest.raises(NoTrainingError):
        finish(run, data, tmp_path)
    benchmark = benchmark_of(data, HELD_OUT)
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


def test_the_order_of_the_sources_changes_neither_draws_nor_place(make_run: MakeRun, tmp_path: Path) -> None:
    lines = (SAMPLE_FOLDER / "train.jsonl").read_bytes().splitlines(keepends=True)
    paths = []
    for name, part in (("b", lines[: len(lines) // 2]), ("a", lines[len(lines) // 2 :])):
        paths.append(str(tmp_path / f"{name}.jsonl"))
        Path(paths[-1]).write_bytes(b"".join(part))
    forget_data()
    one, other = Data(tuple(paths)), Data(tuple(reversed(paths)))
    assert [source.name for source in sources_of(one)[0]] == ["a", "b"]
    assert [source.sha256 for source in sources_of(one)[0]] == [s.sha256 for s in sources_of(other)[0]]
    assert folder_of(make_run("a"), one, Path()) == folder_of(make_run("a"), other, Path())
    forget_data()


def test_sources_of_one_name_are_told_apart(two_sources: tuple[str, str]) -> None:
    sources, held_out = sources_of(Data(two_sources))
    assert [source.name for source in sources] == ["train", "train (2)"]
    assert held_out == []


def test_held_out_documents_in_some_languages(data: Data) -> None:
    found = benchmark_of(replace(data, held_out=0.2), HELD_OUT, ("en", "sw"))
    assert found.languages == ("en", "sw")


def test_a_run_is_named_by_its_group_and_seed(tiny_recipe: TrainingConfig) -> None:
    assert Run("hybrid", override(tiny_recipe, {"training.seed": 2}), ()).title == "hybrid, seed 2"
    assert Run("zero-shot", tiny_recipe, (), trained=False).title == "zero-shot"
    assert (BOTH.title, ENGLISH.title) == ("sample", "sample in English")
