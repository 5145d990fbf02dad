"""The command line: thin over the public Python API."""

import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from panglot.cli import data, experiment, export, show
from panglot.cli.average import average
from panglot.cli.centre import centre
from panglot.cli.compare import compare
from panglot.cli.encode import encode
from panglot.cli.evaluate import evaluate
from panglot.cli.index import index
from panglot.cli.inspect import inspect
from panglot.cli.mine import mine
from panglot.cli.onnx import onnx
from panglot.cli.quickstart import quickstart
from panglot.cli.report import report
from panglot.cli.search import search
from panglot.cli.serve import serve
from panglot.cli.train import train
from panglot.cli.trim import trim
from panglot.errors import PanglotError

OLD_OPTIONS = {  # of the first version, taken for one version more
    "--evaluate-every": "--eval-steps",
    "--save-every": "--save-steps",
    "--table-learning-rate": "--embedding-learning-rate",
}
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Train and measure one retriever for every language: monolingual, cross-lingual, multilingual.",
)
app.command()(quickstart)
app.command(no_args_is_help=True)(train)
app.add_typer(data.app, name="data")
app.command()(evaluate)
app.command(no_args_is_help=True)(compare)
app.command(no_args_is_help=True)(inspect)
app.command(no_args_is_help=True)(report)
export.app.command(no_args_is_help=True)(onnx)
app.add_typer(export.app, name="export")
app.command(no_args_is_help=True)(mine)
app.command(no_args_is_help=True)(centre)
app.command(no_args_is_help=True)(trim)
app.command(no_args_is_help=True)(average)
app.command(no_args_is_help=True)(encode)
app.command(no_args_is_help=True)(index)
app.command(no_args_is_help=True)(search)
app.command()(serve)
app.add_typer(experiment.app, name="experiment")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("panglot"))
        raise typer.Exit


@app.callback()
def options(
    version_: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def _renamed(word: str) -> str:
    """Return an option of the first version by its name of today."""
    name, equals, value = word.partition("=")
    return OLD_OPTIONS.get(name, name) + equals + value


def main() -> None:
    """Run the command line: a mistake is one sentence and exit code 2 (Ctrl-C is 130, as typer has it)."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    sys.argv[1:] = [_renamed(word) for word in sys.argv[1:]]
    try:
        app()
    except PanglotError as error:
        show.complain(str(error))
        sys.exit(2)
