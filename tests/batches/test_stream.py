"""Hybrid batches as a data set: the rows, and what trainers of sentence-transformers make of them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import skip_first_batches  # type: ignore[import-untyped]
from accelerate.data_loader import prepare_data_loader  # type: ignore[import-untyped]
from sentence_transformers import (
    MultiVectorEncoder,
    MultiVectorEncoderTrainer,
    MultiVectorEncoderTrainingArguments,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
    SparseEncoder,
    SparseEncoderTrainer,
    SparseEncoderTrainingArguments,
)
from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss
from sentence_transformers.sparse_encoder.losses import SparseMultipleNegativesRankingLoss, SpladeLoss
from sentence_transformers.sparse_encoder.modules import MLMTransformer, SpladePooling
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, BertForMaskedLM

from panglot import hybrid_dataset, make_sampler, sample_pairs
from panglot.data import ParallelPairs, pairs_from_rows
from panglot.data.pairs_files.read import SAMPLE_FOLDER
from panglot.errors import PanglotError

SIZE, STEPS = 8, 6
Columns = dict[str, list[str]]


def mined(missing: bool = False) -> ParallelPairs:
    """Six items in two languages with two negatives each; perhaps one row has none."""
    rows: list[dict[str, object]] = [
        {
            "item_id": str(k),
            "language": code,
            "query": f"{code} q{k}",
            "passage": f"{code} p{k}",
            "negatives": None if missing and (k, code) == (5, "en") else [f"{code} n{k}", f"{code} m{k}"],
        }
        for k in range(6)
        for code in ("de", "en")
    ]
    return pairs_from_rows(rows, "mined")


def drawn(steps: int = STEPS, **settings: Any) -> list[Columns]:
    """Look up the batches of panglot's own sampler on the sample."""
    pairs = sample_pairs()
    sampler = make_sampler([pairs], batch_size=SIZE, steps=steps, **settings)
    found = []
    for step in range(steps):
        batch = sampler.draw(step)
        anchors = pairs.texts("query", pairs.rows(batch.items, batch.query_languages))
        positives = pairs.texts("passage", pairs.rows(batch.items, batch.passage_languages))
        found.append({"anchor": anchors, "positive": positives})
    return found


def together(rows: list[dict[str, str]]) -> Columns:
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"alpha": 0.2, "seed": 7},
        {"alpha": (1.0, 0.0)},
        {"strategy": "specific", "language": "de"},
    ],
)
def test_the_rows_are_the_batches_of_the_sampler_in_their_order(settings: dict[str, Any]) -> None:
    data = hybrid_dataset(sample_pairs(), SIZE, STEPS, **settings)
    assert list(data.features) == data.column_names == ["anchor", "positive"]
    batches = [together(list(batch)) for batch in DataLoader(data, SIZE, collate_fn=list)]
    assert batches == drawn(**settings)


def test_files_and_pairs_are_sources_alike() -> None:
    paths: list[str | Path] = [str(SAMPLE_FOLDER / "train.jsonl"), SAMPLE_FOLDER / "held-out.jsonl"]
    several = list(hybrid_dataset(paths, 4, 20))
    first = {*sample_pairs().table.column("query").to_pylist()}
    of_first = [row["anchor"] in first for row in several]
    assert 0 < sum(of_first) < 80
    assert all(sum(of_first[k : k + 4]) in (0, 4) for k in range(0, 80, 4))  # a batch has one source
    assert list(hybrid_dataset(paths[0], 4, 5)) == list(hybrid_dataset(sample_pairs(), 4, 5))


def test_skipped_rows_and_a_state_lead_to_the_same_rows() -> None:
    data = hybrid_dataset(sample_pairs(), SIZE, STEPS)
    rows = list(data)
    assert list(data.skip(3 * SIZE)) == rows[3 * SIZE :]
    assert list(data.take(SIZE)) == rows[:SIZE]
    reading = iter(data)
    for _ in range(2 * SIZE + 3):
        next(reading)
    again = hybrid_dataset(sample_pairs(), SIZE, STEPS)
    again.load_state_dict(data.state_dict())
    assert list(again) == rows[2 * SIZE + 3 :]


def test_each_row_has_one_of_its_own_negatives() -> None:
    data = hybrid_dataset(mined(), 4, 50)
    rows = list(data)
    assert data.column_names == ["anchor", "positive", "negative"]
    assert all(row["negative"][:3] == row["positive"][:3] for row in rows)  # the language
    assert all(row["negative"][4] == row["positive"][4] for row in rows)  # the item
    assert {row["negative"][3] for row in rows} == {"n", "m"}
    assert rows == list(data)
    without = hybrid_dataset(mined(), 4, 50, negative=False)
    assert list(without) == [{name: row[name] for name in ("anchor", "positive")} for row in rows]


def test_rows_have_no_negative_where_some_pairs_have_none() -> None:
    assert hybrid_dataset(mined(missing=True), 4, 1).column_names == ["anchor", "positive"]
    assert hybrid_dataset([mined(), sample_pairs()], 4, 1).column_names == ["anchor", "positive"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"pairs": []}, "empty list"),
        ({"batch_size": 49}, "batch size"),
        ({"alpha": 1.5}, "alpha is 1.5"),
        ({"batch_size": 8, "negative": True}, "sample: some rows have no negatives"),
        ({"pairs": "nothing.jsonl"}, "nothing.jsonl"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(PanglotError, match=words):
        hybrid_dataset(**{"pairs": sample_pairs(), **settings})


@pytest.mark.parametrize("ranks", [2, 4])
def test_each_process_gets_its_slice_of_the_global_batch(ranks: int) -> None:
    """As the trainer prepares the loader with ``dispatch_batches=False``; resuming skips batches."""
    data, expected = hybrid_dataset(sample_pairs(), SIZE, STEPS), drawn()
    size = SIZE // ranks
    for rank in range(ranks):
        loader = prepare_data_loader(
            DataLoader(data, size, collate_fn=together),
            num_processes=ranks,
            process_index=rank,
            put_on_device=False,
            dispatch_batches=False,
        )
        own = slice(rank * size, (rank + 1) * size)
        parts = [{name: texts[own] for name, texts in batch.items()} for batch in expected]
        assert list(loader) == parts
        assert list(skip_first_batches(loader, 4)) == parts[4:]


class Recorded:
    """What reaches a loss, step by step: the tokens of each column."""

    def __init__(self, loss: torch.nn.Module) -> None:
        self.steps: list[list[list[list[int]]]] = []
        loss.register_forward_pre_hook(self._note)

    def _note(self, _: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        self.steps.append([_ids(features) for features in inputs[0]])


def _ids(features: dict[str, torch.Tensor]) -> list[list[int]]:
    masks = features["attention_mask"].bool()
    return [ids[mask].tolist() for ids, mask in zip(features["input_ids"], masks, strict=True)]


def dense_trainer(
    model: SentenceTransformer, folder: Path, steps: int, prompts: dict[str, str] | None = None
) -> tuple[SentenceTransformerTrainer, Recorded]:
    loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=4)
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            str(folder),
            per_device_train_batch_size=SIZE,
            max_steps=steps,
            save_steps=2,
            prompts=prompts,
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=hybrid_dataset(sample_pairs(), SIZE, STEPS),
        loss=loss,
    )
    return trainer, Recorded(loss)


def tokens(model: Any, batch: Columns, prompts: dict[str, str]) -> list[list[list[int]]]:
    return [_ids(model.preprocess([prompts.get(k, "") + text for text in v])) for k, v in batch.items()]


def test_the_loss_gets_the_batches_and_a_resumed_run_the_right_one(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    prompts = {"anchor": "query: ", "positive": "passage: "}
    expected = [tokens(tiny_encoder, batch, prompts) for batch in drawn()]
    before = tiny_encoder.state_dict()["0.model.embeddings.word_embeddings.weight"].clone()
    trainer, seen = dense_trainer(tiny_encoder, tmp_path, 4, prompts)
    trainer.train()
    assert seen.steps == expected[:4]
    assert not torch.equal(tiny_encoder.state_dict()["0.model.embeddings.word_embeddings.weight"], before)
    shutil.rmtree(tmp_path / "checkpoint-4")
    trainer, seen = dense_trainer(tiny_encoder, tmp_path, STEPS, prompts)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert seen.steps == expected[2:]


def splade(checkpoint: Path, folder: Path) -> tuple[Any, Any, Any, Any]:
    BertForMaskedLM.from_pretrained(checkpoint).save_pretrained(folder)
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    model = SparseEncoder(modules=[MLMTransformer(str(folder)), SpladePooling("max")], device="cpu")
    loss = SpladeLoss(
        model,
        SparseMultipleNegativesRankingLoss(model),
        document_regularizer_weight=3e-5,
        query_regularizer_weight=5e-5,
    )
    return model, loss, SparseEncoderTrainer, SparseEncoderTrainingArguments


def late_interaction(checkpoint: Path, _: Path) -> tuple[Any, Any, Any, Any]:
    model = MultiVectorEncoder(str(checkpoint), device="cpu")
    loss = MultiVectorMultipleNegativesRankingLoss(model)
    return model, loss, MultiVectorEncoderTrainer, MultiVectorEncoderTrainingArguments


@pytest.mark.parametrize("make", [splade, late_interaction])
def test_models_that_panglot_does_not_train_train_on_the_batches(
    make: Callable[..., tuple[Any, Any, Any, Any]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    model, loss, trainer_class, arguments = make(tiny_checkpoint, tmp_path / "masked")
    seen = Recorded(loss)
    trainer = trainer_class(
        model=model,
        args=arguments(
            str(tmp_path / "run"),
            per_device_train_batch_size=SIZE,
            max_steps=2,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
        ),
        train_dataset=hybrid_dataset(sample_pairs(), SIZE, STEPS),
        loss=loss,
    )
    trainer.train()
    assert seen.steps == [tokens(model, batch, {}) for batch in drawn()[:2]]
    assert trainer.state.log_history[-1]["train_loss"] > 0
