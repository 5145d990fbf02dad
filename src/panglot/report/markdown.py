"""A report as Markdown, whose pictures and tables lie beside it."""

import re
from collections.abc import Sequence
from urllib.parse import quote

from panglot.report.blocks import Block, Facts, Grid, Picture, Section, Sentences
from panglot.report.frames import Table, to_markdown
from panglot.report.grid_files import as_markdown, markdown_text


def markdown(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Return a report as GitHub's Markdown; pictures are named as ``write.write_assets`` writes them."""
    parts = [f"# {markdown_text(title)}", _line(subtitle)]
    for section in sections:
        parts.append(f"## {markdown_text(section.title)}")
        parts += [text for block in section.blocks if (text := _block(block))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block | Table) -> str:
    if isinstance(block, Sentences):
        texts = [_line(sentence) for sentence in block.sentences]
        return "\n".join(f"- {text}" for text in texts) if block.listed else "\n\n".join(texts)
    if isinstance(block, Grid):
        table = as_markdown(block).rstrip()
        return f"<details><summary>The numbers</summary>\n\n{table}\n\n</details>" if block.folded else table
    if isinstance(block, Table):
        table = to_markdown(block).rstrip()
        title, rest = table.split("\n\n", 1)
        return f"<details><summary>{title[2:-2]}</summary>\n\n{rest}\n\n</details>" if block.folded else table
    if isinstance(block, Picture):
        return f"![{markdown_text(block.alt)}]({quote(block.name)}.svg)" if block.in_page else ""
    if isinstance(block, Facts):
        facts = [f"- {_line(name)}: {markdown_text(value)}" for name, value in block.facts.items()]
        full = [f"{_line(name)}:\n\n{_fenced(text)}" for name, text in block.in_full.items()]
        return "\n\n".join([f"**{markdown_text(block.title)}**", "\n".join(facts), *full])
    return ""


def _line(text: str) -> str:
    """Return a text that begins no list, heading or rule."""
    return re.sub(r"^(?=[-+#=~])|^(\d+)(?=[.)])", r"\1\\", markdown_text(text))


def _fenced(text: str) -> str:
    """Return a text as it stands, in a fence that is longer than any in it."""
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"
