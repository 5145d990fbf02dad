"""One table for the terminal, the page, Markdown, LaTeX and CSV: a pandas frame with a title."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

import pandas as pd
from rich import box
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from panglot.report.blocks import MARKS, number
from panglot.report.grid_files import FORMULA, latex_text, markdown_text

FEW = 4  # columns of figures whose intervals fit a terminal
STYLES = {"▲": "green", "▼": "red"}


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of its files, without ending.
        title: what it shows.
        shown: what a person reads, as text.
        data: the same for programs, with figures in full; by default what is shown.
        heads: how many columns at the start name the row.
        note: how to read it.
        folded: that it is a detail.
    """

    kind: ClassVar[str] = "table"
    name: str
    title: str
    shown: pd.DataFrame
    data: pd.DataFrame
    heads: int = 1
    note: str = ""
    folded: bool = False


def texts(frame: pd.DataFrame, value: str = "value", form: str = ".3f", times: float = 1) -> pd.Series:
    """Write figures with their intervals, and a mark where ``verdict`` says better or worse.

    Args:
        frame: with ``value`` (or another column), its bounds in ``low`` and ``high`` (of another column, in
            ``NAME_low`` and ``NAME_high``, where there are any), and perhaps ``verdict``.
        value: the column.
        form: how a figure is written.
        times: by which figures are multiplied.
    """
    low, high = (end if value == "value" else f"{value}_{end}" for end in ("low", "high"))
    found = []
    for row in frame.to_dict("records"):
        if pd.isna(row[value]):
            found.append("")
            continue
        text = number(times * row[value], form)
        if not pd.isna(row.get(low, float("nan"))):
            text += f" [{number(times * row[low], form)}, {number(times * row[high], form)}]"
        mark = MARKS.get(row.get("verdict") or "") if isinstance(row.get("verdict"), str) else None
        found.append(f"{text} {mark}" if mark else text)
    return pd.Series(found, frame.index, dtype=object)


def numbers(frame: pd.DataFrame, forms: Mapping[str, str]) -> pd.DataFrame:
    """Write the numbers in some columns; words stay, and what is missing is empty."""
    shown = frame.astype(object)
    for column, form in forms.items():
        if column in frame:
            cells = [
                "" if pd.isna(v) else v if isinstance(v, str) else number(v, form) for v in frame[column]
            ]
            shown[column] = cells
    return shown


def wide(frame: pd.DataFrame, rows: Sequence[str], column: str, text: str = "text") -> pd.DataFrame:
    """Put one column's values side by side, both in order of appearance; what is missing is empty."""
    names = list(dict.fromkeys(frame[column]))
    found = frame.pivot(index=list(rows), columns=column, values=text).reindex(columns=names)
    order = list(dict.fromkeys(frame[list(rows)].itertuples(index=False, name=None)))
    found = found.loc[[key if len(rows) > 1 else key[0] for key in order]]
    return found.reset_index().rename_axis(columns=None).fillna("").astype(object)


def to_rich(table: Table) -> Group:
    """Return a table for the terminal, with its title above and its note below."""
    found = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for k, name in enumerate(table.shown.columns):
        found.add_column(str(name), justify="left" if k < table.heads else "right", overflow="fold")
    few = len(table.shown.columns) - table.heads <= FEW
    last: list[str] = []
    for row in _rows(table):
        same = [row[: k + 1] == last[: k + 1] for k in range(table.heads - 1)]  # heads are not repeated
        cells = ["" if k < len(same) and same[k] else cell for k, cell in enumerate(row)]
        narrow = [cell if k < table.heads else _narrow(cell, few) for k, cell in enumerate(cells)]
        found.add_row(*(Text(cell, STYLES.get(cell[-1:], "")) for cell in narrow))
        last = row
    note = [Text(f"{table.note}\n", "dim italic")] if table.note else []
    return Group(Text(table.title, "bold"), found, *note)


def _narrow(cell: str, few: bool) -> str:
    """Put an interval below its figure, or leave it out where there are many columns."""
    return cell.replace(" [", "\n[") if few else re.sub(r" \[.*\]", "", cell)


def to_html(table: Table) -> str:
    """Return a table of a page; a mark says in words what it means to those who hear the page."""
    title, note = escape(table.title), f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    kinds = ["" if k < table.heads else ' class="n"' for k in range(len(table.shown.columns))]
    names = zip(kinds, map(str, table.shown.columns), strict=True)
    head = "".join(f'<th scope="col"{kind}><bdi>{escape(name)}</bdi></th>' for kind, name in names)
    rows = []
    for row in _rows(table):
        heads = [f'<th scope="row"><bdi>{escape(cell)}</bdi></th>' for cell in row[: table.heads]]
        cells = [f'<td class="n">{_marked(cell)}</td>' for cell in row[table.heads :]]
        rows.append(f"<tr>{''.join([*heads, *cells])}</tr>")
    body = "\n".join(rows)
    return (
        f'<div class="grid">\n<div class="wide" role="region" tabindex="0" aria-label="{title}">\n'
        f'<table class="plain">\n<caption>{title}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>\n{note}\n</div>"
    )


def _marked(cell: str) -> str:
    found = escape(cell)
    for verdict, mark in MARKS.items():
        said = f'<span class="unseen">significantly {verdict}</span>'
        found = found.replace(mark, f'<span class="{verdict}" aria-hidden="true">{mark}</span>{said}')
    return found


def to_markdown(table: Table) -> str:
    """Return a table of GitHub's Markdown, with its title above and its note below."""
    heads = [":--" if k < table.heads else "--:" for k in range(len(table.shown.columns))]
    names = [markdown_text(str(name)) for name in table.shown.columns]
    rows = [[markdown_text(cell) for cell in row] for row in _rows(table)]
    lines = ["| " + " | ".join(row) + " |" for row in [names, heads, *rows]]
    note = f"\n{markdown_text(table.note)}\n" if table.note else ""
    return f"**{markdown_text(table.title)}**\n\n" + "\n".join(lines) + "\n" + note


def to_latex(table: Table) -> str:
    """Return a ``tabular`` for booktabs and amssymb; scripts other than Latin need XeLaTeX."""
    kinds = "".join("l" if k < table.heads else "r" for k in range(len(table.shown.columns)))
    lines = [[latex_text(str(name)) for name in table.shown.columns]]
    lines += [[latex_text(cell) for cell in row] for row in _rows(table)]
    head, *body = (" & ".join(cells) + r" \\" for cells in lines)
    return "\n".join(
        [
            f"% {' '.join(table.title.split())}",
            "% \\usepackage{booktabs,amssymb}",
            f"\\begin{{tabular}}{{{kinds}}}",
            "\\toprule",
            head,
            "\\midrule",
            *body,
            "\\bottomrule",
            "\\end{tabular}",
            *([f"% {' '.join(table.note.split())}"] if table.note else []),
            "",
        ]
    )


def to_csv(table: Table) -> str:
    """Return the data with figures in full; no cell is taken for a formula by a spreadsheet."""

    def safe(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

    text: str = table.data.rename(columns=safe).map(safe).to_csv(index=False, lineterminator="\n")
    return text


def to_records(table: Table) -> list[dict[str, Any]]:
    """Return the data as plain rows; what is missing is None."""
    found = table.data.astype(object).where(table.data.notna(), None)
    records: list[dict[str, Any]] = found.to_dict("records")
    return records


FORMS: Mapping[str, Any] = {".csv": to_csv, ".tex": to_latex, ".md": to_markdown}


def _rows(table: Table) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in table.shown.itertuples(index=False, name=None)]
