"""What commands print: results to standard output, errors and notes to standard error."""

import json
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import RenderableType
from rich.highlighter import JSONHighlighter
from rich.table import Table as Grid

from panglot.progress import HARMFUL, SafeConsole, bar, err, printable, say

if TYPE_CHECKING:
    from panglot.report.tables import Table

__all__ = ["bar", "err", "printable", "say"]  # of progress, for all commands
out = SafeConsole()


def complain(sentence: str) -> None:
    """Print an error to standard error."""
    err.print(f"error: {printable(sentence)}", style="red", highlight=False, soft_wrap=True, markup=False)


def note(sentence: str) -> None:
    """Print a note to standard error."""
    err.print(f"note: {printable(sentence)}", style="yellow", highlight=False, soft_wrap=True, markup=False)


def result(sentence: str) -> None:
    """Print a result to standard output; paths are not wrapped."""
    out.print(printable(sentence), highlight=False, soft_wrap=True, markup=False)


WIDE = 160  # characters in a line of a table that is not printed to a terminal


def table(found: "Table") -> None:
    """Print a table; in a pipe, which has no width, print it wide."""
    from panglot.report.tables import to_rich

    grid(to_rich(found))


def grid(found: RenderableType) -> None:
    """Print a table of rich's; in a pipe, which has no width, print it wide."""
    console = out if out.is_terminal else SafeConsole(file=out.file, width=max(out.width, WIDE))
    console.print(found)


def new_table(title: str, **how: Any) -> Grid:
    """Return an empty table of rich's with a title, to be filled and printed to ``out``."""
    return Grid(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, **how)


def answer(as_json: bool, value: Any, *sentences: str) -> None:
    """Print what a command found: JSON, or sentences."""
    if as_json:
        print_json(value)
    else:
        for sentence in sentences:
            result(sentence)


def print_json(value: Any) -> None:
    """Print JSON, with the escapes of JSON for control characters."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    safe = HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    out.print(JSONHighlighter()(safe), soft_wrap=True)
