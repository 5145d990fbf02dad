"""Charts: their data, and files that others can open."""

import io
from xml.etree import ElementTree

import pytest
from PIL import Image

from panglot.report.charts import distance_axis, finished, heatmap, lines
from panglot.report.colours import SEQUENTIAL
from panglot.report.render import inline_svg, png, svg


@pytest.mark.parametrize(
    ("least", "most", "start", "ticks"),
    [
        (0.0, 900, 0, [0, 1, 10, 100]),
        (61.0, 288, 50, [50, 100, 200]),
        (3.0, 13_014, 2, [2, 10, 100, 1000, 10_000]),
    ],
)
def test_ticks_of_a_logarithmic_axis(least: float, most: int, start: int, ticks: list[int]) -> None:
    found_start, found = distance_axis(least, most)
    assert found_start == start
    assert found == ticks


def test_a_heatmap_shows_every_value_and_escapes_names() -> None:
    rows = [
        {"query": x, "passages": y, "value": value}
        for x, y, value in (("a&b", "a&b", 12.4), ("a&b", "<i>", -0.2), ("<i>", "a&b", 99.0))
    ]
    spec = finished(heatmap(rows, ["a&b", "<i>"], 0, 99, SEQUENTIAL, ".0f"), 'title "<x>" نموذج')
    root = ElementTree.fromstring(svg(spec))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"12", "0", "99", "a&b", "<i>", 'title "<x>" نموذج'} <= texts


def test_pictures_are_images_of_a_sensible_size() -> None:
    rows = [{"run": "a", "distance": d, "share": s} for d, s in ((1.0, 0.0), (40.0, 50.0), (90.0, 100.0))]
    image = Image.open(io.BytesIO(png(finished(lines(rows, ["a"], 100), "t"))))
    assert image.format == "PNG"
    assert 700 < image.width < 1200
    assert len(image.convert("RGB").getcolors(1 << 20) or []) > 10  # something is drawn


def test_a_picture_in_a_page_has_a_name_own_ids_and_no_links() -> None:
    whole = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="30" '
        'height="20" onload="x()"><script>y()</script><clipPath id="c1"/><a xlink:href="http://e.example">'
        '<g clip-path="url(#c1)" role="graphics-object"/></a></svg>'
    )
    text = inline_svg(whole, "pic", "what <it> shows")
    for unwanted in ("script", "onload", "e.example", "graphics-object", 'id="c1"', "<it>"):
        assert unwanted not in text
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert root.get("viewBox") == "0 0 30 20"
    assert root[0].text == "what <it> shows"
    assert root.get("aria-labelledby") == root[0].get("id")
    assert 'id="pic-c1"' in text
    assert "url(#pic-c1)" in text
