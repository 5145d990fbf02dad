"""Perturbation: a benchmark whose queries are changed as people's are: mistyped, romanised, in lower case.

First keyboards (which character is on which key in the usual layouts) and the letters of Korean syllables,
then the changes, each a function of a text, its language and chance.
"""

import hashlib
import math
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from random import Random

import numpy as np
import regex
from anyascii import anyascii

from panglot.data.benchmark import Benchmark
from panglot.errors import PanglotError
from panglot.files import decoded, lines_of, sha256_of
from panglot.languages import check_language, script

Key = tuple[float, float]  # how far to the right, and which row
ROW_STARTS = (0.0, 1.5, 1.75, 2.25)  # rows of keys are set off against each other
REACH = 1.3  # keys this near are neighbours: those of s are a, d, w, e, z, x
NO_KEY = "∅"

LAYOUTS: dict[str, list[str]] = tomllib.loads(
    files("panglot.data").joinpath("keyboards.toml").read_text(encoding="utf-8")
)
LANGUAGES = {"ko": "ko", "uk": "uk", "bg": "bg", "fa": "fa"}
SCRIPTS = {"Latn": "us", "Cyrl": "ru", "Grek": "el", "Arab": "ar", "Hebr": "he", "Deva": "hi", "Thai": "th"}
# letters on other keys than on a US keyboard
MOVED = {
    **dict.fromkeys(("de", "cs", "hu", "hr", "sk", "sl", "sq"), ("yzYZ", "zyZY")),
    "fr": ("qawzQAWZ", "aqzwAQZW"),
}


def layout_of(language: str) -> str | None:
    """Name the layout that a language is mostly typed on; None where it is not known (Chinese, Japanese)."""
    base = language.split("-")[0]
    return LANGUAGES.get(base) or SCRIPTS.get(script(language))


@cache
def to_us_keys(layout: str) -> dict[str, str]:
    """Map each character of a layout to what its key gives while the US layout is on."""
    pairs: dict[str, str] = {}
    for row, us in zip(LAYOUTS[layout], LAYOUTS["us"], strict=True):
        for character, key in zip(row.split(" "), us.split(" "), strict=True):
            if character != NO_KEY:
                pairs.setdefault(character, key)
    return pairs


@cache
def neighbours(language: str) -> dict[str, str]:
    """Map each letter of a language's keyboard to the letters on the keys around it, in the same case."""
    layout = layout_of(language)
    if layout is None:
        return {}
    rows = [row.split(" ") for row in LAYOUTS[layout]]
    moved = str.maketrans(*MOVED[language]) if language in MOVED else {}
    found: dict[str, str] = {}
    for shifted in (rows[:4], rows[4:]):
        keys: dict[str, Key] = {}
        for line, (row, start) in enumerate(zip(shifted, ROW_STARTS, strict=True)):
            keys |= {c.translate(moved): (start + k, line) for k, c in enumerate(row) if is_letter(c)}
        for letter, key in keys.items():
            near = [other for other, place in keys.items() if 0 < math.dist(key, place) <= REACH]
            found.setdefault(letter, "".join(near))
    return {letter: near for letter, near in found.items() if near}


def is_letter(character: str) -> bool:
    """Say whether a character is a letter, or a sign that is typed as one (Thai and Hindi vowels)."""
    kind = unicodedata.category(character)[0] if len(character) == 1 else ""
    return kind == "L" or (kind == "M" and character >= "\u0900")


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


CODE_SWITCH = "code-switch"
KINDS: dict[str, Callable[[str, str, Random], str]] = {
    "typos": typos,
    "no-diacritics": without_diacritics,
    "romanised": romanised,
    "wrong-layout": wrong_layout,
    "lower-case": lower_case,
    "no-question-mark": no_question_mark,
}
TITLES = {
    "typos": "slips of the finger in one letter of twenty",
    "no-diacritics": "no accents, no vowel points",
    "romanised": "other scripts in Latin letters",
    "wrong-layout": "typed while the US keyboard layout is on",
    "lower-case": "all in lower case",
    "no-question-mark": "no question marks",
    CODE_SWITCH: "half of the words in another language, by a lexicon",
}


def perturb(benchmark: Benchmark, kind: str, seed: int = 0, lexicon: Lexicon | None = None) -> Benchmark:
    """Change a benchmark's queries; passages and judgements stay.

    What a query becomes depends on the seed, the kind and its id, and on nothing else. A query that a
    kind has nothing to change in stays as it is (``share_changed`` says how many do).

    Args:
        seed: of chance, for typos and code-switching.

    Raises:
        PanglotError: an unknown kind, or a lexicon that is missing, not needed or of other languages.
    """
    check_kinds([kind], lexicon)
    change = KINDS[kind] if lexicon is None else _code_switch(benchmark, lexicon)
    queries = benchmark.queries
    texts = [
        change(text, benchmark.languages[language], _chance(seed, kind, name))
        for name, language, text in zip(queries.ids, queries.languages, queries.texts, strict=True)
    ]
    mark = f"{benchmark.sha256}\n{kind}\n{seed}\n" + "\n".join(texts)
    return replace(
        benchmark,
        name=f"{benchmark.name}+{kind}",
        queries=replace(queries, texts=texts),
        sha256=sha256_of(mark),
    )


def parse_kinds(names: str) -> list[str]:
    """Split ``typos,lower-case`` into kinds, or raise a ``PanglotError`` at one that is unknown."""
    kinds = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    _check_known(kinds)
    if not kinds:
        raise PanglotError(f"no change of queries is named; use some of {', '.join(TITLES)}.")
    return kinds


def check_kinds(kinds: Sequence[str], lexicon: Lexicon | None = None) -> None:
    """Raise a ``PanglotError`` at an unknown kind, and at a lexicon that is missing or not needed."""
    _check_known(kinds)
    if lexicon is not None and CODE_SWITCH not in kinds:
        raise PanglotError(f"a lexicon is for {CODE_SWITCH}, which is not asked for; leave it out.")
    if lexicon is None and CODE_SWITCH in kinds:
        raise PanglotError(f"{CODE_SWITCH} needs a lexicon; name a file of word pairs such as en-de.txt.")


def share_changed(before: Benchmark, after: Benchmark) -> dict[str, float]:
    """Return by query language the share of queries that read otherwise afterwards."""
    pairs = zip(before.queries.texts, after.queries.texts, strict=True)
    changed = np.array([a != b for a, b in pairs], float)
    language = before.queries.languages
    return {
        code: float(changed[language == k].mean())
        for k, code in enumerate(before.languages)
        if (language == k).any()
    }


def _code_switch(benchmark: Benchmark, lexicon: Lexicon) -> Callable[[str, str, Random], str]:
    spoken = {benchmark.languages[k] for k in np.unique(benchmark.queries.languages)}
    if not spoken & set(lexicon):
        raise PanglotError(
            f"{benchmark.name} has queries in {', '.join(sorted(spoken))}, but the lexicon is from "
            f"{', '.join(sorted(lexicon))}; give one from a language of the queries."
        )
    return partial(switch_code, lexicon=lexicon)


def _check_known(kinds: Sequence[str]) -> None:
    if unknown := [kind for kind in kinds if kind not in TITLES]:
        raise PanglotError(f"'{unknown[0]}' is not a change of queries; choose one of {', '.join(TITLES)}.")


def _chance(seed: int, kind: str, query: str) -> Random:
    digest = hashlib.sha256(f"{seed}\n{kind}\n{query}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))
