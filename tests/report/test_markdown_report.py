"""A report as Markdown, read back by a reference implementation of CommonMark."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from panglot.report.blocks import Cell, Facts, Failures, Grid, Picture, Section, Sentences
from panglot.report.markdown import markdown

READER = MarkdownIt("commonmark").enable("table")
HARD = [
    "a_b_c and *stars* and `ticks`",
    "[a](b) <b>bold</b> <!-- gone -->",
    "a | b | c",
    "# no heading",
    "- no list",
    "+ no list",
    "1. no list",
    "23) no list",
    "=== no rule",
    "back\\slash \\* ![x](y)",
    "two\nlines",
]


def html_of(text: str) -> str:
    return str(READER.render(text))


def text_of(html: str) -> str:
    """Return the text of HTML without its tags."""
    plain = re.sub(r"<[^>]*>", "", html)
    for name, sign in {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&"}.items():
        plain = plain.replace(name, sign)
    return plain


def test_a_report_has_its_title_sections_and_sentences() -> None:
    sections = [
        Section("one", "First part", [Sentences(["A sentence.", "Another."])]),
        Section("two", "Second part", [Sentences(["A sentence.", "Another."], listed=True)]),
    ]
    assert html_of(markdown("The title", "On the sample.", sections)) == (
        "<h1>The title</h1>\n<p>On the sample.</p>\n"
        "<h2>First part</h2>\n<p>A sentence.</p>\n<p>Another.</p>\n"
        "<h2>Second part</h2>\n<ul>\n<li>A sentence.</li>\n<li>Another.</li>\n</ul>\n"
    )


@pytest.mark.parametrize("text", HARD)
@pytest.mark.parametrize("listed", [True, False])
def test_sentences_read_as_they_were_written(text: str, listed: bool) -> None:
    html = html_of(markdown("t", "s", [Section("x", "x", [Sentences([text], listed=listed)])]))
    expected = " ".join(text.split())
    inner = html.split("</h2>\n")[1]
    assert text_of(inner).strip() == expected
    tags = set(re.findall(r"<(\w+)", inner))
    assert tags == ({"ul", "li"} if listed else {"p"})


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="&"), min_size=1))
def test_any_sentence_reads_as_it_was_written(text: str) -> None:
    expected = " ".join(text.split())
    if expected:
        html = html_of(markdown("t", expected, []))
        assert text_of(html.split("</h1>\n")[1]).strip() == expected
        assert re.findall(r"<(\w+)", html) == ["h1", "p"]


@pytest.mark.parametrize("text", HARD)
def test_titles_are_no_markup(text: str) -> None:
    html = html_of(markdown(text, "s", [Section("x", text, [])]))
    expected = " ".join(text.split())
    for level in (1, 2):
        (found,) = re.findall(f"<h{level}>(.*)</h{level}>", html)
        assert text_of(found) == expected


def test_pictures_lie_beside_the_report_and_are_described() -> None:
    blocks = [
        Picture("alpha sample (1)", "title", "A [curve] a setting.", {}),
        Picture("other", "title", "alt", {}, in_page=False),
    ]
    html = html_of(markdown("t", "s", [Section("x", "x", blocks)]))
    assert re.findall(r'<img src="([^"]*)" alt="([^"]*)"', html) == [
        ("alpha%20sample%20%281%29.svg", "A [curve] a setting.")
    ]


@pytest.mark.parametrize("folded", [True, False])
def test_tables_are_tables(folded: bool) -> None:
    rows = [[Cell("a|b"), Cell("0.5", 0.5, (0.4, 0.6), "0.4 to 0.6", "better")]]
    grid = Grid("table", "Figures", ["", "mAP"], rows, note="A *note*.", folded=folded)
    html = html_of(markdown("t", "s", [Section("x", "x", [grid])]))
    assert re.findall(r"<td[^>]*>(.*)</td>", html) == ["a|b", "0.5 ▲ (0.4 to 0.6)"]
    assert "<strong>Figures</strong>" in html
    assert "<p>A *note*.</p>" in html
    assert ("<summary>The numbers</summary>" in html) == folded
    assert html.count("<details>") == html.count("</details>") == folded


def test_facts_are_listed_and_long_ones_stand_as_they_are() -> None:
    command = "run *this*\n```\nand that"
    facts = Facts("How", {"seed": "0", "model_name": "a*b*c"}, {"command": command})
    html = html_of(markdown("t", "s", [Section("x", "x", [facts])]))
    assert "<strong>How</strong>" in html
    assert re.findall(r"<li>(.*)</li>", html) == ["seed: 0", "model_name: a*b*c"]
    assert f"<pre><code>{command}\n</code></pre>" in html


def test_failures_are_for_the_page_only() -> None:
    with_failures = [Section("x", "x", [Failures("worst", [{}]), Sentences(["After."])])]
    assert markdown("t", "s", with_failures) == "# t\n\ns\n\n## x\n\nAfter.\n"
