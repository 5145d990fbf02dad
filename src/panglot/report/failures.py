"""The worst queries on a terminal: each with its answer and what ranked above it."""

import re
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from panglot.evaluation.inspect import Failure, Listed
from panglot.languages import language_name

LONGEST = 240  # characters of a text that are shown
# texts keep their own direction, whatever stands around them (Unicode's first strong isolate)
ISOLATE, END = "\u2068", "\u2069"
MARKS = re.compile("[\u2066-\u2069]")  # of the text itself, which would end the isolation


def failures_view(failures: Sequence[Failure]) -> Group:
    """Show failures one below the other, grouped by query language and pool."""
    return Group(*_parts(failures))


def _parts(failures: Sequence[Failure]) -> Iterator[RenderableType]:
    before = None
    for failure in failures:
        pair = (failure.query_language, failure.pool)
        if pair != before:
            yield Text(f"\n{_pair(*pair)}", style="bold")
            before = pair
        yield Text(f"\n{failure.query_id}: {failure.measure} {failure.value:.4f}", style="dim")
        yield _Shown(failure.query, "bold cyan")
        yield _ranking(failure)


class _Shown:
    """A text, cut if it is long, with each line isolated: so right-to-left scripts stay in their place."""

    def __init__(self, text: str, style: str = "") -> None:
        line = " ".join(MARKS.sub("", text).split())
        self.text = line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"
        self.style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in Text(self.text).wrap(console, options.max_width):
            yield Text(f"{ISOLATE}{line.plain.rstrip()}{END}", style=self.style, no_wrap=True)


def _ranking(failure: Failure) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("rank", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("passage", overflow="fold", ratio=1)
    for passage in failure.above:
        table.add_row(*_cells(passage))
    if failure.answer.rank > len(failure.above) + 1:
        left = failure.answer.rank - len(failure.above) - 1
        table.add_row("…", "", "", Text(f"{left:,} more above the answer", style="dim"))
    table.add_row(*_cells(failure.answer), style="green")
    return table


def _cells(passage: Listed) -> tuple[str, str, str, _Shown]:
    return f"{passage.rank:,}", f"{passage.score:.3f}", passage.language, _Shown(passage.text)


def _pair(language: str, pool: str) -> str:
    where = "passages in all languages" if pool == "*" else f"passages in {language_name(pool)} ({pool})"
    return f"Queries in {language_name(language)} ({language}), {where}"
