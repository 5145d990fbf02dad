"""The columns of a file that nobody mapped, guessed from their names where only one reading is possible."""

import logging
import shlex
from collections.abc import Sequence
from functools import cache

from panglot.data.pairs_files.columns import (
    LANGUAGE,
    ROW,
    TEXT,
    Columns,
    did_you_mean,
    find_layout,
    listed,
    matches,
    names_missing_column,
)
from panglot.errors import PanglotError
from panglot.languages import family, language_code

LOG = logging.getLogger("panglot")
QUERIES = ("query", "question", "anchor", "sentence1", "source")
PASSAGES = ("passage", "answer", "positive", "sentence2", "target", "context", "document", "text")
TITLES = ("title",)  # queries where there is no other
OTHERS = {
    "language": ("language", "lang", "language_code", "lang_code", "locale"),
    "item_id": ("item_id", "id", "_id", "query_id", "question_id", "qid"),
    "negatives": ("negatives", "negative", "hard_negatives", "hard_negative"),
}


def guessed_columns(names: Sequence[str], columns: Columns | None, where: str) -> Columns | None:
    """Return a complete mapping: the given one where it is enough, else with fields guessed from the names.

    A guess is logged with the options that say the same. Where nothing can be guessed, or a given column is
    missing, the mapping is returned as it is, and the reader says what is wrong.

    Raises:
        PanglotError: two columns may be one field, or none has the language; it says the options to give.
    """
    if _is_enough(names, columns, where) or names_missing_column(names, columns or {}):
        return columns
    guess = _guess(names, dict(columns or {}), where)
    if guess is None or not _is_enough(names, guess, where):
        return columns
    _log_guess(where, as_options(guess))
    return guess


def _is_enough(names: Sequence[str], columns: Columns | None, where: str) -> bool:
    try:
        find_layout(names, columns, where)
    except PanglotError:
        return False
    return True


@cache  # once, however often a file is opened
def _log_guess(where: str, options: str) -> None:
    LOG.warning("%s: the columns are read as %s (give other options if that is wrong).", where, options)


def as_options(columns: Columns) -> str:
    """Return a mapping as options of the command line."""
    return " ".join(f"--column {shlex.quote(f'{name}={column}')}" for name, column in columns.items())


def _guess(names: Sequence[str], given: dict[str, str], where: str) -> dict[str, str] | None:
    """Return the only mapping that the names allow; None where they give no query or passage."""
    texts = _texts(names, given, where)
    if texts is None:
        return _languages_alone(names, given)
    guess = {**given, **texts}
    if any(LANGUAGE in column for column in guess.values()):
        return guess
    for name, words in OTHERS.items():
        if name not in given and (found := _called(words, names)):
            guess[name] = found[0]
    if "language" not in guess:
        raise PanglotError(
            f"{where}: has no column 'language'; it has {listed(names)}. Give "
            f"{as_options({**_renamed(guess), 'language': '=en'})}, with the language of all rows."
            f"{did_you_mean('language', names)}"
        )
    return _renamed({"item_id": ROW, **guess})


def _renamed(columns: Columns) -> dict[str, str]:
    """Return a mapping without the fields whose column has their own name."""
    return {name: column for name, column in columns.items() if name != column}


def _texts(names: Sequence[str], given: dict[str, str], where: str) -> dict[str, str] | None:
    """Return the columns of query and passage that are not given; None where no name fits."""
    wanted = {"query": QUERIES, "passage": PASSAGES}
    wanted = {name: words for name, words in wanted.items() if name not in given and TEXT not in given}
    wide = {name: [p for word in words if (p := _pattern(word, names))] for name, words in wanted.items()}
    found = wide if any(wide.values()) else {}
    for name, words in wanted.items() if not found else ():
        found[name] = _called(words, names) or (_called(TITLES, names) if name == "query" else [])
    for name, candidates in found.items():
        if not candidates:
            return None
        if len(candidates) > 1:
            raise PanglotError(
                f"{where}: {listed(candidates)} may each be the {name}; say which it is, with "
                f"--column {name}={candidates[0]} or another."
            )
    return {name: candidates[0] for name, candidates in found.items()}


def _languages_alone(names: Sequence[str], given: dict[str, str]) -> dict[str, str] | None:
    """Return the mapping of a bitext whose columns are called as their languages, beside an id at most."""
    rest = [name for name in names if name.lower() not in OTHERS["item_id"]]
    known = [name for name in rest if (code := language_code(name)) and family(code)]
    if given.keys() & {"query", "passage", TEXT} or len(known) < 2 or len(known) < len(rest):
        return None
    return {**given, TEXT: LANGUAGE}


def _pattern(word: str, names: Sequence[str]) -> str | None:
    """Return the pattern of a word's columns in two languages or more."""
    for pattern in (f"{word}_{LANGUAGE}", f"{word}.{LANGUAGE}"):
        if len([given for given in matches(pattern, names) if language_code(given)]) > 1:
            return pattern
    return None


def _called(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns with some names, in capitals or not; the first of each name."""
    found = (next((name for name in names if name.lower() == word), None) for word in words)
    return [column for column in found if column is not None]
