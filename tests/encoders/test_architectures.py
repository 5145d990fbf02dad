"""Every architecture by the one loading path: a small random checkpoint of each, laid out as on the hub."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from architectures import ARCHITECTURES, KINDS, POSITIONS, Architecture, make_checkpoint, write
from safetensors.torch import load_file
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoModel

import panglot
from panglot import PanglotError, encode, load_encoder, sample_pairs
from panglot.encoders import model_sha256, passage_prompt, query_prompt, token_lengths

Vector = npt.NDArray[np.float32]

TEXTS = [
    "Why can owls fly almost without a sound?",
    "a hen",
    "Die Vorderkante ihrer Schwungfedern ist wie ein Kamm gezähnt und zerteilt die Luft in winzige Wirbel. "
    "Eine weiche, samtige Oberfläche dämpft das übrige Geräusch.",
    "为什么，猫头鹰几乎可以无声飞行？",
]


def by_hand(folder: Path, architecture: Architecture, text: str) -> Vector:
    """Embed one text, without padding, by no more than its tokenizer, its transformer and its matrices."""
    ids = KINDS[architecture.kind].ids(folder, text)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        states = model(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids))).last_hidden_state[0]
    pooled = {"cls": states[0], "lasttoken": states[-1]}.get(architecture.pooling or "mean", states.mean(0))
    for number, (activation, _, _) in enumerate(architecture.dense, start=2):
        layer = load_file(folder / f"{number}_Dense" / "model.safetensors")
        pooled = layer["linear.weight"] @ pooled + layer.get("linear.bias", torch.tensor(0.0))
        pooled = torch.tanh(pooled) if activation == "Tanh" else pooled
    vector: Vector = (pooled / pooled.norm()).numpy()
    return vector


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of an architecture's checkpoint, which is made when it is first asked for."""
    home = tmp_path_factory.mktemp("hub")

    def folder(name: str) -> Path:
        if not (home / name).exists():
            make_checkpoint(home / name, name)
        return home / name

    return folder


@pytest.fixture(params=[*ARCHITECTURES, "laser2.pt"])
def model_name(
    request: pytest.FixtureRequest, checkpoints: Callable[[str], Path], laser_release: Path
) -> str:
    """What ``load_encoder`` is given, for each architecture."""
    name: str = request.param
    if name in ARCHITECTURES:
        return str(checkpoints(name))
    return str(laser_release / name) if name == "laser2.pt" else name


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_pooling_and_prompts_are_the_models_own(checkpoints: Callable[[str], Path], name: str) -> None:
    architecture = ARCHITECTURES[name]
    encoder = load_encoder(str(checkpoints(name)), device="cpu")
    assert (query_prompt(encoder), passage_prompt(encoder)) == architecture.prompts
    pooling = encoder[1]
    assert isinstance(pooling, Pooling)
    assert pooling.pooling_mode == (architecture.pooling or "mean")
    assert encoder.max_seq_length == POSITIONS
    assert {weight.dtype for weight in encoder.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_embeddings_are_those_of_one_text_worked_by_hand(
    checkpoints: Callable[[str], Path], name: str
) -> None:
    folder, architecture = checkpoints(name), ARCHITECTURES[name]
    encoder = load_encoder(str(folder), device="cpu")
    prompt = query_prompt(encoder)
    expected = np.array([by_hand(folder, architecture, prompt + text) for text in TEXTS])
    assert np.abs(encode(encoder, TEXTS, prompt) - expected).max() < 1e-5
    assert np.abs(expected[0] - expected[1]).max() > 1e-2  # the texts do differ


def test_batches_and_padding_change_nothing(model_name: str) -> None:
    encoder = load_encoder(model_name, device="cpu")
    prompt = query_prompt(encoder)
    alone = [encoder.encode([text], prompt=prompt or None, normalize_embeddings=True)[0] for text in TEXTS]
    assert token_lengths(encoder, TEXTS, prompt).max() > 20
    for budget in (4096, 200):
        assert np.abs(encode(encoder, TEXTS, prompt, token_budget=budget) - np.array(alone)).max() < 1e-5


def test_training_changes_the_weights_and_saves_what_loads_again(model_name: str, tmp_path: Path) -> None:
    encoder = load_encoder(model_name, device="cpu", max_length=48)
    before, prompts = model_sha256(encoder), (query_prompt(encoder), passage_prompt(encoder))
    training = panglot.train(encoder, [sample_pairs()], tmp_path / "run", batch_size=8, steps=2)
    losses = [entry["loss"] for entry in training.log if "loss" in entry]
    assert training.finished
    assert losses
    assert np.isfinite(losses).all()
    assert model_sha256(encoder) != before
    assert all(torch.isfinite(weight).all() for weight in encoder.parameters())
    again = load_encoder(str(tmp_path / "run"), device="cpu")
    assert (query_prompt(again), passage_prompt(again)) == prompts
    assert again.max_seq_length == 48
    assert model_sha256(again) == model_sha256(encoder)
    assert np.abs(encode(again, TEXTS) - encode(encoder, TEXTS)).max() < 1e-6


def test_another_dtype_can_be_asked_for(checkpoints: Callable[[str], Path]) -> None:
    for name in ("Qwen3-Embedding-0.6B", "LaBSE"):
        encoder = load_encoder(str(checkpoints(name)), device="cpu", dtype=torch.bfloat16)
        assert {weight.dtype for weight in encoder.parameters()} == {torch.bfloat16}


def test_prompts_that_a_copy_of_e5_carries_are_kept(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "multilingual-e5-small"
    shutil.copytree(checkpoints("multilingual-e5-small"), folder)
    write(folder / "config_sentence_transformers.json", {"prompts": {"query": "", "document": "say: "}})
    encoder = load_encoder(str(folder), device="cpu")
    assert (query_prompt(encoder), passage_prompt(encoder)) == ("", "say: ")


def test_a_model_of_another_name_gets_no_prompts_of_e5(
    checkpoints: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "my-multilingual-e5-small"
    shutil.copytree(checkpoints("multilingual-e5-small"), folder)
    encoder = load_encoder(str(folder), device="cpu")
    assert (query_prompt(encoder), passage_prompt(encoder)) == ("", "")


@pytest.mark.parametrize("code", ["beside the weights", "in another repository"])
def test_a_model_with_code_of_its_own_asks_for_trust(
    checkpoints: Callable[[str], Path], tmp_path: Path, code: str
) -> None:
    """gte-multilingual-base as Alibaba-NLP keeps it: model type "new", its code in another repository."""
    folder = tmp_path / "gte-multilingual-base"
    shutil.copytree(checkpoints("gte-multilingual-base"), folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    where = "Alibaba-NLP/new-impl--" if code == "in another repository" else ""
    places = {"AutoConfig": "configuration.NewConfig", "AutoModel": "modeling.NewModel"}
    config |= {"model_type": "new", "auto_map": {auto: where + place for auto, place in places.items()}}
    write(folder / "config.json", config)
    marker = tmp_path / "was-run"
    for name in ("configuration.py", "modeling.py"):
        (folder / name).write_text(f"open({str(marker)!r}, 'w')", encoding="utf-8")
    with pytest.raises(PanglotError, match=r"gte-multilingual-base' cannot be loaded .* --trust-remote-code"):
        load_encoder(str(folder))
    assert not marker.exists()


def test_code_is_run_where_it_is_trusted(checkpoints: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "own-code"
    shutil.copytree(checkpoints("multilingual-e5-small"), folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "new", "auto_map": {"AutoConfig": "own.NewConfig", "AutoModel": "own.NewModel"}}
    write(folder / "config.json", config)
    (folder / "own.py").write_text(
        "from transformers import BertConfig, BertModel\n"
        "class NewConfig(BertConfig):\n    model_type = 'new'\n"
        "class NewModel(BertModel):\n    config_class = NewConfig\n",
        encoding="utf-8",
    )
    trusted = load_encoder(str(folder), device="cpu", trust_remote_code=True)
    native = load_encoder(str(checkpoints("multilingual-e5-small")), device="cpu")
    assert type(trusted[0].model).__name__ == "NewModel"
    assert np.abs(encode(trusted, TEXTS) - encode(native, TEXTS)).max() < 1e-6
