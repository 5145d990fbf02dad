"""A short training run on the bundled sample: what it changes, writes and refuses."""

import hashlib
import json
import math
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from panglot import Index, PanglotError, encode, evaluate, load_encoder, sample_benchmark, sample_pairs, train
from panglot.data import pairs_from_rows
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.encoders import model_sha256, name_of
from panglot.training import StepReport, Training, known_settings, trainer, training_of
from panglot.training.optimizer import clip_gradients, token_table

E5 = "intfloat/multilingual-e5-small"
SHORT: dict[str, Any] = {"steps": 3, "learning_rate": 1e-3}


def run(model: SentenceTransformer, output: Path, how: dict[str, Any] = SHORT, **settings: Any) -> Training:
    settings = {"batch_size": 8, "model_name": "tiny", **settings}
    return train(model, [sample_pairs()], output, **how, **settings)


@pytest.fixture(scope="module")
def told() -> list[tuple[StepReport, list[Path]]]:
    """What was told of the finished run, and the checkpoints that there were then."""
    return []


@pytest.fixture(scope="module")
def finished(
    tiny_checkpoint: Path,
    tmp_path_factory: pytest.TempPathFactory,
    told: list[tuple[StepReport, list[Path]]],
) -> tuple[Path, Training, str]:
    """A run of hybrid batches, its outcome, and the hash of its weights."""
    folder = tmp_path_factory.mktemp("finished")

    def tell(report: StepReport) -> None:
        told.append((report, list(folder.glob("checkpoints/*"))))

    model = load_encoder(str(tiny_checkpoint), device="cpu")
    outcome = run(model, folder, {**SHORT, "save_steps": 1}, alpha=0.25, progress=tell)
    return folder, outcome, model_sha256(model)


def test_a_model_that_reads_texts_whole_is_trained(
    static_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    before = model_sha256(static_encoder)
    assert run(static_encoder, tmp_path).finished
    described = training_of(tmp_path)
    assert described is not None and described["model"]["max_length"] is None
    assert model_sha256(load_encoder(str(tmp_path), device="cpu")) == model_sha256(static_encoder) != before


def test_a_model_trained_in_place_is_called_by_the_folder_that_it_is_in(
    tiny_encoder: SentenceTransformer, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    benchmark, output = sample_benchmark().restrict(["de", "en"]), tmp_path / "run"
    assert evaluate(tiny_encoder, benchmark, progress=False).results["model"]["name"] == str(tiny_checkpoint)
    run(tiny_encoder, output, model_name=None)
    described = training_of(output)
    assert described is not None and described["model"]["name"] == str(tiny_checkpoint)
    found = evaluate(tiny_encoder, benchmark, progress=False).results["model"]
    assert (found["name"], name_of(tiny_encoder)) == (str(output), str(output))
    assert model_sha256(load_encoder(found["name"], device="cpu")) == found["sha256"]
    with Index.create(tmp_path / "index", tiny_encoder) as index:
        assert index.facts.name == str(output)


def test_a_model_and_pairs_may_be_names_or_paths(tiny_checkpoint: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"pull": 1.0, "teacher": tiny_checkpoint, "progress": False, **SHORT}
    how["batch_size"] = 8
    train(tiny_checkpoint, "sample", tmp_path / "by-name", **how)
    model = load_encoder(tiny_checkpoint, device="cpu")
    train(model, [sample_pairs()], tmp_path / "loaded", **{**how, "teacher": load_encoder(tiny_checkpoint)})
    assert model_sha256(load_encoder(tmp_path / "by-name", device="cpu")) == model_sha256(model)
    with pytest.raises(PanglotError, match=r"nope\.jsonl"):
        train(model, "nope.jsonl", tmp_path / "none")


def test_sources_that_are_too_small_are_refused_with_the_settings_that_fit(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    with pytest.raises(PanglotError) as refused:  # 64 pairs are tested for this model; the sample has 48
        train(tiny_encoder, "sample", tmp_path, model_name=E5)
    for setting in ("--batch-size 48", "batch_size=48"):
        assert setting in str(refused.value)


def test_the_loss_falls(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    # one language, so that the tiny model can learn its 48 pairs by heart
    how: dict[str, Any] = {"steps": 40, "learning_rate": 3e-3}
    outcome = run(tiny_encoder, tmp_path, how, batch_size=16, strategy="english")
    losses = [entry["loss"] for entry in outcome.log if "loss" in entry]
    assert len(losses) == 4
    assert losses[0] == pytest.approx(math.log(16), abs=0.3)  # that of guessing among 16
    assert losses[-1] < 0.7 * losses[0]


def test_the_saved_model_is_the_trained_one(
    finished: tuple[Path, Training, str], tiny_encoder: SentenceTransformer
) -> None:
    folder, _, trained = finished
    assert model_sha256(load_encoder(str(folder), device="cpu")) == trained
    assert model_sha256(tiny_encoder) != trained


def test_run_json_states_model_data_and_settings(
    finished: tuple[Path, Training, str], tiny_encoder: SentenceTransformer
) -> None:
    described = training_of(finished[0])
    assert described is not None
    file = SAMPLE_FOLDER / "train.jsonl"
    languages = ["ar", "de", "el", "en", "es", "hi", "ru", "sw", "th", "tr", "vi", "zh"]
    assert described["model"]["sha256"] == model_sha256(tiny_encoder)
    assert described["data"] == [
        {
            "name": "sample",
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "items": 48,
            "rows": 576,
            "languages": languages,
        }
    ]
    assert (described["batches"]["strategy"], described["batches"]["alpha"]) == ("hybrid", 0.25)
    assert (described["training"]["steps"], described["training"]["learning_rate"]) == (3, 1e-3)


def test_log_json_holds_what_was_logged(finished: tuple[Path, Training, str]) -> None:
    folder, outcome, _ = finished
    assert json.loads((folder / "log.json").read_text()) == {"log": outcome.log, "held_out": {}}


def test_the_card_states_strategy_alpha_data_and_languages(finished: tuple[Path, Training, str]) -> None:
    _, front, text = (finished[0] / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    described = ModelCard(f"---\n{front}---\n").data.to_dict()  # type: ignore[no-untyped-call]
    assert described["library_name"] == "sentence-transformers"
    assert {"en", "sw", "zh"} <= set(described["language"])
    assert "# tiny, trained with hybrid batches" in text
    assert "monolingual with probability 0.25, else cross-lingual" in text
    digest = hashlib.sha256((SAMPLE_FOLDER / "train.jsonl").read_bytes()).hexdigest()
    assert f"| sample | 48 | 576 | 12 | `{digest[:16]}` |" in text
    assert "No documents were held out." in text
    assert "trust_remote_code" not in text
    assert "Prompts: `Query: ` before each query, `Passage: ` before each passage." in text
    assert "| training.steps | 3 |" in text and "| None |" not in text and "| [] |" not in text
    assert "arXiv preprint arXiv:2408.10536" in text
    assert "Matryoshka" not in text


def test_the_card_of_norwegian_names_the_language(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"item_id": str(k), "language": "no", "query": f"q {k}", "passage": f"p {k}", "passage_id": None}
        for k in range(8)
    ]
    pairs = pairs_from_rows(rows, "norwegian")
    train(tiny_encoder, pairs, tmp_path, batch_size=8, steps=1, strategy="monolingual", progress=False)
    _, front, _ = (tmp_path / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    assert yaml.safe_load(front)["language"] == ["no"]  # which YAML reads as false where it is not quoted


def test_the_card_names_the_dimensions_that_were_trained(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    run(tiny_encoder, tmp_path, {"steps": 1}, matryoshka_dims=[8, 32, 16])
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "cut to 32, 16, 8 dimensions" in card and "truncate_dim=8" in card


def test_a_model_loaded_from_a_run_is_pushed_with_the_card_of_the_run(
    finished: tuple[Path, Training, str], tmp_path: Path
) -> None:
    load_encoder(str(finished[0]), device="cpu").save_pretrained(str(tmp_path))  # as push_to_hub does
    assert (tmp_path / "README.md").read_text() == (finished[0] / "README.md").read_text()


def test_the_same_seed_gives_identical_weights_and_another_does_not(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    hashes = []
    for number, seed in enumerate((3, 3, 4)):
        model = load_encoder(str(tiny_checkpoint), device="cpu")
        run(model, tmp_path / str(number), {"steps": 3, "learning_rate": 1e-3, "seed": seed})
        hashes.append(model_sha256(model))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_frozen_table_is_unchanged_by_training(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    table = token_table(tiny_encoder).weight
    before, whole = table.detach().clone(), model_sha256(tiny_encoder)
    run(tiny_encoder, tmp_path, {"steps": 3, "learning_rate": 1e-3, "embedding_update": "frozen"})
    assert (table == before).all()
    assert model_sha256(tiny_encoder) != whole


def test_every_step_is_told_and_no_checkpoint_is_left(
    finished: tuple[Path, Training, str], told: list[tuple[StepReport, list[Path]]]
) -> None:
    reports = [report for report, _ in told]
    assert [report.step for report in reports if not report.figures] == [1, 2, 3]
    assert {report.steps for report in reports} == {3}
    assert any("loss" in report.figures for report in reports)
    assert any(checkpoints for _, checkpoints in told)
    assert not (finished[0] / "checkpoints").exists()
    assert not (finished[0] / ".model.part").exists()


def test_libraries_print_nothing_of_their_own(
    tiny_encoder: SentenceTransformer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with as_in_a_new_process():
        train(tiny_encoder, sample_pairs(), tmp_path, steps=1, batch_size=4, progress=False)
    assert capfd.readouterr() == ("", "")


@contextmanager
def as_in_a_new_process() -> Iterator[None]:
    """Let transformers print what it prints in a new process."""
    before = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_warning()  # type: ignore[no-untyped-call]
    transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
    yield
    transformers_logging.set_verbosity(before[0])
    if not before[1]:
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def test_hard_negatives_are_trained_with(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"item_id": f"i{k}", "language": "en", "query": f"q {k}", "passage": f"p {k}"} for k in range(4)
    ]
    without = pairs_from_rows(rows, "without")
    rows[0]["negatives"] = ["some other text", "one more"]
    hard = pairs_from_rows(rows, "with")
    first_losses = []
    for pairs in (without, hard):
        outcome = train(
            tiny_encoder,
            [pairs],
            tmp_path / pairs.name,
            strategy="english",
            batch_size=4,
            steps=1,
            learning_rate=1e-12,
        )
        first_losses.append(next(entry["loss"] for entry in outcome.log if "loss" in entry))
    assert first_losses[1] > first_losses[0] + 0.2  # six candidates instead of four


def test_a_folder_that_holds_a_model_is_refused(
    finished: tuple[Path, Training, str], tiny_encoder: SentenceTransformer
) -> None:
    with pytest.raises(PanglotError, match="already holds a model"):
        run(tiny_encoder, finished[0])


def test_a_file_in_place_of_the_folder_is_named(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(PanglotError, match=r"taken.*is already there"):
        run(tiny_encoder, tmp_path / "taken" / "run")


def test_a_matryoshka_dimension_beyond_the_models_is_refused(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    with pytest.raises(PanglotError, match=r"matryoshka_dims has 64, .* 32"):
        run(tiny_encoder, tmp_path, matryoshka_dims=[32, 64])
    assert not list(tmp_path.iterdir())


def test_eval_steps_without_held_out_documents_are_said_to_do_nothing(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    said: list[str] = []
    run(tiny_encoder, tmp_path, {"steps": 1, "eval_steps": 1}, note=said.append)
    assert [sentence for sentence in said if "eval_steps" in sentence] == [
        "training.eval_steps has no effect without held-out documents; use --held-out 0.1."
    ]


def test_a_failed_run_gives_ctrl_c_its_meaning_back(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    def fail(_: StepReport) -> None:
        raise RuntimeError("the screen fell off")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError, match="fell off"):
        run(tiny_encoder, tmp_path, progress=fail)
    assert signal.getsignal(signal.SIGINT) is before


def test_texts_looked_up_ahead_by_workers_give_the_same_weights(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    hashes = []
    for workers in (0, 2):
        model = load_encoder(str(tiny_checkpoint), device="cpu")
        teacher = load_encoder(str(tiny_checkpoint), device="cpu")
        how: dict[str, Any] = {
            "steps": 5,
            "learning_rate": 1e-3,
            "dataloader_num_workers": workers,
            "micro_batch_tokens": 60,
        }
        run(model, tmp_path / f"{workers}", how, teacher=teacher, distillation=1.0)
        hashes.append(model_sha256(model))
    assert hashes[0] == hashes[1]


def test_a_schedule_of_alpha_runs_over_the_steps_of_the_run(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    how: dict[str, Any] = {"steps": 30, "micro_batch_tokens": 4096}
    outcome = run(tiny_encoder, tmp_path, how, alpha=(1.0, 1.0, 0.0, 0.0), batch_size=2)
    shares = [entry["monolingual_share"] for entry in outcome.log if "monolingual_share" in entry]
    # alpha is 1 in the first ten steps, falls over the next, and is 0 in the last
    assert (len(shares), shares[0], shares[2]) == (3, 1.0, 0.0)
    assert 0 < shares[1] < 1
    assert json.loads((tmp_path / "run.json").read_text())["batches"]["alpha"] == [1.0, 1.0, 0.0, 0.0]


def test_the_small_encoder_learns_and_its_card_shows_how_to_load_it(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    model = load_encoder(str(small_checkpoint), device="cpu")
    how: dict[str, Any] = {"steps": 20, "learning_rate": 1e-3}
    outcome = run(model, tmp_path, how, batch_size=8)
    losses = [entry["loss"] for entry in outcome.log if "loss" in entry]
    assert losses[-1] < losses[0]
    again = SentenceTransformer(str(tmp_path), device="cpu")
    texts = ["query: Wo?", "query: Where?"]
    assert np.abs(again.encode(texts) - encode(model, texts)).max() < 1e-6
    assert again.prompts == {"query": "query: ", "document": "passage: "}
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert 'SentenceTransformer("this folder or hub id")' in card


def test_a_second_stage_has_the_settings_of_the_first(small_checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_checkpoint, tmp_path / "multilingual-e5-small"))
    model = load_encoder(str(folder), device="cpu")
    train(model, sample_pairs(), tmp_path / "first", steps=1, batch_size=4)
    described = training_of(tmp_path / "first")
    assert described is not None
    assert (described["model"]["name"], described["loss"]["temperature"]) == (str(folder), 0.01)
    assert ModelCard.load(tmp_path / "first" / "README.md").data["base_model"] == E5
    assert known_settings(str(tmp_path / "first")) == known_settings(E5) != {}


def test_a_learning_rate_that_is_far_too_high_stops_with_the_step_and_the_cause(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    with pytest.raises(PanglotError, match=r"diverged at step \d: .* learning_rate"):
        run(tiny_encoder, tmp_path, {"steps": 6, "learning_rate": 1e30})
    assert not (tmp_path / "model.safetensors").exists()


def test_a_weight_that_is_infinite_stops_the_first_step(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    with torch.no_grad():
        next(p for name, p in tiny_encoder.named_parameters() if "query.weight" in name)[0, 0] = math.inf
    with pytest.raises(PanglotError, match=r"diverged at step 1: .* start from another checkpoint"):
        run(tiny_encoder, tmp_path, {"steps": 6})


def test_divergence_keeps_the_checkpoints_before_it(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = clip_gradients
    norms = iter([1.0, 1.0, 1.0, math.nan])
    monkeypatch.setattr(trainer, "clip_gradients", lambda *given: clip(*given) * next(norms))
    with pytest.raises(PanglotError, match="diverged at step 4"):
        run(tiny_encoder, tmp_path, {"steps": 6, "save_steps": 2})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]


def test_a_last_step_that_breaks_the_weights_saves_no_model(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer.PairsTrainer, "_clip_grad_norm", lambda self, model: torch.tensor(1.0))
    with pytest.raises(PanglotError, match="the last step made weights that are not finite"):
        run(tiny_encoder, tmp_path, {"steps": 4, "learning_rate": 1e30})
    assert not (tmp_path / "model.safetensors").exists()
