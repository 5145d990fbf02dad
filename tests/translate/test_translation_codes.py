"""Language codes of translation models, for the lists that transformers has of each family."""

import pytest
from langcodes import standardize_tag
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as OF_M2M100
from transformers.models.mbart50.tokenization_mbart50 import FAIRSEQ_LANGUAGE_CODES as OF_MBART50
from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as OF_NLLB

from panglot.errors import PanglotError
from panglot.translate.models import find_code

CODES = {"nllb": OF_NLLB, "m2m100": OF_M2M100["m2m100"], "mbart50": OF_MBART50}
OPUS = ["cmn", "cmn_Hans", "cmn_Hant", "deu", "nob", "por", "pt_BR", "srp_Cyrl", "srp_Latn", "swh"]
CODES |= {"opus": OPUS, "madlad": ["en", "fil", "iw", "jv", "ms_Arab_BN", "zh", "zh_Latn"]}

# by language: its code in NLLB-200, M2M-100 and mBART-50, as their papers list them; None: not there
EXPECTED = {
    "en": ("eng_Latn", "en", "en_XX"),
    "sw": ("swh_Latn", "sw", "sw_KE"),
    "zh": ("zho_Hans", "zh", "zh_CN"),
    "zh-Hant": ("zho_Hant", None, None),
    "zh-TW": ("zho_Hant", None, None),
    "ar": ("arb_Arab", "ar", "ar_AR"),
    "arz": ("arz_Arab", None, None),
    "fa": ("pes_Arab", "fa", "fa_IR"),
    "prs": ("prs_Arab", None, None),
    "no": ("nob_Latn", "no", None),
    "nb": ("nob_Latn", "no", None),
    "nn": ("nno_Latn", None, None),
    "tl": ("tgl_Latn", "tl", "tl_XX"),
    "fil": ("tgl_Latn", "tl", "tl_XX"),
    "he": ("heb_Hebr", "he", "he_IL"),
    "ko": ("kor_Hang", "ko", "ko_KR"),
    "pt-BR": ("por_Latn", "pt", "pt_XX"),
    "sr": ("srp_Cyrl", "sr", None),
    "sr-Latn": (None, None, None),
    "crh": ("crh_Latn", None, None),
    "nso": ("nso_Latn", "ns", None),
    "az": ("azj_Latn", "az", "az_AZ"),
    "azb": ("azb_Arab", None, None),
    "ks-Deva": ("kas_Deva", None, None),
    "yue": ("yue_Hant", None, None),
}


@pytest.mark.parametrize("family", ["nllb", "m2m100", "mbart50"])
@pytest.mark.parametrize("language", EXPECTED)
def test_a_language_has_the_code_of_the_family(language: str, family: str) -> None:
    expected = EXPECTED[language][["nllb", "m2m100", "mbart50"].index(family)]
    if expected is None:
        with pytest.raises(PanglotError, match=f"m does not translate '{language}'"):
            find_code(language, CODES[family], "m")
    else:
        assert find_code(language, CODES[family], "m") == expected


@pytest.mark.parametrize(
    ("family", "language", "expected"),
    [
        ("opus", "zh", "cmn"),
        ("opus", "zh-Hant", "cmn_Hant"),
        ("opus", "pt", "por"),
        ("opus", "pt-BR", "pt_BR"),
        ("opus", "sr-Latn", "srp_Latn"),
        ("madlad", "he", "iw"),
        ("madlad", "zh", "zh"),
        ("madlad", "zh-Latn", "zh_Latn"),
        ("madlad", "tl", "fil"),
        ("madlad", "ms-Arab", "ms_Arab_BN"),
    ],
)
def test_scripts_and_regions_choose_among_codes(family: str, language: str, expected: str) -> None:
    assert find_code(language, CODES[family], "m") == expected


def test_an_unknown_target_is_one_sentence_with_near_ones() -> None:
    with pytest.raises(PanglotError) as told:
        find_code("zh-Hant", CODES["mbart50"], "my/model")
    assert str(told.value) == (
        "my/model does not translate 'zh-Hant' (Chinese (Traditional)); near it are zh_CN."
    )
    with pytest.raises(PanglotError, match=r"'sr-Latn' .*srp_Cyrl"):
        find_code("sr-Latn", CODES["nllb"], "m")
    with pytest.raises(PanglotError, match="'klingonish' is not a language code"):
        find_code("klingonish", CODES["nllb"], "m")


def test_every_code_of_nllb_is_found_by_its_usual_tag() -> None:
    found = [find_code(standardize_tag(code.replace("_", "-")), OF_NLLB, "m") for code in OF_NLLB]
    assert found == OF_NLLB
