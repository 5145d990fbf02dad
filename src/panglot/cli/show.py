"""What commands print: results to standard output, errors and notes to standard error."""

import json
from typing import Any

from rich.console import Group
from rich.highlighter import JSONHighlighter

from panglot.progress import HARMFUL, SafeConsole, bar, err, printable, say

__all__ = ["bar", "complain", "err", "note", "out", "print_json", "printable", "say", "table", "tell"]
out = SafeConsole()


def complain(sentence: str) -> None:
    """Print an error to standard error."""
    err.print(f"error: {printable(sentence)}", style="red", highlight=False, soft_wrap=True, markup=False)


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
