"""Codes of languages, their names and scripts."""

import pytest

from panglot.errors import PanglotError
from panglot.languages import check_languages, is_language, language_name, script

# what each language is usually written in (ISO 15924)
SCRIPTS = {
    "ar": "Arab",
    "de": "Latn",
    "el": "Grek",
    "en": "Latn",
    "es": "Latn",
    "hi": "Deva",
    "ja": "Jpan",
    "ko": "Kore",
    "ru": "Cyrl",
    "sw": "Latn",
    "th": "Thai",
    "ti": "Ethi",
    "tr": "Latn",
    "vi": "Latn",
    "zh": "Hans",
    "zh-Hant": "Hant",
    "sr-Latn": "Latn",
}


@pytest.mark.parametrize("code", ["en", "sw", "zh-Hant", "ti-ER", "ckb", "fuv", "sr-Latn-RS"])
def test_a_registered_code_is_a_language(code: str) -> None:
    assert is_language(code)


@pytest.mark.parametrize("code", ["", "e", "xx", "12", "english", "deutsch", "zh-Hanx", "en-XX-1", "en fr"])
def test_anything_else_is_none(code: str) -> None:
    assert not is_language(code)


@pytest.mark.parametrize(("code", "usual"), [("EN", "en"), ("en_US", "en-US"), ("zh-hant", "zh-Hant")])
def test_an_unusual_spelling_is_refused_with_the_usual_one(code: str, usual: str) -> None:
    assert not is_language(code)
    with pytest.raises(PanglotError, match=f"'{code}' is no language code; write it '{usual}'"):
        check_languages([code])


def test_the_first_code_that_is_no_language_is_named() -> None:
    assert check_languages(["sw", "en"]) == ["sw", "en"]
    with pytest.raises(PanglotError, match="'klingonisch' is no language code; use BCP-47 codes"):
        check_languages(["en", "klingonisch", "xx"])


@pytest.mark.parametrize(
    ("code", "name"),
    [("sw", "Swahili"), ("el", "Greek"), ("ti", "Tigrinya"), ("zh-Hant", "Chinese (Traditional)")],
)
def test_a_language_has_its_english_name(code: str, name: str) -> None:
    assert language_name(code) == name


@pytest.mark.parametrize(("code", "expected"), SCRIPTS.items())
def test_a_language_has_its_script(code: str, expected: str) -> None:
    assert script(code) == expected
