"""``panglot data``: benchmarks and training sets, and your own data; a file a command or three."""

import typer

from panglot.cli.data.catalogue import get, info, list_
from panglot.cli.data.check import check
from panglot.cli.data.translate import translate

app = typer.Typer(no_args_is_help=True, help="Data: list, fetch, check and translate it.")
app.command("list")(list_)
app.command(no_args_is_help=True)(info)
app.command(no_args_is_help=True)(get)
app.command(no_args_is_help=True)(check)
app.command(no_args_is_help=True)(translate)
