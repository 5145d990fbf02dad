"""Progress that a person sees: a bar on a terminal, and a line now and then elsewhere."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment

Advance = Callable[[int], None]
Shown = Advance | Literal[False] | None  # a function of one's own, nothing, or what is shown by default
WAIT = 5.0  # seconds between two lines where there is no terminal
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


err = SafeConsole(stderr=True)


def printable(text: str) -> str:
    """Return a text that is safe to print: control characters are written as escapes.

    Line ends, tabs and joiners, which scripts need, are kept. Lone surrogates, which undecodable file names
    contain, are written as escapes, too.
    """
    return _escaped(HARMFUL, text)


def _escaped(harmful: re.Pattern[str], text: str) -> str:
    return harmful.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def say(sentence: str) -> None:
    """Print progress to standard error."""
    err.print(printable(sentence), style="dim", highlight=False, soft_wrap=True, markup=False)


@contextlib.contextmanager
def bar(title: str, total: int) -> Iterator[Advance]:
    """Show how far something is, and yield a function that advances it; a total of 0 is not known."""
    if not err.is_terminal:
        yield _lines(title, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(title, total=total or None)
        yield lambda count: progress.advance(task, count)


def _lines(title: str, total: int) -> Advance:
    done, said = 0, monotonic()

    def advance(count: int) -> None:
        nonlocal done, said
        done += count
        if monotonic() - said >= WAIT:
            said = monotonic()
            say(f"{title}: {done:,} of {total:,}" if total else f"{title}: {done:,}")

    return advance


def shown(progress: Shown, title: str, total: int) -> contextlib.AbstractContextManager[Advance]:
    """Yield one's own function, one that shows nothing (False), or that of ``bar`` (None)."""
    if progress is None:
        return bar(title, total)
    return contextlib.nullcontext(progress or (lambda _: None))
