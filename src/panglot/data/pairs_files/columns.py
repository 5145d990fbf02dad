"""Columns of anyone's files, mapped to the fields of parallel pairs: long, wide and bitext forms.

A mapping goes from fields to columns: ``{"query": "question", "passage": "answer"}``. Instead of a
column's name, a mapping may give a pattern (``question_{language}``: one column a language), ``{row}``
(``item_id`` only: the row's number), or a fixed value (``=en``). The field ``text`` is query and passage at
once. What nobody mapped is guessed from the columns' names where only one reading is possible. Batches of a
file's columns are turned into rows of ``SCHEMA``, one per item and language.
"""

import difflib
import logging
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from panglot.data.index import IntArray
from panglot.errors import PanglotError
from panglot.languages import check_language, family, is_language, language_code
from panglot.parse import parse_json

Columns = Mapping[str, str]
FIELDS = ("item_id", "passage_id", "document_id", "language", "query", "passage", "negatives")
SCHEMA = pa.schema([*((name, pa.string()) for name in FIELDS[:-1]), (FIELDS[-1], pa.list_(pa.string()))])
Batches = Iterator[tuple[pa.RecordBatch, IntArray]]  # rows of ``SCHEMA``, and the line of each
BadLines = list[tuple[int, str]]  # the line of each and what is wrong, where that is not raised
Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)
TEXT = "text"  # query and passage at once: each language of a bitext
ROW = "{row}"
LANGUAGE = "{language}"
WIDE = ("query", "passage", "negatives")  # fields that may have a column a language
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_null)
LONGEST = 80  # characters of a wrong cell that a message shows
LOG = logging.getLogger("panglot")
QUERIES = ("query", "question", "anchor", "sentence1", "source")
PASSAGES = ("passage", "answer", "positive", "sentence2", "target", "context", "document", "text")
TITLES = ("title",)  # queries where there is no other
OTHERS = {
    "language": ("language", "lang", "language_code", "lang_code", "locale"),
    "item_id": ("item_id", "id", "_id", "query_id", "question_id", "qid"),
    "negatives": ("negatives", "negative", "hard_negatives", "hard_negative"),
}
BITEXT = ("text_{language}", "text.{language}", "translation.{language}")


@dataclass(frozen=True)
class Layout:
    """Which columns of a file have which fields."""

    columns: dict[str, str]  # column of each field that has one value a row
    fixed: dict[str, str] = field(default_factory=dict)  # value of each field that is the same in every row
    # column of each field in each language, where a row holds one item in all its languages
    wide: dict[str, dict[str, str]] = field(default_factory=dict)
    numbered: bool = False  # whether the number of its row is an item's id

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
            raise PanglotError(
                f"--column: '{text}' maps nothing; write FIELD=COLUMN, such as query=question."
            )
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
            raise PanglotError(
                f"field '{name}' cannot be the row's number, as item_id can; name a column for it."
            )
        if column.startswith("=") and name not in ("language", "document_id", "passage_id"):
            raise PanglotError(f"field '{name}' cannot be the same in every row; name a column for it.")
    if TEXT in columns and {"query", "passage"} & set(columns):
        raise PanglotError("'text' is both query and passage; map either 'text', or 'query' and 'passage'.")
    if (language := columns.get("language", "")).startswith("="):
        check_language(language[1:])
    return dict(columns)


def refuse_columns(columns: Columns | None, source: object) -> None:
    """Refuse a mapping for a source whose format has no columns that could be mapped."""
    if columns:
        raise PanglotError(
            f"{source}: has a format of its own, so --column (data.columns of a recipe) has no effect on it; "
            "leave it out, or rename the columns of the other sources."
        )


def find_layout(names: Sequence[str], columns: Columns | None, where: str) -> Layout:
    """Find the fields among a file's columns.

    Args:
        names: of the columns; what an object holds counts as columns of its own: ``query.en``.
        columns: the mapping; a field that it leaves out is looked for under its own name, then (query,
            passage, negatives) as ``query_{language}`` or an object by language.
    """
    mapping = _spread_text(check_columns(columns or {}), names)
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
    layout = Layout(singles, fixed, dict(sorted(wide.items())), numbered="item_id" not in singles)
    _check_form(layout, mapping, names, where)
    return layout


def _spread_text(mapping: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    """Put ``text``, or the columns of a bitext that nobody mapped, in the places of query and passage."""
    text = mapping.pop(TEXT, None)
    own = any(name.split(".")[0].split("_")[0] in ("query", "passage") for name in names)
    if text is None and not own and not {"query", "passage"} & set(mapping):
        text = next((pattern for pattern in BITEXT if len(matches(pattern, names)) > 1), None)
    return mapping if text is None else {"query": text, "passage": text, **mapping}


def _find_field(name: str, names: Sequence[str], mapping: Columns, where: str) -> str | dict[str, str] | None:
    """Return the column of a field, or its columns by language; None where it has none."""
    column = mapping.get(name, "")
    if LANGUAGE in column:
        return _languages(column, names, mapping, where)
    if column:
        return column if column in names else _languages(f"{column}.{LANGUAGE}", names, mapping, where)
    # where the mapping says so, passage_id is the passage in Indonesian
    pattern = mapping.get("passage") == f"passage_{LANGUAGE}" and "passage_id" not in mapping.values()
    if name in names and not (name == "passage_id" and pattern):
        return name
    return _default_languages(name, names, mapping, where) if name in WIDE else None


def _check_form(layout: Layout, mapping: Columns, names: Sequence[str], where: str) -> None:
    wide, singles = layout.wide, {*layout.columns, *layout.fixed}
    given = {*singles, *(name for columns in wide.values() for name in columns)}
    # without a language column every row is an item of its own, so its number will do
    if mapping.get("item_id") == ROW or "language" in layout.fixed:
        given.add("item_id")
    for name in ("query", "passage") if wide else ("item_id", "language", "query", "passage"):
        if name not in given:
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
    if wide and "language" in singles:
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
            f"{where}: has no column '{column}'; use one of {listed(names)}.{did_you_mean(column, names)}"
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


def guessed_columns(names: Sequence[str], columns: Columns | None, where: str) -> Columns | None:
    """Return a complete mapping: the given one where it is enough, else with fields guessed from the names.

    A guess is logged with the options that say the same. Where nothing can be guessed, or a given column is
    missing, the mapping is returned as it is, and the reader says what is wrong.

    Raises:
        PanglotError: two columns may be one field, or none has the language; it says the options to give.
    """
    given = dict(columns or {})
    outer = {name.split(".")[0] for name in names}
    named = [one for one in given.values() if LANGUAGE not in one and not one.startswith("=") and one != ROW]
    if any(column.split(".")[0] not in outer for column in named):
        return columns
    guess = given if _is_enough(names, columns, where) else _guess(names, given, where)
    if guess is None or not _is_enough(names, guess, where):
        return columns
    guess = _with_ids(names, guess, given, where)
    if guess == given:
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
        of_all = as_options({**_renamed(guess), "language": "=en"})
        raise PanglotError(
            f"{where}: has no column 'language'; it has {listed(names)}: give {of_all}, with the language of "
            f"all rows.{did_you_mean('language', names)}"
        )
    return _renamed({"item_id": ROW, **guess})


def _with_ids(names: Sequence[str], guess: dict[str, str], given: Columns, where: str) -> dict[str, str]:
    """Return a mapping with the column of ids of a file that has one column a language.

    Raises:
        PanglotError: columns called ``id`` (``query_id``, ``passage_id``) may hold ids or Indonesian texts.
    """
    layout, ids = find_layout(names, guess, where), _called(OTHERS["item_id"], names)
    texts = layout.wide.get("id", {})  # what would be Indonesian
    said = {"query", "passage", TEXT} & given.keys()
    if not said and "item_id" not in guess and "passage" in texts and texts.get("query") in ids:
        columns = {"item_id": texts["query"], "passage_id": texts["passage"]}
        if texts["query"] == texts["passage"]:
            del columns["passage_id"]
        raise PanglotError(
            f"{where}: {listed(list(columns.values()))} may hold ids or Indonesian texts (id). "
            f"Give {as_options(columns)} for ids, or --column 'item_id={ROW}' for texts."
        )
    if not layout.wide or not layout.numbered or "item_id" in guess or not ids:
        return guess
    return guess if said and ids[0] in texts.values() else {**guess, "item_id": ids[0]}


def _renamed(columns: Columns) -> dict[str, str]:
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
    for pattern in (f"{word}_{LANGUAGE}", f"{word}.{LANGUAGE}"):
        if len([given for given in matches(pattern, names) if language_code(given)]) > 1:
            return pattern
    return None


def _called(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the columns with some names, in capitals or not; the first of each name."""
    found = (next((name for name in names if name.lower() == word), None) for word in words)
    return [column for column in found if column is not None]


def flat_columns(table: pa.Table) -> pa.Table:
    """Return a table whose objects are columns of their own: ``query.en``."""
    while any(pa.types.is_struct(kind) for kind in table.schema.types):
        table = table.flatten()
    return table


def rows_of_columns(
    table: pa.Table,
    layout: Layout,
    lines: IntArray,
    first: int,
    where: str,
    bad: BadLines | None = None,
    odd: Mapping[str, Sequence[int]] | None = None,
) -> tuple[pa.RecordBatch, IntArray]:
    """Turn a batch of a file's columns into rows of ``SCHEMA``, and give the line of each.

    Args:
        table: of n rows; columns that the layout names and the table lacks are empty.
        lines: ``(n,)`` the line of each row in its file.
        first: number of the first row, from 1.
        bad: lines with values of a wrong type are added to it and left out, instead of raised.
        odd: rows of columns of texts that were something else.

    A language in which neither query nor passage is filled in is left out of a wide row.
    """
    count = table.num_rows
    faults: BadLines = []
    read = partial(_column, table, where=where, lines=lines, faults=faults, odd=odd or {})
    whole = {name: read(column, name) for name, column in layout.columns.items()}
    whole |= {name: pa.repeat(pa.scalar(value), count) for name, value in layout.fixed.items()}
    if layout.numbered:
        whole["item_id"] = pa.array(np.arange(first, first + count)).cast(pa.string())
    if not layout.wide:
        found, numbers = _batch(whole, count), lines
    else:
        parts: list[pa.RecordBatch] = []
        rows: list[IntArray] = []
        for language, columns in layout.wide.items():
            own = {name: read(column, name) for name, column in columns.items()}
            part = _batch(whole | own | {"language": pa.repeat(pa.scalar(language), count)}, count)
            filled = ~(blank(part.column("query")) & blank(part.column("passage")))
            parts.append(part.filter(pa.array(filled)))
            rows.append(np.flatnonzero(filled))
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")
        together = pa.Table.from_batches(parts).take(pa.array(order)).combine_chunks()
        batches = together.to_batches()
        found = batches[0] if batches else pa.RecordBatch.from_pylist([], schema=SCHEMA)
        numbers = lines[row[order]]
    if not faults:
        return found, numbers
    if bad is None:
        raise PanglotError(min(faults)[1])
    of_line = dict(sorted(faults))  # one for each line, whatever its columns
    bad += of_line.items()
    keep = ~np.isin(numbers, list(of_line))
    return found.filter(pa.array(keep)), numbers[keep]


def with_language_codes(rows: Rows) -> Rows:
    """Return rows with BCP-47 codes wherever what they say means one; see ``language_code``."""
    column = rows.column("language")
    given = [text for text in pc.unique(column).to_pylist() if text and not is_language(text)]
    codes = {text: check_language(text) for text in given if language_code(text)}
    if not codes:
        return rows
    place = pc.index_in(column, pa.array(list(codes)))
    column = pc.coalesce(pa.array(list(codes.values())).take(place), column)
    return rows.set_column(SCHEMA.get_field_index("language"), SCHEMA.field("language"), column)


def blank(column: pa.Array) -> Any:
    """Return a mask ``(n,)`` of the texts that are missing or hold only white space."""
    found = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)
    return found.to_numpy(zero_copy_only=False)


def _batch(columns: dict[str, pa.Array], count: int) -> pa.RecordBatch:
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in SCHEMA]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _column(
    table: pa.Table,
    column: str,
    name: str,
    where: str,
    lines: IntArray,
    faults: BadLines,
    odd: Mapping[str, Sequence[int]],
) -> pa.Array:
    """Return a column as the type of its field; ids may be numbers. Values of other types are ``faults``."""
    kind = SCHEMA.field(name).type
    if column not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    values = table.column(column)
    if name == "negatives" and not any(is_kind(values.type) for is_kind in LISTS):
        cells = values.to_pylist()
        for row in odd.get(column, ()):
            cells[row] = parse_json(cells[row], where)
        return _lists(cells, where, lines, faults)
    listed_texts = name == "negatives"
    split = pa.types.is_dictionary(values.type) or (listed_texts and not pa.types.is_null(values.type))
    inner = values.type.value_type if split else values.type
    of_texts = name in (*WIDE, "language")
    wrong: Iterable[int] = odd.get(column, ()) if of_texts else ()
    try:
        if of_texts and not any(is_kind(inner) for is_kind in TEXTS):
            raise pa.ArrowInvalid
        values = values.cast(kind)
        whole = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        wrong = np.flatnonzero(values.is_valid()).tolist()
        whole = pa.nulls(table.num_rows, kind)
    for row in wrong:
        what, value = "a list of texts" if listed_texts else "a text", str(values[row].as_py())[:LONGEST]
        fault = f"{where}, line {lines[row]}: '{column}' is not {what} ({value}); write one."
        faults.append((int(lines[row]), fault))
    if listed_texts and (texts := pc.list_flatten(whole)).null_count:
        for row in pc.unique(pc.list_parent_indices(whole).filter(texts.is_null())).to_pylist():
            fault = f"{where}, line {lines[row]}: '{column}' has a missing text; fill it in, or take it out."
            faults.append((int(lines[row]), fault))
    return whole


def _lists(values: Sequence[Any], where: str, lines: IntArray, faults: BadLines) -> pa.Array:
    """Read negatives that are in one cell: a text, or a JSON list of texts."""
    found: list[list[str] | None] = []
    for value, line in zip(values, lines, strict=True):
        if value is None or (isinstance(value, str) and not value.strip()):
            found.append(None)
            continue
        texts: Any = value if isinstance(value, list) else [value]
        if isinstance(value, str) and value.startswith("["):
            try:
                texts = parse_json(value, where)
            except PanglotError:
                texts = [value]
        if not all(isinstance(text, str) for text in texts):
            fault = (
                f"{where}, line {line}: 'negatives' is neither a text nor a list of texts "
                f"({str(value)[:LONGEST]!r}); write one of them, or leave it empty."
            )
            faults.append((int(line), fault))
            texts = None
        found.append(texts)
    return pa.array(found, SCHEMA.field("negatives").type)
