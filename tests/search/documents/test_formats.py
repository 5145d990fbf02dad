"""Titles, sections and languages of Markdown, HTML, PDF and Word files."""

import sys
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.errors import PanglotError
from panglot.search.documents import formats, read_documents
from panglot.search.documents.document import Section
from panglot.search.documents.formats import Parsed, declared_charset, parse_html, parse_markdown

MARKDOWN = """---
title: "Rivers"
lang: en
---
Some *light* words, a [link](http://x.y/z) and ![a map](map.png).

## Springs
- one `code`
- snake_case stays, 2*3*4 too

```python
# no heading
x = 1
```

Mouths
------
The **end**.
"""

HTML = """<!doctype html><html lang="sw"><head><title> Mito &amp; bahari </title>
<style>p {color: red}</style></head><body><nav>Menu</nav>
<h1>Mito</h1><p>Mto   ni<br>maji <b>mengi</b>.</p><script>alert("x < 1")</script>
<h2>Bahari</h2><ul><li>kubwa<li>bluu</ul></body></html>"""


def markdown(text: str) -> str:
    return "\n§".join(section.text for section in parse_markdown(text).sections)


def html(text: str) -> str:
    return "\n§".join(section.text for section in parse_html(text).sections if section.text)


def test_markdown_gives_title_headings_and_plain_words() -> None:
    found = parse_markdown(MARKDOWN)
    assert (found.title, found.language) == ("Rivers", "en")
    assert [section.heading for section in found.sections] == ["", "Springs", "Mouths"]
    assert found.sections[0].text == "Some light words, a link and a map."
    assert found.sections[1].text == "one code\nsnake_case stays, 2*3*4 too\n\n# no heading\nx = 1"
    assert found.sections[2].text == "The end."


def test_the_first_heading_is_the_title_where_nothing_stands_before_it() -> None:
    expected = (Section("", ""), Section("", "words"), Section("Next", "more"))
    assert parse_markdown("# Top\n\nwords\n\n# Next\nmore") == Parsed("Top", expected)
    assert parse_markdown("words\n# Later\nmore").title == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`Vec<Ticket>`", "Vec<Ticket>"),
        ("a `Vec<Ticket>` and Vec<Ticket>", "a Vec<Ticket> and Vec<Ticket>"),
        ("Write `#include  <stdio.h>` first.", "Write #include  <stdio.h> first."),
        ("if (n<limit) go; if (m>0) stop", "if (n<limit) go; if (m>0) stop"),
        (
            "```c\n#include <stdio.h>\n\n\n  if (n<limit) { }  // *x*\n```",
            "#include <stdio.h>\n\n\n  if (n<limit) { }  // *x*",
        ),
        ("words\n\n    indented __code__\n      <b>", "words\n\nindented __code__\n  <b>"),
        ("~~~\n[a](b)\n~~~", "[a](b)"),
    ],
)
def test_code_stays_as_it_is_written(text: str, expected: str) -> None:
    assert markdown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "See <https://example.org/a_b_c> or <me@example.org>.",
            "See https://example.org/a_b_c or me@example.org.",
        ),
        ("born__date__gte, __all__ of it, snake_case_name", "born__date__gte, all of it, snake_case_name"),
        ("2*3*4, **bold**, *leaning*, 中**文**字, ~~gone~~", "2*3*4, bold, leaning, 中文字, gone"),
        ("3. Oktober ist ein Feiertag.", "3. Oktober ist ein Feiertag."),
        ("1986. What a year!\n\n- yes\n- no", "1986. What a year!\n\nyes\nno"),
        ("7) seven\n8) eight\n\n   more\n9)", "7) seven\n\n8) eight\n\nmore\n\n9)"),
        ("> quoted\nwords\n>> deeper", "quoted words\n\ndeeper"),
        ("one line\nand the next  \nbreak", "one line and the next\nbreak"),
        ("中文\n中文", "中文中文"),
        ("| a | `b` |\n|---|---|\n| 1 | **2** |", "a | b\n1 | 2"),
        ("[a][x] and [b]\n\n[x]: http://y.z", "a and [b]"),
        ("a<br>b <!-- c --> <b>d</b> &amp; \\*e\\*", "a\nb d & *e*"),
        ("<div>\n<p>in a block</p>\n</div>\n\n*out*", "in a block\n\nout"),
        ("<script>\nf();\n</script>\nwords", "words"),
        ("".join(f"{'  ' * k}- level {k}\n" for k in range(30)), "\n".join(f"level {k}" for k in range(30))),
    ],
)
def test_markdown_keeps_every_word(text: str, expected: str) -> None:
    assert markdown(text) == expected


def test_a_heading_in_html_is_one_in_markdown_too() -> None:
    found = parse_markdown('<h1 align="center">Bees</h1>\n\nThey fly.\n\n## See *also*\n\nWasps')
    assert found.title == "Bees"
    assert [(s.heading, s.text) for s in found.sections if s.text] == [
        ("", "They fly."),
        ("See also", "Wasps"),
    ]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: 'It''s late'\n---\nx", "It's late"),
        ("---\nTitle: >\n  Long and\n  folded\n---\nx", "Long and folded"),
        ('---\nTITLE: "a: b"\nlang: de\n...\nx', "a: b"),
        ("---\r\ntitle: plain # but a comment\r\n---\r\nx", "plain"),
        ("---\ntitle: 2024-02-30\n---\nx", "2024-02-30"),
        ('+++\nTitle = "T"\ndate = 2024-01-01\n+++\nx', "T"),
        ("---\ntags: [a, b]\n---\nx", ""),
    ],
)
def test_front_matter_gives_the_title_and_no_text(text: str, title: str) -> None:
    assert parse_markdown(text).title == title
    assert markdown(text) == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\n---\n\n# Compost\n\nLeaves fall.\n\n---\n\nAsh helps.", "\n§Leaves fall.\n\nAsh helps."),
        ("---\nA line of prose\n\n---\nmore", "A line of prose\n\nmore"),
        ("---\n- a list\n\n---\nmore", "a list\n\nmore"),
        ("---\n[broken: {yaml\n\n---\nmore", "[broken: {yaml\n\nmore"),
        ("---\n" + "[" * 1500 + "\n\n---\nmore", "[" * 1500 + "\n\nmore"),
        ("+++\nno toml\n+++\nmore", "+++ no toml +++ more"),
        ("---\nnever: ended", "never: ended"),
    ],
)
def test_lines_between_rules_that_are_no_mapping_are_text(text: str, expected: str) -> None:
    assert markdown(text) == expected


def test_html_gives_title_headings_and_what_is_read() -> None:
    found = parse_html(HTML)
    assert (found.title, found.language) == ("Mito & bahari", "sw")
    texts = [(section.heading, section.text.split("\n")) for section in found.sections if section.text]
    assert texts == [("Mito", ["Mto ni", "maji mengi."]), ("Bahari", ["kubwa", "bluu"])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<html lang="de"><head><title>Hafen</title><h1>Hafen</h1><p>Schiffe laden.', "Schiffe laden."),
        ("<title>T</title><p>one<p>two<ul><li>three<li>four</ul>", "one\n\ntwo\n\nthree\nfour"),
        ("<title>T</title><table><tr><td>a<td>b<tr><td>c<td>d</table>e", "a | b\nc | d\n\ne"),
        ("<dl><dt>ash<dd>grey<dt>soot<dd>black</dl>", "ash\ngrey\nsoot\nblack"),
        ("<body><p>text<nav><ul><li>Home</ul></nav><footer>© 2024 <a>Imprint</a></footer>", "text"),
        (
            "<div role=navigation>Menu</div><div hidden>secret</div>text<div role='contentinfo'>©</div>",
            "text",
        ),
        ("<pre>\n  if a &lt; b:\n      pass\n</pre>then", "  if a < b:\n      pass\n\nthen"),
        (
            "<script>var a = '</p>';</script><style>p {}</style><template>t</template>x",
            "x",
        ),
        ("a<!-- <p>comment</p> --><![CDATA[x]]>b", "ab"),
        ("<svg><title>icon</title></svg><p>Vec&lt;T&gt;", "Vec<T>"),
    ],
)
def test_html_is_read_as_the_standard_says(text: str, expected: str) -> None:
    assert html(text) == expected


def test_a_page_says_its_language() -> None:
    assert parse_html("<!-- <html lang=fr> --><html lang='de-AT'><p>x").language == "de-AT"
    assert parse_html('<html xml:lang="sw"><body lang=de>').language == "sw"
    assert parse_html("<body lang=de>").language == "de"
    assert parse_html("<p lang=de>").language is None


def test_a_page_without_a_title_takes_its_first_heading_once() -> None:
    assert parse_html("<h1>A</h1>b") == Parsed("A", (Section("", ""), Section("", "b")))


@pytest.mark.parametrize(
    ("head", "charset"),
    [
        ('<meta charset="windows-1251">', "windows-1251"),
        ("<META http-equiv=Content-Type content='text/html; charset=koi8-r'>", "koi8-r"),
        ('<?xml version="1.0" encoding="iso-8859-2"?><html>', "iso-8859-2"),
        ("<!-- <meta charset=koi8-r> --><title>x</title>", None),
        ("<meta name=charset content=utf-8>", None),
    ],
)
def test_a_page_declares_its_encoding(head: str, charset: str | None) -> None:
    assert declared_charset(head) == charset


ADVERSARIAL = {
    "spaces in a heading": lambda n: "# a" + " " * n + "b",
    "tags that do not end": lambda n: "<a " * n,
    "marked sections": lambda n: "<![x" * n,
    "comments that do not end": lambda n: "x <!--" * n,
    "brackets": lambda n: "[" * n,
    "links in links": lambda n: "[a](" * n,
    "emphasis": lambda n: "*a_ " * n,
    "stars": lambda n: "*" * n + "a",
    "ticks": lambda n: "`a``" * n,
    "quotations": lambda n: "> " * n + "a",
    "lists": lambda n: "- " * n + "a",
    "nested lists in HTML": lambda n: "<ul><li>" * n,
    "misnested tags": lambda n: "<b><p>" * n,
    "foster parents": lambda n: "<table><b>" * n,
    "attributes": lambda n: "<a " + " x=1" * n,
    "entities": lambda n: "&a" * n,
    "front matter": lambda n: "---\n" + "- [" * n + "\n---\n",
    "verbatim text": lambda n: "<pre>a<br>" * n,
    "headings": lambda n: "<h1>a" * n,
    "cells": lambda n: "<table>" + "<tr><td>a" * n,
}  # fmt: skip


@pytest.mark.parametrize("parse", [parse_markdown, parse_html])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_work_grows_with_the_length_of_a_text_and_no_faster(
    name: str, parse: Callable[[str], Parsed]
) -> None:
    once, twice = (calls(parse, ADVERSARIAL[name](n)) for n in (300, 600))
    assert twice <= 2.2 * once + 2000


def calls(parse: Callable[[str], Parsed], text: str) -> int:
    """Count the functions that are called; the parsers are written in Python, and so is their work."""
    count = 0

    def one(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(one)
    try:
        parse(text)
    finally:
        sys.setprofile(None)
    return count


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_markdown(text)
    parse_html(text)
    declared_charset(text)


SIGNS = "</>![]()*_`#-|a"
MARKS = [*SIGNS, "1.", "<p>", "</p>", "<pre>", "</pre>", "<h1>", "</h1>", "<td>", "<![CDATA[", "&lt;", "---"]


@given(st.lists(st.sampled_from([*MARKS, "\n", " ", "    ", "\x00"]), max_size=40))
def test_any_markup_is_read_without_an_error(marks: list[str]) -> None:
    text = "".join(marks)
    parse_markdown(text)
    parse_html(text)


@given(st.text("abc .,\u0623\u0628\u4e2d\u6587\n", max_size=200))
def test_html_keeps_every_word_of_plain_text(text: str) -> None:
    assert "".join(html(text).split()) == "".join(text.split())


@given(st.text("abc .,'()!?=+%\u0623\u0628\n", max_size=200).filter(lambda text: "    " not in text))
def test_markdown_keeps_every_word_of_plain_text(text: str) -> None:
    body = text.replace("=", "").replace("+", "")  # rules below headings, and marks of lists
    found = parse_markdown(body)
    assert " ".join(" ".join(s.text for s in found.sections).split()) == " ".join(body.split())


PAGE = b"BT /F1 12 Tf 72 720 Td (The bakery opens at seven.) Tj ET"


def pdf() -> bytes:
    """Return a PDF of one page and one line, with its title, written by hand."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(PAGE), PAGE),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Title (Opening hours) >>",
    ]
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\n" % (len(objects) + 1)
    return content + head + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hours.pdf").write_bytes(pdf())
    document = docx.Document()
    document.core_properties.title = "Baking"
    document.add_paragraph("Before the first heading.")
    document.add_heading("Bread", 1)
    document.add_paragraph("Flour and water.")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "rye", "500 g"
    document.save(str(tmp_path / "bread.docx"))
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    return tmp_path


def test_pages_and_headings_are_sections(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    bread, hours = read_documents([folder])
    assert (hours.id, hours.title, hours.sections[0].text) == (
        "hours.pdf",
        "Opening hours",
        "The bakery opens at seven.",
    )
    assert (bread.id, bread.title) == ("bread.docx", "Baking")
    assert [(section.heading, section.text) for section in bread.sections] == [
        ("", "Before the first heading."),
        ("Bread", "Flour and water.\nrye\t500 g"),
    ]
    assert "skipped 1 files of other kinds (.png 1)" in caplog.messages[0]


def test_without_the_extra_they_are_skipped_with_a_note(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    (folder / "note.txt").write_text("Closed on Mondays.")
    assert [document.id for document in read_documents([folder])] == ["note.txt"]
    assert "skipped 3 files of other kinds (.docx 1, .pdf 1, .png 1)" in caplog.messages[0].replace(
        ".pdf 1, .docx 1", ".docx 1, .pdf 1"
    )
    assert "panglot[documents]" in caplog.messages[0]
    with pytest.raises(PanglotError, match=r"hours\.pdf: is a \.pdf file; .*panglot\[documents\]"):
        list(read_documents([folder / "hours.pdf"]))


@pytest.mark.parametrize("name", ["broken.pdf", "broken.docx"])
def test_a_damaged_file_is_one_sentence_and_a_folder_goes_on(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"PK\x03\x04 nothing of the kind")
    with pytest.raises(PanglotError, match=rf"{name}: cannot be read as"):
        list(read_documents([folder / name]))
    skipped: list[str] = []
    assert len(list(read_documents([folder], skipped=skipped))) == 2
    assert len(skipped) == 1
