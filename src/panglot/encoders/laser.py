"""LASER2, Meta's sentence encoder for 93 languages, as a trainable sentence-transformers module.

Artetxe and Schwenk 2019, "Massively Multilingual Sentence Embeddings for Zero-Shot Cross-Lingual Transfer and
Beyond" (arXiv 1812.10464); Heffernan, Celebi and Schwenk 2022 (arXiv 2205.12654): SentencePiece pieces of the
lower-cased text, five layers of bidirectional LSTM, and the maximum over the positions. Text is prepared and
encoded as by the authors' package ``laser_encoders`` 0.0.2; the release is ``laser2.pt`` and ``laser2.spm``.
"""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import sentencepiece
import torch
from safetensors.torch import save_file
from sentence_transformers.base.modules import InputModule
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from panglot.encoders.onnx import HUB_OPTIONS
from panglot.errors import PanglotError
from panglot.files import write_json
from panglot.parse import read_form

SPECIAL = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}  # whatever the dictionary says
PAD, EOS, UNK = 1, 2, 3
RELEASE = "laser2.pt"
SHAPE = ("num_embeddings", "embed_dim", "hidden_size", "num_layers", "bidirectional")
PIECES_FILE, DICTIONARY_FILE = "sentencepiece.model", "dictionary.json"

# What Moses' normalize-punctuation.perl (release 4.0, English) does to text without control characters.
# The order counts: a rule sees what those before it have written.
PUNCTUATION = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\(", " ("),
        (r"\)", ") "),
        (r" +", " "),
        (r"\) ([.!:?;,])", r")\1"),
        (r"\( ", "("),
        (r" \)", ")"),
        (r"(\d) %", r"\1%"),
        (r" ([:;])", r"\1"),
        ("`", "'"),
        ("''", ' " '),
        ("[„“”]", '"'),
        ("–", "-"),
        ("—", " - "),
        (r" +", " "),
        ("´", "'"),
        ("([a-zA-Z])‘([a-zA-Z])", r"\1'\2"),
        ("([a-zA-Z])’([a-zA-Z])", r"\1'\2"),
        ("[‘‚’]", '"'),
        ("''", '"'),
        ("…", "..."),
        ("\u00a0«\u00a0", ' "'),
        ("«\u00a0?", '"'),
        ("\u00a0»\u00a0", '" '),
        ("\u00a0?»", '"'),
        ("\u00a0%", "%"),
        ("nº\u00a0", "nº "),
        ("\u00a0([:?!;])", r"\1"),
        ("\u00a0(ºC|cm)", r" \1"),
        (",\u00a0", ", "),
        (r" +", " "),
        (r'"([,.]+)', r'\1"'),
        (r"(\d)\u00a0(\d)", r"\1.\2"),
    )
]


class Laser2(InputModule):
    """Text to ``sentence_embedding`` of 1024 numbers (not normalised; a Normalize module follows).

    Args:
        sentencepiece_model: the bytes of the ``.spm`` file.
        dictionary: the number of each piece in the embedding table; pieces that it lacks are unknown.
        num_embeddings: rows of the embedding table.
        embed_dim: width of the embedding table.
        hidden_size: of the LSTM, in one direction.
        num_layers: of the LSTM.
        bidirectional: whether it also reads from the end.
        max_seq_length: cut texts at so many pieces, the end-of-text included; None: read them whole.
    """

    config_keys: list[str] = [*SHAPE, "max_seq_length"]  # noqa: RUF012 (the name and type are the library's)
    config_file_name = "laser2.json"
    every_weight_trains = True  # several processes need not look for weights without a gradient

    def __init__(
        self,
        sentencepiece_model: bytes,
        dictionary: Mapping[str, int],
        num_embeddings: int,
        embed_dim: int = 320,
        hidden_size: int = 512,
        num_layers: int = 1,
        bidirectional: bool = False,
        max_seq_length: int | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.num_embeddings, self.embed_dim = num_embeddings, embed_dim
        self.hidden_size, self.num_layers, self.bidirectional = hidden_size, num_layers, bidirectional
        self.max_seq_length = max_seq_length
        self.sentencepiece_model = sentencepiece_model
        self.pieces = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model)
        self.dictionary = {**dictionary, **SPECIAL}
        self.embed_tokens = nn.Embedding(num_embeddings, embed_dim, padding_idx=PAD)
        self.lstm = nn.LSTM(embed_dim, hidden_size, num_layers, bidirectional=bidirectional, batch_first=True)

    def get_embedding_dimension(self) -> int:
        """Return the length of ``sentence_embedding``."""
        return self.hidden_size * (2 if self.bidirectional else 1)

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Return the piece ids of each text with the end-of-text, cut at ``max_seq_length``."""
        inner = None if self.max_seq_length is None else self.max_seq_length - 1
        pieces = self.pieces.encode([normalise(text) for text in texts], out_type=str)
        # a piece that holds a space counts as several words, as in the authors' text files of pieces
        words = [" ".join(one).split()[:inner] for one in pieces]
        return [[*(self.dictionary.get(word, UNK) for word in one), EOS] for one in words]

    def preprocess(  # type: ignore[override]
        self, inputs: list[str], prompt: str | None = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Turn B texts into ``input_ids`` and ``attention_mask`` ``(B, T)``, and ``lengths`` ``(B,)``."""
        ids = self.token_ids([prompt + text for text in inputs] if prompt else list(inputs))
        lengths = torch.tensor([len(one) for one in ids], dtype=torch.long)
        rows = [torch.tensor(one, dtype=torch.long) for one in ids]
        padded = pad_sequence(rows, batch_first=True, padding_value=PAD)
        mask = (torch.arange(padded.shape[1]) < lengths[:, None]).long()
        return {"input_ids": padded, "attention_mask": mask, "lengths": lengths}

    def forward(self, features: dict[str, Tensor], **kwargs: Any) -> dict[str, Tensor]:
        """Add ``sentence_embedding`` ``(B, 1024)`` to the features of ``preprocess``."""
        embedded = self.embed_tokens(features["input_ids"])
        # packed, so that the backward direction begins at a text's own end and not at that of the batch
        packed = pack_padded_sequence(
            embedded, features["lengths"].cpu(), batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(
            self.lstm(packed)[0], batch_first=True, padding_value=float("-inf")
        )  # the maximum never is that of a padded position
        features["sentence_embedding"] = states.max(dim=1).values
        return features

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write config, SentencePiece model, dictionary and weights (safetensors)."""
        self.save_config(output_path)
        (Path(output_path) / PIECES_FILE).write_bytes(self.sentencepiece_model)
        write_json(Path(output_path) / DICTIONARY_FILE, self.dictionary)
        # copies, for on a GPU all weights of the LSTM are parts of one tensor, which safetensors refuses
        weights = {name: value.detach().cpu().clone() for name, value in self.state_dict().items()}
        save_file(weights, Path(output_path) / "model.safetensors", metadata={"format": "pt"})

    @classmethod
    def load(cls, model_name_or_path: str, **kwargs: Any) -> Self:  # type: ignore[override]
        """Load what ``save`` wrote, from a folder or the hub."""
        hub = {key: kwargs[key] for key in ("subfolder", *HUB_OPTIONS) if key in kwargs}
        found = {}
        for name in (cls.config_file_name, PIECES_FILE, DICTIONARY_FILE):
            path = cls.load_file_path(model_name_or_path, name, **hub)
            if path is None:
                raise PanglotError(f"{model_name_or_path}: has no {name}; the model is incomplete.")
            found[name] = Path(path)
        dictionary = read_form(found[DICTIONARY_FILE], dict[str, int])
        config = cls.load_config(model_name_or_path, **hub)
        with torch.device("meta"):  # the random start would only be overwritten
            module = cls(found[PIECES_FILE].read_bytes(), dictionary, **config)
        module.to_empty(device="cpu")
        loaded = cls.load_torch_weights(model_name_or_path, model=module, **hub)
        assert isinstance(loaded, cls)
        return loaded

    @classmethod
    def from_release(cls, weights: Path) -> Self:
        """Read ``laser2.pt`` as Meta released it, with the ``.spm`` file of the same name beside it.

        The file is a pickle, of which only tensors, numbers and text are read: code in it is refused.

        Raises:
            PanglotError: a file is missing, damaged, or something else.
        """
        pieces = weights.with_suffix(".spm")
        if not pieces.is_file():
            raise PanglotError(
                f"{weights}: the SentencePiece model {pieces.name} is missing; put it into the same folder."
            )
        release = _read(weights)
        shape = {name: release["params"][name] for name in SHAPE if name in release["params"]}
        dictionary = release["dictionary"]
        try:
            with torch.device("meta"):
                module = cls(pieces.read_bytes(), dictionary, **shape)
            module.load_state_dict(release["model"], assign=True)
            module.token_ids([""])  # an empty SentencePiece model fails when it is first used
        except Exception as error:  # torch and sentencepiece each raise their own
            reason = " ".join(str(error).split())
            raise PanglotError(
                f"{weights}: is not a LASER2 encoder with {pieces.name} ({reason}); "
                "download both files again."
            ) from error
        if not all(
            isinstance(number, int) and 0 <= number < module.num_embeddings for number in dictionary.values()
        ):
            raise PanglotError(
                f"{weights}: its dictionary points outside the table of {module.num_embeddings} pieces; "
                "download it again."
            )
        return module.float().requires_grad_(True)


def release_file(path: Path) -> Path | None:
    """Return the ``.pt`` file of a LASER2 release: the path itself, or in that folder; else None."""
    if path.suffix == ".pt" and not path.is_dir():
        if not path.is_file():
            raise PanglotError(f"'{path}' is not a model: there is no such file; check the path.")
        return path
    return path / RELEASE if (path / RELEASE).is_file() and not (path / "modules.json").exists() else None


def normalise(text: str) -> str:
    """Prepare a text as LASER2 was trained: no control characters, plain punctuation, lower case."""
    if not text.isprintable():  # most are, and need no look at each character
        text = "".join(" " if unicodedata.category(character)[0] == "C" else character for character in text)
    for pattern, replacement in PUNCTUATION:
        text = pattern.sub(replacement, text)
    return text.strip().lower()


def _read(weights: Path) -> dict[str, Any]:
    """Read the three parts of ``laser2.pt`` without running anything in it."""
    try:
        release = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile, pickle and torch each raise their own
        raise PanglotError(
            f"{weights}: cannot be read, because it is damaged, or holds more than tensors, numbers and text "
            f"({type(error).__name__}; code in it is never run); download it again."
        ) from error
    for part in ("params", "model", "dictionary"):
        if not isinstance(release, dict) or not isinstance(release.get(part), dict):
            raise PanglotError(
                f"{weights}: is not Meta's {RELEASE}, because it has no '{part}'; download it again."
            )
    return dict(release)
