"""Captions: another caption of the same image, and never the query itself."""

import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from small_files import Judged, Sizes

from panglot.data import load_benchmark
from panglot.errors import PanglotError

read_xm3600 = partial(load_benchmark, "xm3600")
read_xflickrco = partial(load_benchmark, "xflickrco")

IMAGES: list[dict[str, Any]] = [
    {
        "image/key": "0a1b",
        "image/locale": "sw",
        "en": {"caption": ["A boat on a lake", "A wooden boat at dawn"], "caption/tokenized": ["-"]},
        "sw": {"caption": ["Mashua ziwani"], "caption/tokenized": ["-"]},
        "fil": {"caption": ["Isang bangka"], "caption/tokenized": ["-"]},
    },
    {
        "image/key": "2c3d",
        "image/locale": "en",
        "en": {"caption": ["A red door", "A boat on a lake", "Door of a red house"]},
        "sw": {"caption": ["Mlango mwekundu", "Nyumba na mlango"]},
        "fil": {"caption": []},
    },
]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.fixture(params=["plain", "zip"])
def xm3600(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "plain":
        (tmp_path / "captions.jsonl").write_text(lines(IMAGES), encoding="utf-8")
    else:
        with zipfile.ZipFile(tmp_path / "captions.zip", "w") as archive:
            archive.writestr("captions.jsonl", lines(IMAGES))
    return tmp_path


def test_the_first_caption_looks_for_the_others(xm3600: Path, judged: Judged) -> None:
    found = judged(read_xm3600(xm3600))
    assert set(found) == {"en:0a1b:0", "sw:0a1b:0", "fil:0a1b:0", "en:2c3d:0", "sw:2c3d:0"}
    assert found["sw:0a1b:0"] == {
        "Mashua ziwani": -1,
        "A boat on a lake": 1,
        "A wooden boat at dawn": 1,
        "Isang bangka": 1,
    }
    # "A boat on a lake" is said of both images: one passage, right for both
    assert found["en:2c3d:0"] == {
        "A red door": -1,
        "A boat on a lake": 1,
        "Door of a red house": 1,
        "Mlango mwekundu": 1,
        "Nyumba na mlango": 1,
    }
    assert found["en:0a1b:0"]["A boat on a lake"] == -1


def test_every_caption_is_a_passage_and_may_be_a_query(xm3600: Path, sizes: Sizes) -> None:
    assert sizes(read_xm3600(xm3600)) == {"en": (2, 4), "fil": (1, 1), "sw": (2, 3)}
    assert sizes(read_xm3600(xm3600, every_caption=True)) == {"en": (5, 4), "fil": (1, 1), "sw": (3, 3)}


def test_captions_of_an_image_are_one_item(xm3600: Path) -> None:
    benchmark = read_xm3600(xm3600, languages=["en", "sw"])
    items = dict(zip(benchmark.queries.ids, benchmark.query_items.tolist(), strict=True))
    assert items["en:0a1b:0"] == items["sw:0a1b:0"] != items["en:2c3d:0"] == items["sw:2c3d:0"]
    assert benchmark.languages == ("en", "sw")


def test_bad_images_are_named(tmp_path: Path) -> None:
    path = tmp_path / "captions.jsonl"
    for rows, message in [
        ([IMAGES[0], IMAGES[0]], "line 2: image/key '0a1b' occurs twice"),
        ([{"image/id": "x", "en": {}}], "line 1: has no 'image/key'"),
        (
            [IMAGES[0], {"image/key": "x", "en": {"caption": "one"}}],
            "line 2, captions in 'en': its content is wrong",
        ),
    ]:
        path.write_text(lines(rows), encoding="utf-8")
        with pytest.raises(PanglotError, match=message):
            read_xm3600(tmp_path)
    path.unlink()
    with pytest.raises(PanglotError, match=r"it needs captions\.jsonl or captions\.zip"):
        read_xm3600(tmp_path)
    (tmp_path / "captions.zip").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(PanglotError, match=r"captions\.zip: is a broken zip archive"):
        read_xm3600(tmp_path)


@pytest.fixture
def xflickrco(tmp_path: Path) -> Path:
    captions: dict[str, list[tuple[str | int, str]]] = {
        "en": [("1007", "A man in a hat"), (3845, "Two cups on a table")],
        "de": [("1007", "Ein Mann mit Hut"), (3845, "")],
        "id": [("1007", "Pria bertopi"), (3845, "Dua cangkir di meja")],
    }
    for language, of_images in captions.items():
        folder = tmp_path / "annotations" / language
        folder.mkdir(parents=True)
        rows = [{"sentences": [text], "id": id_, "img_path": f"{id_}.jpg"} for id_, text in of_images]
        (folder / "test.jsonl").write_text(lines(rows), encoding="utf-8")
    return tmp_path


def test_an_image_with_one_caption_has_counterparts_in_other_languages_only(
    xflickrco: Path, judged: Judged, sizes: Sizes
) -> None:
    for folder in (xflickrco, xflickrco / "annotations"):
        benchmark = read_xflickrco(folder)
        assert sizes(benchmark) == {"de": (1, 1), "en": (2, 2), "id": (2, 2)}
        found = judged(benchmark)
        assert found["en:1007:0"] == {"A man in a hat": -1, "Ein Mann mit Hut": 1, "Pria bertopi": 1}
        assert found["id:3845:0"] == {"Dua cangkir di meja": -1, "Two cups on a table": 1}


@pytest.mark.shared
def test_the_real_xflickrco(shared_data: Path, sizes: Sizes) -> None:
    benchmark = read_xflickrco(shared_data / "xflickrco")
    queries = {language: count for language, (count, _) in sizes(benchmark).items()}
    # 2,000 lines a language, of which one in de and one in id has an empty caption
    assert queries == {**dict.fromkeys(["en", "es", "ja", "ru", "tr", "zh"], 2000), "de": 1999, "id": 1999}
    same = (
        benchmark.queries.languages[benchmark.judged_query]
        == benchmark.passages.languages[benchmark.judged_passage]
    )
    assert (benchmark.gains[same] == -1).all()
    assert (benchmark.gains[~same] == 1).all()
    # images with n captions have n (n - 1) pairs
    assert (~same).sum() == 1998 * 8 * 7 + 2 * 7 * 6
