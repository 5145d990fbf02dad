"""PDF and Word files, read by pypdf and python-docx (the extra ``documents``)."""

import io
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from panglot.errors import PanglotError
from panglot.search.documents.document import Section
from panglot.search.documents.markup import Parsed

LIBRARIES = {".pdf": "pypdf", ".docx": "docx"}
MISSING = "pip install 'panglot[documents]' to read PDF and Word files"


def readable(kind: str) -> bool:
    """Say whether the library for ``.pdf`` or ``.docx`` is installed."""
    return kind in LIBRARIES and find_spec(LIBRARIES[kind]) is not None


def parse_pdf(content: bytes) -> Parsed:
    """Return the text of a PDF, a section a page. Scanned pages have no text."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(content))
    title = reader.metadata.title if reader.metadata else None
    return Parsed(title or "", tuple(Section("", page.extract_text()) for page in reader.pages))


def parse_docx(content: bytes) -> Parsed:
    """Return the text of a Word file, a section a heading; rows of tables are lines."""
    import docx
    from docx.table import Table

    document = docx.Document(io.BytesIO(content))
    sections: list[tuple[str, list[str]]] = [("", [])]
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            sections[-1][1].extend("\t".join(cell.text for cell in row.cells) for row in block.rows)
        elif block.style is not None and (block.style.name or "").startswith(("Heading", "Title")):
            sections.append((block.text, []))
        else:
            sections[-1][1].append(block.text)
    found = tuple(Section(heading, "\n".join(lines)) for heading, lines in sections if heading or any(lines))
    return Parsed(document.core_properties.title or "", found, document.core_properties.language or None)


PARSERS: dict[str, Callable[[bytes], Parsed]] = {".pdf": parse_pdf, ".docx": parse_docx}


def parse_office(kind: str, content: bytes, where: str) -> Parsed:
    """Read a file of a kind in ``PARSERS``.

    Raises:
        PanglotError: its library is not installed, or the file is damaged or encrypted.
    """
    if not readable(kind):
        raise PanglotError(f"{where}: is a {kind} file; {MISSING}.")
    try:
        parsed = PARSERS[kind](content)
        for text in (parsed.title, *(part for section in parsed.sections for part in vars(section).values())):
            text.encode()  # half a character, which no index can keep, is an error here
        return parsed
    except Exception as error:  # each library, and zip and XML below them, raise their own
        what = str(error).strip() or type(error).__name__
        raise PanglotError(f"{Path(where)}: cannot be read as {kind} ({what}); save it again.") from error
