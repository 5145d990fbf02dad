from hypothesis import given
from hypothesis import strategies as st

from panglot.search.documents.document import Section
from panglot.search.documents.markup import html_language, parse_html, parse_markdown

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


def test_markdown_gives_title_headings_and_plain_words() -> None:
    title, sections = parse_markdown(MARKDOWN)
    assert title == "Rivers"
    assert [section.heading for section in sections] == ["", "Springs", "Mouths"]
    assert sections[0].text == "Some light words, a link and a map."
    assert sections[1].text == "one code\nsnake_case stays, 2*3*4 too\n\n# no heading\nx = 1"
    assert sections[2].text == "The end."


def test_the_first_heading_is_the_title_where_nothing_stands_before_it() -> None:
    assert parse_markdown("# Top\n\nwords\n\n# Next\nmore") == (
        "Top",
        (Section("", ""), Section("", "words"), Section("Next", "more")),
    )
    assert parse_markdown("words\n# Later\nmore")[0] == ""


def test_html_gives_title_headings_and_what_is_read() -> None:
    title, sections = parse_html(HTML)
    assert title == "Mito & bahari"
    found = [(section.heading, section.text.split("\n")) for section in sections if section.text]
    assert found == [("Mito", ["Mto ni", "maji mengi."]), ("Bahari", ["kubwa", "bluu"])]


def test_html_says_its_language() -> None:
    assert html_language(HTML) == "sw"
    assert html_language("<html><body lang=de>") is None


def test_a_page_without_a_title_takes_its_first_heading_once() -> None:
    assert parse_html("<h1>A</h1>b") == ("A", (Section("", ""), Section("", "b")))


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_markdown(text)
    parse_html(text)


@given(st.text("abc .,\u0623\u0628\u4e2d\u6587\n", max_size=200))
def test_html_keeps_every_word_of_plain_text(text: str) -> None:
    _, sections = parse_html(text)
    assert " ".join(section.text for section in sections).split() == text.split()
