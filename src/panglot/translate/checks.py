"""What is wrong with a translation, as far as a program sees without knowing the languages."""

from dataclasses import dataclass

import regex

from panglot.translate.segments import has_words

REPEATED = regex.compile(r"(?=\S)(.{1,60}?)\1{3,}", regex.DOTALL)
LONG_RUN = 12  # characters that a repetition must fill to be one: "ha ha ha ha" is none
NAME = 3  # words: a text of so few in one script may be a name, which stays the same
SLACK = 10  # characters added to both lengths, so that short texts may differ more
# Characters of these scripts say about as much as so many letters of an alphabet.
DENSE = ((regex.compile(r"\p{Han}"), 3), (regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]"), 2))
WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")


@dataclass(frozen=True)
class Bounds:
    """How long a translation may be: a share of its source's length, from ``low`` to ``high``."""

    low: float = 1 / 3
    high: float = 3.0


def problem_of(
    source: str, translated: str, *, same_script: bool, finished: bool = True, bounds: Bounds | None = None
) -> str | None:
    """Name what is wrong with a translation; None where nothing is.

    ``empty``: there is no text. ``unfinished``: the model was stopped before it came to an end.
    ``repetition``: something occurs four times or more in a row, and not in the source.
    ``copy``: the source itself (names of up to three words excepted, where the scripts are the same).
    ``length``: out of bounds; a Chinese character counts as three letters, kana and hangul as two.
    """
    bounds = bounds or Bounds()
    if not translated.strip():
        return "empty"
    if not finished:
        return "unfinished"
    if _repeats(translated) and not _repeats(source):
        return "repetition"
    if _plain(source) == _plain(translated) and has_words(source):
        if not same_script or len(WORD.findall(source)) > NAME:
            return "copy"
        return None
    ratio = (_weight(translated) + SLACK) / (_weight(source) + SLACK)
    return None if bounds.low <= ratio <= bounds.high else "length"


def _repeats(text: str) -> bool:
    found = REPEATED.finditer(text + " ")  # the last of several sentences has no space of its own
    return any(len(match[0]) >= LONG_RUN and has_words(match[1]) for match in found)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _weight(text: str) -> int:
    return len(text) + sum((weight - 1) * len(kind.findall(text)) for kind, weight in DENSE)
