"""Official files: found by patterns, and read line by line with numbers for messages."""

import hashlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from panglot.errors import PanglotError
from panglot.files import decoded, lines_in, open_bytes, parquet, parquet_batches
from panglot.languages import STANDARD, check_among, is_language, language_code, script, two_letters
from panglot.parse import parse_json

NumberedObject = tuple[int, dict[str, Any]]
CODE = "{code}"
# FLORES+ marks varieties by Glottolog's codes
VARIETIES = {"braz1246": "BR", "vale1252": "valencia"}
CHINESE = {"zh-CN": "zh", "zh-TW": "zh-Hant"}


def files_of(folder: Path, *patterns: str) -> list[Path]:
    """Return the files of the first glob pattern that finds any, ``docs-10`` behind ``docs-9``."""
    check_folder(folder)
    for pattern in patterns:
        if found := [path for path in folder.glob(pattern) if path.is_file()]:
            return sorted(found, key=_natural)
    return []


def check_folder(folder: Path) -> None:
    """Raise a ``PanglotError`` unless a folder is there."""
    if not folder.is_dir():
        raise PanglotError(f"{folder}: no such folder; check the path.")


def _natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part or 0), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", str(path))]


def files_by_language(
    folder: Path, patterns: Iterable[str], *, others: bool = False
) -> dict[str, list[Path]]:
    """Return the files of each language, by its BCP-47 code: those of the first pattern that has any of it.

    Args:
        patterns: glob patterns in which ``{code}`` is the language: a code, or a name in English.
        others: pass over files whose ``{code}`` is not a BCP-47 code, instead of refusing them.
    """
    check_folder(folder)
    found: dict[str, list[Path]] = {}
    for pattern in patterns:
        form = _form(pattern)
        of_code: dict[str, list[Path]] = {}
        # folders and pipes too: where one has a file's name, its reader says so
        for path in sorted(folder.glob(pattern.replace(CODE, "*")), key=_natural):
            match = form.fullmatch(path.relative_to(folder).as_posix())
            if match and (not others or is_language(match["code"])):
                of_code.setdefault(match["code"], []).append(path)
        for language, code in codes_of(of_code, str(folder)).items():
            found.setdefault(language, of_code[code])
    return dict(sorted(found.items()))


def official_files(
    folder: Path, patterns: Sequence[str], name: str, *, others: bool = False
) -> dict[str, list[Path]]:
    """Return the files of each language of a benchmark; see ``files_by_language``. None is an error."""
    found = files_by_language(folder, patterns, others=others) if folder.is_dir() else {}
    if not found:
        raise PanglotError(f"{folder}: holds no files of {name}; it needs {as_example(patterns[0])}, ...")
    return found


def _form(pattern: str) -> re.Pattern[str]:
    """Return a glob pattern as a regular expression with a group ``code``."""
    parts = {"**/": "(?:.*/)?", "*": "[^/]*", CODE: "(?P=code)"}
    pieces = re.split(r"(\*\*/|\*|\{code\})", pattern)
    text = "".join(parts.get(piece) or re.escape(piece) for piece in pieces)
    return re.compile(text.replace("(?P=code)", r"(?P<code>[A-Za-z][\w-]*)", 1))


def code_of(pattern: str, folder: Path, path: Path) -> str | None:
    """Return what is in the place of ``{code}`` in a file's path; None where it does not fit the pattern."""
    match = _form(pattern).fullmatch(path.relative_to(folder).as_posix())
    return match["code"] if match else None


def as_example(pattern: str) -> str:
    """Return a pattern as messages show it."""
    return pattern.replace(CODE, "LANGUAGE").replace("**/", "").replace("-*", "-0")


def bcp47(code: str) -> str:
    """Return the BCP-47 code of an ISO 639-3 one, with or without a script, region or variety.

    The language gets two letters where it has them, and a script is left out where it is the usual one:
    ``deu`` and ``deu_Latn`` are ``de``, ``cmn`` and ``zho_Hans`` ``zh``, ``srp-Latn`` is ``sr-Latn``,
    ``por-BR`` ``pt-BR``. Of dialects with a code of their own nothing is left out: ``arz`` stays ``arz``.
    A script that CLDR does not know as the usual one stays, so that the code says it: ``acm-Arab``.
    """
    first, *rest = code.replace("_", "-").split("-")
    language = STANDARD.get(first) or two_letters(first)
    parts = [language]
    for part in rest:
        if len(part) == 4 and part.isalpha():
            if (language, part) != ("ko", "Hang") and part != script(language):
                parts.append(part)
        elif part in VARIETIES:
            parts.append(VARIETIES[part])
        else:
            region = part.upper() if len(part) == 2 else part
            parts.append(f"x-{part}" if re.fullmatch("[a-z]{4}[0-9]{4}", part) else region)
    tag = "-".join(parts)
    return CHINESE.get(tag, tag)


def codes_of(found: Iterable[str], source: str) -> dict[str, str]:
    """Return the official code (or name) of each BCP-47 code, sorted by the latter.

    Raises:
        PanglotError: what is not a language, or two official codes of one language; names ``source``.
    """
    official: dict[str, str] = {}
    for code in found:
        language: str | None = bcp47(code)
        if language is None or not is_language(language):
            language = language_code(code)
        if language is None:
            raise PanglotError(f"{source}: '{code}' is not a language code; move that file elsewhere.")
        if language in official:
            raise PanglotError(
                f"{source}: '{official[language]}' and '{code}' are both '{language}'; leave one of them out."
            )
        official[language] = code
    return dict(sorted(official.items()))


def chosen_languages(
    languages: Sequence[str] | None, available: Iterable[str], name: str, least: int = 1
) -> list[str]:
    """Return the wanted languages of a benchmark, sorted (None: all), or raise a ``PanglotError``."""
    there = sorted(available)
    if languages is None:
        return there
    check_among(languages, there, name)
    if len(set(languages)) < least:
        raise PanglotError(f"{name} compares languages; name {least} of them or more.")
    return sorted(set(languages))


def chosen_option(value: str | None, allowed: Iterable[str], name: str, what: str = "split") -> str:
    """Return the wanted split of a benchmark (None: the first), or raise a ``PanglotError``."""
    known = list(allowed)
    if value is None:
        return known[0]
    if value not in known:
        raise PanglotError(f"{name} has no {what} '{value}'; it has {', '.join(known)}.")
    return value


def checksum(paths: Sequence[Path]) -> str:
    """Return the SHA-256 of some files' names and bytes, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[IO[bytes]]:
    """Open a plain or compressed file, or a member of a zip archive, for reading its bytes."""
    if member is None:
        with open_bytes(path) as file:
            yield file
        return
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as packed:
            yield packed
    except KeyError as error:
        raise PanglotError(f"{path}: has no {member} in it; fetch the archive again.") from error
    # an encrypted member is a RuntimeError, an unknown compression a NotImplementedError, which is one
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError) as error:
        raise PanglotError(f"{path}: is a broken zip archive ({error}); fetch it again.") from error


def text_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 file without their ends; only ``\\n`` and ``\\r\\n`` end a line."""
    with opened(path) as file:
        lines = decoded(lines_in(file, str(path)), str(path))
        return [line.removesuffix("\n").removesuffix("\r") for _, line in lines]


def numbered_lines(path: Path, member: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file (plain, .gz, .zst) that are not blank, with their numbers from 1.

    Line ends of both kinds and a byte order mark are taken off. ``member`` names a file in a zip archive.

    Raises:
        PanglotError: the file is missing, empty, damaged, cut short or not UTF-8.
    """
    empty = True
    where = str(path) if member is None else f"{path} ({member})"
    with opened(path, member) as file:
        for number, line in decoded(lines_in(file, where), where):
            text = line.rstrip("\r\n")
            if text and not text.isspace():
                empty = False
                yield number, text
    if empty:
        raise PanglotError(f"{path}: is empty; fetch the file again.")


def json_lines(path: Path, member: str | None = None) -> Iterator[NumberedObject]:
    """Yield the objects of a JSON Lines file (plain, .gz, .zst, or in a zip) with their line numbers."""
    where = str(path) if member is None else f"{path} ({member})"
    for number, line in numbered_lines(path, member):
        value = parse_json(line, where, number, fix="fetch the file again")
        if not isinstance(value, dict):
            raise PanglotError(f"{where}, line {number}: is not a JSON object; each line needs {{...}}.")
        yield number, value


def parquet_rows(
    path: Path, columns: Sequence[str] | None = None, optional: Sequence[str] = ()
) -> Iterator[NumberedObject]:
    """Yield some columns (None: all) of a Parquet file row by row, with row numbers from 1."""
    number = 0
    with parquet(path) as file:
        names = file.schema_arrow.names
        columns = names if columns is None else columns
        if missing := [name for name in columns if name not in names]:
            raise PanglotError(
                f"{path}: has no column '{missing[0]}'; it has {', '.join(names)}. Fetch the official file."
            )
        for batch in parquet_batches(file, 4_096, [n for n in (*columns, *optional) if n in names]):
            for row in batch.to_pylist():
                number += 1
                yield number, row


def table_rows(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[NumberedObject]:
    """Yield the rows of a Parquet file or of JSON lines; of the former, only some columns are read."""
    return parquet_rows(path, columns, optional) if path.suffix == ".parquet" else json_lines(path)


def field(path: Path, number: int, value: dict[str, Any], name: str) -> str:
    """Return a text of a JSON object; a whole number is taken as text, since ids are sometimes numbers."""
    text = value.get(name)
    if isinstance(text, int) and not isinstance(text, bool):
        return str(text)
    if isinstance(text, str):
        return text
    if name not in value:
        raise PanglotError(f"{path}, line {number}: has no '{name}'; it has {', '.join(map(str, value))}.")
    raise PanglotError(f"{path}, line {number}: '{name}' is not a text; fetch the file again.")


def named(path: Path, number: int, value: dict[str, Any], name: str) -> str:
    """Return a text of a JSON object that is not empty, such as an id."""
    text = field(path, number, value, name)
    if not text.strip():
        raise PanglotError(f"{path}, line {number}: '{name}' is empty; fetch the file again.")
    return text
