"""``panglot experiment`` and ``panglot reproduce``: a question, or the paper, by one command."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from typer import Argument, Option

from panglot import training
from panglot.cli import show
from panglot.cli.options import Json, TrainedOn, overrides
from panglot.errors import PanglotError

if TYPE_CHECKING:
    from panglot.experiments import Answer, Data, Experiment
    from panglot.experiments.sweep import Progress as SweepProgress

QUESTIONS = {  # of each bundled recipe, the question that its first line asks
    path.stem: path.read_text("utf-8").splitlines()[0].removeprefix("# ")
    for path in sorted((Path(__file__).parents[1] / "experiments" / "defaults").glob("*.toml"))
}
ABOUT = """The command trains the missing models, evaluates and compares them, and writes
report.html, report.md and summary.json. You can stop it at any time: the same command continues and skips
finished runs."""
BEFORE_SETTING = r",(?=\s*\w+\.[\w.]+\s*=)"  # other commas are parts of values: of lists, tables and texts
WAIT = 60.0  # seconds between lines about training in a pipe

Output = Annotated[Path, Option(help="Write the report and its tables into this folder.")]
Model = Annotated[str | None, Option(help="Encoder. (default: the recipe's)")]
Runs = Annotated[
    Path | None,
    Option(help="Folder for the runs, which several experiments can share. (default: OUTPUT/runs)"),
]
Workers = Annotated[int, Option(help="Number of runs at the same time, run by Ray.", min=1)]
DryRun = Annotated[bool, Option("--dry-run", help="List the runs and stop.")]

app = typer.Typer(no_args_is_help=True, help="Answer a question about training with one command.")


@app.command()
def strategies(
    recipe: Annotated[Path, Argument(help="Recipe (TOML) that all strategies share.")],
    output: Output,
    pairs: Annotated[
        list[Path], Option(help="Parallel pairs, or a folder of LAReQA. Repeat the option for each source.")
    ],
    benchmark: Annotated[
        list[str],
        Option(help="Benchmark and its folder, as NAME=FOLDER, e.g. xquad-r=lareqa/xquad-r; repeatable."),
    ],
    strategy: Annotated[
        str, Option(help="Strategies to compare, separated by commas.")
    ] = "monolingual,crosslingual,mixed,hybrid",
    variant: Annotated[
        list[str] | None,
        Option(help="Run the recipe with other settings, too, as NAME:PART.SETTING=VALUE,...; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        Option("--set", help="Change a setting of the recipe for all runs, as PART.NAME=VALUE; repeatable."),
    ] = None,
    languages: TrainedOn = None,
    model: Model = None,
    centred: Annotated[
        bool, Option("--centred", help="Evaluate each model with language centring, too.")
    ] = False,
    bf16: Annotated[bool, Option("--bf16", help="Evaluate in bfloat16.")] = False,
    seeds: Annotated[int, Option(help="Number of random seeds per strategy.", min=1)] = 3,
    runs: Runs = None,
    workers: Workers = 1,
    dry_run: DryRun = False,
    json: Annotated[bool, Option("--json", help="Print only JSON: the summary.")] = False,
) -> None:
    """Compare batch strategies with the same training budget, on benchmarks that are not trained on.

    You can stop the command at any time: the same command continues and skips finished runs.
    """
    from panglot.experiments import Experiment
    from panglot.experiments.experiment import check_used

    given = {"model.name": model} if model else {}
    given |= check_used(overrides(settings))
    shared = training.read_recipe(recipe, given)
    places = _places("--benchmark", benchmark)
    variants: dict[str, dict[str, Any]] = {}
    for text in variant or []:
        name, colon, changes = text.partition(":")
        if not (name and colon):
            what = "settings" if name else "name"
            raise PanglotError(f"--variant: '{text}' has no {what}. Write NAME:PART.SETTING=VALUE.")
        if name in variants:
            raise PanglotError(f"--variant: two are called '{name}'; give every variant a name of its own.")
        variants[name] = overrides(re.split(BEFORE_SETTING, changes))
    grid = {
        "strategies": [name for name in strategy.split(",") if name],
        "variants": variants,
        "centred": centred,
        "languages": languages.split(",") if languages else shared.data.languages,
    }
    experiment = Experiment(
        question="strategies", benchmarks=list(places), seeds=seeds, bf16=bf16, recipe=shared, grid=grid
    )
    _run(experiment, experiment.data(pairs, places), output, runs, workers, dry_run, json)


def _command(name: str) -> Callable[..., None]:
    def command(
        output: Output,
        pairs: Annotated[
            list[str] | None,
            Option(help="Parallel pairs, as for panglot train. Repeat the option for each source."),
        ] = None,
        recipe: Annotated[
            Path | None, Option(help="Recipe of the experiment (TOML). (default: the bundled one)")
        ] = None,
        benchmark: Annotated[
            list[str] | None,
            Option(help="Benchmark, as NAME or NAME=FOLDER; repeatable. (default: the recipe's)"),
        ] = None,
        place: Annotated[
            list[str] | None, Option("--data", help="Folder of a benchmark, as NAME=FOLDER; repeatable.")
        ] = None,
        model: Model = None,
        seeds: Annotated[int | None, Option(help="Number of random seeds per trained model.")] = None,
        settings: Annotated[
            list[str] | None,
            Option(
                "--set",
                help="Change a setting, as grid.NAME=VALUE or PART.NAME=VALUE of training; repeatable.",
            ),
        ] = None,
        held_out: Annotated[
            float, Option(help="Share of the pairs' documents to exclude from training.", min=0, max=0.9)
        ] = 0.0,
        runs: Runs = None,
        workers: Workers = 1,
        dry_run: DryRun = False,
        json: Annotated[
            bool, Option("--json", help="Print only JSON: the summary, or with --dry-run the list of runs.")
        ] = False,
    ) -> None:
        from panglot.experiments import read_experiment

        given = overrides(settings)
        given |= {"model.name": model} if model else {}
        given |= {"seeds": seeds} if seeds is not None else {}
        places = _places("--data", place or [])
        if benchmark:
            given["benchmarks"] = [text.partition("=")[0] for text in benchmark]
            places |= _places("--benchmark", [text for text in benchmark if "=" in text])
        experiment = read_experiment(recipe or name, given, question=name)
        if unused := sorted(set(places) - set(experiment.benchmarks)):
            names = ", ".join(experiment.benchmarks)
            raise PanglotError(f"--data: '{unused[0]}' is not measured on. Use {names}, or add --benchmark.")
        data = experiment.data(pairs or (), places, held_out=held_out)
        _run(experiment, data, output, runs, workers, dry_run, json)

    return command


for _name, _sentence in QUESTIONS.items():
    app.command(_name, help=f"{_sentence}\n\n{ABOUT}")(_command(_name))


def _run(
    experiment: "Experiment",
    data: "Data",
    output: Path,
    runs: Path | None,
    workers: int,
    dry_run: bool,
    json: bool,
) -> None:
    """List the runs, or finish them and print the tables."""
    from panglot.experiments import run_experiment
    from panglot.experiments.experiment import plan_runs, with_precisions
    from panglot.experiments.runs import unfinished

    folder = runs or output / "runs"
    if dry_run:
        experiment, data = with_precisions(experiment, data)
        found = plan_runs(experiment, data)
        waiting = {run.title for run in unfinished(found, data, folder)}
        listed = [{"name": run.title, "done": run.title not in waiting} for run in found]
        show.answer(json, listed, *(f"{'done ' if r['done'] else 'to do'}  {r['name']}" for r in listed))
        return
    finish_runs(
        lambda progress: run_experiment(
            experiment, data, output, runs_folder=folder, workers=workers, progress=progress
        ),
        output,
        json,
    )


def finish_runs(
    run: Callable[[Callable[["SweepProgress"], None]], "Answer"], output: Path, json: bool
) -> None:
    """Show how far an experiment is while it runs, then its tables."""

    with _progress() as on_progress:
        answer = run(on_progress)
    if json:
        show.print_json(answer.summary)
        return
    for table in answer.tables:
        if not table.folded:
            show.table(table)
    show.result(f"wrote the report, plots and tables to {output}")


def _places(option: str, texts: list[str]) -> dict[str, str]:
    """Return folders by name of benchmark."""
    places: dict[str, str] = {}
    for text in texts:
        name, _, folder = text.partition("=")
        if not (name and folder):
            raise PanglotError(f"{option}: '{text}' names no folder. Write NAME=FOLDER.")
        if name in places:
            raise PanglotError(f"{option}: '{name}' is named twice; name it once.")
        places[name] = folder
    return places


@contextmanager
def _progress() -> Iterator[Callable[["SweepProgress"], None]]:
    """Show how far a sweep is: a bar over all runs and one over a run's steps, or lines in a pipe."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
    )
    start, began, said, finished = monotonic(), None, 0.0, 0
    with Progress(*columns, console=show.err, transient=True, disable=not show.err.is_terminal) as bars:
        grid = bars.add_task("runs", total=None, left="")
        steps = bars.add_task("training", total=None, left="", visible=False)

        def on_progress(progress: "SweepProgress") -> None:
            nonlocal began, said, finished
            began = progress.done if began is None else began
            made = progress.done - began
            left = (monotonic() - start) / made * (progress.total - progress.done) if made else None
            about = "" if left is None else f"about {left / 60:.0f} min left"
            bars.update(grid, completed=progress.done, total=progress.total, left=about)
            if progress.step is not None:
                done, total = progress.step
                bars.update(steps, description=progress.run, completed=done, total=total, visible=True)
                if not show.err.is_terminal and monotonic() - said > WAIT:
                    said = monotonic()
                    show.say(f"{progress.run}: step {done}/{total}")
                return
            bars.update(steps, description=progress.run, completed=0, visible=False)
            if not show.err.is_terminal:
                said = monotonic()
                ended, finished = progress.done > finished and made, progress.done
                what = f"done: {progress.run}  {about}" if ended else progress.run
                show.say(f"[{progress.done}/{progress.total}] {what}")

        yield on_progress


def reproduce(
    what: Annotated[str, Argument(help="What to reproduce: paper.")],
    encoder: Annotated[str, Option("--model", help="xlm-r or labse.")] = "xlm-r",
    scale: Annotated[
        float, Option(help="Share of the paper's training pairs and steps; 1 is all, 0.001 a trial.")
    ] = 1.0,
    output: Annotated[Path, Option(help="Folder for translated pairs, runs and the report.")] = Path(
        "runs/paper"
    ),
    source: Annotated[
        list[str] | None, Option(help="Train on this training set of the paper. (default: all)")
    ] = None,
    benchmark: Annotated[
        list[str] | None, Option(help="Evaluate on this benchmark. (default: xquad-r, mlqa-r, miracl)")
    ] = None,
    seeds: Annotated[int, Option(min=1, help="Number of runs of each kind of batch.")] = 1,
    translator: Annotated[
        str | None,
        Option(help="Translation model for missing languages. (default: facebook/nllb-200-distilled-600M)"),
    ] = None,
    settings: Annotated[
        list[str] | None, Option("--set", help="Setting of the recipe: PART.NAME=VALUE.")
    ] = None,
    workers: Annotated[int, Option(min=1, help="Number of runs at once, through Ray.")] = 1,
    dry_run: Annotated[
        bool, Option("--dry-run", help="List the steps, their hours on one GPU and their disk; do nothing.")
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
        raise PanglotError(f"'{what}' cannot be reproduced; write 'paper'.")
    from panglot.experiments.paper import Reproduction, disk, steps
    from panglot.experiments.paper import reproduce as run

    given = {"sources": source, "benchmarks": benchmark, "translator": translator}
    chosen = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if value
    }
    wanted = Reproduction(
        model=encoder,
        scale=scale,
        seeds=seeds,
        settings=tuple(overrides(settings).items()),
        **chosen,  # type: ignore[arg-type]
    )
    if not dry_run:
        finish_runs(
            lambda progress: run(wanted, output, workers=workers, progress=progress, say=show.say),
            output,
            json,
        )
        return
    found = list(steps(wanted, output))
    if json:
        show.print_json([vars(step) for step in found])
        return
    for step in found:
        hours = "" if step.hours is None else f", about {max(step.hours, 0.01):,.2f} h"
        space = f", {step.gigabytes:,.1f} GB" if step.gigabytes >= 0.05 else ""
        line = f"{step.what}: {step.work}"
        show.result(f"done   {line}" if step.done else f"to do  {line}{hours}{space}")
    total = sum(step.hours or 0 for step in found if not step.done)
    show.result(
        f"about {total:,.1f} hours on one GPU of 300 TFLOP/s, without downloads, and {disk(found):,.0f} GB "
        "of disk at once (assumed, not measured)"
    )
