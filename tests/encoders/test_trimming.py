"""Trimmed encoders: texts of kept pieces keep their embeddings, costs are told, and mistakes are refused."""

import json
import unicodedata
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.normalizers import Replace
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel, Metaspace, Split
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordPieceTrainer
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    Gemma3TextConfig,
    Gemma3TextModel,
    GemmaTokenizer,
    Qwen2Config,
    Qwen2Model,
    Qwen2Tokenizer,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizer,
)

from panglot import PanglotError, encode, load_encoder, sample_pairs
from panglot.data import pairs_from_rows
from panglot.encoders import model_sha256
from panglot.encoders import vocabulary as module
from panglot.encoders.trimming import count_pieces, lines_of, trim_encoder
from panglot.encoders.vocabulary import (
    Vocabulary,
    basic_ids,
    cut_tokenizer,
    number_anew,
    special_ids,
    vocabulary_of,
    with_parts,
)

KINDS = ["unigram", "wordpiece", "byte-level", "byte-fallback"]
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 300,
}
SPARE = 7  # rows of the table beyond the tokenizer's pieces, as real checkpoints have them


def texts_in(*languages: str) -> list[str]:
    pairs = sample_pairs().select(languages=languages)
    rows = pairs.index.entry_row
    assert rows is not None
    return [*pairs.texts("query", rows), *pairs.texts("passage", rows)]


def with_prompts(*languages: str) -> list[str]:
    texts = texts_in(*languages)
    half = len(texts) // 2
    return [*("Query: " + text for text in texts[:half]), *("Passage: " + text for text in texts[half:])]


def trained(model: Any, trainer: Any, before: Any, normalizer: Any = None) -> Any:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = before
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(texts_in(*sample_pairs().languages), trainer)
    return json.loads(tokenizer.to_str())["model"]


def unigram() -> tuple[Any, Any]:
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = UnigramTrainer(vocab_size=3000, special_tokens=names, unk_token="<unk>", show_progress=False)
    found = trained(Unigram(), trainer, Metaspace())
    vocabulary = [*map(tuple, found["vocab"]), ("<mask>", 0.0)]
    config = XLMRobertaConfig(vocab_size=len(vocabulary) + SPARE, **SIZES)
    return XLMRobertaTokenizer(vocab=vocabulary), XLMRobertaModel(config)


def wordpiece() -> tuple[Any, Any]:
    trainer = WordPieceTrainer(vocab_size=3000, show_progress=False, limit_alphabet=700)
    found = trained(WordPiece(unk_token="[UNK]"), trainer, BertPreTokenizer())
    names = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]  # as in mBERT
    vocabulary = {piece: k for k, piece in enumerate([*names, *found["vocab"]])}
    config = BertConfig(vocab_size=len(vocabulary), **SIZES)
    return BertTokenizer(vocab=vocabulary, do_lower_case=False), BertModel(config)


def byte_level() -> tuple[Any, Any]:
    trainer = BpeTrainer(vocab_size=3000, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    found = trained(BPE(), trainer, ByteLevel(add_prefix_space=False))
    merges: Any = [tuple(merge) for merge in found["merges"]]
    tokenizer = Qwen2Tokenizer(vocab=found["vocab"], merges=merges)  # its special token comes behind
    end = tokenizer.eos_token_id
    config = Qwen2Config(
        vocab_size=end + 1 + SPARE, num_key_value_heads=2, pad_token_id=end, eos_token_id=end, **SIZES
    )
    return tokenizer, Qwen2Model(config)


def byte_fallback() -> tuple[Any, Any]:
    trainer = BpeTrainer(vocab_size=3000, limit_alphabet=400, show_progress=False)
    found = trained(BPE(), trainer, Split(" ", "merged_with_previous"), Replace(" ", "▁"))
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = {piece: k for k, piece in enumerate([*names, *found["vocab"]])}
    merges: Any = [tuple(merge) for merge in found["merges"]]
    tokenizer = GemmaTokenizer(vocab=vocabulary, merges=merges)
    config = Gemma3TextConfig(vocab_size=len(vocabulary), num_key_value_heads=2, head_dim=8, **SIZES)
    return tokenizer, Gemma3TextModel(config)


MAKE: dict[str, Callable[[], tuple[Any, Any]]] = {
    "unigram": unigram,
    "wordpiece": wordpiece,
    "byte-level": byte_level,
    "byte-fallback": byte_fallback,
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Raw checkpoints with two random layers; tokenizers of 3,000 pieces for all of the sample."""
    folders = {}
    for kind, make in MAKE.items():
        folders[kind] = tmp_path_factory.mktemp(kind)
        torch.manual_seed(0)
        tokenizer, transformer = make()
        tokenizer.model_max_length = 250
        tokenizer.save_pretrained(folders[kind])
        transformer.save_pretrained(folders[kind])
    return folders


Trimmed = tuple[SentenceTransformer, SentenceTransformer, dict[str, Any]]


@pytest.fixture(scope="module")
def trimmed(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trimmed]:
    """By kind: the whole model, the one trimmed to English, Greek and Chinese texts, and the facts."""
    found = {}
    for kind, folder in checkpoints.items():
        whole = load_encoder(str(folder), device="cpu")
        output = tmp_path_factory.mktemp("trimmed") / kind
        facts = trim_encoder(whole, output, pairs=[sample_pairs()], languages=["en", "el", "zh"], name=kind)
        found[kind] = (whole, load_encoder(str(output), device="cpu"), facts)
    return found


def tokens(model: SentenceTransformer, text: str) -> list[str]:
    tokenizer: Any = model.tokenizer
    return list(tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]))


def transformer(model: SentenceTransformer) -> Any:
    module: Any = model[0]
    return module.model


def pieces(model: SentenceTransformer) -> set[str]:
    tokenizer: Any = model.tokenizer
    return set(tokenizer.get_vocab())


@pytest.mark.parametrize("kind", KINDS)
def test_given_texts_keep_their_tokens_and_embeddings(trimmed: dict[str, Trimmed], kind: str) -> None:
    whole, smaller, _ = trimmed[kind]
    texts = with_prompts("en", "el", "zh")
    assert [tokens(whole, text) for text in texts] == [tokens(smaller, text) for text in texts]
    assert np.abs(encode(whole, texts) - encode(smaller, texts)).max() < 1e-6
    assert smaller.prompts == whole.prompts
    assert smaller.max_seq_length == whole.max_seq_length == 250


def texts_like(*languages: str, ends: tuple[str, ...] = ("",)) -> st.SearchStrategy[str]:
    """Words of some languages with or without an end, and nonsense in their letters."""
    words = sorted({word for text in texts_in(*languages) for word in text.split()})
    nonsense = st.text(st.sampled_from(sorted(set("".join(words)))), min_size=1, max_size=4)
    parts = st.tuples(st.sampled_from(words) | nonsense, st.sampled_from(ends)).map("".join)
    return st.lists(parts, max_size=6).map(" ".join)


ODD = texts_like("en", "el", "zh", "de", "ru", ends=("", "ᚠ", "ᚢᚦ", "😀", "<unk>", "[UNK]"))


@pytest.fixture(scope="module")
def vocabularies(trimmed: dict[str, Trimmed]) -> dict[str, Vocabulary]:
    return {kind: vocabulary_of(whole) for kind, (whole, _, _) in trimmed.items()}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(texts=st.lists(ODD, min_size=1, max_size=8))
def test_whatever_is_counted_is_read_as_before(
    vocabularies: dict[str, Vocabulary], kind: str, texts: list[str]
) -> None:
    vocabulary = vocabularies[kind]
    state, needed = vocabulary.state, set(np.flatnonzero(count_pieces(vocabulary, [texts])).tolist())
    special = special_ids(state)
    keep = with_parts(state, needed | special | basic_ids(state))
    assert len(keep) < len(vocabulary.pieces) / 2
    smaller = Tokenizer.from_str(json.dumps(cut_tokenizer(state, number_anew(state, keep, special))))
    assert vocabulary.tokenizer is not None
    for text in texts:
        assert smaller.encode(text).tokens == vocabulary.tokenizer.encode(text).tokens


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, deadline=None)
@given(text=texts_like("en", "el", "zh"))
def test_other_texts_made_of_kept_pieces_are_read_as_before(
    trimmed: dict[str, Trimmed], kind: str, text: str
) -> None:
    whole, smaller, _ = trimmed[kind]
    before = tokens(whole, text)
    assume(set(before) <= pieces(smaller) and "[UNK]" not in before)  # where it got stuck does not show
    assert tokens(smaller, text) == before


@pytest.mark.parametrize("kind", KINDS)
def test_any_word_in_the_kept_scripts_can_be_spelled(trimmed: dict[str, Trimmed], kind: str) -> None:
    whole, smaller, _ = trimmed[kind]
    unknown = whole.tokenizer.unk_token
    letters = {
        letter for text in texts_in("el") for letter in text if "GREEK" in unicodedata.name(letter, "")
    }
    known = [letter for letter in sorted(letters) if unknown not in tokens(whole, letter + letter)]
    assert len(known) > 20
    word = "".join(reversed(known))
    assert len(tokens(smaller, word)) > 5
    assert unknown not in tokens(smaller, word)


def test_pieces_of_other_languages_are_gone(trimmed: dict[str, Trimmed]) -> None:
    for kind in ("unigram", "wordpiece", "byte-fallback"):
        whole, smaller, _ = trimmed[kind]
        vocabulary = vocabulary_of(whole)
        # Unigram keeps its lowest piece, which may be in any script: training is not the same each time
        lowest = {vocabulary.pieces[number] for number in basic_ids(vocabulary.state)}
        for script in ("CYRILLIC", "THAI", "ARABIC", "DEVANAGARI"):
            ends = ((piece, piece[-1]) for piece in pieces(whole))  # the Arabic comma is in no script
            own = {piece for piece, end in ends if end.isalpha() and script in unicodedata.name(end, "")}
            assert len(own) > 50
            assert not own & pieces(smaller) - lowest


@pytest.mark.parametrize("kind", KINDS)
def test_the_facts_count_what_is_gone(trimmed: dict[str, Trimmed], kind: str) -> None:
    whole, smaller, facts = trimmed[kind]
    gone = len(pieces(whole)) - len(pieces(smaller))
    assert facts["pieces"] == {"before": len(pieces(whole)), "after": len(pieces(smaller))}
    rows = gone + (SPARE if kind in ("unigram", "byte-level") else 0)
    parameters = facts["parameters"]
    assert parameters["before"] - parameters["after"] == 16 * rows > 16 * 1000
    assert facts["bytes"] == {when: 4 * number for when, number in parameters.items()}
    assert (facts["model"]["sha256"], facts["sha256"]) == (model_sha256(whole), model_sha256(smaller))
    assert facts["scripts"] == ["Bopo", "Grek", "Hani", "Latn", "Zinh", "Zyyy"]
    assert facts["counted"]["dropped"] == facts["cost"]["given"]["tokens_changed"] == 0
    read = sum(len(tokens(whole, text)) for text in with_prompts("en", "el", "zh"))
    if kind == "wordpiece":
        assert read <= facts["counted"]["tokens"] < 1.01 * read  # and pieces at which it got stuck
    else:
        assert read == facts["counted"]["tokens"]


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_keep_their_part(trimmed: dict[str, Trimmed], kind: str) -> None:
    whole, smaller, _ = trimmed[kind]
    old, new = whole.tokenizer, smaller.tokenizer
    assert new.special_tokens_map == old.special_tokens_map
    assert transformer(smaller).config.vocab_size == len(pieces(smaller))
    assert transformer(smaller).config.pad_token_id == new.pad_token_id
    if kind != "byte-level":  # there it is behind all others
        assert (new.pad_token_id, new.unk_token_id) == (old.pad_token_id, old.unk_token_id)


def test_the_whole_model_is_left_alone(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    model = load_encoder(str(checkpoints["unigram"]), device="cpu")
    before, size = model_sha256(model), transformer(model).config.vocab_size
    trim_encoder(model, tmp_path / "small", languages=["en"])
    assert (model_sha256(model), transformer(model).config.vocab_size) == (before, size)
    assert transformer(model).get_input_embeddings().weight.shape[0] == size


@pytest.mark.parametrize("kind", KINDS)
def test_an_added_token_without_an_embedding_is_dropped(
    checkpoints: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    model = load_encoder(str(checkpoints[kind]), device="cpu")
    rows = transformer(model).get_input_embeddings().num_embeddings
    missing = rows - len(model.tokenizer) + 1
    model.tokenizer.add_tokens([f"<image{k}>" for k in range(missing)], special_tokens=True)
    trim_encoder(model, tmp_path / "small", languages=["en"])
    texts = ["Owls fly at night.", "The moon is far."]
    small = load_encoder(str(tmp_path / "small"), device="cpu")
    assert encode(small, texts) == pytest.approx(encode(model, texts), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_pairs_whole_scripts_stay(checkpoints: dict[str, Path], tmp_path: Path, kind: str) -> None:
    whole = load_encoder(str(checkpoints[kind]), device="cpu")
    facts = trim_encoder(whole, tmp_path / "small", languages=["ru"])
    smaller = load_encoder(str(tmp_path / "small"), device="cpu")
    assert (facts["min_count"], facts["pairs"], facts["cost"]["given"]) == (None, [], None)
    assert "counted" not in facts
    for text in texts_in("ru", "en", "de", "tr", "vi", "sw"):  # Russian, and all that is written in Latin
        assert tokens(smaller, text) == tokens(whole, text)
    assert facts["pieces"]["after"] < 0.75 * facts["pieces"]["before"]
    assert any(tokens(smaller, text) != tokens(whole, text) for text in texts_in("th"))
    assert facts["cost"]["sample"]["texts"] == 48  # 24 held-out questions and answers in Russian
    assert facts["cost"]["sample"]["tokens_changed"] == 0


@pytest.mark.parametrize("kind", ["byte-level", "byte-fallback"])
def test_a_script_without_pieces_is_read_byte_by_byte(
    checkpoints: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    whole = load_encoder(str(checkpoints[kind]), device="cpu")
    trim_encoder(whole, tmp_path / "small", languages=["hy"])
    word = "\u0562\u0561\u0580\u0587"  # Armenian, which the sample has not
    before = tokens(whole, word)
    assert len(before) >= 8
    assert tokens(load_encoder(str(tmp_path / "small"), device="cpu"), word) == before


def test_rare_pieces_go(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    whole = load_encoder(str(checkpoints["unigram"]), device="cpu")
    pairs = sample_pairs().select(languages=["en"])
    facts = trim_encoder(whole, tmp_path / "small", pairs=[pairs], min_count=3)
    smaller = load_encoder(str(tmp_path / "small"), device="cpu")
    counts = Counter(piece for text in with_prompts("en") for piece in tokens(whole, text))
    longer = {piece for piece in pieces(whole) if len(piece.lstrip("▁")) > 1}
    lowest = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}
    kept = {piece for piece, count in counts.items() if count >= 3}
    assert longer & kept <= pieces(smaller)
    extra = longer & (pieces(smaller) - kept - lowest)
    assert len(extra) <= 1  # the piece of the lowest score
    lost = sum(count for piece, count in counts.items() if piece not in pieces(smaller))
    assert facts["counted"]["dropped"] == pytest.approx(lost / counts.total())
    assert 0 < facts["cost"]["given"]["tokens_changed"] < 1
    assert facts["cost"]["given"]["cosine_lowest"] < facts["cost"]["given"]["cosine_mean"] < 1


def test_extra_texts_stay_whole_however_rare(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    whole = load_encoder(str(checkpoints["unigram"]), device="cpu")
    extra = texts_in("th")[:3]
    trim_encoder(
        whole, tmp_path / "small", pairs=[sample_pairs()], languages=["en"], extra=extra, min_count=10
    )
    smaller = load_encoder(str(tmp_path / "small"), device="cpu")
    for text in extra:
        for prompt in ("Query: ", "Passage: "):
            assert tokens(smaller, prompt + text) == tokens(whole, prompt + text)
    assert any(tokens(smaller, text) != tokens(whole, text) for text in texts_in("th"))


def test_negatives_are_read_too(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    whole = load_encoder(str(checkpoints["unigram"]), device="cpu")
    (negative,) = texts_in("de")[-1:]
    row: dict[str, object] = {
        "item_id": "a",
        "language": "en",
        "query": "a",
        "passage": "b",
        "negatives": [negative],
    }
    trim_encoder(whole, tmp_path / "small", pairs=[pairs_from_rows([row], "own")])
    smaller = load_encoder(str(tmp_path / "small"), device="cpu")
    assert tokens(smaller, "Passage: " + negative) == tokens(whole, "Passage: " + negative)


def test_a_trimmed_model_can_be_trimmed_again(trimmed: dict[str, Trimmed], tmp_path: Path) -> None:
    _, smaller, facts = trimmed["unigram"]
    again = trim_encoder(smaller, tmp_path / "smaller", pairs=[sample_pairs()], languages=["el"])
    assert again["pieces"]["before"] == facts["pieces"]["after"] > again["pieces"]["after"]


@pytest.mark.parametrize("choice", [{"languages": ["en"], "min_count": 0}, {"languages": ["en", "hy"]}])
def test_a_choice_that_makes_no_sense_is_refused(
    tiny_encoder: SentenceTransformer, tmp_path: Path, choice: dict[str, Any]
) -> None:
    with pytest.raises(PanglotError):  # the tiny encoder has no Armenian letter
        trim_encoder(tiny_encoder, tmp_path / "small", **choice)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(PanglotError, match=f"{tmp_path}: is not empty"):
        trim_encoder(tiny_encoder, tmp_path, languages=["en"])
    with pytest.raises(PanglotError, match=r"mine.txt: is a file"):
        trim_encoder(tiny_encoder, tmp_path / "mine.txt", languages=["en"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_taken(tiny_encoder: SentenceTransformer, tmp_path: Path) -> None:
    trim_encoder(tiny_encoder, tmp_path / "deep" / "small", languages=["en"])
    (tmp_path / "empty").mkdir()
    trim_encoder(tiny_encoder, tmp_path / "empty", languages=["en"])
    for place in ("deep/small", "empty"):
        assert load_encoder(str(tmp_path / place), device="cpu").tokenizer.get_vocab()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty"]


def test_a_model_without_a_transformer_is_refused(
    static_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    with pytest.raises(
        PanglotError, match=r"reads text with Tokenizer cannot be trimmed\. Use a transformer"
    ):
        trim_encoder(static_encoder, tmp_path / "small", languages=["en"])


def test_a_model_that_comes_out_wrong_is_not_written(
    tiny_encoder: SentenceTransformer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = module._cut_table

    def cut_wrong(undo: ExitStack, module: torch.nn.Module, table: Any, order: list[int]) -> None:
        cut(undo, module, table, [*order[5:], *order[:5]])

    monkeypatch.setattr(module, "_cut_table", cut_wrong)
    with pytest.raises(PanglotError, match="this model cannot be trimmed: a text read as the same pieces"):
        trim_encoder(tiny_encoder, tmp_path / "small", languages=["en"])
    assert list(tmp_path.iterdir()) == []


def test_extra_texts_are_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "queries.txt"
    path.write_text("one hen\n\n  \nzwei Hühner\n", encoding="utf-8")
    assert lines_of(path) == ["one hen", "zwei Hühner"]
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(PanglotError, match="is not UTF-8"):
        lines_of(path)
    with pytest.raises(PanglotError, match="no such file"):
        lines_of(tmp_path / "none.txt")
