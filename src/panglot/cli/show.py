"""Output of all commands: a console, progress bars that disappear in a pipe, and one-sentence errors."""

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.highlighter import JSONHighlighter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment

if TYPE_CHECKING:
    from panglot.training import StepReport

# Control characters, lone surrogates, and marks that change the direction of the following text
CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e"
HARMFUL = re.compile(rf"[{CONTROLS}\u2066-\u2069]")
IN_TABLES = re.compile(f"[{CONTROLS}]")  # which isolate texts by marks of their own


class SafeConsole(Console):
    """A console whose own colours are the only escape sequences that reach the terminal."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(
            part if part.control else Segment(_escaped(IN_TABLES, part.text), part.style) for part in buffer
        )


out = SafeConsole()
err = SafeConsole(stderr=True)


def printable(text: str) -> str:
    """Return a text that is safe to print: control characters are written as escapes.

    Line ends, tabs and joiners, which scripts need, are kept. Lone surrogates, which undecodable file names
    contain, are written as escapes, too.
    """
    return _escaped(HARMFUL, text)


def _escaped(harmful: re.Pattern[str], text: str) -> str:
    return harmful.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def complain(sentence: str) -> None:
    """Print an error to standard error."""
    err.print(f"error: {printable(sentence)}", style="red", highlight=False, soft_wrap=True, markup=False)


def say(sentence: str) -> None:
    """Print progress to standard error."""
    err.print(printable(sentence), style="dim", highlight=False, soft_wrap=True, markup=False)


def note(sentence: str) -> None:
    """Print a note to standard error."""
    err.print(f"note: {printable(sentence)}", style="yellow", highlight=False, soft_wrap=True, markup=False)


def tell(sentence: str) -> None:
    """Print a result to standard output; paths are not wrapped."""
    out.print(printable(sentence), highlight=False, soft_wrap=True, markup=False)


WIDE = 160  # characters in a line of a table that is not printed to a terminal


def table(found: Group) -> None:
    """Print a table; in a pipe, which has no width, print it wide."""
    console = out if out.is_terminal else SafeConsole(file=out.file, width=max(out.width, WIDE))
    console.print(found)


def print_json(value: Any) -> None:
    """Print JSON, with the escapes of JSON for control characters."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    safe = HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    out.print(JSONHighlighter()(safe), soft_wrap=True)


@contextlib.contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and yield a function that advances it. Print nothing in a pipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(title, total=total)
        yield lambda count: progress.advance(task, count)


@contextlib.contextmanager
def training_progress() -> Iterator[Callable[["StepReport"], None]]:
    """Show steps, loss and held-out figures: a bar on a terminal, lines in a pipe."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("training", total=None, figures="")

        def tell_step(report: "StepReport") -> None:
            progress.update(task, completed=report.step, total=report.steps)
            shown = {
                name.removeprefix("eval_"): value
                for name, value in report.figures.items()
                if name == "loss" or (name.startswith("eval_") and name.endswith("AP"))
            }
            if shown:
                line = "  ".join(f"{name} {value:.3f}" for name, value in shown.items())
                progress.update(task, figures=line)
                if not err.is_terminal or "loss" not in shown:
                    say(f"step {report.step}/{report.steps}  {line}")

        yield tell_step
