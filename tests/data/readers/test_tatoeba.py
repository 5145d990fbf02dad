"""Tatoeba: pairs with English, each a part of a suite."""

from pathlib import Path
from typing import Any

import pytest
from small_files import Judged

from panglot.data import Suite, load_data
from panglot.data.catalogue import entry_named
from panglot.errors import PanglotError


def read_tatoeba(folder: Path, **options: Any) -> Suite:
    suite = load_data("tatoeba", folder, **options)
    assert isinstance(suite, Suite)
    return suite


PAIRS = {
    "deu": [("Es regnet.", "It is raining."), ("Wo ist Mia?", "Where is Mia?")],
    "cmn": [("米娅在哪里?", "Where is Mia?")],
    "arz": [("فين ميا؟", "Where is Mia?"), ("بتشتي.", "It rains."), ("بتمطر.", "It rains.")],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "v1").mkdir()
    for code, pairs in PAIRS.items():
        for side, name in enumerate((code, "eng")):
            text = "".join(f"{pair[side]}\n" for pair in pairs)
            (tmp_path / "v1" / f"tatoeba.{code}-eng.{name}").write_text(text, encoding="utf-8")
    (tmp_path / "v1" / "README.md").write_text("-")
    return tmp_path


def test_each_sentence_looks_for_its_partner(folder: Path, judged: Judged) -> None:
    suite = read_tatoeba(folder)
    assert [part.name for part in suite.parts] == ["arz-en", "de-en", "zh-en"]
    assert suite.languages == ("arz", "de", "en", "zh")
    assert suite.settings == ("crosslingual",)
    assert judged(suite.parts[1]) == {
        "de:0": {"It is raining.": 1},
        "de:1": {"Where is Mia?": 1},
        "en:0": {"Es regnet.": 1},
        "en:1": {"Wo ist Mia?": 1},
    }


def test_sentences_that_repeat_stay_pairs_of_their_own(folder: Path) -> None:
    egyptian = read_tatoeba(folder).parts[0]
    assert egyptian.passages.texts[-2:] == ["It rains.", "It rains."]
    pairs = zip(egyptian.judged_query.tolist(), egyptian.judged_passage.tolist(), strict=True)
    assert sorted(pairs) == [(0, 3), (1, 4), (2, 5), (3, 0), (4, 1), (5, 2)]


def test_one_english_sentence_is_one_item_in_all_pairs(folder: Path) -> None:
    egyptian, german, chinese = read_tatoeba(folder).parts
    mia = {int(egyptian.query_items[0]), int(german.query_items[1]), int(chinese.query_items[0])}
    assert len(mia) == 1
    assert len({*egyptian.query_items.tolist(), *german.query_items.tolist()}) == 3


def test_languages_are_named_beside_english_or_as_a_group(folder: Path) -> None:
    assert read_tatoeba(folder, languages=["de", "en"]).languages == ("de", "en")
    with pytest.raises(PanglotError, match="pairs languages with English"):
        read_tatoeba(folder, languages=["en"])
    with pytest.raises(PanglotError, match="has no language 'af'"):
        read_tatoeba(folder, languages=["xtreme-36"])


def test_broken_pairs_are_named(folder: Path) -> None:
    path = folder / "v1" / "tatoeba.deu-eng.deu"
    path.write_text("Es regnet.\n", encoding="utf-8")
    with pytest.raises(PanglotError, match=r"deu-eng\.deu: has 1 lines, but .*eng has 2"):
        read_tatoeba(folder)
    path.write_text("Es regnet.\n\n", encoding="utf-8")
    with pytest.raises(PanglotError, match=r"deu-eng\.deu, line 2: is empty"):
        read_tatoeba(folder)
    path.unlink()
    with pytest.raises(PanglotError, match=r"deu-eng\.deu: no such file"):
        read_tatoeba(folder)
    for path in (folder / "v1").glob("tatoeba*"):
        path.unlink()
    with pytest.raises(PanglotError, match="holds no files of tatoeba"):
        read_tatoeba(folder)


@pytest.mark.shared
def test_the_real_data(shared_data: Path) -> None:
    suite = read_tatoeba(shared_data / "tatoeba")
    assert len(suite.parts) == 112
    assert sum(len(part.queries) for part in suite.parts) == 2 * 88_877
    assert max(len(part.queries) for part in suite.parts) == 2_000
    assert {group: len(parts) for group, parts in suite.groups.items()} == {
        group: int(group.split("-")[1]) for group in entry_named("tatoeba").layout["groups"]
    }
    xtreme = read_tatoeba(shared_data / "tatoeba", languages=["xtreme-36"])
    # lang3_dict of XTREME's utils_preprocess.py, without XTREME-R's az lt pl ro uk
    listed = (
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th tl "
        "tr ur vi zh"
    )
    assert xtreme.languages == tuple(sorted(listed.split()))
