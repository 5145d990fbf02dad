"""Perturbed benchmarks, the same for the same seed; and each change, on words whose outcome is known."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.data import Benchmark, sample_benchmark
from panglot.data.perturb import (
    KINDS,
    LAYOUTS,
    TITLES,
    keys_of,
    layout_of,
    letters_of,
    neighbours,
    parse_kinds,
    perturb,
    read_lexicon,
    share_changed,
    switch_code,
    syllable,
    to_us_keys,
    typos,
)
from panglot.errors import PanglotError

MakeBenchmark = Callable[..., Benchmark]


@pytest.fixture(scope="module")
def sample() -> Benchmark:
    return sample_benchmark()


@pytest.mark.parametrize("kind", [kind for kind in TITLES if kind != "code-switch"])
def test_only_queries_change(sample: Benchmark, kind: str) -> None:
    changed = perturb(sample, kind, seed=1)
    assert changed.passages is sample.passages and changed.queries.ids == sample.queries.ids
    assert list(changed.queries.texts) != list(sample.queries.texts)
    assert changed.sha256 != sample.sha256 and changed.name == f"sample+{kind}"
    again = perturb(sample, kind, seed=1)
    assert again.queries.texts == changed.queries.texts and again.sha256 == changed.sha256
    assert all(text.strip() for text in changed.queries.texts)


def test_seeds_differ_and_queries_do_not_depend_on_each_other(sample: Benchmark) -> None:
    one, two = perturb(sample, "typos", seed=1), perturb(sample, "typos", seed=2)
    assert one.queries.texts != two.queries.texts and one.sha256 != two.sha256
    german = perturb(sample.restrict(["de"]), "typos", seed=1)
    whole = dict(zip(one.queries.ids, one.queries.texts, strict=True))
    assert all(
        whole[name] == text for name, text in zip(german.queries.ids, german.queries.texts, strict=True)
    )


def test_share_changed_by_hand(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"A": "en", "b": "en", "C": "de"}, {"p": "en"}, [("A", "p", 1)]
    )  # texts are "the text of A" and so on
    changed = perturb(benchmark, "lower-case")
    assert share_changed(benchmark, changed) == {"de": 1.0, "en": 0.5}


def test_kinds_are_parsed() -> None:
    assert parse_kinds("typos, lower-case,typos") == ["typos", "lower-case"]
    with pytest.raises(PanglotError, match="'tpos' is not a change of queries"):
        parse_kinds("tpos")
    with pytest.raises(PanglotError, match="no change of queries is named"):
        parse_kinds(" ,")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_code_switching_by_hand(tmp_path: Path) -> None:
    lexicon = read_lexicon(write(tmp_path / "en-de.txt", "where wo\n\nriver\tgroßer Fluss\nis ist\n"))
    assert lexicon == {"en": {"where": ["wo"], "river": ["großer Fluss"], "is": ["ist"]}}
    outcomes = {switch_code("Where flows it?", "en", Random(seed), lexicon) for seed in range(5)}
    assert outcomes == {"Wo flows it?"}  # the one known word, in capitals as it was
    two = {switch_code("where is the river", "en", Random(seed), lexicon) for seed in range(60)}
    # half of three known words is two (round half to even)
    assert two == {"wo ist the river", "wo is the großer Fluss", "where ist the großer Fluss"}
    assert switch_code("where", "de", Random(0), lexicon) == "where"


def test_code_switching_needs_a_fitting_lexicon(sample: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="code-switch needs a lexicon"):
        perturb(sample, "code-switch")
    with pytest.raises(PanglotError, match="a lexicon is for code-switch, which is not asked for"):
        perturb(sample, "typos", lexicon={"en": {"a": ["b"]}})
    with pytest.raises(PanglotError, match="but the lexicon is from is"):
        perturb(sample, "code-switch", lexicon={"is": {"a": ["b"]}})
    write(tmp_path / "en-de.txt", "the\tdie\n")
    write(tmp_path / "de-en.tsv", "die\tthe\n")
    lexicon = read_lexicon(tmp_path)
    assert set(lexicon) == {"de", "en"}
    changed = share_changed(sample, perturb(sample, "code-switch", lexicon=lexicon))
    assert changed["en"] > 0 and changed["ar"] == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("en-de.txt", "a b c\n", "line 1: 'a b c' is not a pair"),
        ("en-de.txt", "a b\nc\t\n", "line 2: 'c' is not a pair"),
        ("en-de.txt", b"a b\n\xff c\n", "line 2: is not UTF-8"),
        ("words.txt", "a b\n", "does not say two languages"),
        ("en-xyzw.txt", "a b\n", "'xyzw' is not a language code"),
    ],
)
def test_bad_lexicons_are_explained(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(PanglotError, match=message):
        read_lexicon(write(tmp_path / name, content))


def test_missing_lexicons_are_explained(tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="holds no word pairs"):
        read_lexicon(tmp_path)
    with pytest.raises(PanglotError, match="no such file"):
        read_lexicon(tmp_path / "en-de.txt")


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
    assert KINDS[kind](text, language, Random(0)) == unicodedata.normalize("NFC", expected)


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
