"""``panglot push``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show


def push(
    folder: Annotated[Path, typer.Argument(help="Folder of a finished model.")],
    repo: Annotated[str, typer.Argument(help="Repository on the hub: OWNER/NAME.")],
    results: Annotated[
        list[Path] | None,
        typer.Option(help="Results file of this model for the card (model-index); repeatable."),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license", help="License of the model for the card, e.g. mit. (default: what the card says)"
        ),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch to write to. (default: main)")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print only JSON: the address of the commit.")] = False,
) -> None:
    """Upload a model with its card to the Hugging Face hub.

    The card in the folder stays as it is. Log in first: hf auth login.

    Example:

      panglot push runs/hybrid me/hybrid --results results.json --license mit --private
    """
    from panglot.evaluation.results import load_results
    from panglot.report.export import names_licence, push_model

    loaded = [load_results(path).results for path in results or ()]
    address = push_model(folder, repo, results=loaded, licence=licence, private=private, revision=revision)
    if json:
        show.print_json({"repo": repo, "commit": address})
        return
    if licence is None and not names_licence(folder):
        show.note("the card names no license. Name that of the model it began with: --license.")
    show.tell(f"pushed to {address}")
