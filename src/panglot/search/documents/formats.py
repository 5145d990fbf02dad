"""Plain text, Markdown, HTML, PDF and Word: title, sections and what they say of their language.

Markdown is read by ``markdown-it-py`` (CommonMark, with GitHub's tables), HTML by ``justhtml`` (the HTML
standard's own algorithm). Both need time that grows with the length of a text, whatever it contains. PDF and
Word files are read by pypdf and python-docx (the extra ``documents``).
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import regex
from justhtml import JustHTML
from markdown_it import MarkdownIt
from markdown_it.token import Token

from panglot.errors import PanglotError
from panglot.parse import parse_toml, parse_yaml
from panglot.search.documents.document import Section


@dataclass(frozen=True)
class Parsed:
    """What a file says: title and language ("" and None where it does not say them), and its sections."""

    title: str
    sections: tuple[Section, ...]
    language: str | None = None


FRONT_MATTER = 1 << 16  # characters at the head of a file that are searched for its end
FENCES = {"---": ("---", "..."), "+++": ("+++",)}  # YAML and TOML
BLOCK_NAMES = """address article aside blockquote body caption center dd details dialog dir div dl dt fieldset
figcaption figure footer form header hgroup hr legend li main menu ol optgroup option p pre search section
summary table tbody td tfoot th thead tr ul"""
BLOCKS = frozenset(BLOCK_NAMES.split())
INLINE_NAMES = """a abbr acronym b bdi bdo big br button cite code data del dfn em font i img input ins kbd
label mark meter output picture progress q rp rt ruby s samp select small source span strike strong sub sup
time tt u var video audio wbr iframe h1 h2 h3 h4 h5 h6 script style noscript template svg math nav"""
KNOWN = BLOCKS | frozenset(INLINE_NAMES.split())
UNREAD_NAMES = "datalist footer head iframe math nav noscript script style svg template title"
UNREAD = frozenset(UNREAD_NAMES.split())
UNREAD_ROLES = frozenset(["navigation", "contentinfo", "menu", "menubar"])  # ARIA's words for the same
HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
CELLS = frozenset(["td", "th"])
VERBATIM = frozenset(["pre", "listing", "textarea"])
SPACED = frozenset(["p", "hr", "table"])  # an empty line follows
BREAKS = {"softbreak": ("text", "\n"), "hardbreak": ("break", "")}
EMPHASIS = {
    **dict.fromkeys(("em_open", "strong_open", "s_open"), "open"),
    **dict.fromkeys(("em_close", "strong_close", "s_close"), "close"),
}
SPACES = regex.compile(r"\s+")
# a new line is not a space there
NO_SPACES = r"[\p{Han}\p{Hiragana}\p{Katakana}、。，．！？：；「」『』（）]"
NEW_LINE = regex.compile(rf"(?<={NO_SPACES})\n(?={NO_SPACES})")
TAG = regex.compile(r"</?([A-Za-z][A-Za-z0-9-]*)")
# Blocks nest deeper in real texts than links and emphasis do, and depth is what inline text costs time by.
MARKDOWN = MarkdownIt("commonmark", {"maxNesting": 100}).enable("table").disable("inline")
INLINE = MarkdownIt("commonmark").enable("strikethrough")


def parse_markdown(text: str) -> Parsed:
    """Read a Markdown text; its title is that of the front matter, else the first top heading.

    Code stays as it is written, and so do numbers of lists and what looks like a tag and is none of HTML's.
    """
    facts, text = _front_matter(text)
    body = _Body()
    env: dict[str, Any] = {}
    for token in MARKDOWN.parse(text, env):
        _add_block(body, token, env)
    sections = body.finished()
    title = _one_line(facts.get("title"))
    if not title and len(sections) > 1 and not sections[0].text:
        title = sections[1].heading
    return Parsed(title, _without(title, sections), _one_line(facts.get("lang")) or None)


def parse_html(text: str) -> Parsed:
    """Read an HTML page; its title is that of its head, else the first heading.

    Navigation, footers, scripts and what is hidden are no content.
    """
    root = JustHTML(text, sanitize=False).root
    body, title, language = _Body(), "", ""
    for node in _nodes(root):
        if node.name in ("html", "body") and not language:
            language = str(node.attrs.get("lang") or node.attrs.get("xml:lang") or "").strip()
        elif node.name == "title" and node.namespace == "html" and not title:
            title = _one_line("".join(child.data or "" for child in node.children))
    _add_html(body, root)
    sections = body.finished()
    if not title:
        title = next((section.heading for section in sections if section.heading), "")
    return Parsed(title, _without(title, sections), language or None)


def declared_charset(head: str) -> str | None:
    """Return the name of the encoding that the beginning of an HTML page declares, read as Latin-1."""
    if found := regex.match(r"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([\w.:-]+)", head):
        return str(found[1])
    for node in _nodes(JustHTML(head, sanitize=False).root):
        if node.name == "meta":
            if charset := node.attrs.get("charset"):
                return str(charset).strip()
            content = str(node.attrs.get("content") or "")
            said = str(node.attrs.get("http-equiv") or "").lower() == "content-type"
            if said and (found := regex.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content, regex.I)):
                return str(found[1])
    return None


class _Body:
    """Text as a reader sees it, line by line, under the headings that it has."""

    def __init__(self) -> None:
        self._sections: list[tuple[str, list[str]]] = [("", [])]
        self._line: list[str] = []
        self._prefix = ""
        self._blank = False
        self._in_heading = False
        self._verbatim: list[str] | None = None

    def text(self, text: str) -> None:
        """Add running text, in which any white space is one space."""
        if self._verbatim is not None:
            self._verbatim.append(text)
            return
        text = SPACES.sub(lambda found: "\n" if "\n" in found[0] else " ", text)
        if not self._line or self._line[-1][-1] in " \n":
            text = text.lstrip()
        if text:
            self.code(text)

    def code(self, text: str) -> None:
        if self._prefix:
            self._line.append(self._prefix)
            self._prefix = ""
        if text:
            self._line.append(text)

    def number(self, text: str) -> None:
        """Put a number before whatever comes next."""
        self.end_line()
        self._prefix = text

    def cell(self) -> None:
        """Begin or end a cell of a table; one row is one line."""
        if self._line and self._line[-1] != " | ":
            self.text(" | ")

    def end_line(self, blank: bool = False) -> None:
        """End the line; ``blank`` puts an empty one after it."""
        if self._verbatim is not None:
            self._verbatim.append("\n")
            return
        if self._in_heading:
            self.text(" ")
            return
        if self._line and self._line[-1] == " | ":
            self._line.pop()
        line = NEW_LINE.sub("", "".join(self._line)).replace("\n", " ").strip()
        self._line = []
        if line:
            self._put(line)
        self._blank |= blank

    def end_number(self) -> None:
        """Keep the number of a list's item that has nothing else."""
        if self._prefix:
            self.code("")
        self.end_line()

    def block(self, text: str) -> None:
        if self._in_heading:
            self.text(text)
            return
        self.end_number()
        self._blank = True
        if lines := text.strip("\n"):
            self._put(lines)
        self._blank = True

    def begin_verbatim(self) -> None:
        """Begin text that stays as it is; inside of such text nothing begins."""
        if self._verbatim is None and not self._in_heading:
            self.end_number()
            self._verbatim = []

    def end_verbatim(self) -> None:
        text, self._verbatim = self._verbatim, None
        if text is not None:
            self.block("".join(text))

    def begin_heading(self) -> None:
        """Begin a heading, and with it a section."""
        if self._verbatim is None:
            self.end_number()
            self._in_heading = True

    def end_heading(self) -> None:
        """End the heading; one without words begins no section."""
        if not self._in_heading:
            return
        self._in_heading = False
        heading = _one_line("".join(self._line))
        self._line = []
        if heading:
            self._sections.append((heading, []))
            self._blank = False

    def finished(self) -> tuple[Section, ...]:
        """Return the sections; the first is what is before any heading."""
        self.end_verbatim()
        self.end_heading()
        self.end_number()
        return tuple(Section(heading, "\n".join(lines)) for heading, lines in self._sections)

    def _put(self, line: str) -> None:
        lines = self._sections[-1][1]
        if self._blank and lines:
            lines.append("")
        self._blank = False
        lines.append(line)


def _add_block(body: _Body, token: Token, env: dict[str, Any]) -> None:
    name = token.type
    if name == "inline":
        _add_inline(body, token, env)
    elif name in ("fence", "code_block"):
        body.block(token.content)
    elif name == "html_block":
        _add_html(body, JustHTML(token.content, fragment=True, sanitize=False).root)
        body.end_line(blank=True)
    elif token.tag in HEADINGS and token.level == 0:
        body.begin_heading() if token.nesting > 0 else body.end_heading()
    elif name == "list_item_open":
        body.number(f"{token.info}{token.markup} " if token.info else "")
    elif name == "list_item_close":
        body.end_number()
    elif token.tag in CELLS:
        body.cell()
    elif name != "paragraph_open":  # a paragraph in a list goes on behind the item's number
        ends = name == "hr" or (token.nesting < 0 and (token.level == 0 or token.tag == "p"))
        body.end_line(blank=ends and not token.hidden)


def _add_inline(body: _Body, token: Token, env: dict[str, Any]) -> None:
    tokens: list[Token] = []
    INLINE.inline.parse(token.content, INLINE, env, tokens)
    pieces = list(_pieces(tokens))
    kept = _signs_in_words(pieces)
    for place, (kind, text) in enumerate(pieces):
        if kind == "text":
            body.text(text)
        elif kind == "code" or place in kept:
            body.code(text)
        elif kind == "break":
            body.end_line()


def _pieces(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """Give the words of inline tokens, with ``open`` and ``close`` where emphasis has its signs."""
    waiting = list(reversed(tokens))
    while waiting:
        token = waiting.pop()
        kind = token.type
        if kind == "image":
            waiting += reversed(token.children or [])
        elif kind in BREAKS:
            yield BREAKS[kind]
        elif kind in EMPHASIS:
            yield EMPHASIS[kind], token.markup
        elif kind == "code_inline":
            yield "code", token.content
        elif kind == "html_inline":
            tag = TAG.match(token.content)
            name = "" if tag is None else tag[1].lower()
            if name == "br":
                yield "break", ""
            elif name and name not in KNOWN:
                yield "code", token.content  # Vec<Ticket>
        elif token.content:
            yield "text", token.content


def _signs_in_words(pieces: Sequence[tuple[str, str]]) -> set[int]:
    """Return the places of signs that are kept, although CommonMark reads the 3 of 2*3*4 as emphasised.

    They have letters or digits of ASCII on both sides; scripts without spaces do emphasise so.
    """
    kept: set[int] = set()
    opened: list[int] = []
    for place, (kind, _) in enumerate(pieces):
        if kind == "open":
            opened.append(place)
        elif kind == "close" and opened:
            start = opened.pop()
            before = pieces[start - 1][1][-1:] if start else ""
            after = pieces[place + 1][1][:1] if place + 1 < len(pieces) else ""
            if all(character.isascii() and character.isalnum() for character in (before, after)):
                kept |= {start, place}
    return kept


def _add_html(body: _Body, root: Any) -> None:
    """Add what a reader sees of a tree of HTML."""
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        node, leaving = waiting.pop()
        if node.name == "#text":
            body.text(node.data or "")
        elif leaving:
            _add_tag(body, node.name, begins=False)
        elif not _unread(node):
            _add_tag(body, node.name, begins=True)
            waiting.append((node, True))
            waiting += ((child, False) for child in reversed(node.children or ()))


def _add_tag(body: _Body, name: str, *, begins: bool) -> None:
    if name in HEADINGS:
        body.begin_heading() if begins else body.end_heading()
    elif name in VERBATIM:
        body.begin_verbatim() if begins else body.end_verbatim()
    elif name in CELLS:
        body.cell()
    elif name == "br" or name in BLOCKS:
        body.end_line(blank=name in SPACED)


def _nodes(root: Any) -> Iterator[Any]:
    """Give the elements of a tree in the order of the page."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node is root or node.name[0] not in "#!":  # a text or a comment is not an element
            waiting += reversed(node.children or ())
            yield node


def _unread(node: Any) -> bool:
    if node.name[0] in "#!":
        return not node.name.startswith("#document")
    attributes = node.attrs or {}
    roles = str(attributes.get("role") or "").lower().split()
    return (
        node.name in UNREAD
        or ("hidden" in attributes and str(attributes["hidden"]).lower() != "until-found")
        or not UNREAD_ROLES.isdisjoint(roles)
    )


def _front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Cut off YAML or TOML at the head of a text: its values, keys in lower case, and what follows it.

    Lines between two rules that are no mapping are text.
    """
    text = text.replace("\r\n", "\n")
    first, _, rest = text.partition("\n")
    ends = FENCES.get(first.rstrip(), ())
    place = 0
    for line in rest[:FRONT_MATTER].splitlines(keepends=True) if ends else ():
        if line.rstrip() in ends:
            try:
                head = rest[:place], "front matter"
                found = parse_yaml(*head, texts=True) if ends[0] == "---" else parse_toml(*head)
            except PanglotError:
                break
            if not isinstance(found, dict) or not found:
                break
            return {str(key).casefold(): value for key, value in found.items()}, rest[place + len(line) :]
        place += len(line)
    return {}, text


def _without(title: str, sections: Sequence[Section]) -> tuple[Section, ...]:
    return tuple(Section("" if s.heading == title else s.heading, s.text) for s in sections)


def _one_line(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


TEXTS: dict[str, Callable[[str], Parsed]] = {
    **dict.fromkeys((".txt", ".text"), lambda text: Parsed("", (Section("", text),))),
    **dict.fromkeys((".md", ".markdown", ".mdown"), parse_markdown),
    **dict.fromkeys((".html", ".htm", ".xhtml"), parse_html),
}
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
