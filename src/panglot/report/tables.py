"""One table for the terminal, the page, Markdown, LaTeX and CSV: a pandas frame with a title."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pandas as pd
from rich import box
from rich.console import Group
from rich.table import Table as RichTable
from rich.text import Text

from panglot.evaluation.measures import DISTANCE, LESS_IS_BETTER

RANKS = (DISTANCE, "max@r")  # figures that may have a form of their own, as whole numbers
FEW = 4  # columns of figures whose intervals fit a terminal
STYLES = {"better": "green", "worse": "red"}
# an arrow says where a figure goes, a word whether that is good wherever less is better
MARKS = {
    ("better", False): "▲",
    ("worse", False): "▼",
    ("better", True): "▼ (better)",
    ("worse", True): "▲ (worse)",
}
CELL = re.compile(r"(?s)(.*?)(?: \[([^\]]*)\])?(?: ((▲|▼)(?: \((better|worse)\))?))?")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of one
LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "−": "$-$", "×": r"$\times$", "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$", **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of its files, without ending.
        title: what it shows.
        shown: what a person reads, as text: figures with intervals and marks as ``texts`` writes them.
        data: the same for programs, with figures in full.
        heads: how many columns at the start name the row.
        note: how to read it.
        folded: whether it is a detail that the page shows on demand.
        fills: colours of a heat map, a column for each figure column of ``shown``, from -100 (orange) over 0
            (none) to 100 (blue); NaN for an empty cell.
    """

    kind: ClassVar[str] = "table"
    name: str
    title: str
    shown: pd.DataFrame
    data: pd.DataFrame
    heads: int = 1
    note: str = ""
    folded: bool = False
    fills: pd.DataFrame | None = None

    def rows(self) -> list[list[str]]:
        """Return the rows of ``shown``."""
        return [[str(cell) for cell in row] for row in self.shown.itertuples(index=False, name=None)]

    def spans(self) -> Iterator[list[tuple[str, int]]]:
        """Give the head cells of each row with their number of rows: 0 where the cell above covers it."""
        rows = self.rows()
        for k, row in enumerate(rows):
            found = []
            for head in range(self.heads):
                upto = head + 1
                merged = upto < self.heads  # the last head is never merged
                count = 0 if merged and k and rows[k - 1][:upto] == row[:upto] else 1
                while count and merged and k + count < len(rows) and rows[k + count][:upto] == row[:upto]:
                    count += 1
                found.append((row[head], count))
            yield found


class Cell(NamedTuple):
    """The parts of a figure as ``texts`` writes it."""

    text: str
    ends: str
    mark: str
    verdict: str | None


def cell_of(text: str) -> Cell:
    """Take a written figure apart."""
    found = CELL.fullmatch(text)
    assert found is not None  # it matches any text
    value, ends, mark, arrow, word = found.groups()
    return Cell(value, ends or "", mark or "", word or {"▲": "better", "▼": "worse"}.get(arrow))


def number(value: float, form: str) -> str:
    """Format a number with a true minus sign; what rounds to nothing has no sign."""
    text = format(value, form)
    if not any(digit in text for digit in "123456789"):
        return text.lstrip("+-")
    return text.replace("-", "−")


def texts(
    frame: pd.DataFrame,
    value: str = "value",
    form: str = ".3f",
    times: float = 1,
    *,
    ranks: str | None = None,
    less_is_better: bool | None = None,
) -> pd.Series:
    """Write figures with their intervals, and a mark where ``verdict`` says better or worse.

    Args:
        frame: with ``value`` (or another column), its bounds in ``low`` and ``high`` (of another column, in
            ``NAME_low`` and ``NAME_high``, where there are any), and perhaps ``verdict`` and ``measure``.
        ranks: the form of ranks and their distances. (default: that of all others)
        less_is_better: what a verdict means. (default: true of ``LESS_IS_BETTER``)
    """
    low, high = (end if value == "value" else f"{value}_{end}" for end in ("low", "high"))
    found = []
    for row in frame.to_dict("records"):
        if pd.isna(row[value]):
            found.append("")
            continue
        own = form if ranks is None or row.get("measure") not in RANKS else ranks
        text = number(times * row[value], own)
        if not pd.isna(row.get(low, float("nan"))):
            text += f" [{number(times * row[low], own)}, {number(times * row[high], own)}]"
        if isinstance(verdict := row.get("verdict"), str):
            falls = row.get("measure") in LESS_IS_BETTER if less_is_better is None else less_is_better
            text += f" {MARKS[verdict, falls]}"
        found.append(text)
    return pd.Series(found, frame.index, dtype=object)


def numbers(frame: pd.DataFrame, forms: Mapping[str, str]) -> pd.DataFrame:
    """Write the numbers in some columns; words stay, and what is missing is empty."""
    shown = frame.astype(object)
    for column, form in forms.items():
        if column in frame:
            shown[column] = [
                "" if pd.isna(v) else v if isinstance(v, str) else number(v, form) for v in frame[column]
            ]
    return shown


def wide(frame: pd.DataFrame, rows: Sequence[str], column: str) -> pd.DataFrame:
    """Put one column's ``text`` side by side, both in order of appearance; what is missing is empty."""
    names = list(dict.fromkeys(frame[column]))
    found = frame.pivot(index=list(rows), columns=column, values="text").reindex(columns=names)
    order = list(dict.fromkeys(frame[list(rows)].itertuples(index=False, name=None)))
    found = found.loc[[key if len(rows) > 1 else key[0] for key in order]]
    return found.reset_index().rename_axis(columns=None).astype(object).fillna("")


def to_rich(table: Table) -> Group:
    """Return a table for the terminal, with its title above and its note below."""
    found = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for k, name in enumerate(table.shown.columns):
        found.add_column(str(name), justify="left" if k < table.heads else "right", overflow="fold")
    few = table.fills is None and len(table.shown.columns) - table.heads <= FEW
    for row, heads in zip(table.rows(), table.spans(), strict=True):
        cells = [Text(text if rows else "") for text, rows in heads]
        for text in row[table.heads :]:
            cell = cell_of(text)  # the interval is below its figure, or left out where there are many
            ends = f"\n[{cell.ends}]" if few and cell.ends else ""
            mark = f" {cell.mark}" if cell.mark else ""
            cells.append(Text(f"{cell.text}{ends}{mark}", STYLES.get(cell.verdict or "", "")))
        found.add_row(*cells)
    note = [Text(f"{table.note}\n", "dim italic")] if table.note else []
    return Group(Text(table.title, "bold"), found, *note)


def to_markdown(table: Table) -> str:
    """Return a table of GitHub's Markdown, with its title above and its note below."""
    rule = [":--" if k < table.heads else "--:" for k in range(len(table.shown.columns))]
    names, *rows = ([markdown_text(cell) for cell in row] for row in [list(table.shown), *table.rows()])
    lines = ["| " + " | ".join(row) + " |" for row in [names, rule, *rows]]
    note = f"\n{markdown_line(table.note)}\n" if table.note else ""
    return f"**{markdown_text(table.title)}**\n\n" + "\n".join(lines) + "\n" + note


def markdown_text(text: object) -> str:
    """Return a text as Markdown shows it, on one line."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(str(text).split()))


def markdown_line(text: str) -> str:
    """Return a text that begins no list, heading or rule."""
    return re.sub(r"^(?=[-+#=~])|^(\d+)(?=[.)])", r"\1\\", markdown_text(text))


def to_latex(table: Table) -> str:
    """Return a ``tabular`` for booktabs and amssymb; scripts other than Latin need XeLaTeX."""
    kinds = "".join("l" if k < table.heads else "r" for k in range(len(table.shown.columns)))
    escaped = table.shown.rename(columns=latex_text).map(latex_text)
    tabular = escaped.style.hide(axis="index").to_latex(hrules=True, column_format=kinds)
    note = f"% {' '.join(table.note.split())}\n" if table.note else ""
    return f"% {' '.join(table.title.split())}\n% \\usepackage{{booktabs,amssymb}}\n{tabular}{note}"


def latex_text(text: object) -> str:
    """Return a text as LaTeX prints it."""
    return "".join(LATEX.get(character, character) for character in " ".join(str(text).split()))


def to_csv(table: Table) -> str:
    """Return the data with figures in full; no cell is taken for a formula by a spreadsheet."""

    def safe(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value

    text: str = table.data.rename(columns=safe).map(safe).to_csv(index=False, lineterminator="\n")
    return text


def to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return plain rows; what is missing is None."""
    records: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return records
