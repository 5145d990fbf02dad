"""A report as a page, as Markdown and as files: complete, harmless, and well formed for all readers."""

import csv
import itertools
import re
import sys
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from panglot.data import sample_benchmark
from panglot.errors import PanglotError
from panglot.evaluation import Evaluation, evaluate_embeddings
from panglot.evaluation.results import describe_benchmark
from panglot.report.page import Picture, Section, markdown, page, write_assets
from panglot.report.sections import gather, write_report
from panglot.report.tables import Table

VOID = {"meta", "br", "link", "img", "input", "hr"}


@dataclass
class Page(HTMLParser):
    """What is in a page."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def source(runs: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> str:
    contents = gather(runs.evaluations, failures=runs.failures, resamples=50, flips=200)
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert write_report(contents, path) == [path]
    return path.read_text(encoding="utf-8")


def read(text: str) -> Page:
    found = Page()
    found.feed(text)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def shown(source: str) -> Page:
    return read(source)


def test_nothing_is_loaded_and_nothing_runs(source: str, shown: Page) -> None:
    tags = {tag for tag, _ in shown.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "style\n"}
    assert "@import" not in source
    for tag, attributes in shown.tags:
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag == "a":
            assert str(attributes["href"]).startswith("#")
        for value in attributes.values():
            assert not re.search(r"url\((?!#)|javascript:", value or "")
    policy = next(a for _, a in shown.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_names_from_data_are_text(source: str, shown: Page, runs: SimpleNamespace) -> None:
    assert "<script" not in source
    assert runs.hostile.rsplit("/", 1)[-1] in "".join(shown.text)


def test_every_reference_within_the_page_leads_somewhere(shown: Page) -> None:
    ids = [attributes["id"] for _, attributes in shown.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = [
        str(value).removeprefix("#")
        for _, attributes in shown.tags
        for name, value in attributes.items()
        if name in ("aria-labelledby", "href")
    ]
    references += [
        found
        for _, attributes in shown.tags
        for value in attributes.values()
        for found in re.findall(r"url\(#([^)]+)\)", value or "")
    ]
    assert len(references) > 10
    assert set(references) <= set(ids)


def test_structure_for_a_screen_reader(shown: Page) -> None:
    tags = [tag for tag, _ in shown.tags]
    assert [tags.count(tag) for tag in ("h1", "main", "header", "nav", "footer")] == [1] * 5
    assert tags.count("table") == tags.count("caption") > 8
    assert tags.count("details") == tags.count("summary") > 8
    assert all("scope" in attributes for tag, attributes in shown.tags if tag == "th")
    pictures = [attributes for tag, attributes in shown.tags if tag == "svg"]
    assert len(pictures) == 4
    assert all(attributes["role"] == "img" for attributes in pictures)
    scrolling = [a for tag, a in shown.tags if tag == "div" and "wide" in str(a.get("class")).split()]
    assert scrolling
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolling)
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(b <= a + 1 for a, b in itertools.pairwise(headings))


def test_queries_and_passages_have_their_language_and_direction(shown: Page, runs: SimpleNamespace) -> None:
    given = [attributes for _, attributes in shown.tags if attributes.get("lang") == "ar"]
    assert given
    assert all(attributes["dir"] == "auto" for attributes in given)
    text = "".join(shown.text)
    for failures in runs.failures:
        assert all(failure.query in text for failure in failures)


def test_figures_are_those_of_the_results(shown: Page, runs: SimpleNamespace) -> None:
    text = "".join(shown.text)
    for evaluation in runs.evaluations:
        for figures in evaluation.results["settings"].values():
            assert all(f"{value:.3f}" in text for value in figures.values())
        assert evaluation.results["model"]["sha256"] in text
        assert f"{evaluation.results['bias']['rank_distance']:,.0f}" in text


def test_a_report_of_one_run_in_one_language(tmp_path: Path) -> None:
    benchmark = sample_benchmark().restrict(["sw"])
    vectors = np.eye(len(benchmark.queries), dtype=np.float32)
    found = evaluate_embeddings(benchmark, vectors, vectors[: len(benchmark.passages)])
    described = {"model": {"name": "one"}, "benchmark": describe_benchmark(benchmark)}
    contents = gather([Evaluation({**described, **found.results}, found.per_query)], resamples=10)
    path = tmp_path / "one.html"
    write_report(contents, path, title="A title of one's own")
    text = path.read_text()
    assert "<h1>A title of one's own</h1>" in unescape(text)
    assert 'class="heat"' not in text
    assert "<figure>" not in text


def test_headline_numbers_have_bars_of_their_intervals_and_a_good_fall_is_said(
    source: str, runs: SimpleNamespace
) -> None:
    cards = source[source.index('<div class="cards">') : source.index('<div class="table map">')]
    assert re.findall("<h3>(.*)</h3>", cards) == ["monolingual", "cross-lingual", "multilingual"]
    bars = re.findall(r"--low:([\d.]+)%;--at:([\d.]+)%;--high:([\d.]+)%", cards)
    assert len(bars) == 3 * len(runs.evaluations)
    assert all(0 <= float(low) <= float(at) <= float(high) <= 100 for low, at, high in bars)
    before, after = (f"{e.results['bias']['rank_distance']:,.0f}" for e in runs.evaluations)
    assert re.search(rf"Rank distance: plain {before}, .* {after} ▼ \(better\)", cards)
    assert source.index("<figure>") < source.index('id="settings"')  # the first chart is in the summary


def test_each_picture_and_table_has_its_files(runs: SimpleNamespace, tmp_path: Path) -> None:
    contents = gather(runs.evaluations, resamples=20, flips=50)
    published = {
        "source": "Roy et al.",
        "setting": "multilingual",
        "measure": "rank_distance",
        "value": 286.6,
    }
    reference = pd.DataFrame([{"model": "<theirs>", **published}])
    written = write_report(contents, tmp_path / "r.html", assets=tmp_path / "figures", reference=reference)
    names = {path.name for path in written[1:]}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == names
    heat = ("excess-1", "matrix-1", "matrix-2", "change-2")
    for picture in (*heat, "by-language", "rank-distance", "rank-distance-by-language", "shares"):
        assert {f"{picture}.svg", f"{picture}.png"} <= names
    tables = ("comparison", "settings", "measures", "languages", "reference", "bias", "groups-training")
    for table in (*heat, *tables, "rank-distance-quantiles", "shares"):
        assert {f"{table}.csv", f"{table}.tex", f"{table}.md"} <= names
    rows = list(csv.DictReader((tmp_path / "figures" / "settings.csv").open(encoding="utf-8")))
    (row,) = [r for r in rows if (r["run"], r["setting"], r["measure"]) == ("plain", "multilingual", "AP")]
    assert float(row["value"]) == runs.evaluations[0].results["settings"]["multilingual"]["AP"]
    page_text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "&lt;theirs&gt;" in page_text
    assert "286.6" in page_text
    assert "Roy et al.: Roy et al. (2020), LAReQA" in page_text


def test_a_run_may_be_called_like_a_column(runs: SimpleNamespace, tmp_path: Path) -> None:
    (first, _), named = runs.evaluations, []
    for name in ("figure", "without bias", "relevant passages", "name", "text", "model", "value"):
        results = {**first.results, "model": {**first.results["model"], "name": name}}
        named.append(Evaluation(results, first.per_query))
    assert len(write_report(gather(named, resamples=10, flips=20), tmp_path / "r.html")) == 1
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert all(one.results["model"]["name"] in page for one in named)


def test_the_same_results_give_the_same_page(runs: SimpleNamespace, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(gather(runs.evaluations, resamples=20, flips=50), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_what_is_not_installed_is_said(
    runs: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = gather(runs.evaluations[:1], resamples=10)
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(PanglotError, match=r"pip install 'panglot\[report\]'"):
        write_report(contents, tmp_path / "r.html")
    assert not list(tmp_path.iterdir())


# sections of one's own, as experiments have them

HARD = [
    *("a_b_c and *stars* and `ticks`", "[a](b) <b>bold</b> <!-- gone -->", "a | b | c", "# no heading"),
    *("- no list", "+ no list", "1. no list", "23) no list", "=== no rule", "back\\slash \\* ![x](y)"),
    *("two\nlines", "<script>x</script>"),
]


def table(title: str, **options: bool) -> Table:
    cells = pd.DataFrame({"name": [title, title], title: ["0.5 [0.4, 0.6] ▲", "188 ▼ (better)"]})
    return Table("name", title, cells, cells, note=title, **options)


def html_of(text: str) -> str:
    return str(MarkdownIt("commonmark").enable("table").render(text))


def text_of(html: str) -> str:
    found = Page()
    found.feed(html)
    return " ".join("".join(found.text).split())


@pytest.mark.parametrize("title", HARD)
def test_titles_names_and_notes_read_as_they_were_written(title: str) -> None:
    folded = table(title, folded=True)
    sections = [Section("one", title, [table(title), folded])]
    plain = " ".join(title.split())
    html = html_of(markdown(title, title, sections))
    for tag, count in (("h1", 1), ("h2", 1), ("strong", 1), ("summary", 1), ("td", 8), ("th", 4)):
        found = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", html)
        assert len(found) == count
        kept = found[::2] if tag == "td" else found[1::2] if tag == "th" else found
        assert {text_of(text) for text in kept} == {plain}
    assert not set(re.findall(r"<(\w+)", html)) & {"script", "b", "img", "a", "ul", "ol", "code", "em"}
    shown = read(page(title, title, sections))
    assert not {"script", "b", "a\n"} & {tag for tag, _ in shown.tags}
    assert "".join(shown.text).count(title) >= 12


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="&"), min_size=1))
def test_any_subtitle_reads_as_it_was_written(text: str) -> None:
    expected = " ".join(text.split())
    if expected:
        html = html_of(markdown("t", expected, []))
        assert text_of(html.split("</h1>\n")[1]) == expected
        assert re.findall(r"<(\w+)", html) == ["h1", "p"]


def test_marks_are_said_and_intervals_are_below_their_figures() -> None:
    shown = page("t", "s", [Section("one", "One", [table("a title"), table("more", folded=True)])])
    assert shown.count("significantly better") == 4
    assert re.findall(r'<span class="ends">(.*?)</span>', shown) == ["0.4 to 0.6"] * 2
    assert [text_of(cell) for cell in re.findall(r"<td.*?</td>", shown)][:2] == [
        *("0.5 ▲ significantly better 0.4 to 0.6", "188 ▼ (better) significantly better"),
    ]
    assert re.findall("<summary>(.*)</summary>", shown) == ["more"]


def test_cells_of_a_heat_map_have_their_colours() -> None:
    cells = pd.DataFrame({"": ["de", "sw"], "de": ["+5 ▲", "−2"], "sw": ["", "0 [−1, +1]"]})
    fills = pd.DataFrame([[50.0, np.nan], [-20.0, 0.0]])
    shown = page("t", "s", [Section("one", "One", [Table("heat", "heat", cells, cells, fills=fills)])])
    assert re.findall(r'<td(?: class="(\w+)" style="--fill:(\d+)%")?(?: title="(.*?)")?>', shown) == [
        *(("up", "50", ""), ("", "", "")),
        *(("down", "20", ""), ("up", "0", "−1, +1")),
    ]


def test_pictures_of_markdown_are_files_beside_it_and_are_described() -> None:
    picture = Picture("alpha sample (1)", "A [curve]", "And *more*.", {})
    html = html_of(markdown("t", "s", [Section("x", "x", [picture])]))
    assert re.findall(r'<img src="([^"]*)" alt="([^"]*)"', html) == [
        ("alpha%20sample%20%281%29.svg", "A [curve]. And *more*.")
    ]


def test_files_have_names_that_windows_takes(tmp_path: Path) -> None:
    cells = pd.DataFrame({"run": ["a"], "AP": ["0.1"]})
    section = Section("x", "x", [Table("losses-beir-parallel:nfcorpus", "Losses", cells, cells, 1)])
    assert {path.stem for path in write_assets([section], tmp_path)} == {"losses-beir-parallel-nfcorpus"}
    picture = Picture("beir-parallel:nfcorpus", "A", "B.", {})
    assert "(beir-parallel-nfcorpus.svg)" in markdown("t", "s", [Section("x", "x", [picture])])


def test_names_from_right_to_left_are_isolated() -> None:
    shown = page("before نموذج after", "s", [], names=["نموذج", "plain"])
    assert "<h1>before <bdi>نموذج</bdi> after</h1>" in shown
