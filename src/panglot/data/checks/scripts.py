"""Does a text's script fit its language?

A text is judged by its letters alone: digits, marks and punctuation belong to no script. Names, code and
borrowed words in Latin letters are at home in every language, so a text of another script's language is
called untranslated only when nearly all of its many letters are Latin.
"""

from dataclasses import dataclass

import langcodes
import numpy as np
from langcodes.data_dicts import LIKELY_SUBTAGS

from panglot.data.checks.characters import (
    LATIN,
    NEUTRAL,
    OTHER,
    SCRIPTS,
    CharacterTable,
    Mask,
    characters_of,
)
from panglot.data.checks.findings import Finding, Severity, examples_of
from panglot.data.checks.rows import CheckedRows
from panglot.data.index import IntArray
from panglot.languages import language_name, script

# ISO 15924 codes that stand for several Unicode scripts
MIXED = {
    "Jpan": ("Hira", "Kana", "Hani"),
    "Hrkt": ("Hira", "Kana"),
    "Kore": ("Hang", "Hani"),
    "Hans": ("Hani", "Bopo"),
    "Hant": ("Hani", "Bopo"),
    "Hanb": ("Hani", "Bopo"),
}
FEW, MANY = 10, 40  # letters below which a text is not judged, and below which Latin letters are let pass
LEAST = 0.03  # share of its letters in the language's script below which a text is not translated
MAJORITY = 0.5
ENOUGH, HARDLY_ANY = 100, 0.1  # letters of a language by which it is judged as a whole, and their least share
WARN = 0.01  # share of a language's rows from which a finding is a warning


@dataclass(frozen=True)
class Letters:
    """Letters of the texts of a column: R rows, L languages.

    Attributes:
        expected: ``(R,)`` in a script of the row's language.
        latin: ``(R,)`` Latin ones that are not expected.
        other: ``(R,)`` all the rest.
        used: ``(L, 256)`` letters of each language by script code.
    """

    expected: IntArray
    latin: IntArray
    other: IntArray
    used: IntArray


def find_foreign_scripts(rows: CheckedRows) -> list[Finding]:
    """Find texts whose letters do not fit their language.

    A language with hardly any letters in its own script gives one finding: perhaps its code lacks the
    script (``sr-Latn``). Else texts in a wrong script, and texts left in Latin letters, give one each.
    """
    expected = expected_scripts(rows.languages)
    parts = {column: count_letters(rows, column, expected) for column in ("query", "passage")}
    used = sum((part.used for part in parts.values()), np.zeros(expected.shape, np.int64))
    findings = []
    for code, language in enumerate(rows.languages):
        own = rows.language_codes == code
        total = used[code, 1:].sum()
        if total >= ENOUGH and used[code, expected[code]].sum() < HARDLY_ANY * total:
            findings.append(_wrong_language(rows, own, language, int(np.argmax(used[code, 1:OTHER]))))
            continue
        for column, part in parts.items():
            letters = part.expected + part.latin + part.other
            wrong = own & (letters >= FEW) & (part.other > MAJORITY * letters)
            left = own & (letters >= MANY) & (part.expected < LEAST * letters) & (part.latin >= part.other)
            usual = "+".join(_scripts(language))
            for mask, what in (
                (wrong, f"are in another script than {usual}; they look mislabelled"),
                (left & ~wrong, "are almost wholly in Latin letters; they look untranslated"),
            ):
                if len(at := np.flatnonzero(mask)):
                    findings.append(_some_texts(rows, at, int(own.sum()), language, column, what))
    return findings


def _wrong_language(rows: CheckedRows, own: Mask, language: str, most: int) -> Finding:
    at = np.flatnonzero(own)
    sentence = (
        f"{language_name(language)} ({language}) is usually written in {'+'.join(_scripts(language))}, "
        f"but most of its letters here are {SCRIPTS[most]}; if that is meant, write its code as "
        f"{language.split('-')[0]}-{SCRIPTS[most]}."
    )
    return Finding("warning", "script", sentence, len(at), examples_of(rows, at, "passage"))


def _some_texts(rows: CheckedRows, at: IntArray, size: int, language: str, column: str, what: str) -> Finding:
    severity: Severity = "warning" if len(at) >= WARN * size else "note"
    texts = {"query": "queries", "passage": "passages"}[column]
    sentence = f"{len(at):,} of {size:,} {texts} in {language_name(language)} ({language}) {what}."
    return Finding(severity, "script", sentence, len(at), examples_of(rows, at, column))


def count_letters(rows: CheckedRows, column: str, expected: Mask) -> Letters:
    """Count the letters of each text of a column; ``expected`` as ``expected_scripts`` gives it."""
    counts = np.zeros((3, len(rows)), np.int64)
    used = np.zeros(expected.size, np.int64)
    table = CharacterTable()
    for at, characters, starts in characters_of(rows, column):
        scripts = table.scripts(characters)
        language = np.repeat(rows.language_codes[at], np.diff(starts, append=len(characters)))
        letter = scripts != NEUTRAL
        own = letter & expected[language, scripts]
        latin = (scripts == LATIN) & ~own
        for row, mask in enumerate((own, latin, letter & ~own & ~latin)):
            counts[row, at] = np.add.reduceat(mask, starts, dtype=np.int64)
        used += np.bincount(language * 256 + scripts, minlength=len(used))
    return Letters(counts[0], counts[1], counts[2], used.reshape(expected.shape))


def expected_scripts(languages: list[str]) -> Mask:
    """Return ``(L, 256)`` which script codes each language is written in; all, where CLDR knows of none."""
    expected = np.zeros((len(languages), 256), bool)
    for code, language in enumerate(languages):
        scripts = _scripts(language)
        expected[code] = not scripts
        for name in scripts:
            expected[code, 1 + SCRIPTS.index(name) if name in SCRIPTS else OTHER] = True
    return expected


def _scripts(language: str) -> tuple[str, ...]:
    """Return the Unicode scripts of a language; none where CLDR has no likely one (it would say Latin)."""
    known = langcodes.Language.get(language)  # prs is looked up as fa-AF
    if known.script is None and known.language not in LIKELY_SUBTAGS:
        return ()
    usual = script(known.to_tag())
    return MIXED.get(usual, (usual,))
