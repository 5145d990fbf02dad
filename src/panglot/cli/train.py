"""``panglot train``."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from panglot import training
from panglot.cli import show
from panglot.cli.options import PAIRS, Json, TrainedOn, overrides
from panglot.errors import PanglotError


def train(
    recipe: Annotated[
        Path | None,
        Argument(
            help="Recipe: a TOML file, or multilingual-e5-small(-merged), paper/xlm-r, paper/labse. "
            "Options override its settings."
        ),
    ] = None,
    output: Annotated[
        Path | None, Option(help="Write the model, its card and its log into this folder. (required)")
    ] = None,
    model: Annotated[
        str | None, Option(help="multilingual-e5-small (the default), a model folder, or a hub id.")
    ] = None,
    pairs: Annotated[list[str] | None, Option(help=f"{PAIRS} Repeat for each source.")] = None,
    column: Annotated[
        list[str] | None, Option(help="Column of a field, as FIELD=COLUMN, e.g. query=question; repeatable.")
    ] = None,
    strategy: Annotated[
        str | None,
        Option(
            help="How batches are drawn: monolingual, crosslingual, mixed, hybrid, bilingual, english or "
            "specific. (default: as tested for the model, else hybrid)"
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        Option(
            help="Probability that a hybrid or bilingual batch is monolingual. (default: 0.5; bilingual: 0)"
        ),
    ] = None,
    batch_size: Annotated[
        int | None, Option(help="Number of pairs in a batch. (default: as tested for the model)")
    ] = None,
    steps: Annotated[int | None, Option(help="Number of steps. (default: as tested for the model)")] = None,
    learning_rate: Annotated[
        float | None, Option(help="Peak learning rate. (default: as tested for the model)")
    ] = None,
    embedding_learning_rate: Annotated[
        float | None, Option(help="Learning rate of the token embeddings. (default: the same)")
    ] = None,
    temperature: Annotated[
        float | None, Option(help="Temperature of the contrastive loss. (default: as tested for the model)")
    ] = None,
    languages: TrainedOn = None,
    max_length: Annotated[
        int | None,
        Option(help="Cut texts after this many tokens. (default: as tested for the model, else its limit)"),
    ] = None,
    held_out: Annotated[
        float | None,
        Option(help="Share of the items to hold out of training, whole documents at a time. (default: 0)"),
    ] = None,
    eval_steps: Annotated[
        int | None,
        Option(help="Evaluate on held-out documents after this many steps, and keep the best model."),
    ] = None,
    patience: Annotated[
        int | None, Option(help="Stop after this many evaluations without a gain. (default: never)")
    ] = None,
    save_steps: Annotated[int | None, Option(help="Write a checkpoint after this many steps.")] = None,
    seed: Annotated[int | None, Option(help="Random seed. (default: 0)")] = None,
    bf16: Annotated[bool | None, Option("--bf16/--no-bf16", help="Compute in bfloat16.")] = None,
    settings: Annotated[
        list[str] | None, Option("--set", help="Set any setting of a recipe, as PART.NAME=VALUE; repeatable.")
    ] = None,
    resume: Annotated[bool, Option("--resume", help="Continue an interrupted run in --output.")] = False,
    json: Json = False,
) -> None:
    """Fine-tune an encoder on parallel pairs with hybrid or other batches.

    Examples:

      panglot train --pairs pairs.jsonl.gz --output runs/tuned

      panglot train my-recipe.toml --model runs/tuned --set batches.alpha=0.3 --output runs/alpha-0.3

    Ctrl-C writes a checkpoint and stops. The same command with --resume continues, and gives exactly the
    weights of an uninterrupted run.
    """
    from panglot.data.pairs_files.columns import parse_columns
    from panglot.training.recipes import check_recipe, run_recipe

    if output is None:
        raise PanglotError("no output folder is given; name one with --output.")
    options: dict[str, Any] = {
        "model.name": model,
        "training.max_length": max_length,
        "data.pairs": pairs or None,
        "data.columns": parse_columns(column) if column else None,
        "data.languages": languages.split(",") if languages else None,
        "data.held_out": held_out,
        "batches.strategy": strategy,
        "batches.alpha": alpha,
        "batches.size": batch_size,
        "loss.temperature": temperature,
        "training.steps": steps,
        "training.learning_rate": learning_rate,
        "training.embedding_learning_rate": embedding_learning_rate,
        "training.eval_steps": eval_steps,
        "training.patience": patience,
        "training.save_steps": save_steps,
        "training.seed": seed,
        "training.bf16": bf16,
    }
    given = {name: value for name, value in options.items() if value is not None}
    with _one_voice():
        checked = training.read_recipe(recipe, given | overrides(settings))
        check_recipe(checked)
        count = len(checked.data.pairs)
        show.say(f"loading {checked.model.name} and {count} source{'s' * (count != 1)} of pairs")
        known = training.known_settings(checked.model.name).items()
        if used := [f"{name} {value}" for name, value in known if _is_used(checked, name, value)]:
            show.say(f"settings tested for this model (options and recipes override them): {', '.join(used)}")
        outcomes = run_recipe(checked, output, resume=resume, note=show.note)
        if json:
            show.print_json({str(folder): vars(outcome) for folder, outcome in outcomes.items()})
        for folder, outcome in outcomes.items():
            if not outcome.finished:
                again = "continue with the same command and --resume"
                show.note(f"interrupted after step {outcome.steps}; {again}.")
                raise typer.Exit(130)
            if not json:
                plural = "s" * (outcome.steps != 1)
                show.result(f"trained {outcome.steps} step{plural}; the model is in {folder}")
                for name, weight in outcome.weights.items():
                    show.result(f"  weight of {name}: {weight:g}")
                for name, value in sorted(outcome.figures.items()):
                    show.result(f"  held-out {name.replace('_', ' ')}: {value:.4f}")


def _is_used(config: "training.TrainingConfig", name: str, value: Any) -> bool:
    """Return whether a run has this value of a setting."""
    part, _, setting = name.partition(".")
    return bool(getattr(getattr(config, part), setting) == value)


@contextmanager
def _one_voice() -> Iterator[None]:
    """Let the first of torchrun's processes print for all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of libraries, about each other
        if "RANK" not in os.environ:  # one process alone: a mistake is answered without loading torch
            yield
            return
        from panglot.training.distributed import is_first, leave

        show.out.quiet = show.err.quiet = not is_first()
        try:
            yield
        finally:
            show.out.quiet = show.err.quiet = False
        leave()
