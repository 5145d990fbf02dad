"""The report as one page that holds all it needs."""

import re
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import Any
from unicodedata import bidirectional

from panglot.languages import is_language, language_name
from panglot.report.blocks import MARKS, Picture, Section
from panglot.report.colours import ink
from panglot.report.frames import to_html
from panglot.report.render import inline_svg, svg

LONGEST = 600  # characters of a text that are shown


def page(title: str, subtitle: str, sections: Sequence[Section], names: Sequence[str] = ()) -> str:
    """Return the HTML of a report: no network, no script, everything from data escaped.

    Args:
        title: of the page.
        subtitle: the sentence below it.
        sections: of the page; the first is its summary.
        names: of runs, which may be written from right to left.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_file("report.html"))
    pictures = {
        block.name: Markup(
            inline_svg(svg(_untitled(block)), f"picture-{block.name}", f"{block.title}. {block.alt}")
        )
        for section in sections
        for block in section.blocks
        if isinstance(block, Picture) and block.in_page
    }
    return template.render(
        title=title,
        subtitle=subtitle,
        style=Markup(_file("style.css")),
        version=version("panglot"),
        sections=sections,
        pictures=pictures,
        marks=MARKS,
        table_html=lambda table: Markup(to_html(table)),
        ink=ink,
        name_of=_name_of,
        shortened=_shortened,
        isolated=partial(_isolated, names),
    )


def _isolated(names: Sequence[str], text: str) -> str:
    """Return a text as HTML, in which names from right to left do not carry the words around them along."""
    from markupsafe import Markup, escape

    found = re.sub(r"(?<=\d) (?=%)|(?<=\bp) (?=[<=])|(?<=p [<=]) ", "\u00a0", text)
    found = str(escape(found))
    for name in names:
        if any(bidirectional(character) in ("R", "AL") for character in name):
            found = found.replace(str(escape(name)), f"<bdi>{escape(name)}</bdi>")
    return Markup(found)


def _untitled(picture: Picture) -> dict[str, Any]:
    """Return a specification without its title, which is in the page as text."""
    return {key: value for key, value in picture.spec.items() if key != "title"}


def _file(name: str) -> str:
    return files("panglot.report.page").joinpath(name).read_text(encoding="utf-8")


def _name_of(code: str) -> str:
    return f"{language_name(code)} ({code})" if is_language(code) else code


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + "…"
