"""``panglot reproduce``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.experiment import finish_runs
from panglot.cli.options import Json
from panglot.errors import PanglotError


def reproduce(
    what: Annotated[str, typer.Argument(help="What to reproduce: paper.")],
    encoder: Annotated[str, typer.Option("--model", help="xlm-r or labse.")] = "xlm-r",
    scale: Annotated[
        float, typer.Option(help="Share of the paper's training pairs and steps; 1 is all, 0.001 a trial.")
    ] = 1.0,
    output: Annotated[
        Path, typer.Option(help="Folder for translated pairs, runs and the report. (default: runs/paper)")
    ] = Path("runs/paper"),
    source: Annotated[
        list[str] | None, typer.Option(help="Train on this training set of the paper. (default: all)")
    ] = None,
    benchmark: Annotated[
        list[str] | None, typer.Option(help="Evaluate on this benchmark. (default: xquad-r, mlqa-r, miracl)")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of runs of each kind of batch.")] = 1,
    translator: Annotated[
        str | None,
        typer.Option(
            help="Translation model for missing languages. (default: facebook/nllb-200-distilled-600M)"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Setting of the recipe: PART.NAME=VALUE.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of runs at once, through Ray.")] = 1,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="List the steps, their hours on one GPU and their disk; do nothing."),
    ] = False,
    json: Json = False,
) -> None:
    """Reproduce the hybrid batch paper: fetch its data, translate, train, evaluate, compare.

    The command trains an encoder with monolingual, cross-lingual and hybrid batches in the published
    settings, and writes a report with the published figures beside. You can stop it at any time: the same
    command continues.

    Examples:

      panglot reproduce paper --dry-run

      panglot reproduce paper --model labse --scale 0.001 --benchmark xquad-r --output runs/trial
    """
    if what != "paper":
        raise PanglotError(f"'{what}' cannot be reproduced; only 'paper' can.")
    from panglot.experiments.paper import Reproduction, disk, steps
    from panglot.experiments.paper import reproduce as run
    from panglot.training import parse_override

    given = {"sources": source, "benchmarks": benchmark, "translator": translator}
    chosen = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value
    }
    wanted = Reproduction(
        model=encoder,
        scale=scale,
        seeds=seeds,
        settings=tuple(parse_override(text) for text in settings or ()),
        **chosen,  # type: ignore[arg-type]
    )
    if not dry_run:
        finish_runs(lambda tell: run(wanted, output, workers=workers, tell=tell, say=show.say), output, json)
        return
    found = list(steps(wanted, output))
    if json:
        show.print_json([vars(step) for step in found])
        return
    for step in found:
        hours = "" if step.hours is None else f", about {max(step.hours, 0.01):,.2f} h"
        space = f", {step.gigabytes:,.1f} GB" if step.gigabytes >= 0.05 else ""
        line = f"{step.what}: {step.work}"
        show.tell(f"done   {line}" if step.done else f"to do  {line}{hours}{space}")
    total = sum(step.hours or 0 for step in found if not step.done)
    show.tell(
        f"about {total:,.1f} hours on one GPU of 300 TFLOP/s, without downloads, and {disk(found):,.0f} GB "
        "of disk at once (assumed, not measured)"
    )
