"""Code-switching: words of the query in another language, by a lexicon of word pairs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import regex

from panglot.errors import PanglotError
from panglot.files import decoded, lines_of
from panglot.languages import check_language

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
            raise PanglotError(f"{file}: the name does not say two languages; call it en-de.txt, say.")
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
