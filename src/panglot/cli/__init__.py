"""The command line, a thin layer over the Python functions."""

import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from typer import Option

from panglot.cli import data, experiment, export, guard
from panglot.cli.encode import encode
from panglot.cli.evaluate import evaluate
from panglot.cli.experiment import reproduce
from panglot.cli.index import index
from panglot.cli.mine import mine
from panglot.cli.models import average, centre, push, trim
from panglot.cli.quickstart import quickstart
from panglot.cli.results import compare, inspect, report
from panglot.cli.search import search, serve
from panglot.cli.train import train
from panglot.errors import STRICT

OLD_OPTIONS = {  # old names of options, accepted in this version only
    "--evaluate-every": "--eval-steps",
    "--save-every": "--save-steps",
    "--table-learning-rate": "--embedding-learning-rate",
}
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Train and evaluate one retriever for all languages: monolingual, cross-lingual, multilingual.",
)
TRAIN, EVALUATE, SEARCH, DATA = "Train", "Evaluate", "Search", "Data"  # the panels of --help, in this order
app.command(rich_help_panel=TRAIN)(quickstart)
app.command(no_args_is_help=True, rich_help_panel=TRAIN)(train)
app.command(no_args_is_help=True, rich_help_panel=TRAIN)(mine)
app.command(no_args_is_help=True, rich_help_panel=TRAIN)(centre)
app.command(no_args_is_help=True, rich_help_panel=TRAIN)(trim)
app.command(no_args_is_help=True, rich_help_panel=TRAIN)(average)
app.command(no_args_is_help=True, rich_help_panel=TRAIN)(push)
app.command(rich_help_panel=EVALUATE)(evaluate)
app.command(no_args_is_help=True, rich_help_panel=EVALUATE)(compare)
app.command(no_args_is_help=True, rich_help_panel=EVALUATE)(inspect)
app.command(no_args_is_help=True, rich_help_panel=EVALUATE)(report)
app.command(no_args_is_help=True, rich_help_panel=EVALUATE)(encode)
app.add_typer(experiment.app, name="experiment", rich_help_panel=EVALUATE)
app.command(no_args_is_help=True, rich_help_panel=EVALUATE)(reproduce)
app.add_typer(export.app, name="export", rich_help_panel=EVALUATE)
app.command(no_args_is_help=True, rich_help_panel=SEARCH)(index)
app.command(no_args_is_help=True, rich_help_panel=SEARCH)(search)
app.command(rich_help_panel=SEARCH)(serve)
app.add_typer(data.app, name="data", rich_help_panel=DATA)
guard.check_commands(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("panglot"))
        raise typer.Exit


@app.callback()
def options(
    version_: Annotated[
        bool, Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, Option("--debug", help="Show the traceback of an error, as PANGLOT_DEBUG=1 does.")
    ] = False,
    strict: Annotated[
        bool,
        Option("--strict", help="Refuse an official file with rows that cannot be used, instead of a note."),
    ] = False,
) -> None:
    """Set what holds for all commands."""
    for wanted, name in ((debug, guard.DEBUG), (strict, STRICT)):
        if wanted:
            os.environ[name] = "1"


def _renamed(word: str) -> str:
    """Return the current name of an option."""
    name, equals, value = word.partition("=")
    return OLD_OPTIONS.get(name, name) + equals + value


def main() -> None:
    """Run the command line: bad input gives exit code 2, an error of panglot's own 1, Ctrl-C 130."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    sys.argv[1:] = [_renamed(word) for word in sys.argv[1:]]
    log, notes = logging.getLogger("panglot"), guard.Notes()
    log.addHandler(notes)
    try:
        with guard.one_sentence():
            guard.run(app)
    finally:
        log.removeHandler(notes)
