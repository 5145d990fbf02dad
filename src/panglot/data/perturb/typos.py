"""Slips of the finger: a neighbouring key, two letters swapped, a letter dropped."""

import unicodedata
from random import Random

from panglot.data.perturb.hangul import INITIALS, VOWELS, letters_of, syllable
from panglot.data.perturb.layouts import is_letter, layout_of, neighbours

RATE = 0.05  # of the letters; at least one in a query


def typos(text: str, language: str, rng: Random) -> str:
    """Make slips in about one letter of twenty, and in one at least.

    Chinese and Japanese are typed through an input method, where slips look otherwise: they stay as they are.
    """
    if layout_of(language) is None:
        return text
    characters = list(unicodedata.normalize("NFC", text))
    letters = [k for k, c in enumerate(characters) if is_letter(c)]
    slips = max(1, round(RATE * len(letters))) if letters else 0
    slip = _korean_slip if language.split("-")[0] == "ko" else _slip
    for place in sorted(rng.sample(letters, slips), reverse=True):  # from the end: places before it stay
        slip(characters, place, language, rng)
    changed = "".join(characters)
    # a query of one letter dropped would be empty
    return changed if changed.strip() else text


def _slip(characters: list[str], place: int, language: str, rng: Random) -> None:
    kind = rng.choice(("neighbour", "swap", "drop"))
    near = neighbours(language).get(characters[place])
    after = characters[place + 1] if place + 1 < len(characters) else " "
    if kind == "neighbour" and near:
        characters[place] = rng.choice(near)
    elif kind == "swap" and is_letter(after) and after != characters[place]:
        characters[place : place + 2] = [after, characters[place]]
    else:
        del characters[place]


def _korean_slip(characters: list[str], place: int, language: str, rng: Random) -> None:
    """Take a neighbouring key for a syllable's first consonant or its vowel."""
    letters = letters_of(characters[place])
    if letters is None:
        return
    initial, vowel, final = letters
    near = neighbours(language)
    choices = [syllable(c, vowel, final) for c in near.get(initial, "") if c in INITIALS]
    choices += [syllable(initial, c, final) for c in near.get(vowel, "") if c in VOWELS]
    if choices:
        characters[place] = rng.choice(choices)
