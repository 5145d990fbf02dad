"""Languages: BCP-47 codes, their names and scripts (from ``langcodes`` and Unicode's CLDR data)."""

from functools import cache

import langcodes

from panglot.errors import PanglotError


@cache
def is_language(code: str) -> bool:
    """Say whether ``code`` is a BCP-47 tag of registered parts (``en``, ``zh-Hant``, ``ti-ER``)."""
    return langcodes.tag_is_valid(code)


def check_languages(codes: list[str]) -> list[str]:
    """Return ``codes``, or raise a ``PanglotError`` that names the first one that is no language."""
    for code in codes:
        if not is_language(code):
            raise PanglotError(f"'{code}' is no language code; use BCP-47 codes such as en, sw or zh-Hant.")
    return codes


@cache
def language_name(code: str) -> str:
    """Return the English name of a language: ``language_name("sw") == "Swahili"``."""
    return langcodes.Language.get(code, normalize=False).display_name()


@cache
def script(code: str) -> str:
    """Return the ISO 15924 script that a language is usually written in: ``script("el") == "Grek"``."""
    return langcodes.Language.get(code, normalize=False).maximize().script or "Zyyy"
