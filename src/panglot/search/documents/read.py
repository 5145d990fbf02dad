"""Files and folders, read into documents."""

import codecs
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from panglot.data.pairs_files.hub import is_hub_source
from panglot.data.pairs_files.read import READERS
from panglot.data.pairs_files.squad import is_squad
from panglot.errors import PanglotError
from panglot.files import as_shown, check_file, read_whole
from panglot.languages import check_language, language_code
from panglot.search.documents.document import Document, is_text, short_digest
from panglot.search.documents.formats import (
    LIBRARIES,
    MISSING,
    TEXTS,
    declared_charset,
    parse_html,
    parse_office,
    readable,
)
from panglot.search.documents.rows import check_document_columns, pairs_documents, row_documents

LOG = logging.getLogger("panglot")
LISTED = 5  # kinds of files in a sentence
LONGEST_ID = 256  # bytes; passages add a number
HEAD = 4096  # bytes of a page in which its encoding is declared
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# The Encoding standard's readings of labels where Python has another, and what cannot be declared in ASCII
LABELS = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "latin1", "latin-1", "l1", "ascii", "us-ascii"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("tis-620", "iso-8859-11", "windows-874", "dos-874"), "cp874"),
    **dict.fromkeys(("iso-8859-8-i", "iso-8859-8-e", "logical", "visual"), "iso8859-8"),
    **{f"x-cp125{k}": f"cp125{k}" for k in range(9)},
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987"), "cp949"),
    **dict.fromkeys(("utf-16", "utf-16le", "utf-16be", "unicode", "utf-7"), "utf-8"),
}


def read_documents(
    sources: Sequence[str | Path],
    *,
    language: str | None = None,
    skipped: list[str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> Iterator[Document]:
    """Read documents from files and folders, one after the other.

    Folders are looked through for text, Markdown, HTML, and with the extra ``documents`` PDF and Word files;
    a document's id is then its path in the folder.
    Files of rows (JSONL, CSV, TSV, Parquet, also compressed) have a text in ``text`` (or ``passage``,
    ``contents``, ``content``, ``body``), and may have ``id``, ``title``, ``language`` and more columns, which
    are kept as metadata; a row without an id gets one made of its text. Files of pairs, with queries and
    passages in any form that ``panglot.data`` reads, give their passages.

    Args:
        sources: files, folders, or ``hf:owner/name#split`` for pairs.
        language: of every document that does not say its own.
        skipped: gets a sentence for each file in a folder that cannot be read as text; None: the first such
            file is an error.
        columns: of ``text``, ``id``, ``language`` and ``title`` in files of rows that name them otherwise.

    A text file is read as its byte order mark says, else as UTF-8, else in the encoding that a page declares.

    Raises:
        PanglotError: a source is missing, empty, broken or of another kind, or an id occurs twice.
    """
    if language is not None:
        language = check_language(language)
    check_document_columns(columns or {})
    if columns and not any(map(_has_columns, sources)):
        raise PanglotError(
            f"{', '.join(map(str, sources))}: has no columns, so --column has no effect; leave it out, or "
            "name a file of rows (.jsonl, .csv, .tsv or .parquet)."
        )
    seen: set[str] = set()
    for source in sources:
        empty = True
        unread: list[str] = []
        for document in _read(source, None if skipped is None else unread, columns):
            empty = False
            if document.id in seen:
                raise PanglotError(
                    f"{document.where}: the id '{document.id}' occurs twice; "
                    "give each document an id of its own."
                )
            seen.add(document.id)
            yield document if document.language or not language else replace(document, language=language)
        if skipped is not None:
            skipped += unread
        if empty:
            reason = f" ({unread[0]})" if unread else ""
            raise PanglotError(f"{source}: holds no document to index{reason}; name files with texts.")


def _has_columns(source: str | Path) -> bool:
    """Say whether a source is read as a file of rows, if it is there."""
    path = Path(source)
    if is_hub_source(source) or path.is_dir() or _kind(path) in TEXTS or _kind(path) in LIBRARIES:
        return False
    return not (_kind(path) == ".json" and path.is_file() and is_squad(path))


def _read(
    source: str | Path, skipped: list[str] | None, columns: Mapping[str, str] | None
) -> Iterator[Document]:
    if is_hub_source(source):
        yield from _checked(pairs_documents(source))
        return
    path = Path(source)
    if path.is_dir():
        yield from _folder(path, skipped)
        return
    kind = _kind(path)
    if kind in TEXTS or kind in LIBRARIES:
        yield _text_file(path, path.name)
    elif kind in READERS:
        yield from _checked(row_documents(path, kind, columns))
    else:
        check_file(path)
        raise PanglotError(
            f"{path}: no known kind of file; use a folder, .txt, .md, .html, .pdf, .docx, .jsonl, .csv, "
            ".tsv or .parquet."
        )


def _folder(folder: Path, skipped: list[str] | None) -> Iterator[Document]:
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    files = [file for file in found if _kind(file) in TEXTS or readable(_kind(file))]
    others = Counter(_kind(file) or "no ending" for file in found) - Counter(map(_kind, files))
    if others and files:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in others.most_common(LISTED))
        fix = f"; {MISSING}" if others.keys() & LIBRARIES.keys() else ""
        LOG.warning("%s: skipped %s files of other kinds (%s)%s.", folder, f"{others.total():,}", kinds, fix)
    if not files:
        raise PanglotError(
            f"{folder}: has no text, Markdown or HTML in it, and no PDF or Word file that can be read "
            f"({MISSING}); name files of rows (JSONL, CSV, Parquet) one by one."
        )
    for file in files:
        try:
            yield _text_file(file, file.relative_to(folder).as_posix())
        except PanglotError as error:
            if skipped is None:
                raise
            skipped.append(str(error))


def _kind(path: Path) -> str:
    return Path(path.name.removesuffix(".gz").removesuffix(".zst")).suffix.lower()


def _text_file(path: Path, name: str) -> Document:
    kind = _kind(path)
    where = as_shown(path)
    content = read_whole(path)
    if kind in TEXTS:
        parsed = TEXTS[kind](_decoded(content, where, is_page=TEXTS[kind] is parse_html))
    else:
        parsed = parse_office(kind, content, where)
    language = None if parsed.language is None else language_code(parsed.language)
    shown = identity = as_shown(name)
    if shown != name or len(name.encode()) > LONGEST_ID:  # which cannot be an id
        identity = f"{shown.encode()[-200:].decode('utf-8', 'ignore')}-{short_digest(name)}"
    return Document(identity, parsed.sections, parsed.title, language, where, {"path": shown}, where)


def _decoded(content: bytes, where: str, *, is_page: bool) -> str:
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    if mark:
        encodings = [MARKS[mark]]
    else:
        said = declared_charset(content[:HEAD].decode("latin-1")) if is_page else None
        declared = None if said is None else LABELS.get(said.lower(), said.lower())
        encodings = ["utf-8", *([declared] if declared else [])]
        if declared is not None and declared.startswith("iso-2022"):  # seven bits, so that it is UTF-8 too
            encodings.reverse()
    for encoding in encodings:
        try:
            text = content[len(mark) :].decode(encoding)
        except (UnicodeError, LookupError):  # the codec 'undefined' raises the former
            continue
        if text.count("\0") * 8 > len(text):
            break
        return text
    also = f" and not {encodings[-1]}, which it declares" if len(encodings) > 1 else ""
    raise PanglotError(f"{where}: is not {encodings[0].upper()}{also}; save the file as UTF-8.")


def _checked(documents: Iterable[Document]) -> Iterator[Document]:
    for document in documents:
        if not is_text(document.id):
            raise PanglotError(
                f"{document.where}: its id holds half a character (a lone surrogate); give it another."
            )
        if not 0 < len(document.id.encode()) <= LONGEST_ID:
            raise PanglotError(
                f"{document.where}: its id is empty or longer than {LONGEST_ID} bytes; give it a shorter one."
            )
        said = document.language
        yield document if said is None else replace(document, language=check_language(said, document.where))
