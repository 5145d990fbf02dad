"""``panglot export``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show

app = typer.Typer(no_args_is_help=True, help="Results where others keep theirs.")


@app.command()
def mteb(
    results: Annotated[
        list[Path], typer.Argument(help="Results files that 'panglot evaluate --output' wrote.")
    ],
    output: Annotated[Path, typer.Option(help="mteb's folder of results, or another one.")],
    task: Annotated[
        str | None,
        typer.Option(help="What the tasks are called; the setting is added. (default: the benchmark's name)"),
    ] = None,
    split: Annotated[str, typer.Option(help="The part of the benchmark that was used.")] = "test",
    revision: Annotated[
        str | None, typer.Option(help="Of the model. (default: the checksum of its weights)")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the names of the files as JSON.")] = False,
) -> None:
    """Write results as mteb does: FOLDER/MODEL/REVISION/TASK.json, one task a setting.

    Subsets of a task are query languages, or pairs of languages: mteb's mean over them is panglot's figure.
    They are tasks of these names, not those of mteb's own list, which have other data.

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
    card: Annotated[Path, typer.Option(help="The model's README.md; it is made where there is none.")],
    name: Annotated[
        str | None, typer.Option(help="Of the model in the card. (default: what the card or the results say)")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="The benchmark's id on the hub. (default: its name)")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as JSON.")] = False,
) -> None:
    """Write figures into the front matter of a model card (model-index), where the hub shows them.

    Everything else in the card stays as it is; figures on the same data are replaced.

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
    show.tell(f"evaluation results in {card}")
