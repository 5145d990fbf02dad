"""Columns of anyone's files, mapped to the fields of parallel pairs: long, wide and bitext forms.

A mapping goes from fields to columns: ``{"query": "question", "passage": "answer"}``. Instead of a
column's name, a mapping may give a pattern (``question_{language}``: one column a language), ``{row}``
(``item_id`` only: the row's number), or a fixed value (``=en``). The field ``text`` is query and passage at
once.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from panglot.errors import PanglotError
from panglot.languages import check_language, language_code

Columns = Mapping[str, str]
FIELDS = ("item_id", "passage_id", "document_id", "language", "query", "passage", "negatives")
TEXT = "text"  # query and passage at once: each language of a bitext
ROW = "{row}"
LANGUAGE = "{language}"
WIDE = ("query", "passage", "negatives")  # fields that may have a column a language
BITEXT = ("text_{language}", "text.{language}", "translation.{language}")


@dataclass(frozen=True)
class Layout:
    """Which columns of a file have which fields.

    Attributes:
        columns: column of each field that has one value a row.
        fixed: value of each field that is the same in every row.
        wide: column of each field in each language, where a row holds one item in all its languages.
        numbered: whether the number of its row is an item's id.
    """

    columns: dict[str, str]
    fixed: dict[str, str] = field(default_factory=dict)
    wide: dict[str, dict[str, str]] = field(default_factory=dict)
    numbered: bool = False

    @property
    def used(self) -> list[str]:
        """The columns that are read."""
        wide = (name for columns in self.wide.values() for name in columns.values())
        return list(dict.fromkeys([*self.columns.values(), *wide]))


def parse_columns(texts: Sequence[str]) -> dict[str, str]:
    """Read a mapping from the command line: ``["query=question", "language==en"]``."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, column = text.partition("=")
        if not equals or not column:
            raise PanglotError(f"'{text}' maps nothing; write FIELD=COLUMN, such as query=question.")
        if name in found:
            raise PanglotError(f"field '{name}' is mapped twice; map it once.")
        found[name] = column
    return check_columns(found)


def check_columns(columns: Columns) -> dict[str, str]:
    """Return a mapping as it is; an unknown field or a pattern out of place is a ``PanglotError``."""
    for name, column in columns.items():
        if name not in (*FIELDS, TEXT):
            raise PanglotError(f"'{name}' is not a field; map one of {', '.join((*FIELDS, TEXT))}.")
        if LANGUAGE in column and name not in (*WIDE, TEXT):
            raise PanglotError(f"field '{name}' cannot have one column per language; name one column for it.")
        if column == ROW and name != "item_id":
            raise PanglotError(f"field '{name}' cannot be the row's number; only item_id can.")
        if column.startswith("=") and name not in ("language", "document_id", "passage_id"):
            raise PanglotError(f"field '{name}' cannot be the same in every row; name a column for it.")
    if TEXT in columns and {"query", "passage"} & set(columns):
        raise PanglotError("'text' is both query and passage; map either 'text', or 'query' and 'passage'.")
    if (language := columns.get("language", "")).startswith("="):
        check_language(language[1:])
    return dict(columns)


def find_layout(names: Sequence[str], columns: Columns | None, where: str) -> Layout:
    """Find the fields among a file's columns.

    Args:
        names: of the columns; what an object holds counts as columns of its own: ``query.en``.
        columns: the mapping; a field that it leaves out is looked for under its own name, then (query,
            passage, negatives) as ``query_{language}`` or an object by language.
    """
    mapping = _spread_text(check_columns(columns or {}), names)
    _refuse_doubtful_ids(names, mapping, where)
    fixed = {name: column[1:] for name, column in mapping.items() if column.startswith("=")}
    singles: dict[str, str] = {}
    wide: dict[str, dict[str, str]] = {}
    for name in FIELDS:
        if name in fixed or mapping.get(name) == ROW:
            continue
        found = _find_field(name, names, mapping, where)
        if isinstance(found, str):
            singles[name] = found
        for language, column in found.items() if isinstance(found, dict) else ():
            wide.setdefault(language, {})[name] = column
    numbered = [name for name, column in mapping.items() if column == ROW]
    _check_form(names, singles, fixed, wide, numbered, where)
    return Layout(singles, fixed, dict(sorted(wide.items())), numbered="item_id" not in singles)


def _spread_text(mapping: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    """Put ``text``, or the columns of a bitext that nobody mapped, in the places of query and passage."""
    text = mapping.pop(TEXT, None)
    if text is None and not {"query", "passage"} & set(mapping):
        text = _bitext(names)
    return mapping if text is None else {"query": text, "passage": text, **mapping}


def _find_field(name: str, names: Sequence[str], mapping: Columns, where: str) -> str | dict[str, str] | None:
    """Return the column of a field, or its columns by language; None where it has none."""
    column = mapping.get(name, "")
    if LANGUAGE in column:
        return _languages(column, names, mapping, where)
    if column:
        return column if column in names else _languages(f"{column}.{LANGUAGE}", names, mapping, where)
    if name in names and not (name == "passage_id" and _indonesian(names, mapping)):
        return name
    return _default_languages(name, names, mapping, where) if name in WIDE else None


def _check_form(
    names: Sequence[str],
    singles: dict[str, str],
    fixed: dict[str, str],
    wide: dict[str, dict[str, str]],
    numbered: Sequence[str],
    where: str,
) -> None:
    given = {*singles, *fixed, *numbered, *(name for columns in wide.values() for name in columns)}
    needed = ("query", "passage") if wide else ("item_id", "language", "query", "passage")
    for name in needed:
        # without a language column every row is an item of its own, so its number will do
        if name not in given and not (name == "item_id" and "language" in fixed):
            raise PanglotError(
                f"{where}: has no column '{name}'; it has {listed(names)}: say which it is with "
                f"--column {name}=NAME (see docs/guides/your-data.md).{did_you_mean(name, names)}"
            )
    if wide and (odd := next((name for name in ("query", "passage") if name in singles), None)):
        other = "passage" if odd == "query" else "query"
        raise PanglotError(
            f"{where}: '{other}' has one column per language, but '{odd}' has one column; "
            "give both in one form."
        )
    if wide and "language" in {*singles, *fixed}:
        raise PanglotError(
            f"{where}: has one column per language and also a column 'language'; keep one of the two forms."
        )


def listed(names: Sequence[str]) -> str:
    """Return the first dozen of some names, as messages show them."""
    shown = ", ".join(f"'{name}'" for name in names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown or "none"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a sentence on the column that is spelled nearly like another name, or nothing."""
    others = [one for one in names if one not in FIELDS]
    close = difflib.get_close_matches(name, others, n=1, cutoff=0.7)
    return f" Did you mean the column '{close[0]}'?" if close else ""


def names_missing_column(names: Sequence[str], columns: Columns) -> bool:
    """Say whether a mapping names a column (not a pattern) that a file lacks."""
    outer = {name.split(".")[0] for name in names}
    given = [column for column in columns.values() if LANGUAGE not in column and not column.startswith("=")]
    return any(column != ROW and column.split(".")[0] not in outer for column in given)


def _bitext(names: Sequence[str]) -> str | None:
    """Return the pattern of a bitext's columns, in a file that has no query and no passage."""
    if any(name.split(".")[0].split("_")[0] in ("query", "passage") for name in names):
        return None
    return next((p for p in BITEXT if len(matches(p, names)) > 1), None)


def _default_languages(name: str, names: Sequence[str], mapping: Columns, where: str) -> dict[str, str]:
    """Return the columns of a field that nobody mapped: objects by language, or ``FIELD_LANGUAGE``."""
    taken = {mapping[other] for other in mapping}
    if found := matches(f"{name}.{LANGUAGE}", names):
        for code, column in found.items():
            check_language(code, column)
        return _by_code(found, where)
    other = "passage" if name == "query" else "query"
    found = matches(f"{name}_{LANGUAGE}", names)
    if other not in mapping:  # else query_url would be in Urali, and query_id in Indonesian
        found = {code: found[code] for code in found.keys() & matches(f"{other}_{LANGUAGE}", names).keys()}
    return _by_code({code: column for code, column in found.items() if column not in taken}, where)


def _languages(pattern: str, names: Sequence[str], mapping: Columns, where: str) -> dict[str, str]:
    """Return the columns that fit a pattern, by language; none is an error."""
    taken = {column for column in mapping.values() if LANGUAGE not in column}
    found = {code: name for code, name in matches(pattern, names).items() if name not in taken}
    as_object = pattern.endswith(f".{LANGUAGE}")
    if as_object:
        for code in found:
            check_language(code, where)
    languages = _by_code(found, where)
    if not languages:
        column = pattern.removesuffix(f".{LANGUAGE}")
        raise PanglotError(
            f"{where}: has no column '{column}'; it has {listed(names)}.{did_you_mean(column, names)}"
        )
    return languages


def matches(pattern: str, names: Sequence[str]) -> dict[str, str]:
    """Return the columns that fit a pattern, by what is in the place of the language."""
    before, _, after = pattern.partition(LANGUAGE)
    form = re.compile(re.escape(before) + r"([A-Za-z][A-Za-z0-9_-]*)" + re.escape(after))
    return {match[1]: name for name in names if (match := form.fullmatch(name))}


def _by_code(columns: Mapping[str, str], where: str) -> dict[str, str]:
    """Return columns by the BCP-47 code that a part of their name means, those that mean one."""
    found: dict[str, str] = {}
    for given, column in columns.items():
        code = language_code(given)
        if code is None:
            continue
        if code in found:
            raise PanglotError(f"{where}: '{found[code]}' and '{column}' are both '{code}'; leave one out.")
        found[code] = column
    return found


def _indonesian(names: Sequence[str], mapping: Columns) -> bool:
    """Say whether ``passage_id`` is the passage in Indonesian, because the mapping says so."""
    return mapping.get("passage") == f"passage_{LANGUAGE}" and "passage_id" not in mapping.values()


def _refuse_doubtful_ids(names: Sequence[str], mapping: Columns, where: str) -> None:
    """Refuse ``query_id`` and ``passage_id`` beside ``query_en``, which may be ids or Indonesian."""
    wide = len(matches(f"query_{LANGUAGE}", names)) > 1 and "query" not in names
    said = {"query_id", "passage_id"} & set(mapping.values()) or {"query", "passage"} & set(mapping)
    if wide and {"query_id", "passage_id"} <= set(names) and not said:
        raise PanglotError(
            f"{where}: 'query_id' and 'passage_id' may hold ids or Indonesian texts (id); "
            "for ids give --column item_id=query_id --column passage_id=passage_id, for Indonesian "
            "--column query=query_{language} --column passage=passage_{language}."
        )
