"""``panglot export``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.options import Json

app = typer.Typer(no_args_is_help=True, help="Export results or models (MTEB, model card, ONNX).")


@app.command()
def mteb(
    results: Annotated[
        list[Path], typer.Argument(help="Results files that 'panglot evaluate --output' wrote.")
    ],
    output: Annotated[Path, typer.Option(help="Write into this folder, such as mteb's folder of results.")],
    task: Annotated[
        str | None,
        typer.Option(help="Name of the tasks; the setting is appended. (default: the benchmark's name)"),
    ] = None,
    split: Annotated[str, typer.Option(help="Benchmark split that was evaluated.")] = "test",
    revision: Annotated[
        str | None, typer.Option(help="Revision of the model. (default: the checksum of its weights)")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print only JSON: the names of the files.")] = False,
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
    written = [
        path
        for found in loaded
        for path in write_mteb(found, output, task=task, split=split, revision=revision)
    ]
    if json:
        show.print_json({"files": [str(path) for path in written]})
        return
    for path in written:
        show.tell(str(path))


@app.command("model-card")
def model_card(
    results: Annotated[
        list[Path], typer.Argument(help="Results files of one model that 'panglot evaluate --output' wrote.")
    ],
    card: Annotated[
        Path, typer.Option(help="README.md of the model. A new file is written if there is none.")
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="Name of the model in the card. (default: the name in the card, else in the results)"
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Id of the benchmark on the hub. (default: its name)")
    ] = None,
    json: Json = False,
) -> None:
    """Write results into the front matter of a model card (model-index), which the hub displays.

    The command replaces figures of the same data, setting and measure, and changes nothing else in the card.

    Example:

      panglot export model-card results.json --card runs/hybrid/README.md
    """
    from panglot.evaluation.results import load_results
    from panglot.report.export import write_model_index

    loaded = [load_results(path).results for path in results]
    write_model_index(card, loaded, name=name, dataset=dataset)
    if json:
        show.print_json({"card": str(card), "benchmarks": [found["benchmark"]["name"] for found in loaded]})
        return
    show.tell(f"wrote the results to {card}")
