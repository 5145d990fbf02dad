"""A report as one page that holds all it needs, as Markdown, and as files of its charts and tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar
from unicodedata import bidirectional
from urllib.parse import quote

from panglot.evaluation.results import Failure
from panglot.files import atomic_write
from panglot.languages import is_language
from panglot.report.charts import RUNS, heatmap, inline_svg, png, svg
from panglot.report.failures import shortened
from panglot.report.figures import language_title
from panglot.report.tables import Table, cell_of, markdown_line, markdown_text, to_csv, to_latex, to_markdown

LONGEST = 600  # characters of a text that are shown
FORMS: Mapping[str, Callable[[Table], str]] = {".csv": to_csv, ".tex": to_latex, ".md": to_markdown}


@dataclass(frozen=True)
class Picture:
    """A chart: a Vega-Lite specification with its data in it.

    Attributes:
        name: of its files, without ending.
        title: what it shows.
        alt: what a person who cannot see it should know.
        spec: the specification.
    """

    kind: ClassVar[str] = "picture"
    name: str
    title: str
    alt: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Cards:
    """Headline numbers with bars of their intervals, on one scale with these ``ends``.

    A card has a ``title``, a ``meaning``, ``lines`` of runs, and a ``note``.
    """

    kind: ClassVar[str] = "cards"
    cards: Sequence[Mapping[str, Any]]
    ends: tuple[str, str]
    note: str


@dataclass(frozen=True)
class Facts:
    """Names and texts, folded; those of several lines are shown as they are."""

    kind: ClassVar[str] = "facts"
    title: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Failures:
    """The worst queries of one run."""

    kind: ClassVar[str] = "failures"
    title: str
    failures: Sequence[Failure]


Block = Table | Picture | Cards | Facts | Failures


@dataclass(frozen=True)
class Section:
    """A part of a report with a heading."""

    name: str
    title: str
    blocks: Sequence[Block]


def page(title: str, subtitle: str, sections: Sequence[Section], names: Sequence[str] = ()) -> str:
    """Return the HTML of a report: no network, no script, everything from data escaped.

    Args:
        sections: of the page; the first is its summary.
        names: of runs, which may be written from right to left.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_file("page.html")).render(
        title=title,
        subtitle=subtitle,
        style=Markup(_file("page.css")),
        version=version("panglot"),
        sections=sections,
        cell_of=cell_of,
        zip=zip,
        runs=len(RUNS),
        is_folded=lambda block: getattr(block, "folded", block.kind == "facts"),
        drawn=lambda block: Markup(_inline(block)),
        name_of=lambda code: language_title(code) if is_language(code) else code,
        shortened=partial(shortened, longest=LONGEST),
        isolated=partial(_isolated, names),
    )


def _inline(picture: Picture) -> str:
    """Draw a picture without its title, which is in the page as text."""
    spec = {key: value for key, value in picture.spec.items() if key != "title"}
    return inline_svg(svg(spec), f"picture-{picture.name}", f"{picture.title}. {picture.alt}")


def _isolated(names: Sequence[str], text: str) -> str:
    """Return a text as HTML, in which names from right to left do not carry the words around them along."""
    from markupsafe import Markup

    found = escape(text)
    for name in names:
        if any(bidirectional(character) in ("R", "AL") for character in name):
            found = found.replace(escape(name), f"<bdi>{escape(name)}</bdi>")
    return Markup(found)


def _file(name: str) -> str:
    return files("panglot.report").joinpath(name).read_text(encoding="utf-8")


def markdown(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Return the tables and pictures of a report as GitHub's Markdown; pictures are files beside it."""
    parts = [f"# {markdown_text(title)}", markdown_line(subtitle)]
    for section in sections:
        parts.append(f"## {markdown_text(section.title)}")
        for block in section.blocks:
            if isinstance(block, Picture):
                file = quote(_file_name(block.name))
                parts.append(f"![{markdown_text(f'{block.title}. {block.alt}')}]({file}.svg)")
            elif isinstance(block, Table):
                heading, rest = to_markdown(block).rstrip().split("\n\n", 1)
                summary = escape(" ".join(block.title.split()))  # in HTML, where nothing else is escaped
                fold = f"<details><summary>{summary}</summary>\n\n{rest}\n\n</details>"
                parts.append(fold if block.folded else f"{heading}\n\n{rest}")
    return "\n\n".join(parts) + "\n"


def write_page(path: Path, text: str) -> None:
    """Write a page, whole or not at all."""
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")


def write_assets(sections: Sequence[Section], folder: Path) -> list[Path]:
    """Write every picture and table of a report into a folder; files of the same name are replaced."""
    written = []
    for block in (block for section in sections for block in section.blocks):
        contents: dict[str, bytes] = {}
        if isinstance(block, Table):
            contents = {ending: form(block).encode() for ending, form in FORMS.items()}
        if isinstance(block, Picture) or (isinstance(block, Table) and block.fills is not None):
            spec = block.spec if isinstance(block, Picture) else heatmap(block)
            contents |= {".svg": svg(spec).encode(), ".png": png(spec)}
        for ending, content in contents.items():
            path = folder / f"{_file_name(block.name)}{ending}"  # type: ignore[union-attr]
            with atomic_write(path) as part:
                part.write_bytes(content)
            written.append(path)
    return written


def _file_name(name: str) -> str:
    """Return a block's name as Windows takes it; that of a benchmark in it may have a colon."""
    return name.replace(":", "-")
