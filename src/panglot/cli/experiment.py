"""``panglot experiment``."""

from pathlib import Path
from typing import Annotated

import typer

from panglot.cli import show
from panglot.cli.experiment_questions import register
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
    variant: Annotated[
        list[str] | None,
        typer.Option(help="NAME:PART.SETTING=VALUE,... to run the recipe with other settings, too."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the recipe for all runs, as PART.NAME=VALUE; repeatable."),
    ] = None,
    languages: Annotated[
        str | None, typer.Option(help="Train on these languages only, e.g. en,de,sw. (default: all)")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Another encoder than the recipe's.")] = None,
    centred: Annotated[
        bool, typer.Option("--centred", help="Measure each model with language centring, too.")
    ] = False,
    bf16: Annotated[bool, typer.Option("--bf16", help="Encode in bfloat16 when measuring.")] = False,
    seeds: Annotated[int, typer.Option(help="Runs of each strategy.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Compare batch strategies under one budget, with intervals, on benchmarks never trained on.

    May be stopped at any time; the same command goes on where it stopped, and never repeats a finished run.
    """
    from panglot.data import load_benchmark
    from panglot.experiments import compare_strategies
    from panglot.experiments.recipes import load_source, select_languages
    from panglot.report import comparison_table
    from panglot.training import parse_override, read_recipe

    given = {"model.name": model} if model else {}
    checked = read_recipe(recipe, given | dict(parse_override(text) for text in settings or []))
    benchmarks = []
    for text in benchmark:
        name, equals, folder = text.partition("=")
        if not equals:
            raise PanglotError(f"'{text}' names no folder; write NAME=FOLDER.")
        benchmarks.append(load_benchmark(name, folder))
    variants = {}
    for text in variant or []:
        name, colon, changes = text.partition(":")
        if not colon:
            raise PanglotError(f"'{text}' names no settings; write NAME:PART.SETTING=VALUE.")
        variants[name] = dict(parse_override(setting) for setting in changes.split(","))
    sources = [load_source(path) for path in pairs]
    if languages:
        sources = select_languages(sources, languages.split(","))
    summary = compare_strategies(
        sources,
        benchmarks,
        output,
        recipe=checked,
        strategies=[name for name in strategy.split(",") if name],
        variants=variants,
        seeds=range(seeds),
        centred=centred,
        bf16=bf16,
        say=show.say,
    )
    if json:
        show.print_json(summary)
        return
    for name, compared in summary["comparison"].items():
        show.out.print(comparison_table(name, compared))


register(app)
