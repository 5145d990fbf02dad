"""Keyboards: which character is on which key in the usual layouts; and the letters of Korean syllables."""

import tomllib
import unicodedata
from functools import cache
from importlib.resources import files

from panglot.languages import script

Key = tuple[float, float]  # how far to the right, and which row
ROW_STARTS = (0.0, 1.5, 1.75, 2.25)  # rows of keys are set off against each other
REACH = 1.3  # keys this near are neighbours: those of s are a, d, w, e, z, x
NO_KEY = "∅"

LAYOUTS: dict[str, list[str]] = tomllib.loads(
    files("panglot.data.perturb").joinpath("keyboards.toml").read_text(encoding="utf-8")
)
OF_LANGUAGE = {"ko": "ko", "uk": "uk", "bg": "bg", "fa": "fa"}
OF_SCRIPT = {
    "Latn": "us",
    "Cyrl": "ru",
    "Grek": "el",
    "Arab": "ar",
    "Hebr": "he",
    "Deva": "hi",
    "Thai": "th",
}
# letters on other keys than on a US keyboard
MOVED = {
    **dict.fromkeys(("de", "cs", "hu", "hr", "sk", "sl", "sq"), ("yzYZ", "zyZY")),
    "fr": ("qawzQAWZ", "aqzwAQZW"),
}


def layout_of(language: str) -> str | None:
    """Name the layout that a language is mostly typed on; None where it is not known (Chinese, Japanese)."""
    base = language.split("-")[0]
    return OF_LANGUAGE.get(base) or OF_SCRIPT.get(script(language))


@cache
def to_us_keys(layout: str) -> dict[str, str]:
    """Map each character of a layout to what its key gives while the US layout is on."""
    pairs: dict[str, str] = {}
    for row, us in zip(LAYOUTS[layout], LAYOUTS["us"], strict=True):
        for character, key in zip(row.split(" "), us.split(" "), strict=True):
            if character != NO_KEY:
                pairs.setdefault(character, key)
    return pairs


@cache
def neighbours(language: str) -> dict[str, str]:
    """Map each letter of a language's keyboard to the letters on the keys around it, in the same case."""
    layout = layout_of(language)
    if layout is None:
        return {}
    rows = [row.split(" ") for row in LAYOUTS[layout]]
    moved = str.maketrans(*MOVED[language]) if language in MOVED else {}
    found: dict[str, str] = {}
    for shifted in (rows[:4], rows[4:]):
        keys: dict[str, Key] = {}
        for line, (row, start) in enumerate(zip(shifted, ROW_STARTS, strict=True)):
            keys |= {c.translate(moved): (start + k, line) for k, c in enumerate(row) if is_letter(c)}
        for letter, key in keys.items():
            near = [other for other, place in keys.items() if other != letter and _near(key, place)]
            found.setdefault(letter, "".join(near))
    return {letter: near for letter, near in found.items() if near}


def is_letter(character: str) -> bool:
    """Say whether a character is a letter, or a sign that is typed as one (Thai and Hindi vowels)."""
    kind = unicodedata.category(character)[0] if len(character) == 1 else ""
    return kind == "L" or (kind == "M" and character >= "\u0900")


def _near(a: Key, b: Key) -> bool:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 <= REACH**2


FIRST, LAST = 0xAC00, 0xD7A3  # (initial * 21 + vowel) * 28 + final
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"  # the first is none
# what two keys are pressed for
TWO_KEYS = {
    letter: one + two
    for letter, one, two in zip(
        "ㅘㅙㅚㅝㅞㅟㅢㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ",
        "ㅗㅗㅗㅜㅜㅜㅡㄱㄴㄴㄹㄹㄹㄹㄹㄹㄹㅂ",
        "ㅏㅐㅣㅓㅔㅣㅣㅅㅈㅎㄱㅁㅂㅅㅌㅍㅎㅅ",
        strict=True,
    )
}


def letters_of(character: str) -> tuple[str, str, str] | None:
    """Take a syllable apart into initial, vowel and final (a space for none); None for what is none."""
    code = ord(character) - FIRST
    if not 0 <= code <= LAST - FIRST:
        return None
    return INITIALS[code // 588], VOWELS[code // 28 % 21], FINALS[code % 28]


def syllable(initial: str, vowel: str, final: str) -> str:
    """Put a syllable together again."""
    return chr(FIRST + (INITIALS.index(initial) * 21 + VOWELS.index(vowel)) * 28 + FINALS.index(final))


def keys_of(character: str) -> str:
    """Return the letters whose keys are pressed for a syllable, one after the other; '' for what is none."""
    letters = letters_of(character) or ()
    return "".join(TWO_KEYS.get(letter, letter) for letter in letters if letter != " ")
