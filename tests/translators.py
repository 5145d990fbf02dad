"""Small translation models of each family: random ones, and one that learns a few texts by heart."""

import io
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    NllbTokenizer,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from panglot.data import sample_pairs

# weights so large that what is generated depends on what is read
SMALL: dict[str, Any] = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "init_std": 0.7}
HEADS: dict[str, Any] = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
WIDTHS: dict[str, Any] = {"encoder_ffn_dim": 32, "decoder_ffn_dim": 32}


@cache
def train_pieces(kind: str = "unigram", symbols: tuple[str, ...] = ()) -> bytes:
    """Train a SentencePiece model on the bundled sample."""
    table = sample_pairs().table
    texts = [text for name in ("query", "passage") for text in table.column(name).to_pylist()]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=900,
        character_coverage=0.98,
        model_type=kind,
        user_defined_symbols=list(symbols),
        minloglevel=2,
    )
    return model.getvalue()


def pieces_of(proto: bytes) -> list[tuple[str, float]]:
    pieces: Any = sentencepiece.SentencePieceProcessor(model_proto=proto)
    return [(pieces.id_to_piece(k), pieces.get_score(k)) for k in range(pieces.get_piece_size())]


def m2m_config(size: int) -> M2M100Config:
    return M2M100Config(vocab_size=size, max_position_embeddings=128, **SMALL, **HEADS, **WIDTHS)


def make_nllb(folder: Path) -> None:
    vocabulary = {token: k for k, token in enumerate(["<s>", "<pad>", "</s>", "<unk>"])}
    for text in sample_pairs().table.column("passage").to_pylist():
        for letter in "▁" + text.replace(" ", "▁"):
            vocabulary.setdefault(letter, len(vocabulary))
    tokenizer = NllbTokenizer(vocab=vocabulary, merges=[])
    tokenizer.save_pretrained(folder)
    M2M100ForConditionalGeneration(m2m_config(len(tokenizer))).save_pretrained(folder)


def make_m2m100(folder: Path) -> None:
    proto = train_pieces()
    (folder / "sentencepiece.bpe.model").write_bytes(proto)
    names = ["<s>", "<pad>", "</s>", "<unk>", *(piece for piece, _ in pieces_of(proto)[3:])]
    vocabulary = {piece: k for k, piece in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = M2M100Tokenizer(
        str(folder / "vocab.json"), str(folder / "sentencepiece.bpe.model"), num_madeup_words=0
    )
    tokenizer.save_pretrained(folder)
    M2M100ForConditionalGeneration(m2m_config(len(names) + 100)).save_pretrained(folder)


def make_mbart50(folder: Path) -> None:
    tokenizer = MBart50Tokenizer(vocab=pieces_of(train_pieces()))
    tokenizer.save_pretrained(folder)
    config = MBartConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=128,
        decoder_start_token_id=2,
        **SMALL,
        **HEADS,
        **WIDTHS,
    )
    MBartForConditionalGeneration(config).save_pretrained(folder)


def make_madlad(folder: Path) -> None:
    own = ("<2en>", "<2de>", "<2sw>", "<2zh>", "<2fil>", "<2iw>", "<2sr_Latn>", "<2translate>")
    pieces = pieces_of(train_pieces(symbols=own))[3:]
    vocabulary = [("<unk>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), *pieces]
    vocabulary[:3] = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = T5Tokenizer(vocab=vocabulary, extra_ids=0)
    tokenizer.save_pretrained(folder)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=1,
        num_heads=2,
        initializer_factor=3.0,
        pad_token_id=0,
        eos_token_id=1,
    )
    config.decoder_start_token_id = 0
    T5ForConditionalGeneration(config).save_pretrained(folder)


def make_marian(folder: Path, targets: tuple[str, ...] = (">>deu<<", ">>swh<<", ">>cmn_Hans<<")) -> None:
    proto = train_pieces()
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(proto)
    names = ["</s>", "<unk>", *targets, *(piece for piece, _ in pieces_of(proto)[3:]), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({piece: k for k, piece in enumerate(names)}))
    tokenizer = MarianTokenizer(
        str(folder / "source.spm"),
        str(folder / "target.spm"),
        str(folder / "vocab.json"),
        source_lang="en",
        target_lang="mul" if targets else "de",
    )
    tokenizer.save_pretrained(folder)
    last = len(names) - 1
    config = MarianConfig(
        vocab_size=len(names),
        max_position_embeddings=128,
        pad_token_id=last,
        eos_token_id=0,
        decoder_start_token_id=last,
        decoder_vocab_size=len(names),
        **SMALL,
        **HEADS,
        **WIDTHS,
    )
    MarianMTModel(config).save_pretrained(folder)


MAKERS: dict[str, Callable[[Path], None]] = {
    "nllb": make_nllb,
    "m2m100": make_m2m100,
    "mbart50": make_mbart50,
    "madlad": make_madlad,
    "marian": make_marian,
    "opus-en-de": lambda folder: make_marian(folder, targets=()),
}


def learn(base: Path, texts: Sequence[tuple[str, str, str]], folder: Path) -> None:
    """Write a small M2M-100 that translates a few texts from English.

    Args:
        base: folder of a random M2M-100, for its tokenizer.
        texts: an English text, a language and the translation.
        folder: to write it to.
    """
    tokenizer = M2M100Tokenizer.from_pretrained(base)
    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=len(tokenizer.encoder) + 100,
        max_position_embeddings=128,
        d_model=48,
        encoder_layers=1,
        decoder_layers=1,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
        init_std=0.1,
        **HEADS,
        **WIDTHS,
    )
    model = M2M100ForConditionalGeneration(config)
    tokenizer.src_lang = "en"
    inputs = tokenizer([source for source, _, _ in texts], return_tensors="pt", padding=True)
    rows = []
    for _, code, text in texts:
        tokenizer.tgt_lang = code
        rows.append(tokenizer(text_target=text)["input_ids"])
    longest = max(len(row) for row in rows)
    labels = torch.tensor([row + [-100] * (longest - len(row)) for row in rows])
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(300):
        loss = model(**inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.01:
            break
    assert loss.item() < 0.05
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
