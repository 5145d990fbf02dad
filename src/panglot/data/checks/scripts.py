"""Are a text's letters letters, and does their script fit its language?

A text is judged by its letters alone: digits, marks and punctuation belong to no script. Names, code and
borrowed words in Latin letters are at home in every language, so a text of another script's language is
called untranslated only when nearly all of its many letters are Latin.
"""

from dataclasses import dataclass
from functools import cache

import langcodes
import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import regex
from langcodes.data_dicts import LIKELY_SUBTAGS

from panglot.data.checks.rows import MANY, CheckedRows, Finding, Severity, finding_on
from panglot.data.index import IntArray
from panglot.languages import MIXED_SCRIPTS, language_name, script

Mask = npt.NDArray[np.bool_]
Characters = npt.NDArray[np.uint32]
UNICODE = 0x110000
SLICE = 1 << 21  # characters that are looked at together

# ISO 15924 codes that Unicode knows by the same name; what is missing is OTHER
SCRIPTS = (
    *("Latn", "Grek", "Cyrl", "Arab", "Hebr", "Deva", "Thai", "Hani", "Hira", "Kana", "Hang", "Bopo", "Beng"),
    *("Taml", "Telu", "Ethi", "Geor", "Armn", "Khmr", "Laoo", "Mymr", "Gujr", "Guru", "Knda", "Mlym", "Orya"),
    *("Sinh", "Tibt", "Mong", "Thaa", "Syrc", "Nkoo", "Tfng", "Cher", "Cans", "Adlm", "Olck", "Java", "Bali"),
    "Mtei",
)
NEUTRAL, OTHER = 0, 255  # of characters that belong to no script, and to none of SCRIPTS
LATIN = 1 + SCRIPTS.index("Latn")
LETTER = regex.compile(r"[\p{L}\p{M}]")
COMMON = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}]")
PATTERNS = [regex.compile(rf"\p{{Script={name}}}") for name in SCRIPTS]


def scripts_of(characters: Characters) -> npt.NDArray[np.uint8]:
    """Return the script of each character: ``NEUTRAL``, 1 + its place in ``SCRIPTS``, or ``OTHER``."""
    script_at = np.zeros(UNICODE, np.uint8)
    occurs = np.zeros(UNICODE, bool)
    occurs[characters] = True
    for point in np.flatnonzero(occurs).tolist():
        script_at[point] = _script_of(chr(point))
    return script_at[characters]


@cache
def _script_of(character: str) -> int:
    if not LETTER.match(character) or COMMON.match(character):
        return NEUTRAL
    return next((k for k, pattern in enumerate(PATTERNS, 1) if pattern.match(character)), OTHER)


FEW, LONG = 10, 40  # letters below which a text is not judged, and below which Latin letters are let pass
LEAST = 0.03  # share of its letters in the language's script below which a text is not translated
MAJORITY = 0.5
ENOUGH, HARDLY_ANY = 100, 0.1  # letters of a language by which it is judged as a whole, and their least share


@dataclass(frozen=True)
class Letters:
    """Letters of the texts of a column: R rows, L languages."""

    expected: IntArray  # ``(R,)`` in a script of the row's language
    latin: IntArray  # ``(R,)`` Latin ones that are not expected
    other: IntArray  # ``(R,)`` all the rest
    used: IntArray  # ``(L, 256)`` letters of each language by script code


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
        own, named = rows.language_codes == code, f"{language_name(language)} ({language})"
        total = used[code, 1:].sum()
        if total >= ENOUGH and used[code, expected[code]].sum() < HARDLY_ANY * total:
            most = SCRIPTS[int(np.argmax(used[code, 1:OTHER]))]
            sentence = (
                f"{named} is usually written in {'+'.join(_scripts(language))}, "
                f"but most of its letters here are {most}; if that is meant, write its code as "
                f"{language.split('-')[0]}-{most}."
            )
            findings += finding_on(rows, np.flatnonzero(own), "passage", "script", sentence, "warning")
            continue
        for column, part in parts.items():
            letters = part.expected + part.latin + part.other
            wrong = own & (letters >= FEW) & (part.other > MAJORITY * letters)
            left = own & (letters >= LONG) & (part.expected < LEAST * letters) & (part.latin >= part.other)
            usual = "+".join(_scripts(language))
            for mask, what in (
                (wrong, f"are in another script than {usual}; they look mislabelled"),
                (left & ~wrong, "are almost wholly in Latin letters; they look untranslated"),
            ):
                at, size = np.flatnonzero(mask), int(own.sum())
                severity: Severity = "warning" if len(at) >= MANY * size else "note"
                texts = {"query": "queries", "passage": "passages"}[column]
                sentence = f"{len(at):,} of {size:,} {texts} in {named} {what}."
                findings += finding_on(rows, at, column, "script", sentence, severity)
    return findings


def count_letters(rows: CheckedRows, column: str, expected: Mask) -> Letters:
    """Count the letters of each text of a column; ``expected`` as ``expected_scripts`` gives it."""
    texts = rows.table.column(column)
    sizes = pc.utf8_length(texts).to_numpy().astype(np.int64)  # none is empty
    part = np.cumsum(sizes) // SLICE
    counts = np.zeros((3, len(rows)), np.int64)
    used = np.zeros(expected.size, np.int64)
    for at in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(part)) + 1):
        joined = "".join(texts.slice(int(at[0]), len(at)).to_pylist())
        characters = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
        starts = np.cumsum(sizes[at]) - sizes[at]
        scripts = scripts_of(characters)
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
    return MIXED_SCRIPTS.get(usual, (usual,))


# signs inside words: v`n, gu11thdv. Few texts have many; in a font's encoding nearly all have
LOWER = regex.compile(r"\p{Ll}")
SIGNS = regex.compile(r"(?<=\p{Ll})[0-9`\[\]|\\^~{}<>]+(?=\p{Ll})")
SIGNS_SHARE, SIGNS_LEAST = 0.02, 3
# replaced, private and control characters; and UTF-8 that was read as Latin-1
BROKEN = regex.compile(r"[\uFFFD\p{Co}\x00-\x08\x0E-\x1F\x80-\x9F]")
MOJIBAKE = regex.compile(r"[ÃÂ][\x80-\xBF\u2018-\u203A\u20AC\u0152-\u017E]|â€|Ã\u00A0")


def find_font_encodings(rows: CheckedRows) -> list[Finding]:
    """Find languages most of whose rows have digits or signs inside their words."""
    odd = np.zeros(len(rows), bool)
    for row, text in enumerate(rows.table.column("passage").to_pylist()):
        count = len(SIGNS.findall(text))
        odd[row] = count >= SIGNS_LEAST and count >= SIGNS_SHARE * len(LOWER.findall(text))
    findings = []
    for code, language in enumerate(rows.languages):
        own = rows.language_codes == code
        at = np.flatnonzero(own & odd)
        if len(at) > MAJORITY * own.sum():
            sentence = (
                f"{len(at):,} of {int(own.sum()):,} rows in {language_name(language)} ({language}) have "
                "digits or signs inside their words: an old font's encoding, not Unicode; convert them, or "
                "leave the language out."
            )
            findings += finding_on(rows, at, "passage", "encoding", sentence, "warning")
    return findings


def find_broken_characters(rows: CheckedRows) -> list[Finding]:
    """Find rows with broken characters, or with UTF-8 that was read as Latin-1 (``Ã©``)."""
    texts = zip(*(rows.table.column(name).to_pylist() for name in ("query", "passage")), strict=True)
    bad = [any(BROKEN.search(text) or MOJIBAKE.search(text) for text in both) for both in texts]
    at = np.flatnonzero(bad)
    sentence = (
        f"{len(at):,} rows hold broken characters (U+FFFD, private or control ones) or UTF-8 that was read "
        "as Latin-1 (Ã©); read their source again in its right encoding."
    )
    return finding_on(rows, at, "passage", "encoding", sentence)
