"""``panglot experiment``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.errors import PanglotError

app = typer.Typer(no_args_is_help=True, help="Questions about training, each answered by one command.")


@app.command()
def strategies(
    recipe: Annotated[Path, typer.Argument(help="The budget that all strategies share (TOML).")],
    output: Annotated[Path, typer.Option(help="Folder for the runs and summary.json.")],
    pairs: Annotated[
        list[Path], typer.Option(help="Parallel pairs, or a folder of LAReQA. Once per source.")
    ],
    benchmark: Annotated[list[str], typer.Option(help="NAME=FOLDER, such as xquad-r=lareqa/xquad-r.")],
    strategy: Annotated[
        str, typer.Option(help="Strategies to compare, separated by commas.")
    ] = "monolingual,crosslingual,mixed,hybrid",
    seeds: Annotated[int, typer.Option(help="Runs of each strategy.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Compare batch strategies under one budget, with intervals, on benchmarks never trained on.

    May be stopped at any time; the same command goes on where it stopped, and never repeats a finished run.
    """
    from panglot.data import load_benchmark
    from panglot.experiments import Budget, compare_strategies
    from panglot.experiments.recipes import load_source
    from panglot.report import comparison_table
    from panglot.training import Optimisation, read_recipe

    checked = read_recipe(recipe, {})
    benchmarks = []
    for text in benchmark:
        name, equals, folder = text.partition("=")
        if not equals:
            raise PanglotError(f"'{text}' names no folder; write NAME=FOLDER.")
        benchmarks.append(load_benchmark(name, folder))
    summary = compare_strategies(
        [load_source(path) for path in pairs],
        benchmarks,
        output,
        budget=Budget(
            model=checked.model.name,
            batch_size=checked.batches.size,
            alpha=checked.batches.alpha,
            temperature=checked.objective.temperature,
            optimisation=Optimisation(**checked.training.model_dump()),
        ),
        strategies=strategy.split(","),
        seeds=range(seeds),
        say=show.say,
    )
    if json:
        show.print_json(summary)
        return
    for name, compared in summary["comparison"].items():
        show.out.print(comparison_table(name, compared))
