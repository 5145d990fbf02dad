"""The characters of many texts at once, as arrays of code points, and what is known of each."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import regex

from panglot.data.checks.rows import CheckedRows
from panglot.data.index import IntArray

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


def characters_of(rows: CheckedRows, column: str) -> Iterator[tuple[IntArray, Characters, IntArray]]:
    """Give a column in slices: which rows, the code points of their texts, and where each text starts.

    No text may be empty.
    """
    texts = rows.table.column(column)
    sizes = pc.utf8_length(texts).to_numpy().astype(np.int64)
    part = np.cumsum(sizes) // SLICE
    for at in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(part)) + 1):
        joined = "".join(texts.slice(int(at[0]), len(at)).to_pylist())
        points = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
        yield at, points, np.cumsum(sizes[at]) - sizes[at]


class CharacterTable:
    """What a function says of each character; every character is looked up once, however often it stands."""

    def __init__(self) -> None:
        self._known = np.zeros(UNICODE, bool)
        self._script = np.zeros(UNICODE, np.uint8)
        self._patterns = [regex.compile(rf"\p{{Script={name}}}") for name in SCRIPTS]
        self._letter = regex.compile(r"[\p{L}\p{M}]")
        self._common = regex.compile(r"[\p{Script=Common}\p{Script=Inherited}]")

    def scripts(self, characters: Characters) -> npt.NDArray[np.uint8]:
        """Return the script of each character: ``NEUTRAL``, 1 + its place in ``SCRIPTS``, or ``OTHER``."""
        met = np.zeros(UNICODE, bool)
        met[characters] = True
        for point in np.flatnonzero(met & ~self._known):
            self._script[point] = self._look_up(chr(point))
            self._known[point] = True
        return self._script[characters]

    def _look_up(self, character: str) -> int:
        if not self._letter.match(character) or self._common.match(character):
            return NEUTRAL
        matches = (k for k, pattern in enumerate(self._patterns, 1) if pattern.match(character))
        return next(matches, OTHER)


@cache
def _everything() -> str:
    """Return all characters but surrogates."""
    return "".join(map(chr, range(0xD800))) + "".join(map(chr, range(0xE000, UNICODE)))


@cache
def members(pattern: str) -> Mask:
    """Return a mask ``(0x110000,)`` of the characters that match a regular expression."""
    found = np.zeros(UNICODE, bool)
    for match in regex.finditer(f"(?:{pattern})+", _everything()):
        points = np.frombuffer(match.group().encode("utf-32-le"), np.uint32)
        found[points] = True
    return found
