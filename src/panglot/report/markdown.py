"""A report as Markdown, whose pictures and tables lie beside it."""

from collections.abc import Sequence

from panglot.report.blocks import Block, Facts, Grid, Picture, Section, Sentences
from panglot.report.grid_files import as_markdown, markdown_text


def markdown(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """Return a report as GitHub's Markdown; pictures are named as ``write.write_assets`` writes them."""
    parts = [f"# {markdown_text(title)}", markdown_text(subtitle)]
    for section in sections:
        parts.append(f"## {markdown_text(section.title)}")
        parts += [text for block in section.blocks if (text := _block(block))]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Sentences):
        texts = [markdown_text(sentence) for sentence in block.sentences]
        return "\n".join(f"- {text}" for text in texts) if block.listed else "\n\n".join(texts)
    if isinstance(block, Grid):
        table = as_markdown(block).rstrip()
        return f"<details><summary>The numbers</summary>\n\n{table}\n\n</details>" if block.folded else table
    if isinstance(block, Picture):
        return f"![{markdown_text(block.alt)}]({block.name}.svg)" if block.in_page else ""
    if isinstance(block, Facts):
        facts = [f"- {markdown_text(name)}: {markdown_text(value)}" for name, value in block.facts.items()]
        full = [f"{markdown_text(name)}:\n\n```\n{text}\n```" for name, text in block.in_full.items()]
        return "\n\n".join([f"**{markdown_text(block.title)}**", "\n".join(facts), *full])
    return ""
