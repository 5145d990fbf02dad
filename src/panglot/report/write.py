"""Write a report: the page, and its figures and tables as files."""

from collections.abc import Callable, Sequence
from pathlib import Path

from panglot.files import written_whole
from panglot.report.blocks import Grid, Picture, Section
from panglot.report.charts import check_installed
from panglot.report.contents import Contents
from panglot.report.frames import FORMS, Table
from panglot.report.grid_files import as_csv, as_latex, as_markdown
from panglot.report.html import page
from panglot.report.reference import Reference
from panglot.report.render import png, svg
from panglot.report.sections import sections

GRID_FORMS: dict[str, Callable[[Grid], str]] = {".csv": as_csv, ".tex": as_latex, ".md": as_markdown}


def write_report(
    contents: Contents,
    output: str | Path,
    *,
    assets: str | Path | None = None,
    reference: Reference | None = None,
    title: str | None = None,
) -> list[Path]:
    """Write a report as one HTML page, and what is in it as files of their own.

    Args:
        contents: see ``contents.gather``.
        output: the page.
        assets: a folder for each picture as SVG and PNG, and each table as CSV, LaTeX and Markdown.
        reference: published figures to show beside; see ``reference_for``.
        title: of the page.

    Returns:
        the files written, the page first.

    Raises:
        PanglotError: what draws is not installed, or a file cannot be written.
    """
    check_installed()
    found = sections(contents, reference)
    heading = title or f"{', '.join(run.name for run in contents.runs)} on {contents.benchmark['name']}"
    output = Path(output)
    with written_whole(output) as part:
        names = [run.name for run in contents.runs]
        part.write_text(page(heading, _subtitle(contents), found, names), encoding="utf-8")
    return [output, *(write_assets(found, Path(assets)) if assets is not None else [])]


def _subtitle(contents: Contents) -> str:
    """Say how much was measured."""
    benchmark, models = contents.benchmark, len(contents.runs)
    languages = len(benchmark["languages"])
    return (
        f"{benchmark['queries']:,} queries, {benchmark['passages']:,} passages, "
        f"{languages} language{'' if languages == 1 else 's'}" + (f"; {models} models" if models > 1 else "")
    )


def write_assets(found: Sequence[Section], folder: Path) -> list[Path]:
    """Write every picture and table of a report into a folder; files of the same name are replaced."""
    written = []
    for block in (block for section in found for block in section.blocks):
        if isinstance(block, Picture | Grid | Table):
            for ending, content in _files(block).items():
                path = folder / f"{block.name}{ending}"
                with written_whole(path) as part:
                    part.write_bytes(content)
                written.append(path)
    return written


def _files(block: Picture | Grid | Table) -> dict[str, bytes]:
    """Return the content of a block's files, by ending."""
    if isinstance(block, Picture):
        return {".svg": svg(block.spec).encode(), ".png": png(block.spec)}
    if isinstance(block, Table):
        return {ending: form(block).encode() for ending, form in FORMS.items()}
    return {ending: form(block).encode() for ending, form in GRID_FORMS.items()}
