"""Long texts, cut into what a translation model takes at a time, and joined again.

Most translation models were trained on sentences and drop some of what they are given when it is more, so
every sentence is translated on its own. One that is longer than the limit is cut further: at a mark such as a
comma, else at a space, else between two characters.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import regex

# Scripts that put no space between sentences.
UNSPACED = {"Hans", "Hant", "Hani", "Jpan", "Hira", "Kana", "Bopo"}
ENDS = ".!?…؟۔।॥։።፧៕។｡"
WIDE_ENDS = "。！？"
# Words that end in a full stop and no sentence, in languages written in Latin letters.
ABBREVIATIONS = (
    r"(?:\p{Lu}|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|vs|No|Nr|Fig|cf|ca|bzw|Sra?|Mme|art|vol|approx|i\.e|e\.g)"
)
ABBREVIATION = regex.compile(rf"\b{ABBREVIATIONS}\Z")
LONGEST_ABBREVIATION = 8
# Signs that end a sentence with the brackets and quotation marks behind them, or white space. No part of a
# text is looked at twice: a text of 100,000 brackets takes no longer than another.
SIGN = regex.compile(rf"(?P<end>[{ENDS}{WIDE_ENDS}])[\p{{Pe}}\p{{Pf}}\p{{Pi}}\"'”’»]*|\s+")
CLAUSE_MARK = regex.compile(r"[,;:،؛、，；：·—–]\s*|\s[-—–]\s")
SPACE = regex.compile(r"\s+")
LETTER = regex.compile(r"\p{L}")


@dataclass(frozen=True)
class Segment:
    """A piece of a text, and what was between it and the next one: nothing, a space, or line breaks."""

    text: str
    gap: str


def cut(text: str, fits: Callable[[Sequence[str]], list[bool]]) -> list[Segment]:
    """Cut a text into sentences, and those that are too long into shorter pieces.

    Args:
        text: any; the white space at its ends goes.
        fits: says of each of some texts whether the model takes it whole.
    """
    found = _sentences(text.strip())
    while True:
        short = fits([segment.text for segment in found])
        if all(fit or len(segment.text) < 2 for fit, segment in zip(short, found, strict=True)):
            return found
        found = [
            part
            for fit, segment in zip(short, found, strict=True)
            for part in ([segment] if fit else _halves(segment))
        ]


def join(segments: Sequence[Segment], translated: Sequence[str], script: str) -> str:
    """Join the translations of a text's segments as the target language's script does.

    Line breaks stay. Other gaps are one space, or nothing in scripts that put none between sentences.
    """
    space = "" if script in UNSPACED else " "
    parts: list[str] = []
    for segment, text in zip(segments, translated, strict=True):
        parts += [text.strip(), segment.gap if "\n" in segment.gap else space]
    return "".join(parts[:-1]).strip()


def has_words(text: str) -> bool:
    """Say whether there is anything to translate; numbers and marks stay as they are."""
    return LETTER.search(text) is not None


def _sentences(text: str) -> list[Segment]:
    found, start = [], 0
    for left, right in _boundaries(text):
        if left > start:
            found.append(Segment(text[start:left], text[left:right]))
            start = right
    if start < len(text):
        found.append(Segment(text[start:], ""))
    return found


def _boundaries(text: str) -> Iterator[tuple[int, int]]:
    """Give the gaps between sentences: from where to where they reach."""
    wide = ended = -1  # where the sign before ends, of either kind
    for sign in SIGN.finditer(text):
        start, end = sign.span()
        mark = sign["end"]
        if mark is None:
            goes_on = end < len(text) and unicodedata.category(text[end]) == "Ll"
            if "\n" in sign[0] or wide == start or (ended == start and not goes_on):
                yield start, end
        elif mark in WIDE_ENDS:
            wide = end
            if end < len(text) and not text[end].isspace() and text[end] not in WIDE_ENDS:
                yield end, end
        elif mark == "." and end == start + 1:
            if not ABBREVIATION.search(text, max(0, start - LONGEST_ABBREVIATION), start):
                ended = end
        else:
            ended = end


def _halves(segment: Segment) -> list[Segment]:
    """Cut a segment in two near its middle, at the best place that the middle half has."""
    text, middle = segment.text, len(segment.text) / 2
    for place in (CLAUSE_MARK, SPACE):
        ends = [m.end() for m in place.finditer(text) if middle / 2 <= m.end() <= middle * 3 / 2]
        if ends:
            break
    else:  # not inside a letter with its marks
        ends = [m.end() for m in regex.finditer(r"\X", text)][:-1] or [max(1, len(text) // 2)]
    at = min(ends, key=lambda end: (abs(end - middle), end))
    left, right = text[:at].rstrip(), text[at:].lstrip()
    return [Segment(left, text[len(left) : len(text) - len(right)]), Segment(right, segment.gap)]
