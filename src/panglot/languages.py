"""Languages: BCP-47 codes, names and scripts (``langcodes``, Unicode's CLDR), families, resource classes."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TypeVar

import langcodes

from panglot.errors import PanglotError

Known = TypeVar("Known")
RELATIONS = ("same branch", "same family", "other family")
NAMES_OF_CLASSES = (
    "the left-behinds",
    "the scraping-bys",
    "the hopefuls",
    "the rising stars",
    "the underdogs",
    "the winners",
)


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


@cache
def resource_class(code: str) -> int | None:
    """Return how much data a language has, from 0 (hardly any) to 5 (most), by Joshi et al. (2020).

    None where the language is not among those that panglot knows the class of. ``NAMES_OF_CLASSES`` has the
    paper's names. Scripts and regions of a language share its class.
    """
    return _known(_groups()[0], code)


@cache
def family(code: str) -> str | None:
    """Return the language family, as Glottolog names it; None where it is not known."""
    found = _known(_groups()[1], code)
    return found and found[0]


@cache
def branch(code: str) -> str | None:
    """Return the branch of its family, such as Germanic or Bantu; the family where it has one branch here."""
    found = _known(_groups()[1], code)
    return found and (found[1] or found[0])


def relation(a: str, b: str) -> str | None:
    """Say how far two languages are from each other: one of ``RELATIONS``; None where one is not known.

    A coarse measure in three steps, made of two levels of Glottolog's tree: branches of different families
    are not equally old, and languages that borrowed much from each other (Urdu and Persian) stay far apart.
    """
    if family(a) is None or family(b) is None:
        return None
    if family(a) != family(b):
        return "other family"
    return "same branch" if branch(a) == branch(b) else "same family"


def writing(code: str) -> str:
    """Return the script as readers see it: Simplified and Traditional Chinese are both ``Hani``."""
    found = script(code)
    return "Hani" if found in ("Hans", "Hant") else found


def _known(table: Mapping[str, Known], code: str) -> Known | None:
    """Look a language up by its code without script and region; else by the code that it usually goes by."""
    language = langcodes.Language.get(code, normalize=False)
    for form in (code, language.language, language.prefer_macrolanguage().language):
        if form is not None and form in table:
            return table[form]
    return None


@cache
def _groups() -> tuple[dict[str, int], dict[str, tuple[str, str]]]:
    """Read what is known: resource classes, and families with branches, by code."""
    text = files("panglot").joinpath("language_groups.toml").read_text(encoding="utf-8")
    content = tomllib.loads(text)
    classes = {code: int(number) for number, codes in content["resource"].items() for code in codes.split()}
    families = {
        code: (name, branch_name)
        for name, branches in content["family"].items()
        for branch_name, codes in branches.items()
        for code in codes.split()
    }
    return classes, families
