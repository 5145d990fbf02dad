"""ISO 639-3 codes, as official files use them, to the BCP-47 codes of panglot."""

import re
from collections.abc import Iterable

from panglot.errors import PanglotError
from panglot.languages import is_language, script, two_letters

# the standard variety of a macrolanguage, which has the two-letter code in daily use
STANDARD = {
    **{"als": "sq", "arb": "ar", "ayr": "ay", "azj": "az", "cmn": "zh", "ekk": "et", "gaz": "om"},
    **{"khk": "mn", "lvs": "lv", "npi": "ne", "ory": "or", "pes": "fa", "plt": "mg", "swh": "sw"},
    **{"tgl": "tl", "uzn": "uz", "ydd": "yi", "zsm": "ms"},
}
# FLORES+ marks varieties by Glottolog's codes
VARIETIES = {"braz1246": "BR", "vale1252": "valencia"}
CHINESE = {"zh-CN": "zh", "zh-TW": "zh-Hant"}


def bcp47(code: str) -> str:
    """Return the BCP-47 code of an ISO 639-3 one, with or without a script, region or variety.

    The language gets two letters where it has them, and a script is left out where it is the usual one:
    ``deu`` and ``deu_Latn`` are ``de``, ``cmn`` and ``zho_Hans`` ``zh``, ``srp-Latn`` is ``sr-Latn``,
    ``por-BR`` ``pt-BR``. Of dialects with a code of their own nothing is left out: ``arz`` stays ``arz``.
    A script that CLDR does not know as the usual one stays, so that the code says it: ``acm-Arab``.
    """
    first, *rest = code.replace("_", "-").split("-")
    language = STANDARD.get(first) or two_letters(first)
    parts = [language]
    for part in rest:
        if len(part) == 4 and part.isalpha():
            if (language, part) != ("ko", "Hang") and part != script(language):
                parts.append(part)
        elif part in VARIETIES:
            parts.append(VARIETIES[part])
        else:
            parts.append(f"x-{part}" if re.fullmatch("[a-z]{4}[0-9]{4}", part) else part)
    tag = "-".join(parts)
    return CHINESE.get(tag, tag)


def codes_of(found: Iterable[str], source: str) -> dict[str, str]:
    """Return the official code of each BCP-47 code, sorted by the latter.

    Raises:
        PanglotError: what is not a language, or two official codes of one language; names ``source``.
    """
    official: dict[str, str] = {}
    for code in found:
        language = bcp47(code)
        if not is_language(language):
            raise PanglotError(f"{source}: '{code}' is not a language code; move that file elsewhere.")
        if language in official:
            raise PanglotError(
                f"{source}: '{official[language]}' and '{code}' are both '{language}'; leave one of them out."
            )
        official[language] = code
    return dict(sorted(official.items()))
