"""Languages: BCP-47 codes, their names and scripts (from ``langcodes`` and Unicode's CLDR data)."""

from collections.abc import Sequence
from functools import cache

import langcodes

from panglot.errors import PanglotError


@cache
def is_language(code: str) -> bool:
    """Say whether ``code`` is a BCP-47 tag of registered parts, as it is usually written.

    ``en``, ``zh-Hant`` and ``ti-ER`` are; ``EN`` and ``en_US`` are not, since they would count as languages
    of their own beside ``en`` and ``en-US``.
    """
    return langcodes.tag_is_valid(code) and _usual_spelling(code) == code


def check_languages(codes: Sequence[str]) -> Sequence[str]:
    """Return ``codes``, or raise a ``PanglotError`` that names the first one that is no language."""
    for code in codes:
        if not is_language(code):
            raise PanglotError(no_language(code))
    return codes


def no_language(code: str) -> str:
    """Return the sentence for a code that is no language."""
    mend = "use BCP-47 codes such as en, sw or zh-Hant"
    if langcodes.tag_is_valid(code):
        mend = f"write it '{_usual_spelling(code)}'"
    return f"'{code}' is no language code; {mend}."


def _usual_spelling(code: str) -> str:
    return langcodes.Language.get(code, normalize=False).to_tag()


@cache
def language_name(code: str) -> str:
    """Return the English name of a language: ``language_name("sw") == "Swahili"``."""
    return langcodes.Language.get(code, normalize=False).display_name()


@cache
def script(code: str) -> str:
    """Return the ISO 15924 script that a language is usually written in: ``script("el") == "Grek"``."""
    return langcodes.Language.get(code, normalize=False).maximize().script or "Zyyy"
