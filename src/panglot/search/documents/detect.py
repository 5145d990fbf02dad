"""The language of a text that does not say it: ``py3langid``, offline, 140 languages (extra ``search``).

langid.py's naive Bayes over byte n-grams (Lui and Baldwin 2012), kept alive by Adrien Barbaresi. On the
sample's 864 questions in 12 languages it is wrong twice, and on its passages never.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from panglot.errors import PanglotError, needs
from panglot.languages import is_language, primary_language
from panglot.search.documents.document import short_digest

UNKNOWN = "und"  # BCP-47's code for a language that is not known
ENOUGH = 2000  # characters of a text that are looked at
LETTERS = 2  # a text with fewer letters has no language
# What the detector often takes a language's own texts for, and codes that BCP-47 spells otherwise
FOLDED = {
    **{"arz": "ar", "ary": "ar", "wuu": "zh", "yue": "zh", "uzs": "uz", "hbo": "he", "grc": "el"},
    **{"gug": "gn", "kik": "ki", "fuv": "ff", "zxx": UNKNOWN},
}


def detect_languages(texts: Sequence[str], among: Sequence[str] | None = None) -> list[str]:
    """Return the language of each text, as a BCP-47 code; ``und`` where nothing shows it.

    Egyptian and Moroccan Arabic count as Arabic, Wu and Cantonese as Chinese, unless ``among`` names them.

    Raises:
        PanglotError: the detector is not installed, or knows none of the languages.
    """
    candidates = None if among is None else tuple(sorted(set(among)))
    if candidates is not None and len(candidates) == 1:
        return [candidates[0]] * len(texts)
    detector = _detector(candidates)
    found: dict[str, str] = {}
    codes = []
    for text in texts:
        head = text[:ENOUGH]
        key = short_digest(head)
        if key not in found:
            found[key] = _detect(detector, head, candidates)
        codes.append(found[key])
    return codes


def _detect(detector: Any, text: str, candidates: tuple[str, ...] | None) -> str:
    if sum(character.isalpha() for character in text[:200]) < LETTERS:
        return UNKNOWN
    code = str(detector.classify(text)[0])
    if candidates is None:
        code = FOLDED.get(code, code)
    else:
        code = next((own for own in candidates if primary_language(own) == code), code)
    return code if is_language(code) else UNKNOWN


@cache
def _detector(candidates: tuple[str, ...] | None) -> Any:
    needs("search", "py3langid", hint="say the language with --language, or ")
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE)
    if candidates is not None:
        known = sorted({primary_language(code) for code in candidates} & set(detector.labels))
        if not known:
            raise PanglotError(
                f"the detector knows none of the languages {', '.join(candidates)}; "
                "say which language each text is in."
            )
        detector.set_languages(known)
    return detector
