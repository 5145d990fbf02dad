"""Each change of queries, on words whose outcome is known."""

import unicodedata
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.data.perturb import KINDS
from panglot.data.perturb.changes import typos
from panglot.data.perturb.keyboards import (
    LAYOUTS,
    keys_of,
    layout_of,
    letters_of,
    neighbours,
    syllable,
    to_us_keys,
)

CHANGES: dict[str, list[tuple[str, str, str]]] = {
    "wrong-layout": [
        ("ru", "привет", "ghbdtn"),
        ("ru", "Где Москва?", "Ult Vjcrdf&"),
        ("uk", "привіт", "ghbdsn"),
        ("he", "שלום", "akuo"),
        ("ar", "مرحبا", "lvpfh"),
        ("th", "สวัสดี", "l;ylfu"),
        ("ko", "안녕", "dkssud"),
        ("ko", "과학 값", "rhkgkr rkqt"),
        ("ko", "빠르다", "Qkfmek"),
        ("el", "γεια", "geia"),
        ("el", "Αθήνα", "Au;hna"),
        ("el", "ϊ", ":i"),
        ("hi", "नमस्ते", "vcmdls"),
        ("ru", "NASA 2024", "NASA 2024"),
        ("en", "hello", "hello"),
        ("zh", "你好", "你好"),
        ("ja", "こんにちは", "こんにちは"),
    ],
    "no-diacritics": [
        ("fr", "Où est l’été ?", "Ou est l’ete ?"),
        ("vi", "Thủ đô", "Thu do"),
        ("pl", "Łódź", "Lodz"),
        ("de", "Straße Ö", "Strasse O"),
        ("tr", "Iğdır", "Igdir"),
        ("el", "Αθήνα", "Αθηνα"),
        ("ru", "ёлка и чай", "елка и чай"),  # й is a letter of its own
        ("ar", "مِصْر", "مصر"),
        ("he", "שָׁלוֹם", "שלום"),
        ("hi", "की", "की"),
        ("th", "ที่", "ที่"),
    ],
    "romanised": [
        ("ru", "Москва", "Moskva"),
        ("el", "Αθήνα", "Athina"),
        ("hi", "भारत सरकार राजधानी नमक", "bharat sarkar rajdhani namak"),
        ("zh", "北京", "beijing"),
        ("ko", "서울", "seoul"),
        ("ar", "ما", "ma"),
        ("he", "שלום", "slvm"),
        ("ru", "Кто такой Louis XIV?", "Kto takoy Louis XIV?"),
        ("fr", "où", "où"),
        ("ja", "東京は", "東京は"),
    ],
    "lower-case": [
        ("en", "Who IS it?", "who is it?"),
        ("tr", "IĞDIR İL", "ığdır il"),
        ("el", "ΟΔΟΣ", "οδος"),
    ],
    "no-question-mark": [
        ("en", "Who is it?", "Who is it"),
        ("fr", "Qui est-ce ?", "Qui est-ce"),
        ("es", "¿Quién es?", "Quién es"),
        ("ar", "من هو؟", "من هو"),
        ("zh", "他是谁?", "他是谁"),
        ("zh", "他是谁\uff1f", "他是谁"),
        ("el", "Ποιος είναι;", "Ποιος είναι"),
        ("el", "Ποιος είναι\u037e", "Ποιος είναι"),
        ("en", "a; b;", "a; b;"),
    ],
}
CASES = [(kind, *case) for kind, cases in CHANGES.items() for case in cases]


@pytest.mark.parametrize(("kind", "language", "text", "expected"), CASES)
def test_a_query_is_changed(kind: str, language: str, text: str, expected: str) -> None:
    assert KINDS[kind].change(text, language, Random(0)) == unicodedata.normalize("NFC", expected)


def test_neighbours_by_hand() -> None:
    assert set(neighbours("en")["s"]) == set("adwezx")
    assert set(neighbours("en")["Q"]) == set("WA")
    assert set(neighbours("de")["z"]) == set("tuhg")  # where a US keyboard has y
    assert set(neighbours("ru")["ф"]) == set("йцыя")
    assert "s" not in neighbours("ru") and neighbours("zh") == {}
    assert neighbours("ko")["ㅁ"] and set(neighbours("ko")["ㅁ"]) <= set("ㅂㅈㄴㅋ")


def test_layouts_have_the_keys_of_a_us_keyboard() -> None:
    sizes = [len(row.split(" ")) for row in LAYOUTS["us"]]
    assert sizes == [13, 12, 11, 10] * 2
    for name, rows in LAYOUTS.items():
        assert [len(row.split(" ")) for row in rows] == sizes, name
    alphabets = {
        "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "uk": "абвгдеєжзиіїйклмнопрстуфхцчшщьюя",  # ґ is typed with another modifier
        "bg": "абвгдежзийклмнопрстуфхцчшщъьюя",
        "el": "αβγδεζηθικλμνξοπρσςτυφχψω",
        "he": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
        "ar": "ابتثجحخدذرزسشصضطظعغفقكلمنهويءآأإؤئىة",
        "th": "กขคฆงจฉชซฌญฎฏฐฑฒณดตถทธนบปผฝพฟภมยรลวศษสหฬอฮ",
        "hi": "अआइईउऊऋएऐओऔकखगघङचछजझञटठडढणतथदधनपफबभमयरलवशषसह",
        "ko": "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎㅏㅐㅑㅒㅓㅔㅕㅖㅗㅛㅜㅠㅡㅣ",
    }
    for name, alphabet in alphabets.items():
        keys = to_us_keys(name)
        assert set(alphabet) <= set(keys), name
        assert len({keys[letter] for letter in alphabet}) == len(alphabet), name  # a key each
    assert layout_of("be") == "ru" and layout_of("zh") is None and layout_of("pt-BR") == "us"


@given(st.integers(0xAC00, 0xD7A3).map(chr))
def test_syllables_come_apart_and_together(character: str) -> None:
    letters = letters_of(character)
    assert letters is not None and syllable(*letters) == character
    jamo = unicodedata.normalize("NFD", character)
    assert len(jamo) == sum(letter != " " for letter in letters)
    assert 2 <= len(keys_of(character)) <= 5


def distance(a: str, b: str) -> int:
    """Levenshtein's: characters put in, taken out or replaced."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    return row[-1]


@given(st.text("abcdefgh ijklmnop?", max_size=80), st.integers(0, 99))
def test_typos_are_few(text: str, seed: int) -> None:
    typed = typos(text, "en", Random(seed))
    letters = sum(c.isalpha() for c in text)
    slips = max(1, round(letters / 20)) if letters else 0
    assert distance(text, typed) <= 2 * slips  # a swap counts as two
    if 2 <= letters < 30:
        assert typed != text and typed.strip()


def test_all_slips_of_a_short_word() -> None:
    found = {typos("ab", "en", Random(seed)) for seed in range(200)}
    # neighbours of a and b, swapped, dropped
    assert found == {*(f"{c}b" for c in "qwsz"), *(f"a{c}" for c in "ghvn"), "ba", "a", "b"}


def test_korean_slips_stay_syllables() -> None:
    found = {typos("다", "ko", Random(seed)) for seed in range(300)}
    # ㄷ lies beside ㅈ, ㄱ, ㅇ and ㄴ; ㅏ beside ㅓ, ㅣ and, below and above, other vowels
    assert {"자", "가", "아", "나", "더", "디"} <= found and "다" not in found
    assert all(len(word) == 1 and letters_of(word) for word in found)
