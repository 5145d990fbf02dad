"""Syllables of Hangul and the keys that they are typed with (Unicode, section 3.12)."""

FIRST, LAST = 0xAC00, 0xD7A3  # (initial * 21 + vowel) * 28 + final
INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
FINALS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"  # the first is none
# what two keys are pressed for
TWO_KEYS = {
    letter: one + two
    for letter, one, two in zip(
        "ㅘㅙㅚㅝㅞㅟㅢㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ",
        "ㅗㅗㅗㅜㅜㅜㅡㄱㄴㄴㄹㄹㄹㄹㄹㄹㄹㅂ",
        "ㅏㅐㅣㅓㅔㅣㅣㅅㅈㅎㄱㅁㅂㅅㅌㅍㅎㅅ",
        strict=True,
    )
}


def letters_of(character: str) -> tuple[str, str, str] | None:
    """Take a syllable apart into initial, vowel and final (a space for none); None for what is none."""
    code = ord(character) - FIRST
    if not 0 <= code <= LAST - FIRST:
        return None
    return INITIALS[code // 588], VOWELS[code // 28 % 21], FINALS[code % 28]


def syllable(initial: str, vowel: str, final: str) -> str:
    """Put a syllable together again."""
    return chr(FIRST + (INITIALS.index(initial) * 21 + VOWELS.index(vowel)) * 28 + FINALS.index(final))


def keys_of(character: str) -> str:
    """Return the letters whose keys are pressed for a syllable, one after the other; '' for what is none."""
    letters = letters_of(character) or ()
    return "".join(TWO_KEYS.get(letter, letter) for letter in letters if letter != " ")
