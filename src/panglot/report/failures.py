"""The worst queries: read from a file, given to their run, and shown on a terminal."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from panglot.errors import PanglotError
from panglot.evaluation.aggregate import ALL
from panglot.evaluation.results import Evaluation, Failure, Listed
from panglot.languages import language_name
from panglot.parse import read_form

LONGEST = 240  # characters of a text that are shown
# texts keep their own direction, whatever is around them (Unicode's first strong isolate)
ISOLATE, END = "\u2068", "\u2069"
MARKS = re.compile("[\u2066-\u2069]")  # of the text itself, which would end the isolation


def read_failures(path: Path) -> list[Failure]:
    """Read what ``panglot inspect --json`` printed.

    Raises:
        PanglotError: something else is in the file.
    """
    fix = f"write it with 'panglot inspect RESULTS --json > {path.name}'"
    return read_form(path, list[Failure], fix=fix)


def failures_by_run(
    evaluations: Sequence[Evaluation], failures: Sequence[Sequence[Failure]]
) -> list[list[Failure]]:
    """Give each list of failures to the run whose per-query figures it has.

    Raises:
        PanglotError: it has those of no run.
    """
    given: list[list[Failure]] = [[] for _ in evaluations]
    for listed in failures:
        fitting = [k for k, evaluation in enumerate(evaluations) if _fits(listed, evaluation.per_query)]
        if not fitting:
            raise PanglotError(
                "the worst queries belong to none of these results; inspect the same results files."
            )
        given[next((k for k in fitting if not given[k]), fitting[0])].extend(listed)
    return given


def _fits(failures: Sequence[Failure], table: pa.Table) -> bool:
    """Say whether each failure has the figure that the table has for its query and pool."""
    if not {failure.measure for failure in failures}.issubset(table.column_names):
        return False
    ids = pa.array({failure.query_id for failure in failures}, pa.string())
    rows = table.filter(pc.is_in(table.column("query_id"), value_set=ids)).to_pylist()
    found = {(row["query_id"], row["pool"]): row for row in rows}
    values = [found.get((f.query_id, f.pool), {}).get(f.measure) for f in failures]
    return all(v is not None and abs(v - f.value) <= 1e-6 for v, f in zip(values, failures, strict=True))


def failures_view(failures: Sequence[Failure]) -> Group:
    """Show failures one below the other, grouped by query language and pool."""
    parts: list[RenderableType] = []
    for (code, pool), of_pair in groupby(failures, lambda one: (one.query_language, one.pool)):
        where = "passages in all languages"
        if pool != ALL:
            where = f"passages in {language_name(pool)} ({pool})"
        parts.append(Text(f"\nQueries in {language_name(code)} ({code}), {where}", style="bold"))
        for failure in of_pair:
            parts.append(Text(f"\n{failure.query_id}: {failure.measure} {failure.value:.4f}", style="dim"))
            parts += [_Shown(failure.query, "bold cyan"), _ranking(failure)]
    return Group(*parts)


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text on one line, cut if it is long."""
    line = " ".join(MARKS.sub("", text).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


class _Shown:
    """A text, cut if it is long, with each line isolated: so right-to-left scripts stay in their place."""

    def __init__(self, text: str, style: str = "") -> None:
        self.text, self.style = shortened(text), style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in Text(self.text).wrap(console, options.max_width):
            yield Text(f"{ISOLATE}{line.plain.rstrip()}{END}", style=self.style, no_wrap=True)


def _ranking(failure: Failure) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("rank", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("passage", overflow="fold", ratio=1)

    def cells(passage: Listed) -> tuple[str, str, str, _Shown]:
        return f"{passage.rank:,}", f"{passage.score:.3f}", passage.language, _Shown(passage.text)

    for passage in failure.above:
        table.add_row(*cells(passage))
    if failure.answer.rank > len(failure.above) + 1:
        left = failure.answer.rank - len(failure.above) - 1
        table.add_row("…", "", "", Text(f"{left:,} more above the answer", style="dim"))
    table.add_row(*cells(failure.answer), style="green")
    return table
