"""Small random checkpoints of known architectures, laid out as on the hub.

What is random is only the weights and what is small only the sizes: the kind of tokenizer, the modules, the
pooling, the prompts, the files and the number format are those of the model it stands for.
"""

import functools
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModel,
    BertConfig,
    DebertaV2Config,
    Gemma3TextConfig,
    GteConfig,
    PretrainedConfig,
    Qwen3Config,
    XLMRobertaConfig,
    XLMRobertaTokenizer,
)

from panglot import sample_pairs

HIDDEN, POSITIONS = 32, 256
BERT_SIZES: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.2,
}
DECODER_SIZES: dict[str, Any] = {**BERT_SIZES, "num_key_value_heads": 1, "head_dim": 16}
SEARCH = "Given a web search query, retrieve relevant passages that answer the query"


def texts_to_train_on() -> list[str]:
    """A quarter of the sample's texts, so that some pieces of the rest are unknown."""
    table = sample_pairs().table
    return [text for name in ("query", "passage") for text in table.column(name).to_pylist()][::4]


@functools.cache
def sentencepiece_model(**settings: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts_to_train_on()),
        model_writer=model,
        vocab_size=800,
        character_coverage=0.98,
        minloglevel=2,
        **settings,
    )
    return model.getvalue()


def sentencepiece_ids(path: Path, text: str) -> list[int]:
    ids: list[int] = sentencepiece.SentencePieceProcessor(model_file=str(path)).encode(text)
    return ids


def write_xlm_r(folder: Path, settings: dict[str, Any]) -> int:
    """SentencePiece's unigram model, both as it is and as tokenizer.json; fairseq moved its pieces by one."""
    (folder / "sentencepiece.bpe.model").write_bytes(sentencepiece_model())
    tokenizer = XLMRobertaTokenizer.from_pretrained(folder, model_max_length=POSITIONS, **settings)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def xlm_r_ids(folder: Path, text: str) -> list[int]:
    ids = sentencepiece_ids(folder / "sentencepiece.bpe.model", text)
    return [0, *(number + 1 if number else 3 for number in ids), 2]


def write_deberta(folder: Path, settings: dict[str, Any]) -> int:
    """SentencePiece's unigram model and nothing else, as Microsoft left it; [MASK] comes after its pieces."""
    pieces = {"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    model = sentencepiece_model(pad_id=0, bos_id=1, eos_id=2, unk_id=3, **pieces)
    (folder / "spm.model").write_bytes(model)
    write(folder / "tokenizer_config.json", {"do_lower_case": False, "vocab_type": "spm"})
    return 801


def deberta_ids(folder: Path, text: str) -> list[int]:
    return [1, *sentencepiece_ids(folder / "spm.model", text), 2]


def write_bert(folder: Path, settings: dict[str, Any]) -> int:
    """BERT's word pieces, cased."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=1500, special_tokens=special, show_progress=False)
    settings = {**dict(zip(names, special, strict=True)), "do_lower_case": False, **settings}
    return write_trained(folder, tokenizer, trainer, "[CLS] $A [SEP]", "BertTokenizer", settings)


def write_gemma(folder: Path, settings: dict[str, Any]) -> int:
    """Byte-pair encoding of characters, with bytes for the unknown."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    names = ["pad_token", "eos_token", "bos_token", "unk_token"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    trainer = trainers.BpeTrainer(
        vocab_size=1800,
        special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    settings = {**dict(zip(names, special, strict=True)), **settings}
    return write_trained(folder, tokenizer, trainer, "<bos> $A <eos>", "GemmaTokenizer", settings)


def write_qwen(folder: Path, settings: dict[str, Any]) -> int:
    """Byte-pair encoding of bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    settings = {"pad_token": "<|endoftext|>", **settings}
    return write_trained(folder, tokenizer, trainer, "$A <|endoftext|>", "Qwen2Tokenizer", settings)


def write_trained(
    folder: Path, tokenizer: Tokenizer, trainer: Any, template: str, class_name: str, settings: dict[str, Any]
) -> int:
    """Train a tokenizer and write tokenizer.json and tokenizer_config.json; return how many pieces it has."""
    tokenizer.train_from_iterator(texts_to_train_on(), trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in template.split() if token != "$A"]
    tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {**settings, "tokenizer_class": class_name, "model_max_length": POSITIONS}
    write(folder / "tokenizer_config.json", settings)
    return int(tokenizer.get_vocab_size())


def trained_ids(folder: Path, text: str) -> list[int]:
    ids: list[int] = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    return ids


@dataclass(frozen=True)
class Kind:
    """A kind of tokenizer.

    Attributes:
        write: writes its files, given more settings for its config; returns the size of the vocabulary.
        ids: the token ids of a text, found without transformers.
    """

    write: Callable[[Path, dict[str, Any]], int]
    ids: Callable[[Path, str], list[int]]


KINDS = {
    "xlm-r": Kind(write_xlm_r, xlm_r_ids),
    "bert": Kind(write_bert, trained_ids),
    "deberta": Kind(write_deberta, deberta_ids),
    "gemma": Kind(write_gemma, trained_ids),
    "qwen": Kind(write_qwen, trained_ids),
}


@dataclass(frozen=True)
class Architecture:
    """One model of the hub.

    Attributes:
        kind: of its tokenizer.
        config: makes its config from the size of the vocabulary.
        pooling: "mean", "cls" or "lasttoken"; None: a raw checkpoint, to be given mean pooling.
        dense: activation, inputs and outputs of each Dense module that follows.
        saved: what its config_sentence_transformers.json holds; None: it has no such file.
        prompts: that queries and passages are to get.
        dtype: of the weights on the hub.
        tokenizer: more of its tokenizer_config.json.
    """

    kind: str
    config: Callable[[int], PretrainedConfig]
    prompts: tuple[str, str]
    pooling: str | None = None
    dense: tuple[tuple[str, int, int], ...] = ()
    saved: dict[str, Any] | None = None
    dtype: torch.dtype = torch.float32
    tokenizer: dict[str, Any] = field(default_factory=dict)


def bert(vocabulary: int) -> PretrainedConfig:
    return BertConfig(vocab_size=vocabulary, max_position_embeddings=POSITIONS, **BERT_SIZES)


def xlm_r(vocabulary: int) -> PretrainedConfig:
    return XLMRobertaConfig(
        vocab_size=vocabulary,
        max_position_embeddings=POSITIONS + 2,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        type_vocab_size=1,
        **BERT_SIZES,
    )


def deberta(vocabulary: int) -> PretrainedConfig:
    attention: dict[str, Any] = {
        "relative_attention": True,
        "position_buckets": 32,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "max_relative_positions": -1,
        "position_biased_input": False,
        "type_vocab_size": 0,
    }
    return DebertaV2Config(
        vocab_size=vocabulary, max_position_embeddings=POSITIONS, **attention, **BERT_SIZES
    )


def gte(vocabulary: int) -> PretrainedConfig:
    return GteConfig(vocab_size=vocabulary, max_position_embeddings=POSITIONS, pad_token_id=1, **BERT_SIZES)


def gemma(vocabulary: int) -> PretrainedConfig:
    """Gemma 3 that looks both ways, with windows that the texts are longer than."""
    return Gemma3TextConfig(
        vocab_size=vocabulary,
        max_position_embeddings=POSITIONS,
        use_bidirectional_attention=True,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
        query_pre_attn_scalar=16,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
        **DECODER_SIZES,
    )


def qwen(vocabulary: int) -> PretrainedConfig:
    return Qwen3Config(
        vocab_size=vocabulary,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
        eos_token_id=0,
        **DECODER_SIZES,
    )


RAW = ("Query: ", "Passage: ")
VERSIONS = {"__version__": {"sentence_transformers": "2.2.2", "transformers": "4.33.0", "pytorch": "2.1.2"}}
GEMMA_PROMPTS = {
    "query": "task: search result | query: ",
    "document": "title: none | text: ",
    "BitextMining": "task: search result | query: ",
    "Clustering": "task: clustering | query: ",
}
ARCHITECTURES = {
    "xlm-roberta-base": Architecture("xlm-r", xlm_r, RAW),
    "mdeberta-v3-base": Architecture("deberta", deberta, RAW, dtype=torch.float16),
    "bert-base-multilingual-cased": Architecture("bert", bert, RAW),
    "LaBSE": Architecture("bert", bert, ("", ""), "cls", (("Tanh", HIDDEN, HIDDEN),), VERSIONS),
    "multilingual-e5-small": Architecture("xlm-r", bert, ("query: ", "passage: "), "mean"),
    "multilingual-e5-base": Architecture("xlm-r", xlm_r, ("query: ", "passage: "), "mean"),
    "multilingual-e5-large-instruct": Architecture(
        "xlm-r", xlm_r, (f"Instruct: {SEARCH}\nQuery: ", ""), "mean", saved=VERSIONS, dtype=torch.float16
    ),
    "bge-m3": Architecture("xlm-r", xlm_r, ("", ""), "cls", saved=VERSIONS),
    "snowflake-arctic-embed-l-v2.0": Architecture(
        "xlm-r", xlm_r, ("query: ", ""), "cls", saved={**VERSIONS, "prompts": {"query": "query: "}}
    ),
    "gte-multilingual-base": Architecture("xlm-r", gte, ("", ""), "cls", dtype=torch.float16),
    "embeddinggemma-300m": Architecture(
        "gemma",
        gemma,
        (GEMMA_PROMPTS["query"], GEMMA_PROMPTS["document"]),
        "mean",
        (("Identity", HIDDEN, 4 * HIDDEN), ("Identity", 4 * HIDDEN, HIDDEN)),
        {"model_type": "SentenceTransformer", "prompts": GEMMA_PROMPTS, "similarity_fn_name": "cosine"},
    ),
    "Qwen3-Embedding-0.6B": Architecture(
        "qwen",
        qwen,
        (f"Instruct: {SEARCH}\nQuery:", ""),
        "lasttoken",
        saved={"prompts": {"query": f"Instruct: {SEARCH}\nQuery:", "document": ""}},
        dtype=torch.bfloat16,
        tokenizer={"padding_side": "left"},
    ),
}


def make_checkpoint(folder: Path, name: str) -> None:
    """Write the small checkpoint of an architecture."""
    architecture = ARCHITECTURES[name]
    folder.mkdir(parents=True)
    vocabulary = KINDS[architecture.kind].write(folder, architecture.tokenizer)
    torch.manual_seed(0)
    model = AutoModel.from_config(architecture.config(vocabulary)).to(architecture.dtype)  # type: ignore[no-untyped-call]
    if (
        architecture.kind == "deberta"
    ):  # the one that is on the hub as a pickle, with a name before each weight
        model.config.save_pretrained(folder)
        state = {f"deberta.{key}": value for key, value in model.state_dict().items()}
        torch.save(state, folder / "pytorch_model.bin")
    else:
        model.save_pretrained(folder)
    if architecture.pooling is not None:
        add_modules(folder, architecture)


def add_modules(folder: Path, architecture: Architecture) -> None:
    """Write the modules of a sentence-transformers checkpoint as they lie on the hub."""
    kinds = ["Transformer", "Pooling", *("Dense" for _ in architecture.dense), "Normalize"]
    paths = ["", *(f"{number}_{kind}" for number, kind in enumerate(kinds) if number)]
    modules = [
        {"idx": k, "name": str(k), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for k, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    write(folder / "modules.json", modules)
    write(folder / "sentence_bert_config.json", {"max_seq_length": POSITIONS, "do_lower_case": False})
    modes = {"mean": "mean_tokens", "cls": "cls_token", "lasttoken": "lasttoken"}
    chosen = {f"pooling_mode_{mode}": name == architecture.pooling for name, mode in modes.items()}
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": HIDDEN, **chosen})
    for number, (activation, inputs, outputs) in enumerate(architecture.dense, start=2):
        sizes = {"in_features": inputs, "out_features": outputs, "bias": activation == "Tanh"}
        function = "linear.Identity" if activation == "Identity" else f"activation.{activation}"
        path = folder / f"{number}_Dense"
        write(path / "config.json", {**sizes, "activation_function": f"torch.nn.modules.{function}"})
        layer = torch.nn.Linear(inputs, outputs, bias=activation == "Tanh")
        save_file({f"linear.{k}": v for k, v in layer.state_dict().items()}, path / "model.safetensors")
    if architecture.saved is not None:
        write(folder / "config_sentence_transformers.json", architecture.saved)


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
