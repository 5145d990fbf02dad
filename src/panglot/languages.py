"""Languages: BCP-47 codes, names and scripts (``langcodes``, Unicode's CLDR), families, resource classes."""

import difflib
import logging
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TypeVar

import langcodes

from panglot.errors import PanglotError

LOG = logging.getLogger("panglot.languages")
Known = TypeVar("Known")
REPLACED = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "tgl": "tl"}  # the last: CLDR has fil
STANDARD = {  # the standard variety of a macrolanguage, which has the two-letter code in daily use
    **{"als": "sq", "arb": "ar", "ayr": "ay", "azj": "az", "cmn": "zh", "ekk": "et", "gaz": "om"},
    **{"khk": "mn", "lvs": "lv", "npi": "ne", "ory": "or", "pes": "fa", "plt": "mg", "swh": "sw"},
    **{"uzn": "uz", "ydd": "yi", "zsm": "ms"},
}
USUAL_SCRIPTS = {"ko": "Hang"}  # as data sets have them, where CLDR has another (Kore)
MIXED_SCRIPTS = {  # ISO 15924 codes of several Unicode scripts together
    "Jpan": ("Hira", "Kana", "Hani"),
    "Hrkt": ("Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
    **dict.fromkeys(("Hans", "Hant", "Hanb"), ("Hani", "Bopo")),
}
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
    """Say whether ``code`` is a BCP-47 tag of registered parts, written as it usually is.

    ``en``, ``zh-Hant`` and ``ti-ER`` are; ``EN``, ``en_US``, ``eng`` and ``iw`` are not, since they would
    count as languages of their own beside ``en``, ``en-US`` and ``he``: see ``language_code``.
    """
    if not langcodes.tag_is_valid(code) or _usual_spelling(code) != code:
        return False
    if langcodes.Language.get(code, normalize=False).extlangs:  # en-foo: no register has foo
        return False
    language = code.split("-")[0]
    return two_letters(language) == language


@cache
def language_code(given: str) -> str | None:
    """Return the one BCP-47 code that a text means; None where there is none.

    The text may be a code in another spelling (``EN``, ``en_US``), an ISO 639-3 code (``rus``, ``eng_Latn``),
    a withdrawn one (``iw``) or a name in English or in the language itself (``Thai``, ``Deutsch``).
    """
    code = given.strip().replace("_", "-")
    if is_language(code):
        return code
    if langcodes.tag_is_valid(code):
        code = _usual_spelling(code)
        first, *rest = code.split("-")
        language = two_letters(first)
        if language != first and rest and rest[0] in (script(language), USUAL_SCRIPTS.get(language)):
            rest = rest[1:]
        code = "-".join([language, *rest])
        return code if is_language(code) else None
    name = given.strip().casefold()
    if len(name) < 4:
        return None
    try:
        found = langcodes.find(name)
    except LookupError:
        return None
    names = (found.display_name().casefold(), found.autonym().casefold())
    return found.to_tag() if name in names and is_language(found.to_tag()) else None


def two_letters(code: str) -> str:
    """Return the ISO 639-1 code of an ISO 639-2 or 639-3 one, and the valid one of one that was withdrawn."""
    if code in REPLACED or len(code) != 3:
        return REPLACED.get(code, code)
    short = langcodes.standardize_tag(code)
    # a standard form that is another language (kzj: dtp, prs: fa-AF) would join what files keep apart
    return short if len(short) == 2 else code


def check_languages(codes: Sequence[str]) -> list[str]:
    """Return the BCP-47 codes that some texts mean, each once, and log where they are spelled otherwise.

    Raises:
        PanglotError: names the first one that is not a language.
    """
    return list(dict.fromkeys(check_language(code) for code in codes))


def check_language(given: str, where: str = "") -> str:
    """Return the BCP-47 code that a text means, and log it where it is spelled otherwise.

    Args:
        where: what messages begin with, such as a file and a line.

    Raises:
        PanglotError: it is not a language.
    """
    code = language_code(given)
    place = f"{where}: " if where else ""
    if code is None:
        raise PanglotError(place + no_language(given))
    if code != given:
        _log_reading(given, code)
    return code


@cache  # once, however many rows say it
def _log_reading(given: str, code: str) -> None:
    LOG.warning("the language '%s' is read as '%s' (%s).", given, code, language_name(code))


def no_language(code: str) -> str:
    """Return the sentence for a code that is not a language."""
    if known := language_code(code):
        return f"'{code}' is not a language code; write it '{known}'."
    names = {language_name(own).casefold(): own for own in _groups()[0]}
    close = difflib.get_close_matches(code.casefold(), [*names, *names.values()], n=1, cutoff=0.75)
    likely = names.get(close[0], close[0]) if close else None
    perhaps = f", perhaps '{likely}' ({language_name(likely)})" if likely else ""
    return f"'{code}' is not a language code; use BCP-47 codes such as en, sw or zh-Hant{perhaps}."


def matches(wanted: str, code: str) -> bool:
    """Say whether a language range includes a code: RFC 4647's basic filtering (section 3.3.1).

    ``de`` includes ``de``, ``de-AT`` and ``de-Latn-CH``, not ``den``; ``de-AT`` does not include ``de``.
    """
    wanted, code = wanted.lower(), code.lower()
    return wanted in ("*", code) or code.startswith(f"{wanted}-")


def matching(wanted: Iterable[str], codes: Iterable[str]) -> list[str]:
    """Return those of some codes that any of some ranges includes, in the order of ``codes``."""
    ranges = list(wanted)
    return [code for code in codes if any(matches(own, code) for own in ranges)]


def is_seen(code: str, seen: Iterable[str]) -> bool:
    """Say whether training had a language: itself, one that includes it, or a part of it."""
    return any(matches(own, code) or matches(code, own) for own in seen)


def chosen_languages(wanted: Iterable[str], there: Sequence[str], where: str) -> list[str]:
    """Return those of the languages of something that a person asks for.

    Args:
        wanted: codes or names (see ``language_code``), each of which includes what it is a prefix of.

    Raises:
        PanglotError: one that includes none of them.
    """
    ranges = [language_code(given) or given.strip() for given in wanted]
    for given in ranges:
        if not matching([given], there):
            raise PanglotError(f"{where}: has no language '{given}'; it has {', '.join(there) or 'none'}.")
    return matching(ranges, there)


def check_among(wanted: Iterable[str], there: Iterable[str], name: str) -> None:
    """Raise a ``PanglotError`` unless all wanted codes are among those of something; ``name`` is its name."""
    known = list(there)
    if unknown := sorted(set(wanted) - set(known)):
        raise PanglotError(f"{name} has no language '{unknown[0]}'; choose among {', '.join(known)}.")


def primary_language(code: str) -> str:
    """Return a code without script, region and variant: ``primary_language("de-AT") == "de"``."""
    return code.split("-")[0]


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
    """Look a language up by its code without script and region; else by its usual code."""
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
