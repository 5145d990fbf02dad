"""What a step is made of, against the lines of the pairs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from panglot import ParallelPairs, load_pairs, make_sampler, sample_pairs
from panglot.batches import Batch
from panglot.data import sample
from panglot.training.steps import Steps

Line = dict[str, Any]


class Reader:
    """Stands for a model: its one token of a text is the number of the prompted text."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.prompts = {"query": "Q ", "document": "P "}

    def preprocess(self, texts: list[str], prompt: str | None) -> dict[str, Tensor]:
        prompted = [(prompt or "") + text for text in texts]
        assert len(set(prompted)) == len(prompted), "equal texts are tokenised twice"
        self.texts += prompted
        first = len(self.texts) - len(texts)
        return {"input_ids": torch.arange(first, len(self.texts))[:, None]}

    def read(self, features: dict[str, Tensor], name: str) -> list[str]:
        """Return the texts of a part of the features, row by row."""
        ids = features[f"{name}_input_ids"][features[f"{name}_rows"]]
        return [self.texts[k] for k in ids[:, 0].tolist()]


def make_steps(pairs: ParallelPairs, ranks: int = 1, **settings: object) -> tuple[Steps, Reader]:
    reader = Reader()
    sampler = make_sampler([pairs], **settings)
    return Steps(sampler, [pairs], cast(SentenceTransformer, reader), steps=6, ranks=ranks), reader


def write_lines(path: Path, lines: Sequence[Line]) -> ParallelPairs:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return load_pairs(path)


def small_pairs(tmp_path: Path, **extra: dict[int, object]) -> ParallelPairs:
    """Four items in English and German; ``extra`` gives fields to some."""
    lines = [
        {
            "item_id": f"i{k}",
            "language": code,
            "query": f"{code} question {k}",
            "passage": f"{code} answer {k}",
            **{field: values[k] for field, values in extra.items() if k in values},
        }
        for k in range(4)
        for code in ("en", "de")
    ]
    return write_lines(tmp_path / "small.jsonl", lines)


def test_the_texts_of_a_step_are_those_of_its_drawn_pairs() -> None:
    pairs = sample_pairs()
    steps, reader = make_steps(pairs, strategy="crosslingual", batch_size=16)
    lines = (sample.FOLDER / "train.jsonl").read_text(encoding="utf-8").splitlines()
    by_key = {(line["item_id"], line["language"]): line for line in map(json.loads, lines)}
    names = sorted({item for item, _ in by_key})  # the sample is sorted by item
    for step in range(6):
        batch, features = steps.sampler.draw(step), steps[step]
        drawn = [names[k] for k in batch.items]
        queries = [(i, pairs.languages[k]) for i, k in zip(drawn, batch.query_languages, strict=True)]
        passages = [(i, pairs.languages[k]) for i, k in zip(drawn, batch.passage_languages, strict=True)]
        assert reader.read(features, "query") == ["Q " + by_key[key]["query"] for key in queries]
        assert reader.read(features, "passage") == ["P " + by_key[key]["passage"] for key in passages]
        assert not any(name.startswith("negative") for name in features)


@pytest.mark.parametrize("strategy", ["hybrid", "mixed"])
def test_the_slices_of_two_processes_put_together_are_the_whole_step(strategy: str) -> None:
    whole, one = make_steps(sample_pairs(), strategy=strategy, batch_size=16)
    sliced, two = make_steps(sample_pairs(), ranks=2, strategy=strategy, batch_size=16)
    assert (len(whole), len(sliced)) == (6, 12)
    for step in range(6):
        features, parts = whole[step], [sliced[2 * step], sliced[2 * step + 1]]
        for name in ("query", "passage"):
            assert one.read(features, name) == two.read(parts[0], name) + two.read(parts[1], name)
            keys = torch.cat([part[f"{name}_keys"] for part in parts])
            assert torch.equal(features[f"{name}_keys"], keys)


def test_an_entry_does_not_depend_on_those_read_before() -> None:
    ahead, one = make_steps(sample_pairs(), batch_size=8)
    again, two = make_steps(sample_pairs(), batch_size=8)
    for step in range(4):
        ahead[step]
    assert one.read(ahead[4], "query") == two.read(again[4], "query")


def shared_keys(features: dict[str, Tensor], queries: str, candidates: str) -> list[list[bool]]:
    a, b = features[f"{queries}_keys"], features[f"{candidates}_keys"]
    found: list[list[bool]] = (a[:, None] == b[None]).any(-1).tolist()
    return found


def test_pairs_share_a_key_if_their_passages_read_the_same(tmp_path: Path) -> None:
    pairs = small_pairs(tmp_path, passage={0: "the same answer", 2: "the same answer"})
    steps, _ = make_steps(pairs, strategy="monolingual", batch_size=4)
    items = steps.sampler.draw(0).items.tolist()
    expected = [[a == b or {a, b} == {0, 2} for b in items] for a in items]
    features = steps[0]
    assert shared_keys(features, "query", "passage") == expected
    assert len(features["passage_input_ids"]) == 3  # the shared text is tokenised once


def test_items_of_one_passage_group_share_a_key(tmp_path: Path) -> None:
    pairs = small_pairs(tmp_path, passage_id={1: "window", 3: "window"})
    steps, _ = make_steps(pairs, strategy="monolingual", batch_size=2)
    english = np.zeros(4, np.int64)
    both = Batch(0, "monolingual", np.arange(4), english, english)
    expected = [[a == b or {a, b} == {1, 3} for b in range(4)] for a in range(4)]
    assert shared_keys(steps.features(both), "query", "passage") == expected


def test_negatives_come_from_the_passages_language_and_only_equal_texts_mask_them(tmp_path: Path) -> None:
    lines = [
        {"item_id": item, "language": code, "query": f"{code} {item}?", "passage": f"{code} {item}."}
        for item in ("a", "b")
        for code in ("en", "de")
    ]
    lines[0]["negatives"] = ["en b.", "en x."]  # type: ignore[assignment]
    lines[1]["negatives"] = ["de x."]  # type: ignore[assignment]
    steps, reader = make_steps(
        write_lines(tmp_path / "n.jsonl", lines), strategy="crosslingual", batch_size=2
    )
    seen = set()
    for step in range(6):
        features, passages = steps[step], reader.read(steps[step], "passage")
        if "P en a." in passages:
            assert reader.read(features, "negative") == ["P en b.", "P en x."]
            masked = [[passage == "P en b.", False] for passage in passages]
        else:
            assert reader.read(features, "negative") == ["P de x."]
            masked = [[False], [False]]
        assert shared_keys(features, "query", "negative") == masked
        seen.add(tuple(passages))
    assert len(seen) > 1


def test_a_batch_without_negatives_has_none(tmp_path: Path) -> None:
    pairs = small_pairs(tmp_path, negatives={0: ["only here"]})
    steps, _ = make_steps(pairs, strategy="english", batch_size=2)
    found = {
        (0 in steps.sampler.draw(step).items): any(name.startswith("negative") for name in steps[step])
        for step in range(6)
    }
    assert found == {True: True, False: False}
