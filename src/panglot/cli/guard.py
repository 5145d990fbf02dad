"""What holds for every command: its values are checked, and every failure is one sentence."""

import contextlib
import itertools
import logging
import math
import operator
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import typer
from typer.core import TyperCommand
from typer.rich_utils import rich_format_error

from panglot.cli import show
from panglot.errors import PanglotError
from panglot.files import as_shown, said_of

DEBUG = "PANGLOT_DEBUG"
BM25, MTEB = "bm25", "mteb:"  # what names a model that is not loaded as an encoder
OUTPUTS = ("output", "assets", "runs", "export", "card")  # options that are written to
LARGEST = 2**31 - 1  # of a whole number in an option
REPORT = (
    "This is an error in panglot. Please report it to the place where you got panglot, with the output of "
    "'panglot --debug ...'."
)
# of click, or of the copy of it that newer versions of typer have
USAGE_ERROR: Any = typer.BadParameter.__base__
NO_MEMORY = "not enough memory; use smaller batches, a smaller model or fewer texts."


class Idle(NamedTuple):
    """Options that have no effect, in the commands that have all of them.

    Attributes:
        options: by their names in Python.
        other: the option or argument that decides.
        when: whether its value makes them idle.
        why: the beginning of a sentence; "": that the other is not given.
    """

    options: Sequence[str]
    other: str
    when: Callable[[Any], object] = operator.not_
    why: str = ""


OF_ENCODING = ("centre", "max_length", "truncate_dim", "bf16")
OF_ENCODERS = ("rerank", "balanced", "store", "perturb", "lexicon", "runs", *OF_ENCODING)
IDLE = (
    Idle(["rerank_depth"], "rerank"),
    Idle(["run_depth"], "runs"),
    Idle(["seed", "lexicon"], "perturb"),
    Idle(["run"], "benchmark"),
    Idle(["details"], "json", bool, "--json has all figures"),
    Idle(["column", "language", "among", "length", "model", "engine", *OF_ENCODING], "inputs"),
    Idle(["store"], "column", bool, "panglot encode takes no --column"),
    Idle(["store"], "every_item", bool, "panglot encode takes no --every-item"),
    Idle(["perturb", "runs", "balanced"], "rerank", bool, "--rerank is given"),
    Idle(["perturb", "runs"], "balanced", bool, "--balanced is given"),
    Idle(OF_ENCODERS, "model", lambda name: name == BM25, "BM25 has no vectors"),
    Idle(OF_ENCODERS, "model", lambda name: name.startswith(MTEB), "mteb loads and asks the model"),
)


class CheckedCommand(TyperCommand):
    """A command whose values are of the kinds that a command line cannot check for each option alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse options without a value: ``Path("")`` would be the current folder."""
        for before, word in itertools.pairwise(["", *args]):
            name = before if not word else word.removesuffix("=")
            if name in self._with_values() and (not word or word.endswith("=")):
                raise PanglotError(f"{name}: is empty; give it a value.")
        return super().parse_args(ctx, args)

    def _with_values(self) -> set[str]:
        """Return the options that take a value."""
        return {name for param in self.params if not getattr(param, "is_flag", False) for name in param.opts}

    def invoke(self, ctx: Any) -> Any:
        """Check the values, then run the command."""
        options = {param.name: max(param.opts, key=len) for param in self.params}
        given = [
            (name, value, isinstance(values, list | tuple))
            for name, values in ctx.params.items()
            for value in (values if isinstance(values, list | tuple) else [values])
        ]
        for name, value, several in given:
            _check_value(options.get(name, name), value)
            if value is not None:
                _check_named(name, str(value), several=several)
        for rule in IDLE:
            if {*rule.options, rule.other} <= set(options) and rule.when(ctx.params[rule.other]):
                for name in rule.options:
                    if ctx.get_parameter_source(name).name == "COMMANDLINE":
                        raise PanglotError(_why_idle(options[name], options[rule.other], rule.why))
        named = {name: path for name in OUTPUTS if isinstance(path := ctx.params.get(name), Path)}
        inputs = [value for name, value, _ in given if name not in named and isinstance(value, str | Path)]
        for name, path in named.items():
            _check_output(options[name], path, inputs)
        return super().invoke(ctx)


def _why_idle(option: str, other: str, why: str) -> str:
    if why:
        return f"{why}, so {option} has no effect. Leave it out."
    return f"{option} has no effect without {other}. Leave it out, or give {other}, too."


def _check_value(name: str, value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise PanglotError(f"{name}: {value} is not a finite number; use another.")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise PanglotError(f"{name}: the number is too large; use one up to {LARGEST}.")
    if name == "--seed" and isinstance(value, int) and value < 0:
        raise PanglotError(f"{name}: {value} is negative; use 0 or more.")
    if isinstance(value, str | Path) and "\0" in str(value):
        raise PanglotError(f"{name}: has a null character in it; remove it.")
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise PanglotError(f"{name}: '{value}' is not UTF-8; write it in UTF-8, or rename the file.")


def _check_named(name: str, value: str, *, several: bool) -> None:
    """Refuse a model, file of pairs or benchmark that is not there, before anything large is imported."""
    if name in ("model", "models") and value != BM25:
        from panglot.encoders.names import check_name

        check_name(value)
    elif name == "pairs" and several:
        from panglot.data.catalogue.training import check_source

        check_source(value)
    elif name == "benchmark" and not several:  # several are NAME or NAME=FOLDER
        from panglot.data.catalogue.entry import entry_named

        entry_named(value)


def _check_output(name: str, path: Path, inputs: list[str | Path]) -> None:
    """Refuse an output below a file, one that is the file that is read, and a name that is not UTF-8."""
    if as_shown(path) != str(path):
        raise PanglotError(f"{name}: {as_shown(path)} is not UTF-8; choose another name.")
    there = next((parent for parent in path.parents if parent.exists()), None)
    if there is not None and not there.is_dir():
        raise PanglotError(f"{name}: {there} is a file, not a folder; choose another place.")
    for other in inputs if path.is_file() else []:
        with contextlib.suppress(OSError, ValueError):
            if path.samefile(other):
                raise PanglotError(f"{name}: {path} is read by this command; choose another {name}.")


def check_commands(app: typer.Typer) -> None:
    """Let every command of an application, and of those in it, check its values."""
    for command in app.registered_commands:
        command.cls = CheckedCommand
    for group in app.registered_groups:
        if group.typer_instance is not None:
            check_commands(group.typer_instance)


def run(app: typer.Typer) -> NoReturn:
    """Run the command line; wrong usage is answered as typer does, by one of torchrun's processes alone."""
    try:
        code = app(standalone_mode=False) or 0
    except USAGE_ERROR as error:
        code = error.exit_code
        if _first_to_report(error.format_message()):
            rich_format_error(error)
    sys.exit(code)


class Notes(logging.Handler):
    """Prints what the library logs as notes, each once: a folder is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message as a note."""
        if (sentence := record.getMessage()) not in self._said:
            self._said.add(sentence)
            show.note(sentence)


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """End the process with one sentence and an exit code where something fails: 2 for bad input, 1 for a bug.

    ``PANGLOT_DEBUG=1`` shows the traceback, too.
    """
    try:
        yield
    except PanglotError as error:
        sentence, code = str(error), 2
    except KeyboardInterrupt:
        sentence, code = "interrupted.", 130
    except BrokenPipeError:
        sentence, code = "", 1  # the reader of a pipe has gone, and nobody reads on
    except OSError as error:
        sentence, code = said_of(error), 2
    except Exception as error:
        short_of_memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
        what = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"
        sentence, code = (NO_MEMORY, 2) if short_of_memory else (f"{what[:300]}. {REPORT}", 1)
    else:
        return
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        traceback.print_exc()
    if sentence and _first_to_report(sentence):
        show.complain(sentence)
    sys.exit(code)


def _first_to_report(sentence: str) -> bool:
    """Say whether no other process of torchrun's has printed this sentence."""
    if "RANK" not in os.environ:  # one process alone: a mistake is answered without loading torch
        return True
    from panglot.training.distributed import first_to_report

    return first_to_report(sentence)
