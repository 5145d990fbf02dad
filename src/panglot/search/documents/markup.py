"""Plain text, Markdown and HTML: title and sections."""

import re
from html.parser import HTMLParser

from panglot.search.documents.document import Section

Parsed = tuple[str, tuple[Section, ...]]  # title and sections

FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
UNDERLINE = re.compile(r"^\s{0,3}(=+|-{2,})\s*$")
FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n(?:---|\.\.\.)\s*(?:\n|\Z)", re.DOTALL)
FRONT_TITLE = re.compile(r"^title\s*:\s*(.+?)\s*$", re.MULTILINE)
INLINE = (
    (re.compile(r"<!--.*?-->", re.DOTALL), ""),
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),  # image: its description
    (re.compile(r"\[([^\]]+)\]\([^)]*\)"), r"\1"),  # link: its words
    (re.compile(r"\[([^\]]+)\]\[[^\]]*\]"), r"\1"),
    (re.compile(r"</?[A-Za-z][^>]*>"), ""),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?!\w)"), r"\1"),
    (re.compile(r"(?<!\w)_(?=\S)([^_\n]+?)(?<=\S)_(?!\w)"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
)
LINE_START = re.compile(r"^\s*(?:>\s?)+|^\s*(?:[-*+]|\d{1,3}[.)])\s+")
RULE = re.compile(r"^\s{0,3}([-*_])(?:\s*\1){2,}\s*$|^\s*\|?(?:\s*:?-+:?\s*\|)+(?:\s*:?-+:?\s*)?$")
BLOCK_NAMES = """address article aside blockquote br dd div dl dt fieldset figcaption figure footer form
header hr li main ol p pre section table tbody td th tr ul"""
BLOCKS = frozenset(BLOCK_NAMES.split())
UNREAD = frozenset(["script", "style", "template", "noscript", "svg", "math", "head", "nav"])
HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])


def parse_text(text: str) -> Parsed:
    """Return a plain text as it is."""
    return "", (Section("", text),)


def parse_markdown(text: str) -> Parsed:
    """Return title (of the front matter, else the first top heading) and sections of a Markdown text."""
    title = ""
    if front := FRONT_MATTER.match(text):
        found = FRONT_TITLE.search(front[1])
        title = found[1].strip("\"'") if found else ""
        text = text[front.end() :]
    sections: list[tuple[str, list[str]]] = [("", [])]
    fence = ""
    for line in text.splitlines():
        if mark := FENCE.match(line):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = ""
            continue
        body = sections[-1][1]
        heading = None if fence else HEADING.match(line)
        if heading:
            sections.append((_plain(heading[2]), []))
        elif not fence and UNDERLINE.match(line) and body and body[-1].strip():
            sections.append((body.pop().strip(), []))
        elif not RULE.match(line) or fence:
            body.append(line if fence else LINE_START.sub("", line))
    if not title and len(sections) > 1 and not "".join(sections[0][1]).strip():
        title = sections[1][0]
        sections[1] = ("", sections[1][1])
    return title, tuple(Section(heading, _plain("\n".join(body))) for heading, body in sections)


def parse_html(text: str) -> Parsed:
    """Return title (of the head, else the first top heading) and sections of an HTML page."""
    parser = _Page()
    parser.feed(text)
    parser.close()
    sections = tuple(Section(_tidy(heading), _tidy("".join(body))) for heading, body in parser.sections)
    title = _tidy(parser.title)
    if not title:
        title = next((section.heading for section in sections if section.heading), "")
    return title, tuple(Section("" if s.heading == title else s.heading, s.text) for s in sections)


def html_language(text: str) -> str | None:
    """Return what a page says of its language, in ``<html lang>``."""
    found = re.search(r"<html\b[^>]*?\blang\s*=\s*[\"']?([A-Za-z][A-Za-z0-9-]*)", text[:4096], re.IGNORECASE)
    return found[1] if found else None


class _Page(HTMLParser):
    """Collects title, headings and the text between them. The library hands events to a subclass only."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.sections: list[tuple[str, list[str]]] = [("", [])]
        self._unread: list[str] = []
        self._heading: list[str] | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and not self.title:
            self._in_title = True
        elif tag == "body":
            self._unread.clear()  # a head that was not closed
        elif tag in UNREAD:
            self._unread.append(tag)
        elif tag in HEADINGS:
            self._heading = []
        elif tag in BLOCKS:
            self._add("\n\n" if tag == "p" else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in UNREAD and tag in self._unread:
            while self._unread.pop() != tag:
                pass
        elif tag in HEADINGS and self._heading is not None:
            self.sections.append(("".join(self._heading), []))
            self._heading = None
        elif tag in BLOCKS:
            self._add("\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        else:
            self._add(re.sub(r"\s+", " ", data))

    def _add(self, text: str) -> None:
        if not self._unread:
            (self.sections[-1][1] if self._heading is None else self._heading).append(text)


def _plain(text: str) -> str:
    for pattern, put in INLINE:
        text = pattern.sub(put, text)
    return text.strip()


def _tidy(text: str) -> str:
    lines = [re.sub(r"[^\S\n]+", " ", line).strip() for line in text.splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
