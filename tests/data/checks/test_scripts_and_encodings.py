"""Scripts that do not fit are found; digits, names, code and mixed writing raise no alarm."""

from collections.abc import Callable
from pathlib import Path

import pytest

from panglot.data.checks.rows import CheckedRows, Finding, read_for_checks
from panglot.data.checks.scripts import find_broken_characters, find_font_encodings, find_foreign_scripts

MakeRows = Callable[..., CheckedRows]

GREEK = "Ο φούρναρης ψήνει το ψωμί κάθε πρωί πριν ανοίξει το μαγαζί."
LATIN = "The baker bakes the bread every morning before the shop opens."
RUSSIAN = "Пекарь печёт хлеб каждое утро до открытия лавки."


def foreign(make_rows: MakeRows, *texts: tuple[str, str]) -> list[Finding]:
    return find_foreign_scripts(
        make_rows([(str(k), code, "1?", text) for k, (code, text) in enumerate(texts)])
    )


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("el", "42 + 58 = 100 (!?) — 3.14"),
        ("el", "IPA, PyTorch, Kubernetes"),
        ("el", f"{GREEK} Microsoft Azure Developer CLI, PyTorch"),
        ("el", "Το Microsoft Azure Developer CLI και το GitHub Actions"),
        ("en", f"{LATIN} The Greek letters α, β, γ and the sign ∑."),
        ("ja", "CORSMiddleware と FastAPI を使う。カタカナ、漢字"),
        ("ja", "東京都"),
        ("ko", "韓國 대한민국은 동아시아에 있는 나라이다"),
        ("zh", "我们在东京看到了いくつかの看板，然后回到北京的家里休息了一会儿。"),
        ("zh-Hant", "麵包師每天早上在商店開門之前烤麵包。"),
        ("sr-Latn", "Pekar peče hleb svako jutro pre nego što otvori radnju."),
        ("prs", "نانوا هر صبح پیش از باز شدن مغازه نان می‌پزد."),
        ("din", LATIN),
        ("din", GREEK),  # nobody knows how it is written
        ("vi", "Người thợ làm bánh nướng bánh mì mỗi sáng."),
        ("hi", "बेकर हर सुबह दुकान खुलने से पहले रोटी पकाता है। १२३"),
        ("el", "\u0301\u0308 ... \U0001f600"),
    ],
)
def test_clean_texts_raise_no_alarm(make_rows: MakeRows, language: str, text: str) -> None:
    assert foreign(make_rows, (language, text), (language, text)) == []


def test_a_text_in_a_wrong_script_is_found(make_rows: MakeRows) -> None:
    found = foreign(make_rows, *[("el", GREEK)] * 3, ("el", RUSSIAN), ("en", LATIN))
    assert len(found) == 1
    assert (
        found[0].sentence
        == "1 of 4 passages in Greek (el) are in another script than Grek; they look mislabelled."
    )
    assert (found[0].severity, found[0].count) == ("warning", 1)
    assert [(e.line, e.language, e.text) for e in found[0].examples] == [(4, "el", RUSSIAN)]


def test_a_text_left_in_latin_letters_is_found(make_rows: MakeRows) -> None:
    found = foreign(make_rows, *[("el", GREEK)] * 200, ("el", LATIN))
    assert [f.sentence for f in found] == [
        "1 of 201 passages in Greek (el) are almost wholly in Latin letters; they look untranslated."
    ]
    assert found[0].severity == "note"  # fewer than one in a hundred


def test_a_language_in_another_script_is_told_once(make_rows: MakeRows) -> None:
    found = foreign(make_rows, *[("sr", "Pekar peče hleb svako jutro pre nego što otvori radnju.")] * 5)
    assert len(found) == 1
    assert (
        "Serbian (sr) is usually written in Cyrl, but most of its letters here are Latn" in found[0].sentence
    )
    assert found[0].sentence.endswith("write its code as sr-Latn.")


def test_a_language_in_an_old_fonts_encoding_is_found(make_rows: MakeRows) -> None:
    odd = "k1th v`n gu11th r`p, m5t ts1w l2k d33p"
    clean = "utf8 and python3 on the esp32s board, in H2O and CO2, by the b2b group and by others like them"
    rows = make_rows([*((str(k), "nus", "?", odd) for k in range(3)), ("9", "en", "?", clean)])
    found = find_font_encodings(rows)
    assert [(f.check, f.count) for f in found] == [("encoding", 3)]
    assert "3 of 3 rows in Nuer (nus)" in found[0].sentence


def test_signs_count_only_inside_words(make_rows: MakeRows) -> None:
    text = "1st 22 `code` [link] a] ]b 3d 4u x^2 <b>fat</b> q1 q2 q3"
    assert find_font_encodings(make_rows([("a", "en", "?", text)])) == []
    # a word ends with its text: 'a' and '1b' of two rows are no 'a1b'
    assert (
        find_font_encodings(make_rows([(str(k), "en", "?", t) for k, t in enumerate(["1a", "1b"] * 9)])) == []
    )


@pytest.mark.parametrize("text", ["Who\ufffd", "a\ue000b", "bell\x07", "cafÃ©", "donâ€™t", "\x92s"])
def test_broken_characters_are_found(make_rows: MakeRows, text: str) -> None:
    rows = make_rows([("a", "en", "Who?", "Me."), ("b", "en", "Who?", text), ("c", "en", text, "Me.")])
    assert [f.count for f in find_broken_characters(rows)] == [2]


@pytest.mark.parametrize("text", ["NÃO É", "Â QUI", "línea\tnueva\n", "naïve “quotes”", "âme", "👩‍🏫"])
def test_whole_characters_are_not(make_rows: MakeRows, text: str) -> None:
    assert find_broken_characters(make_rows([("a", "en", "Who?", text)])) == []


@pytest.mark.shared
def test_the_known_caveats_of_real_data_are_found_and_clean_sets_stay_clean(shared_data: Path) -> None:
    rows = read_for_checks(shared_data / "train" / "tico-19.jsonl.gz")
    assert ["Nuer (nus)" in f.sentence for f in find_font_encodings(rows)] == [True]
    assert find_foreign_scripts(rows) == []
    rows = read_for_checks(shared_data / "train" / "bitcoin-faq.jsonl.gz")
    assert find_foreign_scripts(rows) + find_font_encodings(rows) + find_broken_characters(rows) == []
