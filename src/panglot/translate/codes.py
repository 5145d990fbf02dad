"""Translation models have codes of their own for languages; this finds the one that a BCP-47 code means.

Codes are read from a model's vocabulary, so that a model with more or fewer languages needs no table:
``swh_Latn`` (FLORES, NLLB-200), ``sw`` (M2M-100, MADLAD-400), ``swh`` (Opus-MT), ``sw_KE`` (mBART-50).
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import langcodes

from panglot.errors import PanglotError
from panglot.languages import STANDARD, is_language, language_name, no_language

# Members of a macrolanguage that its own code means when nothing else is said. Other members (arz, prs) are
# languages of their own: a text in standard Arabic is not taken for one in Egyptian Arabic.
USUAL_MEMBER = {
    **STANDARD,
    **{"pbt": "ps", "quy": "qu", "kmr": "ku", "fuv": "ff", "dik": "din", "knc": "kr"},
    **{"nb": "no", "fil": "tl"},
}
OWN_CODES = {"ns": "nso"}  # M2M-100's code for Northern Sotho is not a language code
SAME_SCRIPT = {"Hang": "Kore", "Hani": "Hans"}
NO_REGION = "XX"  # mBART-50: en_XX


@dataclass(frozen=True)
class Reading:
    """What a language code says: language, script, whether the code names the script, and the region."""

    language: str
    script: str
    explicit: bool
    region: str | None


def read_code(code: str) -> Reading | None:
    """Read a model's code or a BCP-47 code; None where it names no language."""
    tag = code.replace("_", "-").removesuffix(f"-{NO_REGION}")
    tag = OWN_CODES.get(tag, tag)
    if not langcodes.tag_is_valid(tag):
        return None
    given = langcodes.Language.get(tag, normalize=False)
    usual = langcodes.Language.get(langcodes.standardize_tag(tag))
    language = str(usual.language)
    if (language, usual.territory) == ("fa", "AF"):  # so CLDR writes Dari
        language = "prs"
    language = USUAL_MEMBER.get(language, language)
    full = langcodes.Language.make(language=language, script=usual.script, territory=given.territory)
    script = full.maximize().script or "Zyyy"
    told = given.script is not None or given.territory is not None
    return Reading(language, SAME_SCRIPT.get(script, script), told, given.territory)


def find_code(language: str, codes: Iterable[str], model: str) -> str:
    """Return the one of a model's codes that means a language.

    ``sw`` is ``swh_Latn``, ``zh`` is ``zho_Hans`` and ``zh-Hant`` is ``zho_Hant``. The script must be the
    same; only a plain code (``crh``) may be a model's one code of that language, whatever its script. Of
    several (``pt`` and ``pt_BR``), the one of the same region comes first, then one of no region.

    Raises:
        PanglotError: ``language`` is not a language, or the model does not know it.
    """
    if not is_language(language):
        raise PanglotError(no_language(language))
    wanted = read_code(language)
    readings = {code: reading for code in codes if (reading := read_code(code)) is not None}
    same = [code for code, reading in readings.items() if wanted and reading.language == wanted.language]
    found = [code for code in same if wanted and readings[code].script == wanted.script]
    if not found and wanted and not wanted.explicit and len({readings[code].script for code in same}) == 1:
        found = same
    if not found or wanted is None:
        raise PanglotError(_unknown(language, same, readings, model))

    def preference(code: str) -> tuple[bool, bool, int, str]:
        region = readings[code].region
        return (region != wanted.region, region is not None, len(code), code)

    return min(found, key=preference)


def _unknown(language: str, same: list[str], readings: dict[str, Reading], model: str) -> str:
    """Say that a model does not know a language, and what it knows that is near."""
    names = {
        code: f"{language_name(reading.language)} {reading.language}" for code, reading in readings.items()
    }
    key = f"{language_name(language)} {language}"
    near = difflib.get_close_matches(key, sorted(set(names.values())), n=5, cutoff=0.5)
    close = same + [
        code for name in near for code, known in names.items() if known == name and code not in same
    ]
    what = (
        f"near it are {', '.join(close[:6])}"
        if close
        else f"it knows {', '.join(sorted(readings)[:12])}, ..."
    )
    return f"{model} does not translate '{language}' ({language_name(language)}); {what}."
