"""Models for ONNX Runtime: the same embeddings in less time for a short text, or int8 in less still.

sentence-transformers' own ONNX backend needs ``optimum``, which holds transformers back at version 4; so the
export is done here, with torch's exporter and ONNX Runtime's own quantisation (dynamic int8: weights by
output channel, activations by their range in each batch). Only the transformer is exported: tokenizer,
pooling and prompts stay what they are, and the exported model is a SentenceTransformer like all others,
for encoding only.
"""

import shutil
import warnings
from pathlib import Path
from typing import Any, Self

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import InputModule, Transformer
from torch import Tensor, nn
from transformers import AutoTokenizer

from panglot.errors import PanglotError, first_line, needs
from panglot.files import atomic_folder, check_new_folder, sha256
from panglot.parse import read_form

GRAPH = "model.onnx"
OPSET = 17
LARGEST = 1_900_000_000  # bytes of weights: an ONNX file holds less than 2 GiB
HUB_OPTIONS = ("token", "cache_folder", "revision", "local_files_only")


class OnnxTransformer(InputModule):
    """Texts to ``token_embeddings``, for a pooling module after it; made by ``export_onnx``."""

    config_keys: list[str] = ["max_seq_length", "source_sha256", "precision", "dimension"]  # noqa: RUF012 (the name and type are the library's)
    config_file_name = "onnx_transformer.json"

    def __init__(
        self, folder: Path, max_seq_length: int, source_sha256: str, precision: str, dimension: int
    ) -> None:
        from panglot.encoders.load import restore_character_map  # which imports this module

        needs("onnx", "onnx", "onnxruntime")
        import onnxruntime  # type: ignore[import-untyped]

        super().__init__()  # type: ignore[no-untyped-call]
        self.folder = folder
        self.max_seq_length = max_seq_length
        self.source_sha256 = source_sha256
        self.precision = precision
        self.dimension = dimension
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        restore_character_map(
            self.tokenizer, lambda name: str(folder / name) if (folder / name).exists() else None
        )
        # a model is known by its state: in the place of the graph's weights, which torch does not have
        digest = bytes.fromhex(sha256(folder / GRAPH))
        self.register_buffer("graph_sha256", torch.frombuffer(bytearray(digest), dtype=torch.uint8))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        graph, cpu = str(folder / GRAPH), ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(graph, options, providers=cpu)
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


def export_onnx(model: SentenceTransformer, output: Path, *, int8: bool = False) -> None:
    """Write a model for ONNX Runtime into a new folder, which ``load_encoder`` loads.

    Args:
        model: a transformer, with any pooling after it.

    Raises:
        PanglotError: no transformer, too large for one file, or the libraries are missing.
    """
    from panglot.encoders.load import model_sha256  # which imports this module

    needs("onnx", "onnx", "onnxruntime")
    check_new_folder(output)
    first = model[0]
    if not isinstance(first, Transformer) or not hasattr(first, "tokenizer"):
        raise PanglotError("only transformers are exported; this model is fast as it is (try --bf16).")
    if any(getattr(module, "include_prompt", True) is False for module in list(model)[1:]):
        raise PanglotError("a model whose pooling leaves the prompt out is not exported; use it as it is.")
    size = sum(value.numel() * value.element_size() for value in first.parameters())
    if size > LARGEST:
        raise PanglotError(
            f"the model has {size / 1e9:.1f} GB of weights, and an ONNX file holds less than 2."
        )
    with atomic_folder(output) as part:
        work = part / "transformer"
        work.mkdir()
        try:
            _write_graph(first, work / GRAPH, model.max_seq_length or 512)
        except (RuntimeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise PanglotError(
                f"PyTorch cannot write this model as ONNX ({first_line(error)}); use it as it is."
            ) from error
        if int8:
            from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

            small = work / "int8"
            quantize_dynamic(work / GRAPH, small, weight_type=QuantType.QInt8, per_channel=True)
            small.replace(work / GRAPH)
        first.tokenizer.save_pretrained(work)
        module = OnnxTransformer(
            work,
            max_seq_length=int(model.max_seq_length or 512),
            source_sha256=model_sha256(model),
            precision="int8" if int8 else "float32",
            dimension=int(first.get_embedding_dimension() or 0),
        )
        prompts = {name: text for name, text in model.prompts.items() if text is not None}
        whole = SentenceTransformer(modules=[module, *list(model)[1:]], device="cpu", prompts=prompts)
        whole.save(str(part / "saved"), create_model_card=False)
        del whole, module
        shutil.rmtree(work)
        for path in (part / "saved").iterdir():
            path.replace(part / path.name)
        (part / "saved").rmdir()


def exported_from(model: SentenceTransformer) -> str | None:
    """Return the checksum of the model that this one was exported from; None for one that was not."""
    found = getattr(model[0], "source_sha256", None)
    return None if found is None else str(found)


class _Tokens(nn.Module):
    """A transformer whose inputs are in a fixed order, as a graph wants them."""

    def __init__(self, transformer: nn.Module, names: list[str]) -> None:
        super().__init__()
        self.transformer, self.names = transformer, names

    def forward(self, *values: Tensor) -> Tensor:
        out: Tensor = self.transformer(**dict(zip(self.names, values, strict=True)))[0]
        return out


def _write_graph(first: Any, path: Path, longest: int) -> None:
    """Trace a transformer on two short texts; batch and length stay free."""
    features = first.preprocess(["a first text, to be traced", "a second"])
    names = [name for name in first.tokenizer.model_input_names if isinstance(features.get(name), Tensor)]
    transformer, attention = first.model, first.model.config._attn_implementation
    was_training, device = transformer.training, next(transformer.parameters()).device
    free = {0: "batch", 1: "length"}
    try:
        transformer.set_attn_implementation("eager")
        transformer.eval().cpu()
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's, about shapes that are fixed on purpose
            torch.onnx.export(
                _Tokens(transformer, names),
                tuple(features[name].cpu() for name in names),
                str(path),
                input_names=names,
                output_names=["token_embeddings"],
                dynamic_axes=dict.fromkeys([*names, "token_embeddings"], free),
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        transformer.set_attn_implementation(attention)
        transformer.train(was_training).to(device)
