"""``panglot data``: benchmarks, training sets and your own data."""

import typer

from panglot.cli.data.catalogue import get, info, list_
from panglot.cli.data.check import check
from panglot.cli.data.translate import translate

app = typer.Typer(no_args_is_help=True, help="List, fetch, check and translate data.")
app.command("list")(list_)
app.command(no_args_is_help=True)(info)
app.command(no_args_is_help=True)(get)
app.command(no_args_is_help=True)(check)
app.command(no_args_is_help=True)(translate)
