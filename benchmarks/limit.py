"""How far encoding and training are from this machine's own rate of matrix products, and where the rest goes.

python benchmarks/limit.py [--model multilingual-e5-small] [--tokens 4096] [--length 32] [--rounds 5]

The rate is that of the model's own linear layers, alone, in the same precision and run. Operations are those
of linear layers and attention; training counts three times those of encoding.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from typing import Any

import torch
from sentence_transformers import SentenceTransformer
from timing import timed
from torch.profiler import ProfilerActivity, profile

from panglot.encoders import bfloat16, fast_attention, load_encoder
from panglot.training import InfoNCE, make_optimizer, set_table_mode
from panglot.training.micro_batches import micro_batched
from panglot.training.optimizer import clip_gradients

GROUPS = {  # of PyTorch's operators, by a part of their names
    "matrix products": ("addmm", "aten::mm", "aten::bmm", "mkldnn_linear", "linear"),
    "attention": ("attention",),
    "layer norm": ("layer_norm", "native_layer_norm"),
    "GELU": ("gelu",),
    "casts and copies": ("copy_", "_to_copy", "aten::to", "contiguous", "clone"),
    "token embeddings": ("embedding", "index", "sparse", "coalesce"),
    "sums and products of elements": (
        "add",
        "mul",
        "div",
        "sub",
        "sum",
        "mean",
        "norm",
        "sqrt",
        "lerp",
        "addc",
    ),
}


def main() -> None:
    """Measure both precisions and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="multilingual-e5-small")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--length", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found: dict[str, Any] = {"threads": torch.get_num_threads(), **vars(arguments)}
    for name, low in (("float32", False), ("bfloat16", True)):
        model = load_encoder(arguments.model, device="cpu")
        found[name] = measured(model, low, arguments.tokens, arguments.length, arguments.rounds)
    print(json.dumps(found, indent=2))


def measured(model: SentenceTransformer, low: bool, tokens: int, length: int, rounds: int) -> dict[str, Any]:
    """Measure one precision."""
    count = tokens // length
    features = batch(model, count, length)
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    hidden = linear[0].in_features
    layers = sum(1 for module in linear if module.out_features > hidden and module.in_features == hidden)
    encoding = 2 * tokens * sum(module.weight.numel() for module in linear)
    encoding += 4 * tokens * length * hidden * layers  # the two products of attention
    products = list(shapes(linear, tokens, torch.bfloat16 if low else torch.float32))
    rate = (
        2
        * tokens
        * sum(module.weight.numel() for module in linear)
        / timed(lambda: [a @ b for a, b in products], rounds)
    )

    def encode_once() -> None:
        with torch.inference_mode(), bfloat16(model.device, low), fast_attention():
            model.eval()
            model(dict(features))

    optimizer = make_optimizer(model, 1e-5, 1e-5, 0.01)
    set_table_mode(model, "sparse")
    loss = InfoNCE(model, 0.05)
    half = count // 2
    step_features = {
        "micro_batches": [features],
        "query_rows": torch.arange(half),
        "passage_rows": torch.arange(half, 2 * half),
        "keys": torch.arange(half)[:, None],
    }

    def train_once() -> None:
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        with torch.autocast("cpu", torch.bfloat16, enabled=low), micro_batched(model, cached=False):
            found = loss(step_features)["info_nce"]
        found.backward()
        clip_gradients(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    spent = {"encoding": timed(encode_once, rounds), "training": timed(train_once, rounds)}
    return {
        "matrix products, GFLOP/s": round(rate / 1e9, 1),
        "tokens a second": {name: round(tokens / value) for name, value in spent.items()},
        "share of the rate": {
            "encoding": round(encoding / spent["encoding"] / rate, 3),
            "training": round(3 * encoding / spent["training"] / rate, 3),
        },
        "where the time goes": {
            "encoding": where(encode_once),
            "training": where(train_once),
        },
    }


def batch(model: SentenceTransformer, count: int, length: int) -> dict[str, torch.Tensor]:
    """Return the features of texts of one length."""
    ids = torch.randint(10, 20_000, (count, length), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}


def shapes(
    linear: list[torch.nn.Linear], tokens: int, dtype: torch.dtype
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the inputs and weights of all linear layers."""
    inputs = {module.in_features: torch.randn(tokens, module.in_features, dtype=dtype) for module in linear}
    for module in linear:
        yield inputs[module.in_features], module.weight.detach().to(dtype).t()


def where(work: Callable[[], object]) -> dict[str, float]:
    """Return the share of the time of each group of operators."""
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        work()
    total: dict[str, float] = {}
    for event in profiled.key_averages():
        names = (group for group, parts in GROUPS.items() if any(part in event.key for part in parts))
        name = next(names, "others")
        total[name] = total.get(name, 0.0) + event.self_cpu_time_total
    whole = sum(total.values())
    return {name: round(value / whole, 3) for name, value in sorted(total.items(), key=lambda pair: -pair[1])}


if __name__ == "__main__":
    main()
