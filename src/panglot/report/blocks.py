"""What a report is made of: sections of sentences, grids, pictures, facts and failures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

MARKS = {"better": "▲", "worse": "▼"}


@dataclass(frozen=True)
class Cell:
    """A cell of a grid: what a person reads, and what a program does.

    Attributes:
        text: the figure or word.
        value: the figure in full, for programs.
        ends: bounds of its interval, and what a person reads of them.
        verdict: ``better`` or ``worse`` than the baseline where that is significant.
        fill: a colour behind it.
    """

    text: str
    value: float | None = None
    ends: tuple[float, float] | None = None
    ends_text: str = ""
    verdict: str | None = None
    fill: str | None = None


EMPTY = Cell("")


@dataclass(frozen=True)
class Grid:
    """A table: for the page, and as CSV, LaTeX and Markdown.

    Attributes:
        name: of its files, without ending.
        title: what it shows.
        columns: their titles.
        rows: of cells, one a column each.
        heads: how many columns at the start name the row.
        note: how to read it.
        heat: that the fills say something, so that cells are narrow and alike.
        folded: that it only repeats what a picture shows.
    """

    kind: ClassVar[str] = "grid"
    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    heads: int = 1
    note: str = ""
    heat: bool = False
    folded: bool = False

    def numeric(self, column: int) -> bool:
        """Say whether a column holds figures, or cells for them, instead of words."""
        if column < self.heads:
            return False
        cells = [row[column] for row in self.rows]
        return any(cell.value is not None for cell in cells) or not any(cell.text for cell in cells)


@dataclass(frozen=True)
class Picture:
    """A plot: a Vega-Lite specification with its data in it.

    Attributes:
        name: of its files, without ending.
        title: what it shows.
        alt: what a person who cannot see it should know.
        spec: the specification.
        in_page: whether the page shows it (or only the folder of assets has it).
    """

    kind: ClassVar[str] = "picture"
    name: str
    title: str
    alt: str
    spec: Mapping[str, Any]
    in_page: bool = True


@dataclass(frozen=True)
class Sentences:
    """Sentences, as a list or one by one."""

    kind: ClassVar[str] = "sentences"
    sentences: Sequence[str]
    listed: bool = False


@dataclass(frozen=True)
class Facts:
    """Names and values, and longer ones in full."""

    kind: ClassVar[str] = "facts"
    title: str
    facts: Mapping[str, str]
    in_full: Mapping[str, str]


@dataclass(frozen=True)
class Failures:
    """The worst queries of one run, as ``panglot inspect --json`` gives them."""

    kind: ClassVar[str] = "failures"
    title: str
    failures: Sequence[Mapping[str, Any]]


Block = Grid | Picture | Sentences | Facts | Failures


@dataclass(frozen=True)
class Section:
    """A part of a report with a heading."""

    name: str
    title: str
    blocks: Sequence[Any]  # a block, or a table of ``frames``


def figure(
    value: float | None,
    ends: Sequence[float] | None = None,
    form: str = ".3f",
    *,
    verdict: str | None = None,
    fill: str | None = None,
    times: float = 1,
) -> Cell:
    """Return the cell of a figure, with its interval; an empty one where there is no figure."""
    if value is None:
        return EMPTY
    bounds = None if ends is None else (float(ends[0]), float(ends[1]))
    return Cell(
        text=number(times * value, form),
        value=float(value),
        ends=bounds,
        ends_text="" if bounds is None else " to ".join(number(times * end, form) for end in bounds),
        verdict=verdict,
        fill=fill,
    )


def number(value: float, form: str) -> str:
    """Format a number with a true minus sign; what rounds to nothing has no sign."""
    text = format(value, form)
    if not any(digit in text for digit in "123456789"):
        return text.lstrip("+-")
    return text.replace("-", "−")
