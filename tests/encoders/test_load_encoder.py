"""Any encoder by name, path or hub id."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from panglot import PanglotError, encode, load_encoder
from panglot.encoders import cut_at, max_length_of, model_sha256, passage_prompt, query_prompt, token_lengths
from panglot.encoders.names import card_head

FOREIGN = """from pathlib import Path
Path({marker!r}).touch()
from sentence_transformers.base.modules import InputModule
class Encoder(InputModule):
    pass
"""


@pytest.fixture(scope="module")
def tiny_xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raw XLM-R that reads small letters, with 66 positions: 64 tokens, and no limit in its tokenizer."""
    folder = tmp_path_factory.mktemp("tiny-xlmr")
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", *"abcdefghijklmnopqrstuvwxyz PQ:"]
    number = {token: k for k, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordLevel(number, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)  # type: ignore[no-untyped-call]
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    config = XLMRobertaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66,
    )
    XLMRobertaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(params=["xlm-r", "bert"])
def raw(request: pytest.FixtureRequest, tiny_xlmr: Path, tiny_checkpoint: Path) -> Path:
    return tiny_xlmr if request.param == "xlm-r" else tiny_checkpoint


def test_a_raw_checkpoint_gets_mean_pooling(raw: Path) -> None:
    text = "a hen and a duck"
    tokens = AutoTokenizer.from_pretrained(raw)(text, return_tensors="pt")
    with torch.no_grad():
        states = AutoModel.from_pretrained(raw)(**tokens).last_hidden_state[0]
    mean = states.mean(0) / states.mean(0).norm()
    encoder = load_encoder(str(raw), device="cpu")
    ours = encode(encoder, [text, "a much longer text beside it is padded"])[0]
    assert np.abs(ours - mean.numpy()).max() < 1e-5


def test_a_raw_checkpoint_gets_prompts(raw: Path) -> None:
    encoder = load_encoder(str(raw), device="cpu")
    assert (query_prompt(encoder), passage_prompt(encoder)) == ("Query: ", "Passage: ")


def test_a_raw_checkpoint_reads_as_many_tokens_as_it_has_positions(tiny_xlmr: Path) -> None:
    encoder = load_encoder(str(tiny_xlmr), device="cpu")
    assert encoder.max_seq_length == 64
    cut, full = encode(encoder, ["ab" * 100, "ab" * 31])  # 62 letters and two ends
    assert np.abs(cut - full).max() < 1e-6


@pytest.mark.parametrize(
    ("kind", "most"),
    [("mpnet", 64), ("bert", 66), ("camembert", 64)],  # all but BERT count from the padding id on
)
def test_the_longest_text_is_what_the_positions_hold(
    kind: str, most: int, tiny_xlmr: Path, tmp_path: Path
) -> None:
    facts = AutoConfig.from_pretrained(tiny_xlmr).to_dict()
    settings = {name: facts[name] for name in ("vocab_size", "hidden_size", "num_hidden_layers")}
    shutil.copytree(tiny_xlmr, tmp_path / "model")
    settings |= {"num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 66}
    make: Any = AutoModel.from_config
    make(AutoConfig.for_model(kind, **settings)).save_pretrained(tmp_path / "model")
    encoder = load_encoder(str(tmp_path / "model"), device="cpu")
    assert encoder.max_seq_length == most
    assert encode(encoder, ["ab" * 100]).shape == (1, 16)


def test_a_maximum_length_is_between_8_and_the_positions(tiny_xlmr: Path) -> None:
    assert load_encoder(str(tiny_xlmr), max_length=10, device="cpu").max_seq_length == 10
    for length, limit in ((65, 64), (2, 8)):
        with pytest.raises(PanglotError, match=f"{limit}"):
            load_encoder(str(tiny_xlmr), max_length=length, device="cpu")


def test_a_saved_sentence_transformer_keeps_its_pooling_and_prompts(
    tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    prompts = {"query": "ask: ", "passage": "answer: "}
    pooling = Pooling(tiny_encoder.get_embedding_dimension(), pooling_mode="cls")
    own = SentenceTransformer(modules=[tiny_encoder[0], pooling], prompts=prompts, device="cpu")
    own.save_pretrained(str(tmp_path))
    again = load_encoder(str(tmp_path), device="cpu")
    assert (query_prompt(again), passage_prompt(again)) == ("ask: ", "answer: ")
    pooled = again[1]
    assert isinstance(pooled, Pooling)
    assert pooled.pooling_mode == "cls"


def test_a_checkpoint_without_a_pooler_is_the_same_at_each_loading(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "without"
    shutil.copytree(raw, folder)
    weights = load_file(folder / "model.safetensors")
    without = {name: value for name, value in weights.items() if not name.startswith("pooler")}
    assert len(without) == len(weights) - 2
    save_file(without, folder / "model.safetensors", metadata={"format": "pt"})
    sums = {model_sha256(load_encoder(str(place), device="cpu")) for place in (folder, folder, raw)}
    assert len(sums) == 1


def test_a_checkpoint_that_lacks_weights_is_refused(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lacking"
    shutil.copytree(raw, folder)
    weights = load_file(folder / "model.safetensors")
    lost = [name for name in weights if "layer.0.attention.self.query" in name]
    save_file(
        {name: value for name, value in weights.items() if name not in lost},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(PanglotError, match=r"lacks 2 of the model's \d+ weights \(the first is .*query"):
        load_encoder(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        *((name, "is not a model: there is no such folder") for name in ("no-such", "/no/such", "a/b/c")),
        ("runs/seed-0", "is not a model: there is no such folder"),  # not looked up on the hub: runs is here
        ("nobody/no-such-model", "cannot be loaded as an encoder.*HF_HUB_OFFLINE"),
        ("runs", "cannot be loaded as an encoder"),
    ],
)
def test_what_is_no_model_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(PanglotError, match=f"'{name}' {message}"):
        load_encoder(name)


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def silent(self: object, name: str, **settings: object) -> None:
        asked.append(name)
        raise OSError("the network is down")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", silent)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(PanglotError, match="check the network and the proxy"):
        load_encoder("nobody/no-such-model")
    assert asked == ["nobody/no-such-model"]


@pytest.mark.parametrize("beside", [[], ["panglot.encoders.laser.Laser2"]])
def test_a_foreign_module_is_refused_and_not_run(tmp_path: Path, beside: list[str]) -> None:
    marker = tmp_path / "was-run"
    (tmp_path / "foreign.py").write_text(FOREIGN.format(marker=str(marker)), encoding="utf-8")
    kinds = ["foreign.Encoder", *beside]
    modules = [{"idx": k, "name": str(k), "path": "", "type": kind} for k, kind in enumerate(kinds)]
    (tmp_path / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    with pytest.raises(PanglotError, match="cannot be loaded as an encoder"):
        load_encoder(str(tmp_path))
    assert not marker.exists()


def test_the_hash_of_the_weights_is_over_names_shapes_and_values() -> None:
    layer = torch.nn.Linear(1, 2)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[1.0], [2.0]])
        layer.bias[:] = torch.tensor([0.5, -1.0])
    model = SentenceTransformer(modules=[layer], device="cpu")
    bias, weight = np.array([0.5, -1], np.float32), np.array([1, 2], np.float32)
    expected = b"0.bias (2,) torch.float32" + bias.tobytes()
    expected += b"0.weight (2, 1) torch.float32" + weight.tobytes()
    assert model_sha256(model) == hashlib.sha256(expected).hexdigest()


def test_the_hash_changes_with_one_value(tiny_encoder: SentenceTransformer) -> None:
    before = model_sha256(tiny_encoder)
    with torch.no_grad():
        next(tiny_encoder.parameters()).view(-1)[-1] += 1e-3
    assert model_sha256(tiny_encoder) != before


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_checkpoint_with_a_weight_that_is_not_finite_is_refused(
    raw: Path, tmp_path: Path, value: float
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(raw, folder)
    weights = load_file(folder / "model.safetensors")
    next(weight for name, weight in weights.items() if "query.weight" in name)[0, 0] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PanglotError, match="weights that are infinite or not a number"):
        load_encoder(str(folder), device="cpu")


def test_a_model_that_reads_texts_whole_is_loaded(
    static_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    static_encoder.save(str(tmp_path))
    model = load_encoder(str(tmp_path), device="cpu")
    assert max_length_of(model) is None
    assert token_lengths(model, ["a" * 600]).tolist() == [600]
    with cut_at(model, None):
        np.testing.assert_array_equal(encode(model, ["a"]), encode(static_encoder, ["a"]))
    with pytest.raises(PanglotError, match="reads texts whole"):
        load_encoder(str(tmp_path), device="cpu", max_length=64)


def test_the_head_of_a_card_names_norwegian() -> None:
    head = card_head(["de", "no"], ["panglot"])
    assert yaml.safe_load(head.strip("-\n"))["language"] == ["de", "no"]  # no alone is false in YAML
