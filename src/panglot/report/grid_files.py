"""Grids as CSV for programs, LaTeX for papers, and Markdown for everything else."""

import csv
import io
import re

from panglot.report.blocks import MARKS, Cell, Grid

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "−": r"$-$",
    "×": r"$\times$",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the start of one


def as_csv(grid: Grid) -> str:
    """Return a grid with figures in full; intervals and verdicts have columns of their own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    extra = [_extra(grid, k) for k in range(len(grid.columns))]
    header = [
        title if not part else f"{title} {part}".strip()
        for title, parts in zip(grid.columns, extra, strict=True)
        for part in ("", *parts)
    ]
    writer.writerow([_no_formula(name) for name in header])
    for row in grid.rows:
        writer.writerow(
            [_part(cell, part) for cell, parts in zip(row, extra, strict=True) for part in ("", *parts)]
        )
    return out.getvalue()


def _extra(grid: Grid, column: int) -> list[str]:
    cells = [row[column] for row in grid.rows]
    found = ["low", "high"] if any(cell.ends for cell in cells) else []
    return [*found, "verdict"] if any(cell.verdict for cell in cells) else found


def _part(cell: Cell, part: str) -> str:
    if part == "verdict":
        return cell.verdict or ""
    if part:
        return "" if cell.ends is None else repr(cell.ends[part == "high"])
    return _no_formula(cell.text) if cell.value is None else repr(cell.value)


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def as_markdown(grid: Grid) -> str:
    """Return a grid as a table of GitHub's Markdown, with its title above and its note below."""
    titles = [markdown_text(name) for name in grid.columns]
    rule = ["--:" if grid.numeric(k) else ":--" for k in range(len(titles))]
    rows = [[markdown_text(_read(cell)) for cell in row] for row in grid.rows]
    lines = ["| " + " | ".join(row) + " |" for row in [titles, rule, *rows]]
    note = f"\n{markdown_text(grid.note)}\n" if grid.note else ""
    return f"**{markdown_text(grid.title)}**\n\n" + "\n".join(lines) + "\n" + note


def markdown_text(text: str) -> str:
    """Return a text as Markdown shows it, on one line."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))


def as_latex(grid: Grid) -> str:
    """Return a grid as a ``tabular`` for booktabs and amssymb; scripts other than Latin need XeLaTeX."""
    columns = "".join("r" if grid.numeric(k) else "l" for k in range(len(grid.columns)))
    lines = [
        f"% {' '.join(grid.title.split())}",
        "% \\usepackage{booktabs,amssymb}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        _line([latex_text(name) for name in grid.columns]),
        "\\midrule",
        *(_line([_latex_cell(cell) for cell in row]) for row in grid.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    if grid.note:
        lines.append(f"% {' '.join(grid.note.split())}")
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _latex_cell(cell: Cell) -> str:
    mark = latex_text(MARKS[cell.verdict]) if cell.verdict else ""
    ends = f" {{\\scriptsize ({latex_text(cell.ends_text)})}}" if cell.ends_text else ""
    return f"{latex_text(cell.text)}{mark}{ends}"


def latex_text(text: str) -> str:
    """Return a text as LaTeX prints it."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def _read(cell: Cell) -> str:
    mark = f" {MARKS[cell.verdict]}" if cell.verdict else ""
    return f"{cell.text}{mark}{f' ({cell.ends_text})' if cell.ends_text else ''}"
