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
    languages_in,
    listed,
    missing_column,
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
    """Return a mapping that is complete: the given one where it is enough, else with what the names tell.

    A guess is logged with the options that say the same. Where the names tell nothing, or a given column is
    not there, the mapping is returned as it is, for the reader to say what is wrong.

    Raises:
        PanglotError: two columns may be one field, or none has the language; it says the options to give.
    """
    if _is_enough(names, columns, where) or missing_column(names, columns or {}) is not None:
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
    """Return the mapping that the names leave no doubt about; None where they tell nothing."""
    texts = _texts(names, given, where)
    if texts is None:
        return _languages_alone(names, given)
    guess = {**given, **texts}
    if any(LANGUAGE in column for column in guess.values()):
        return guess
    for name, words in OTHERS.items():
        if name not in given and (found := [word for word in words if _spelled(word, names)]):
            guess[name] = str(_spelled(found[0], names))
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
    """Return the columns of query and passage that are not given; None where the names do not tell them."""
    wanted = {"query": QUERIES, "passage": PASSAGES}
    wanted = {name: words for name, words in wanted.items() if name not in given and TEXT not in given}
    wide = {name: [p for word in words if (p := _pattern(word, names))] for name, words in wanted.items()}
    found = wide if any(wide.values()) else {}
    for name, words in wanted.items() if not found else ():
        one_each = [column for word in words if (column := _spelled(word, names))]
        titles = [column for word in TITLES if (column := _spelled(word, names))]
        found[name] = one_each or (titles if name == "query" else [])
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
    patterns = (f"{word}_{LANGUAGE}", f"{word}.{LANGUAGE}")
    return next((pattern for pattern in patterns if len(languages_in(pattern, names)) > 1), None)


def _spelled(word: str, names: Sequence[str]) -> str | None:
    """Return the column that is called so, in capitals or not."""
    return next((name for name in names if name.lower() == word), None)
