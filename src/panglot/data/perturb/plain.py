"""Queries as people jot them down: lower case, no question mark."""

from random import Random

import regex

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
