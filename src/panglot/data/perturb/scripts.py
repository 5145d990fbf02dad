"""Queries without their script's full spelling: no diacritics, romanised, or typed in the wrong layout."""

import unicodedata
from random import Random

import regex
from anyascii import anyascii

from panglot.data.perturb.hangul import keys_of
from panglot.data.perturb.layouts import layout_of, to_us_keys
from panglot.languages import script

# letters that Unicode does not take apart, as people write them without their sign
PLAIN = str.maketrans(
    {
        **dict(zip("đĐłŁøØıħĦŧŦŋŊ", "dDlLoOihHtTnN", strict=True)),
        **{"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ё": "е", "Ё": "Е"},
    }
)
# marks that people leave out: on Latin and Greek letters, and the vowel points of Arabic and Hebrew
MARKED = regex.compile(r"([\p{Latin}\p{Greek}\p{Arabic}\p{Hebrew}])\p{Mn}+")
FOREIGN = regex.compile(r"[^\p{Latin}\p{Common}\p{Inherited}][^\p{Latin}\p{Common}]*")
# what AnyAscii leaves out, as people write it
VOWEL_LETTERS = str.maketrans({"ا": "a", "آ": "a", "أ": "a", "إ": "i", "ى": "a", "א": "a"})


def without_diacritics(text: str, language: str, rng: Random) -> str:
    """Leave out accents and vowel points; letters that are other letters without their mark (й) stay."""
    apart = unicodedata.normalize("NFD", text.translate(PLAIN))
    return unicodedata.normalize("NFC", MARKED.sub(r"\1", apart))


def romanised(text: str, language: str, rng: Random) -> str:
    """Write another script in Latin letters (AnyAscii), near to what people type; Latin text stays.

    Chinese becomes pinyin without tones. Hindi gets the vowel that its consonants carry, Thai vowels written
    before their consonant move behind it. Japanese stays as it is, since its readings need a dictionary.
    """
    if language.split("-")[0] == "ja" or not FOREIGN.search(text):
        return text
    words = FOREIGN.sub(lambda match: _in_latin(match[0]), text)
    return str(regex.sub(r"[^\p{Latin}\p{ASCII}]", lambda match: anyascii(match[0]), words))


def _in_latin(run: str) -> str:
    run = regex.sub(r"([เแโใไ])([ก-ฮ])", r"\2\1", run)
    # a consonant of Devanagari is read with an a, but before a vowel sign and at the end of a word; between
    # two syllables with vowels it falls (sarkar, not sarakar)
    run = regex.sub(
        r"((?:(?<![\p{Devanagari}])[क-ह]़?)|[क-ह]़?(?![क-ह]़?[ा-ौ]))(?=[क-हअ-औंँ])",
        r"\1\N{DEVANAGARI LETTER A}",
        run,
    )
    latin = anyascii(run.translate(VOWEL_LETTERS)).replace("`", "").replace("'", "")
    return latin if run != run.lower() or run != run.upper() else latin.lower()


def wrong_layout(text: str, language: str, rng: Random) -> str:
    """Give what comes out if the query is typed while the US layout is on.

    Languages that are written in Latin letters stay as they are, and those without a known layout.
    """
    layout = layout_of(language)
    if layout is None or script(language) == "Latn":
        return text
    keys = to_us_keys(layout)
    typed = "".join(keys_of(character) or character for character in unicodedata.normalize("NFC", text))
    return "".join(_keys(character, keys) for character in typed)


def _keys(character: str, keys: dict[str, str]) -> str:
    if character in keys:
        return keys[character]
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base not in keys or any(mark not in keys for mark in marks):
        return character
    # an accent key is pressed before its letter, a sign of its own after it
    before = "".join(keys[mark] for mark in marks if mark < "\u0900")
    return before + keys[base] + "".join(keys[mark] for mark in marks if mark >= "\u0900")
