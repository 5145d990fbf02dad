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
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn

from panglot.encoders.load import model_sha256
from panglot.encoders.onnx import GRAPH, OnnxTransformer
from panglot.errors import PanglotError, needs
from panglot.files import check_new_folder, folder_written_whole

OPSET = 17
LARGEST = 1_900_000_000  # bytes of weights: an ONNX file holds less than 2 GiB


def export_onnx(model: SentenceTransformer, output: Path, *, int8: bool = False) -> None:
    """Write a model for ONNX Runtime into a new folder, which ``load_encoder`` loads.

    Args:
        model: a transformer, with any pooling after it.

    Raises:
        PanglotError: no transformer, too large for one file, or the libraries are missing.
    """
    needs("onnx", "onnx", "onnxruntime")
    check_new_folder(output)
    first = model[0]
    if not isinstance(first, Transformer) or not hasattr(first, "tokenizer"):
        raise PanglotError("only transformers are exported; this model is fast as it is (try --bf16).")
    size = sum(value.numel() * value.element_size() for value in first.parameters())
    if size > LARGEST:
        raise PanglotError(
            f"the model has {size / 1e9:.1f} GB of weights, and an ONNX file holds less than 2."
        )
    with folder_written_whole(output) as part:
        work = part / "transformer"
        work.mkdir()
        _write_graph(first, work / GRAPH, model.max_seq_length or 512)
        if int8:
            _quantise(work / GRAPH)
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


def _quantise(path: Path) -> None:
    """Put a graph of int8 in the place of one of float32."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]

    part = path.with_suffix(".int8")
    quantize_dynamic(path, part, weight_type=QuantType.QInt8, per_channel=True)
    part.replace(path)
