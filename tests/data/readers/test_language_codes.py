"""Official codes to BCP-47, and the files that have them in their names."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panglot.data.readers.files import bcp47, codes_of, files_by_language
from panglot.errors import PanglotError
from panglot.languages import is_language

KNOWN = {
    "deu": "de",
    "cmn": "zh",
    "zho_Hans": "zh",
    "zho_Hant": "zh-Hant",
    "cmn_Hans": "zh",
    "zho-CN": "zh",
    "zho-TW": "zh-Hant",
    "arb_Arab": "ar",
    "arb_Latn": "ar-Latn",
    "arz": "arz",
    "kor_Hang": "ko",
    "jpn_Jpan": "ja",
    "srp-Cyrl": "sr",
    "srp-Latn": "sr-Latn",
    "por-BR": "pt-BR",
    "por_Latn_braz1246": "pt-BR",
    "cat_Latn_vale1252": "ca-valencia",
    "fra-CA": "fr-CA",
    "eng": "en",
    "swh": "sw",
    "pes": "fa",
    "prs": "prs",  # Dari has no two letters of its own
    "lvs": "lv",
    "zsm": "ms",
    "nob": "nb",
    "nno": "nn",
    "tgl": "tl",
    "fil": "fil",
    "kzj": "kzj",  # not dtp, its successor, which Tatoeba has beside it
    "dtp": "dtp",
    "ckb-Arab": "ckb",
    "yue_Hant": "yue",
    "en": "en",
}


@pytest.mark.parametrize(("official", "expected"), KNOWN.items())
def test_codes_have_two_letters_and_no_usual_script(official: str, expected: str) -> None:
    assert bcp47(official) == expected
    assert is_language(expected)


@given(st.sampled_from(sorted(KNOWN)))
def test_a_code_of_ours_stays_as_it_is(official: str) -> None:
    assert bcp47(bcp47(official)) == bcp47(official)


def test_two_official_codes_of_one_language_are_told() -> None:
    with pytest.raises(PanglotError, match=r"here: 'cmn' and 'zho' are both 'zh'"):
        codes_of(["cmn", "deu", "zho"], "here")
    with pytest.raises(PanglotError, match="here: 'notes' is not a language code"):
        codes_of(["notes"], "here")


def test_codes_are_sorted_by_ours() -> None:
    assert list(codes_of(["zho", "eng", "deu"], "here").items()) == [
        ("de", "deu"),
        ("en", "eng"),
        ("zh", "zho"),
    ]


def test_files_are_found_by_code_or_name_and_the_first_pattern_counts(tmp_path: Path) -> None:
    for name in (
        "a/deu.txt",
        "b/german.txt",
        "b/swahili.txt",
        "b/x/sw.txt",
        "c/docs-swa-10.txt",
        "c/docs-swa-9.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("-")
    found = files_by_language(tmp_path, ["a/{code}.txt", "b/{code}.txt", "b/*/{code}.txt"])
    assert {code: [path.name for path in paths] for code, paths in found.items()} == {
        "de": ["deu.txt"],
        "sw": ["swahili.txt"],
    }
    numbered = files_by_language(tmp_path, ["c/docs-{code}-*.txt"])["sw"]
    assert [path.name for path in numbered] == ["docs-swa-9.txt", "docs-swa-10.txt"]
    (tmp_path / "a" / "notes.txt").write_text("-")
    with pytest.raises(PanglotError, match="'notes' is not a language code"):
        files_by_language(tmp_path, ["a/{code}.txt"])
    assert files_by_language(tmp_path, ["a/{code}.txt"], others=True) == {}
