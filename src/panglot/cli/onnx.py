"""``panglot export onnx``."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from panglot.cli import show


def onnx(
    model: Annotated[str, typer.Argument(help="A transformer: a model's folder, or a hub id.")],
    output: Annotated[Path, typer.Option(help="Folder for the exported model; empty or new.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute in 8 bits: faster, smaller, and not quite the same.")
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run code of its own.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON, and nothing else.")] = False,
) -> None:
    """Export a model for ONNX Runtime, which encodes short texts faster on a processor.

    Prints how near the exported model's embeddings are on the bundled sample, and how long both take. The
    folder is a model like others (panglot evaluate, panglot serve --model), but cannot be trained.

    Example:

      panglot export onnx runs/hybrid --output runs/hybrid-onnx
    """
    from panglot.encoders import load_encoder
    from panglot.encoders.export import export_onnx

    encoder = load_encoder(model, device="cpu", trust_remote_code=trust_remote_code)
    export_onnx(encoder, output, int8=int8)
    facts = _compare(encoder, load_encoder(str(output), device="cpu"))
    if json:
        show.print_json({"output": str(output), "precision": "int8" if int8 else "float32", **facts})
        return
    show.tell(
        f"cosine with the model's own embeddings: {facts['cosine_mean']:.4f} on average, "
        f"lowest {facts['cosine_lowest']:.4f}; one question: {facts['ms_before']:.1f} ms -> "
        f"{facts['ms_after']:.1f} ms"
    )
    if int8:
        show.note("measure what 8 bits cost with panglot evaluate before you use them.")
    show.tell(f"the exported model is in {output}")


def _compare(before: Any, after: Any) -> dict[str, float]:
    """Compare embeddings of 48 questions of the sample, and the median time of one of the first 12."""
    from statistics import median

    from panglot.data.sample import sample_benchmark
    from panglot.encoders import encode, query_prompt

    texts = sample_benchmark().queries.texts[::6]
    prompt = query_prompt(before)
    cosines = (encode(before, texts, prompt) * encode(after, texts, prompt)).sum(axis=1)
    seconds: dict[str, float] = {}
    for name, model in (("ms_before", before), ("ms_after", after)):
        times = []
        for text in texts[:12]:
            start = time.perf_counter()
            encode(model, [text], prompt)
            times.append(time.perf_counter() - start)
        seconds[name] = 1000 * median(times)
    return {"cosine_mean": float(cosines.mean()), "cosine_lowest": float(cosines.min()), **seconds}
