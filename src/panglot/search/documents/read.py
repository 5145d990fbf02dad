"""Files and folders, read into documents."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from panglot.data.pairs_files.hub import is_hub_source
from panglot.data.pairs_files.read import READERS
from panglot.errors import PanglotError
from panglot.files import open_bytes
from panglot.languages import check_languages, is_language
from panglot.search.documents.document import Document, short_digest
from panglot.search.documents.markup import Parsed, html_language, parse_html, parse_markdown, parse_text
from panglot.search.documents.rows import pairs_documents, row_documents

TEXTS = {
    ".txt": parse_text,
    ".text": parse_text,
    **dict.fromkeys((".md", ".markdown", ".mdown"), parse_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), parse_html),
}
LONGEST_ID = 256  # bytes; passages add a number


def read_documents(sources: Sequence[str | Path], *, language: str | None = None) -> Iterator[Document]:
    """Read documents from files and folders, one after the other.

    Folders are looked through for text, Markdown and HTML; a document's id is then its path in the folder.
    Files of rows (JSONL, CSV, TSV, Parquet, also compressed) have a text in ``text`` (or ``passage``,
    ``contents``, ``content``, ``body``), and may have ``id``, ``title``, ``language`` and more columns, which
    are kept as metadata; a row without an id gets one made of its text. Files of pairs, with queries and
    passages in any form that ``panglot.data`` reads, give their passages.

    Args:
        sources: files, folders, or ``hf:owner/name#split`` for pairs.
        language: of every document that does not say its own.

    Raises:
        PanglotError: a source is missing, empty, broken or of another kind, or an id stands twice.
    """
    if language is not None:
        check_languages([language])
    seen: set[str] = set()
    for source in sources:
        empty = True
        for document in _read(source):
            empty = False
            if document.id in seen:
                raise PanglotError(
                    f"{document.where}: the id '{document.id}' stands twice; "
                    "give each document an id of its own."
                )
            seen.add(document.id)
            yield document if document.language or not language else replace(document, language=language)
        if empty:
            raise PanglotError(f"{source}: holds no document to index; name files with texts.")


def _read(source: str | Path) -> Iterator[Document]:
    if is_hub_source(source):
        yield from _checked(pairs_documents(source))
        return
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and _wanted(file, path))
        if not files:
            raise PanglotError(
                f"{path}: has no text, Markdown or HTML in it; name files of rows (JSONL, CSV, Parquet) "
                "one by one."
            )
        for file in files:
            yield from _checked([_text_file(file, file.relative_to(path).as_posix())])
        return
    kind = _kind(path)
    if kind in TEXTS:
        yield from _checked([_text_file(path, path.name)])
    elif kind in READERS:
        yield from _checked(row_documents(path, kind))
    else:
        if not path.exists():
            open_bytes(path)  # says what is wrong with the path
        raise PanglotError(
            f"{path}: no known kind of file; use a folder, .txt, .md, .html, .jsonl, .csv, .tsv or .parquet."
        )


def _kind(path: Path) -> str:
    return Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix.lower()


def _wanted(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and _kind(file) in TEXTS


def _text_file(path: Path, name: str) -> Document:
    with open_bytes(path) as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PanglotError(f"{path}: is not UTF-8 (byte {error.start}); save the file as UTF-8.") from error
    kind = _kind(path)
    parsed: Parsed = TEXTS[kind](text)
    said = html_language(text) if TEXTS[kind] is parse_html else None
    language = said if said is not None and is_language(said) else None
    name_id = name if len(name.encode()) <= LONGEST_ID else f"{name[-60:]}-{short_digest(name)}"
    return Document(name_id, parsed[1], parsed[0], language, str(path), {"path": name}, str(path))


def _checked(documents: Iterable[Document]) -> Iterator[Document]:
    for document in documents:
        if not document.id or len(document.id.encode("utf-8", "replace")) > LONGEST_ID:
            raise PanglotError(
                f"{document.where}: its id is empty or longer than {LONGEST_ID} bytes; give it a shorter one."
            )
        if document.language is not None and not is_language(document.language):
            check = document.language
            raise PanglotError(
                f"{document.where}: '{check}' is no language code; use codes such as en or sw."
            )
        yield document
