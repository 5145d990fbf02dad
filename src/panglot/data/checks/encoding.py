"""Are a text's letters letters? Old fonts' own encodings, broken characters, UTF-8 read as something else."""

import numpy as np
import regex

from panglot.data.checks.characters import Mask, characters_of, members
from panglot.data.checks.findings import Finding, Severity, examples_of
from panglot.data.checks.rows import CheckedRows
from panglot.data.index import IntArray
from panglot.languages import language_name

# signs inside words: v`n, gu11thdv. Few texts have many; in a font's encoding nearly all have
SIGNS, LOWER = r"[0-9`\[\]|\\^~{}<>]", r"\p{Ll}"
SIGNS_SHARE, SIGNS_LEAST = 0.02, 3
BROKEN = r"[\uFFFD\p{Co}\x00-\x08\x0E-\x1F\x80-\x9F]"  # replaced, private and control characters
MOJIBAKE = regex.compile(r"[ÃÂ][\x80-\xBF\u2018-\u203A\u20AC\u0152-\u017E]|â€|Ã\u00A0")
MAJORITY = 0.5
WARN = 0.01  # share of the rows from which a finding is a warning


def find_font_encodings(rows: CheckedRows) -> list[Finding]:
    """Find languages most of whose rows have digits or signs inside their words."""
    sign, lower = members(SIGNS), members(LOWER)
    odd = np.zeros(len(rows), bool)
    for at, characters, starts in characters_of(rows, "passage"):
        is_lower = lower[characters]
        inside = _ends_of_runs_inside(sign[characters], is_lower, starts)
        count = np.add.reduceat(inside, starts, dtype=np.int64)
        letters = np.add.reduceat(is_lower, starts, dtype=np.int64)
        odd[at] = (count >= SIGNS_LEAST) & (count >= SIGNS_SHARE * letters)
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
            findings.append(
                Finding("warning", "encoding", sentence, len(at), examples_of(rows, at, "passage"))
            )
    return findings


def _ends_of_runs_inside(sign: Mask, lower: Mask, starts: IntArray) -> Mask:
    """Mark the end of each run of signs that is between two small letters of one text."""
    size = len(sign)
    first = np.zeros(size, bool)
    first[starts] = True
    before = np.r_[False, lower[:-1]] & ~first  # a small letter is before, in the same text
    after = np.r_[lower[1:], False] & ~np.r_[first[1:], True]
    begins = sign & ~(np.r_[False, sign[:-1]] & ~first)
    run = np.cumsum(begins)
    good = np.zeros(int(run[-1]) + 1 if size else 1, bool)
    good[run[begins & before]] = True
    return np.asarray(sign & after & good[run])


def find_broken_characters(rows: CheckedRows) -> list[Finding]:
    """Find rows with broken characters, or with UTF-8 that was read as Latin-1 (``Ã©``)."""
    broken, suspect = members(BROKEN), members("[ÃÂâ]")
    bad = np.zeros(len(rows), bool)
    for column in ("query", "passage"):
        for at, characters, starts in characters_of(rows, column):
            bad[at] |= _any(broken[characters], starts)
            doubtful = at[_any(suspect[characters], starts)]
            texts = rows.texts(column, doubtful)
            bad[doubtful] |= np.array([bool(MOJIBAKE.search(text)) for text in texts], bool)
    at = np.flatnonzero(bad)
    if not len(at):
        return []
    sentence = (
        f"{len(at):,} rows hold broken characters (U+FFFD, private or control ones) or UTF-8 that was read "
        "as Latin-1 (Ã©); read their source again in its right encoding."
    )
    severity: Severity = "warning" if len(at) >= WARN * len(rows) else "note"
    return [Finding(severity, "encoding", sentence, len(at), examples_of(rows, at, "passage"))]


def _any(mask: Mask, starts: IntArray) -> Mask:
    return np.asarray(np.logical_or.reduceat(mask, starts))
