"""``panglot export``."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from panglot import encoders
from panglot.cli import show
from panglot.cli.options import Json, TrustRemoteCode

app = typer.Typer(no_args_is_help=True, help="Export results or models (MTEB, model card, ONNX).")


@app.command()
def mteb(
    results: Annotated[list[Path], Argument(help="Results files that 'panglot evaluate --output' wrote.")],
    output: Annotated[Path, Option(help="Write into this folder, such as mteb's folder of results.")],
    task: Annotated[
        str | None, Option(help="Name of the tasks; the setting is appended. (default: the benchmark's name)")
    ] = None,
    split: Annotated[str, Option(help="Benchmark split that was evaluated.")] = "test",
    revision: Annotated[
        str | None, Option(help="Revision of the model. (default: the checksum of its weights)")
    ] = None,
    json: Annotated[bool, Option("--json", help="Print only JSON: the names of the files.")] = False,
) -> None:
    """Write results in mteb's format: FOLDER/MODEL/REVISION/TASK.json, one task per setting.

    The subsets of a task are query languages or language pairs, and mteb's mean over them equals panglot's
    figure. mteb's own tasks with similar names have other data.

    Example:

      panglot export mteb results.json --output mteb-results
    """
    from panglot.evaluation.results import load_results
    from panglot.report.export import write_mteb

    loaded = [load_results(path).results for path in results]
    names = [str(path) for path in write_mteb(loaded, output, task=task, split=split, revision=revision)]
    show.answer(json, {"files": names}, *names)


@app.command("model-card")
def model_card(
    results: Annotated[
        list[Path], Argument(help="Results files of one model that 'panglot evaluate --output' wrote.")
    ],
    card: Annotated[Path, Option(help="README.md of the model. A new file is written if there is none.")],
    name: Annotated[
        str | None,
        Option(help="Name of the model in the card. (default: the name in the card, else in the results)"),
    ] = None,
    dataset: Annotated[str | None, Option(help="Id of the benchmark on the hub. (default: its name)")] = None,
    json: Json = False,
) -> None:
    """Write results into the front matter of a model card (model-index), which the hub displays.

    The command replaces figures of the same data, setting and measure, and changes nothing else in the card.

    Example:

      panglot export model-card results.json --card runs/tuned/README.md
    """
    from panglot.evaluation.results import load_results
    from panglot.report.export import write_model_index

    loaded = [load_results(path).results for path in results]
    write_model_index(card, loaded, name=name, dataset=dataset)
    benchmarks = [found["benchmark"]["name"] for found in loaded]
    show.answer(json, {"card": str(card), "benchmarks": benchmarks}, f"wrote the results to {card}")


@app.command(no_args_is_help=True)
def onnx(
    model: Annotated[str, Argument(help="Model folder or hub id of a transformer.")],
    output: Annotated[
        Path, Option(help="Write the exported model into this folder, which must be new or empty.")
    ],
    int8: Annotated[
        bool, Option("--int8", help="Compute in 8 bits: faster and smaller, but less exact.")
    ] = False,
    trust_remote_code: TrustRemoteCode = False,
    json: Json = False,
) -> None:
    """Export a model for ONNX Runtime, which encodes short texts faster on a CPU.

    The command prints the cosines of both models' embeddings on the bundled sample, and the time of both. All
    commands load the exported model, but it cannot be trained.

    Example:

      panglot export onnx runs/tuned --output runs/tuned-onnx
    """
    from panglot.files import check_new_folder

    check_new_folder(output)
    from panglot.encoders.onnx import export_onnx  # loads torch

    encoder = encoders.load_encoder(model, device="cpu", trust_remote_code=trust_remote_code)
    export_onnx(encoder, output, int8=int8)
    facts = _compare(encoder, encoders.load_encoder(str(output), device="cpu"))
    if json:
        show.print_json({"output": str(output), "precision": "int8" if int8 else "float32", **facts})
        return
    show.result(
        f"cosine with the model's own embeddings: {facts['cosine_mean']:.4f} on average, "
        f"lowest {facts['cosine_lowest']:.4f}; one question: {facts['ms_before']:.1f} ms -> "
        f"{facts['ms_after']:.1f} ms"
    )
    if int8:
        show.note("8 bits change the ranking. Run panglot evaluate on the exported model before you use it.")
    show.result(f"wrote the exported model to {output}")


def _compare(before: Any, after: Any) -> dict[str, float]:
    """Compare embeddings of 48 questions of the sample, and the median time of one of the first 12."""
    from statistics import median

    from panglot.data import sample_benchmark

    texts = sample_benchmark().queries.texts[::5]  # of all twelve languages
    prompt = encoders.query_prompt(before)
    cosines = (encoders.encode(before, texts, prompt) * encoders.encode(after, texts, prompt)).sum(axis=1)
    seconds: dict[str, float] = {}
    for name, model in (("ms_before", before), ("ms_after", after)):
        times = []
        for text in texts[:12]:
            start = time.perf_counter()
            encoders.encode(model, [text], prompt)
            times.append(time.perf_counter() - start)
        seconds[name] = 1000 * median(times)
    return {"cosine_mean": float(cosines.mean()), "cosine_lowest": float(cosines.min()), **seconds}
