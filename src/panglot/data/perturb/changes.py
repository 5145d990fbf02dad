"""What people do to queries: slips, no diacritics, Latin letters, words of another language."""

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import regex
from anyascii import anyascii

from panglot.data.perturb.keyboards import (
    INITIALS,
    VOWELS,
    is_letter,
    keys_of,
    layout_of,
    letters_of,
    neighbours,
    syllable,
    to_us_keys,
)
from panglot.errors import PanglotError
from panglot.files import decoded, lines_of
from panglot.languages import check_language, script

QUESTION_MARKS = regex.compile(r"\s*[?\uff1f؟¿՞⸮፧\u037e]+\s*")


def lower_case(text: str, language: str, rng: Random) -> str:
    """Write everything in lower case; Turkish and Azerbaijani have a dotless i."""
    if language.split("-")[0] in ("tr", "az"):
        text = text.replace("İ", "i").replace("I", "ı")
    return text.lower()


def no_question_mark(text: str, language: str, rng: Random) -> str:
    """Leave out question marks; Greek writes them as a semicolon, at the end."""
    if language.split("-")[0] == "el":
        text = text.rstrip().removesuffix(";")
    return str(QUESTION_MARKS.sub(" ", text)).strip()


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


# letters that Unicode does not take apart, as people write them without their sign
PLAIN = str.maketrans(
    {
        **dict(zip("đĐłŁøØıħĦŧŦŋŊ", "dDlLoOihHtTnN", strict=True)),
        **{"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ё": "е", "Ё": "Е"},
    }
)
# marks that people leave out: on Latin and Greek letters, and the vowel points of Arabic and Hebrew
MARKED = regex.compile(r"([\p{Latin}\p{Greek}\p{Arabic}\p{Hebrew}])\p{Mn}+")
FOREIGN = regex.compile(r"[^\p{Latin}\p{Common}\p{Inherited}][^\p{Latin}\p{Common}]*")
# what AnyAscii leaves out, as people write it
VOWEL_LETTERS = str.maketrans({"ا": "a", "آ": "a", "أ": "a", "إ": "i", "ى": "a", "א": "a"})


def without_diacritics(text: str, language: str, rng: Random) -> str:
    """Leave out accents and vowel points; letters that are other letters without their mark (й) stay."""
    apart = unicodedata.normalize("NFD", text.translate(PLAIN))
    return unicodedata.normalize("NFC", MARKED.sub(r"\1", apart))


def romanised(text: str, language: str, rng: Random) -> str:
    """Write another script in Latin letters (AnyAscii), near to what people type; Latin text stays.

    Chinese becomes pinyin without tones. Hindi gets the vowel that its consonants carry, Thai vowels written
    before their consonant move behind it. Japanese stays as it is, since its readings need a dictionary.
    """
    if language.split("-")[0] == "ja" or not FOREIGN.search(text):
        return text
    words = FOREIGN.sub(lambda match: _in_latin(match[0]), text)
    return str(regex.sub(r"[^\p{Latin}\p{ASCII}]", lambda match: anyascii(match[0]), words))


def _in_latin(run: str) -> str:
    run = regex.sub(r"([เแโใไ])([ก-ฮ])", r"\2\1", run)
    # a consonant of Devanagari is read with an a, but before a vowel sign and at the end of a word; between
    # two syllables with vowels it falls (sarkar, not sarakar)
    run = regex.sub(
        r"((?:(?<![\p{Devanagari}])[क-ह]़?)|[क-ह]़?(?![क-ह]़?[ा-ौ]))(?=[क-हअ-औंँ])",
        r"\1\N{DEVANAGARI LETTER A}",
        run,
    )
    latin = anyascii(run.translate(VOWEL_LETTERS)).replace("`", "").replace("'", "")
    return latin if run != run.lower() or run != run.upper() else latin.lower()


def wrong_layout(text: str, language: str, rng: Random) -> str:
    """Give what comes out if the query is typed while the US layout is on.

    Languages that are written in Latin letters stay as they are, and those without a known layout.
    """
    layout = layout_of(language)
    if layout is None or script(language) == "Latn":
        return text
    keys = to_us_keys(layout)
    typed = "".join(keys_of(character) or character for character in unicodedata.normalize("NFC", text))
    return "".join(_keys(character, keys) for character in typed)


def _keys(character: str, keys: dict[str, str]) -> str:
    if character in keys:
        return keys[character]
    base, *marks = list(unicodedata.normalize("NFD", character))
    if base not in keys or any(mark not in keys for mark in marks):
        return character
    # an accent key is pressed before its letter, a sign of its own after it
    before = "".join(keys[mark] for mark in marks if mark < "\u0900")
    return before + keys[base] + "".join(keys[mark] for mark in marks if mark >= "\u0900")


Lexicon = Mapping[str, Mapping[str, list[str]]]  # by query language, by word in lower case: translations
SHARE = 0.5  # of the words that the lexicon has
WORD = regex.compile(r"[\p{L}\p{M}]+(?:['’-][\p{L}\p{M}]+)*")
ENDINGS = (".txt", ".tsv")


def read_lexicon(path: str | Path) -> Lexicon:
    """Read word pairs, as the MUSE dictionaries have them: a file ``en-de.txt``, or a folder of such files.

    A line holds a word and its translation, with a tab between them (then either may be several words) or
    white space. The file's name says the languages: from the first into the second.

    Raises:
        PanglotError: a file that is missing, has another name, or a line that is not a pair.
    """
    path = Path(path)
    files = sorted(p for p in path.iterdir() if p.suffix in ENDINGS) if path.is_dir() else [path]
    if not files:
        raise PanglotError(f"{path}: holds no word pairs; put files such as en-de.txt there.")
    lexicon: dict[str, dict[str, list[str]]] = {}
    for file in files:
        languages = file.name.split(".")[0].split("-")
        if len(languages) != 2:
            raise PanglotError(f"{file}: the name does not say two languages; name it for example en-de.txt.")
        languages = [check_language(code, str(file)) for code in languages]
        words = lexicon.setdefault(languages[0], {})
        for word, translation in _pairs(file):
            words.setdefault(word.lower(), []).append(translation)
    return lexicon


def _pairs(file: Path) -> Iterator[tuple[str, str]]:
    for number, line in decoded(lines_of(file), str(file)):
        if text := line.strip():
            parts = [part.strip() for part in (text.split("\t") if "\t" in text else text.split())]
            if len(parts) != 2 or not all(parts):
                raise PanglotError(
                    f"{file}, line {number}: '{text}' is not a pair; write a word, a tab and its translation."
                )
            yield parts[0], parts[1]


def switch_code(text: str, language: str, rng: Random, lexicon: Lexicon) -> str:
    """Put half of the words that the lexicon has, and one at least, into the other language."""
    words = lexicon.get(language, {})
    known = [match for match in WORD.finditer(text) if match[0].lower() in words]
    if not known:
        return text
    for match in sorted(rng.sample(known, max(1, round(SHARE * len(known)))), key=lambda m: -m.start()):
        translation = rng.choice(words[match[0].lower()])
        if match[0][:1].isupper():
            translation = translation[:1].upper() + translation[1:]
        text = text[: match.start()] + translation + text[match.end() :]
    return text
