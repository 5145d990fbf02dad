"""A transformer that ONNX Runtime computes, as a module of sentence-transformers."""

import shutil
from pathlib import Path
from typing import Any, Self

import torch
from sentence_transformers.base.modules import InputModule
from torch import Tensor
from transformers import AutoTokenizer

from panglot.errors import needs
from panglot.files import sha256
from panglot.parse import read_form

GRAPH = "model.onnx"
HUB_OPTIONS = ("token", "cache_folder", "revision", "local_files_only")


class OnnxTransformer(InputModule):
    """Texts to ``token_embeddings``, for a pooling module after it; made by ``export_onnx``."""

    config_keys: list[str] = ["max_seq_length", "source_sha256", "precision", "dimension"]  # noqa: RUF012 (the name and type are the library's)
    config_file_name = "onnx_transformer.json"

    def __init__(
        self, folder: Path, max_seq_length: int, source_sha256: str, precision: str, dimension: int
    ) -> None:
        needs("onnx", "onnx", "onnxruntime")
        super().__init__()  # type: ignore[no-untyped-call]
        self.folder = folder
        self.max_seq_length = max_seq_length
        self.source_sha256 = source_sha256
        self.precision = precision
        self.dimension = dimension
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        # a model is known by its state: in the place of the graph's weights, which torch does not have
        digest = bytes.fromhex(sha256(folder / GRAPH))
        self.register_buffer("graph_sha256", torch.frombuffer(bytearray(digest), dtype=torch.uint8))
        self.session = _session(folder / GRAPH)
        self.inputs = [one.name for one in self.session.get_inputs()]

    def preprocess(self, inputs: Any, prompt: str | None = None, **_: Any) -> dict[str, Any]:
        """Tokenise texts."""
        texts = [(prompt or "") + text for text in inputs]
        return dict(
            self.tokenizer(
                texts, padding=True, truncation=True, max_length=self.max_seq_length, return_tensors="pt"
            )
        )

    def forward(self, features: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        """Add ``token_embeddings``, ``(n, length, dimension)``."""
        given = {name: features[name].cpu().numpy() for name in self.inputs}
        found = torch.from_numpy(self.session.run(None, given)[0])
        features["token_embeddings"] = found.to(features[self.inputs[0]].device)  # for what pools them
        return features

    def get_embedding_dimension(self) -> int:
        """Return the numbers of an embedding."""
        return self.dimension

    def save(self, output_path: str, *_: Any, **__: Any) -> None:
        """Write the graph, the tokenizer and what belongs to them."""
        self.save_config(output_path)
        self.tokenizer.save_pretrained(output_path)
        if Path(output_path).resolve() != self.folder.resolve():
            shutil.copyfile(self.folder / GRAPH, Path(output_path) / GRAPH)

    @classmethod
    def load(cls, model_name_or_path: str, subfolder: str = "", **kwargs: Any) -> Self:  # type: ignore[override]
        """Read what ``save`` wrote, from a folder or the hub."""
        hub = {key: kwargs[key] for key in HUB_OPTIONS if key in kwargs}
        folder = Path(cls.load_dir_path(model_name_or_path, subfolder, **hub) or model_name_or_path)
        config = read_form(folder / cls.config_file_name, dict[str, Any])
        return cls(folder, **config)


def _session(path: Path) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
