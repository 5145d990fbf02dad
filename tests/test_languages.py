"""Codes of languages, their names and scripts."""

import pytest

from panglot.errors import PanglotError
from panglot.languages import (
    _groups,
    _log_reading,
    branch,
    check_languages,
    family,
    is_language,
    is_seen,
    language_code,
    language_name,
    matches,
    matching,
    no_language,
    relation,
    resource_class,
    script,
    writing,
)

# what each language is usually written in (ISO 15924)
SCRIPTS = "ar-Arab de-Latn el-Grek en-Latn es-Latn hi-Deva ja-Jpan ko-Kore ru-Cyrl sw-Latn th-Thai ti-Ethi"
SCRIPTS += " tr-Latn vi-Latn zh-Hans"
READ_AS = {
    **{"EN": "en", "en_US": "en-US", "zh-hant": "zh-Hant", "eng": "en", "rus": "ru", "ger": "de"},
    **{"zho": "zh", "eng_Latn": "en", "zho_Hant": "zh-Hant", "srp_Latn": "sr-Latn", "tgl": "tl"},
    **{"iw": "he", "in": "id", "kor_Hang": "ko", "thai": "th", "Deutsch": "de", "Русский": "ru"},
}


@pytest.mark.parametrize("code", ["en", "sw", "zh-Hant", "ti-ER", "ckb", "fuv", "sr-Latn-RS"])
def test_a_registered_code_is_a_language(code: str) -> None:
    assert is_language(code)


@pytest.mark.parametrize("code", ["", "e", "xx", "12", "english", "deutsch", "zh-Hanx", "en-XX-1", "en fr"])
def test_anything_else_is_none(code: str) -> None:
    assert not is_language(code)


@pytest.mark.parametrize(("given", "code"), READ_AS.items())
def test_what_means_one_code_is_read_as_it(given: str, code: str, caplog: pytest.LogCaptureFixture) -> None:
    assert not is_language(given)
    assert language_code(given) == code
    assert is_language(code) and language_code(code) == code
    _log_reading.cache_clear()
    assert check_languages([given, code]) == [code]
    assert [record.args for record in caplog.records] == [(given, code, language_name(code))]


@pytest.mark.parametrize("given", ["", "x", "xx", "qwertz", "python", "mandarin-ish", "\ud800", "eng_Xxxx"])
def test_what_means_no_code_is_refused_by_name(given: str) -> None:
    assert language_code(given) is None
    with pytest.raises(PanglotError, match="is not a language code"):
        check_languages([given])


def test_a_misspelt_name_is_answered_with_the_likely_code() -> None:
    assert "perhaps 'de' (German)" in no_language("germn")
    assert "perhaps" not in no_language("xx")


@pytest.mark.parametrize(
    ("wanted", "code", "expected"),
    [  # RFC 4647, section 3.3.1
        ("de-de", "de-DE-1996", True),
        ("de-DE", "de-Deva", False),
        ("de-de", "de-Latn-DE", False),
        ("de", "de", True),
        ("de", "de-AT", True),
        ("de", "den", False),
        ("de-AT", "de", False),
        ("*", "sw", True),
        ("zh", "zh-Hant", True),
    ],
)
def test_a_range_includes_the_codes_that_it_is_a_prefix_of(wanted: str, code: str, expected: bool) -> None:
    assert matches(wanted, code) is expected


def test_a_language_is_seen_with_its_regions_and_they_with_it() -> None:
    assert is_seen("en-US", ["sw", "en"]) and is_seen("en", ["en-US"]) and is_seen("en", ["en"])
    assert not is_seen("de-CH", ["de-AT"]) and not is_seen("enm", ["en"]) and not is_seen("en", [])


def test_codes_that_ranges_include_keep_their_order() -> None:
    codes = ["sw", "de-CH", "en", "de-AT", "en-US"]
    assert matching(["de", "en-US"], codes) == ["de-CH", "de-AT", "en-US"]
    assert matching([], codes) == []


def test_the_first_code_that_is_no_language_is_named() -> None:
    assert check_languages(["sw", "en"]) == ["sw", "en"]
    with pytest.raises(PanglotError, match="'klingonisch' is not a language code"):
        check_languages(["en", "klingonisch", "xx"])


@pytest.mark.parametrize(
    ("code", "name"),
    [("sw", "Swahili"), ("el", "Greek"), ("ti", "Tigrinya"), ("zh-Hant", "Chinese (Traditional)")],
)
def test_a_language_has_its_english_name(code: str, name: str) -> None:
    assert language_name(code) == name


def test_a_language_has_its_script() -> None:
    for pair in SCRIPTS.split():
        code, expected = pair.split("-")
        assert script(code) == expected
    assert (script("zh-Hant"), script("sr-Latn")) == ("Hant", "Latn")


# examples of each class that Joshi et al. (2020) give in their Table 1 and Figure 2
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *(("fj", 1), ("bho", 1), ("chr", 1), ("zu", 2), ("lo", 2), ("kok", 2), ("id", 3), ("uk", 3)),
        *(("he", 3), ("ru", 4), ("hu", 4), ("vi", 4), ("ko", 4), ("en", 5), ("es", 5), ("de", 5), ("ja", 5)),
    ],
)
def test_a_language_has_its_resource_class(code: str, expected: int) -> None:
    assert resource_class(code) == expected


def test_the_upper_classes_are_as_large_as_the_paper_counts_them() -> None:
    classes = [number for code, number in _groups()[0].items() if code != "knn"]  # knn is kok, Konkani
    assert [classes.count(k) for k in (5, 4, 3, 2)] == [7, 18, 28, 19]


def test_every_code_that_is_known_is_a_language_and_stands_once() -> None:
    classes, families = _groups()
    assert len(classes) > 250
    assert len(families) > 250
    for code in {*classes, *families}:
        assert is_language(code), code


RELATED = {
    **{
        "de": ("Indo-European", "Germanic"),
        "hi": ("Indo-European", "Indo-Aryan"),
        "fi": ("Uralic", "Finnic"),
    },
    **{"sw": ("Atlantic-Congo", "Bantu"), "am": ("Afro-Asiatic", "Semitic"), "ja": ("Japonic", "Japonic")},
    **{"eu": ("Basque", "Basque"), "tlh": (None, None)},
}


@pytest.mark.parametrize("code", RELATED)
def test_a_language_has_its_family_and_branch(code: str) -> None:
    assert (family(code), branch(code)) == RELATED[code]


def test_scripts_and_standard_forms_stand_with_their_language() -> None:
    assert (resource_class("zh-Hant"), resource_class("sr-Latn"), resource_class("pes")) == (5, 4, 4)
    assert family("zh-Hant") == family("cmn") == "Sino-Tibetan"
    # Egyptian Arabic has a class of its own; Levantine Arabic has none that is known, and not the standard's
    assert (resource_class("arb"), resource_class("arz"), resource_class("apc")) == (5, 3, None)
    assert resource_class("tlh") is None


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ("de-nl en-en", "same branch"),
        ("de-hi fi-hu", "same family"),
        ("fi-sv ja-zh", "other family"),
        ("de-tlh", None),
    ],
)
def test_how_far_languages_are_from_each_other(pairs: str, expected: str | None) -> None:
    for pair in pairs.split():
        a, b = pair.split("-")
        assert relation(a, b) == relation(b, a) == expected


def test_chinese_is_written_in_one_script() -> None:
    assert writing("zh") == writing("zh-Hant") == "Hani"
    assert writing("ja") == "Jpan"
