"""LASER2: its preparation of texts, its encoder against a plain LSTM, and damaged files."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import sentencepiece
import torch
from sentence_transformers import SentenceTransformer

from panglot import PanglotError, encode, load_encoder
from panglot.encoders import Laser2, model_sha256
from panglot.encoders.laser import normalise

Array = npt.NDArray[np.float64]
TEXTS = [
    "Warum können Eulen fast lautlos fliegen?",
    "",
    "a hen",
    "The front edge (of a feather) breaks the air: into “tiny” swirls… ☃ and 5 % more",
    "为什么猫头鹰几乎可以无声飞行？",
]

# Written down from laser_encoders 0.0.2 with sacremoses 0.1.0, the authors' own preparation.
PREPARED = {
    "Hello!!! How are you??? I'm doing great.": "hello!!! how are you??? i'm doing great.",
    "Hello, \tWorld! ABC\x1f123": "hello, world! abc 123",
    "(see “this” – or ‘that’)… 5 %": '(see "this" - or "that") ... 5%',
    "« Oui »\u00a0: 3\u00a0000 ; nº\u00a07": '" oui ": 3.000; nº 7',
    "l’été don’t rock’n’roll": "l\"été don't rock'n\"roll",
    "a\u200db `x` ''y'',": "a b 'x' \" y \" ,",
    '"end", he said. "Stop".': '"end," he said. "stop."',
    "( a ) , b": "(a), b",
    " \u00a0x\u00a0": "x",
    "": "",
}


def read_release(folder: Path) -> dict[str, Any]:
    release: dict[str, Any] = torch.load(folder / "laser2.pt", weights_only=True)
    return release


def piece_ids(folder: Path, text: str) -> list[int]:
    """The numbers of a text's pieces as the authors' encoder looks them up; 3 is unknown, 2 the end."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "laser2.spm"))
    dictionary = read_release(folder)["dictionary"]
    return [*(dictionary.get(piece, 3) for piece in pieces.encode(normalise(text), out_type=str)), 2]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def lstm_by_hand(inputs: Array, weights: dict[str, Array], suffix: str) -> Array:
    """One direction of one layer, step by step (Hochreiter and Schmidhuber 1997, with a forget gate)."""
    size = weights[f"weight_hh_{suffix}"].shape[1]
    h, c = np.zeros(size), np.zeros(size)
    states = []
    for x in inputs:
        gates = weights[f"weight_ih_{suffix}"] @ x + weights[f"bias_ih_{suffix}"]
        gates = gates + weights[f"weight_hh_{suffix}"] @ h + weights[f"bias_hh_{suffix}"]
        put, forget, cell, out = gates.reshape(4, size)
        c = sigmoid(forget) * c + sigmoid(put) * np.tanh(cell)
        h = sigmoid(out) * np.tanh(c)
        states.append(h)
    return np.array(states)


def laser_by_hand(folder: Path, text: str) -> Array:
    """The embedding of one text without batches, packing or masks, in double precision."""
    state = {name: value.double().numpy() for name, value in read_release(folder)["model"].items()}
    weights = {name.removeprefix("lstm."): value for name, value in state.items()}
    x = state["embed_tokens.weight"][piece_ids(folder, text)]
    for layer in range(2):
        forth = lstm_by_hand(x, weights, f"l{layer}")
        back = lstm_by_hand(x[::-1], weights, f"l{layer}_reverse")[::-1]
        x = np.concatenate([forth, back], axis=1)
    highest: Array = x.max(axis=0)
    return highest


@pytest.fixture(scope="module")
def laser(laser_release: Path) -> SentenceTransformer:
    return load_encoder(str(laser_release / "laser2.pt"), device="cpu")


@pytest.fixture
def folder(laser_release: Path, tmp_path: Path) -> Path:
    """A copy of the release that a test may spoil."""
    shutil.copytree(laser_release, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("text", PREPARED)
def test_texts_are_prepared_as_by_the_authors(text: str) -> None:
    assert normalise(text) == PREPARED[text]


def test_pieces_are_numbered_by_the_dictionary_and_end_in_2(
    laser: SentenceTransformer, laser_release: Path
) -> None:
    module = laser[0]
    assert isinstance(module, Laser2)
    ids = module.token_ids(TEXTS)
    assert ids == [piece_ids(laser_release, text) for text in TEXTS]
    assert ids[1] == [2]
    assert 3 in ids[3]  # the snowman
    assert 3 not in ids[2]


@pytest.mark.parametrize("text", TEXTS)
def test_embeddings_are_those_of_an_lstm_written_out(
    laser: SentenceTransformer, laser_release: Path, text: str
) -> None:
    with torch.no_grad():
        ours = laser[0](laser.preprocess([text]))["sentence_embedding"][0].numpy()
    assert np.abs(ours - laser_by_hand(laser_release, text)).max() < 1e-6


def test_a_batch_gives_what_each_text_gives_alone(laser: SentenceTransformer, laser_release: Path) -> None:
    rows = np.array([laser_by_hand(laser_release, text) for text in TEXTS])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.abs(encode(laser, TEXTS) - rows).max() < 1e-6
    assert np.abs(laser.encode(TEXTS) - rows).max() < 1e-6


def test_a_long_text_is_read_whole(laser: SentenceTransformer, laser_release: Path) -> None:
    text = "swirl " * 700 + "hen"
    row = laser_by_hand(laser_release, text)
    assert len(piece_ids(laser_release, text)) > 700
    ours = encode(laser, [text, "a hen"])[0]
    assert np.abs(ours - row / np.linalg.norm(row)).max() < 1e-6


def test_a_text_is_cut_at_the_maximum_length_and_keeps_its_end(laser_release: Path) -> None:
    encoder = load_encoder(str(laser_release), max_length=8, device="cpu")
    module = encoder[0]
    assert isinstance(module, Laser2)
    whole = piece_ids(laser_release, TEXTS[0])
    assert len(whole) > 8
    assert module.token_ids(TEXTS[:2]) == [[*whole[:7], 2], [2]]


def test_neither_prompts_nor_a_limit_come_with_it(laser: SentenceTransformer) -> None:
    assert laser.prompts == {"query": "", "document": ""}
    assert laser.max_seq_length is None
    assert laser.get_embedding_dimension() == 10


def test_every_weight_gets_a_gradient_but_the_padding(laser_release: Path) -> None:
    module = Laser2.from_release(laser_release / "laser2.pt")
    module(module.preprocess(TEXTS))["sentence_embedding"].square().sum().backward()
    gradients = {name: weight.grad for name, weight in module.named_parameters()}
    assert len(gradients) == 1 + 2 * 2 * 4  # a table, and 2 layers in 2 directions with 4 tensors each
    for gradient in gradients.values():
        assert gradient is not None
        assert torch.isfinite(gradient).all()
        assert gradient.any()
    table = gradients["embed_tokens.weight"]
    assert table is not None
    assert not table[1].any()


def in_the_old_format(folder: Path) -> None:
    torch.save(read_release(folder), folder / "laser2.pt", _use_new_zipfile_serialization=False)


def with_all_weights_in_one_tensor(folder: Path) -> None:
    """As a GPU leaves the weights of an LSTM; safetensors does not save such tensors as they are."""
    release = read_release(folder)
    flat = torch.cat([weight.flatten() for weight in release["model"].values()])
    at = 0
    for name, weight in release["model"].items():
        release["model"][name] = flat[at : at + weight.numel()].view(weight.shape)
        at += weight.numel()
    torch.save(release, folder / "laser2.pt")


@pytest.mark.parametrize("change", [None, in_the_old_format, with_all_weights_in_one_tensor])
def test_load_encoder_gives_the_saved_model_back(
    laser: SentenceTransformer, folder: Path, tmp_path: Path, change: Callable[[Path], None] | None
) -> None:
    if change is not None:
        change(folder)
    encoder = load_encoder(str(folder), max_length=12, device="cpu")
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    again = load_encoder(str(tmp_path / "saved"), device="cpu")
    assert model_sha256(again) == model_sha256(laser)
    assert again.max_seq_length == 12
    assert again.prompts == {"query": "", "document": ""}
    assert np.array_equal(encode(again, TEXTS), encode(encoder, TEXTS))


def test_weights_saved_in_16_bits_are_loaded_in_32(folder: Path) -> None:
    release = read_release(folder)
    release["model"] = {name: value.half() for name, value in release["model"].items()}
    torch.save(release, folder / "laser2.pt")
    encoder = load_encoder(str(folder), device="cpu")
    assert {weight.dtype for weight in encoder.parameters()} == {torch.float32}
    assert torch.equal(encoder.state_dict()["0.lstm.bias_hh_l0"].half(), release["model"]["lstm.bias_hh_l0"])


class Touch:
    """A pickle that makes a file when it is loaded without care."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("with_torch", [True, False])
def test_code_in_the_file_is_refused_and_not_run(folder: Path, with_torch: bool) -> None:
    marker = folder / "was-run"
    release = {**read_release(folder), "params": Touch(marker)}
    if with_torch:
        torch.save(release, folder / "laser2.pt")
    else:
        (folder / "laser2.pt").write_bytes(pickle.dumps(release, protocol=2))
    with pytest.raises(PanglotError, match=r"laser2\.pt: cannot be read, .* code in it is never run"):
        load_encoder(str(folder))
    assert not marker.exists()


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_named(folder: Path, kept: float, old: bool) -> None:
    if old:
        in_the_old_format(folder)
    path = folder / "laser2.pt"
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(PanglotError, match=r"laser2\.pt: cannot be read, because it is damaged"):
        load_encoder(str(folder))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("params", None, "has no 'params'"),
        ("model", None, "has no 'model'"),
        ("dictionary", None, "has no 'dictionary'"),
        *((f"params.{size}", 1, "is not a LASER2 encoder") for size in ("num_embeddings", "num_layers")),
        ("params.hidden_size", 1, "is not a LASER2 encoder"),
        ("params.num_embeddings", None, "is not a LASER2 encoder .*num_embeddings"),
        *(("dictionary.▁hen", value, "its dictionary points outside") for value in (-1, 100_000, "7")),
    ],
)
def test_a_release_with_a_wrong_or_missing_part_is_refused(
    folder: Path, path: str, value: int | str | None, message: str
) -> None:
    """Value: what a size grows by or a token's number; None: the part is missing."""
    release = read_release(folder)
    *outer, name = path.split(".")
    part = release[outer[0]] if outer else release
    if value is None:
        del part[name]
    else:
        part[name] = part[name] + value if outer == ["params"] else value
    torch.save(release, folder / "laser2.pt")
    with pytest.raises(PanglotError, match=rf"laser2\.pt: .*{message}"):
        load_encoder(str(folder))


def test_a_missing_sentencepiece_model_is_named(folder: Path) -> None:
    (folder / "laser2.spm").unlink()
    with pytest.raises(PanglotError, match=r"the SentencePiece model laser2\.spm is missing"):
        load_encoder(str(folder))


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_damaged_sentencepiece_model_is_named(folder: Path, content: bytes) -> None:
    (folder / "laser2.spm").write_bytes(content)
    with pytest.raises(PanglotError, match=r"laser2\.pt: is not a LASER2 encoder with laser2\.spm"):
        load_encoder(str(folder))


def test_it_has_a_name_once_it_is_fetched(
    laser: SentenceTransformer, laser_release: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PANGLOT_DATA", str(tmp_path))
    with pytest.raises(PanglotError, match="'laser2' is not here; fetch it with 'panglot data get laser2'"):
        load_encoder("laser2")
    shutil.copytree(laser_release, tmp_path / "laser2")
    assert model_sha256(load_encoder("laser2", device="cpu")) == model_sha256(laser)


@pytest.mark.parametrize("name", ["laser2.json", "dictionary.json", "sentencepiece.model"])
def test_a_saved_model_without_one_of_its_files_is_named(
    laser: SentenceTransformer, tmp_path: Path, name: str
) -> None:
    laser.save_pretrained(str(tmp_path), create_model_card=False)
    assert json.loads((tmp_path / "dictionary.json").read_text(encoding="utf-8"))["</s>"] == 2
    (tmp_path / name).unlink()
    with pytest.raises(PanglotError, match=f"has no {name}"):
        load_encoder(str(tmp_path))
