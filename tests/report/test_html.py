"""The page: complete, harmless, and well formed for those who do not see it."""

import itertools
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from panglot.report.contents import gather
from panglot.report.write import write_report

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


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    found = Page()
    found.feed(source)
    assert found.open == []
    return found


def test_nothing_is_loaded_and_nothing_runs(source: str, page: Page) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "style\n"}
    assert "@import" not in source
    for tag, attributes in page.tags:
        assert "src" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag == "a":
            assert str(attributes["href"]).startswith("#")
        for value in attributes.values():
            assert not re.search(r"url\((?!#)|javascript:", value or "")
    policy = next(a for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_names_from_data_are_text(source: str, page: Page, runs: SimpleNamespace) -> None:
    assert "<script" not in source
    assert runs.hostile.rsplit("/", 1)[-1] in "".join(page.text)


def test_every_reference_within_the_page_leads_somewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = [
        str(value).removeprefix("#")
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("aria-labelledby", "href")
    ]
    references += [
        found
        for _, attributes in page.tags
        for value in attributes.values()
        for found in re.findall(r"url\(#([^)]+)\)", value or "")
    ]
    assert len(references) > 10
    assert set(references) <= set(ids)


def test_structure_for_a_screen_reader(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert [tags.count(tag) for tag in ("h1", "main", "header", "nav", "footer")] == [1] * 5
    assert tags.count("table") == tags.count("caption") > 8
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) == 3
    assert all(attributes["role"] == "img" for attributes in pictures)
    scrolling = [a for tag, a in page.tags if tag == "div" and "wide" in str(a.get("class")).split()]
    assert scrolling
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolling)
    headings = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(b <= a + 1 for a, b in itertools.pairwise(headings))


def test_queries_and_passages_have_their_language_and_direction(page: Page, runs: SimpleNamespace) -> None:
    given = [attributes for _, attributes in page.tags if attributes.get("lang") == "ar"]
    assert given
    assert all(attributes["dir"] == "auto" for attributes in given)
    text = "".join(page.text)
    for failures in runs.failures:
        assert all(failure["query"] in text for failure in failures)


def test_figures_are_those_of_the_results(page: Page, runs: SimpleNamespace) -> None:
    text = "".join(page.text)
    for evaluation in runs.evaluations:
        for figures in evaluation.results["settings"].values():
            assert all(f"{value:.3f}" in text for value in figures.values())
        assert evaluation.results["model"]["sha256"] in text
        assert f"{evaluation.results['bias']['rank_distance']:,.0f}" in text


def test_a_report_of_one_run_in_one_language(runs: SimpleNamespace, tmp_path: Path) -> None:
    import numpy as np

    from panglot.data import sample_benchmark
    from panglot.evaluation import Evaluation, evaluate_embeddings
    from panglot.evaluation.results import describe_benchmark

    benchmark = sample_benchmark().restrict(["sw"])
    vectors = np.eye(len(benchmark.queries), dtype=np.float32)
    found = evaluate_embeddings(benchmark, vectors, vectors[: len(benchmark.passages)])
    described = {"model": {"name": "one", "sha256": None}, "benchmark": describe_benchmark(benchmark)}
    contents = gather([Evaluation({**described, **found.results}, found.per_query)], resamples=10)
    path = tmp_path / "one.html"
    write_report(contents, path, title="A title of one's own")
    text = path.read_text()
    assert "<h1>A title of one&#39;s own</h1>" in text
    assert 'id="matrix"' not in text
    assert 'id="distance"' not in text
