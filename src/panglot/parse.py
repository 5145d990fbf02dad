"""JSON, TOML and YAML from outside: read within bounds, and checked against the form that they should have.

Every failure is a ``PanglotError`` that names the file, the line where it is known, and the fix.
"""

import json
import re
import reprlib
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from panglot.errors import PanglotError, meant
from panglot.files import read_whole

DEEPEST = 100  # levels of lists and objects
DIGITS = 40  # of a whole number
LARGEST_FILE = 1 << 30  # bytes of a JSON file of data
LARGEST_SETTINGS = 1 << 24  # bytes of a file of settings
UNION = re.compile(r"(constrained-)?(str|int|float)|list\[.*\]|function-.*")  # pydantic's names in a union
Form = TypeVar("Form")
NotBlank = Annotated[str, Field(pattern=r"\S")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


def _whole_number(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a number of more than {DIGITS} digits")
    return int(text)


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
DECODER = json.JSONDecoder(parse_int=_whole_number)


def parse_json(
    content: bytes | str, where: Path | str, line: int | None = None, *, fix: str = "fix it"
) -> Any:
    """Return what JSON says.

    Args:
        content: bytes or text; parsing takes about ten times its size in memory.
        line: of the file that the content is; None: it is the whole file.
        fix: what helps, as the end of a sentence.
    """
    place = f"{where}, line {line}" if line else str(where)
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        value = DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise PanglotError(f"{place}: is not UTF-8; save the file as UTF-8.") from error
    except json.JSONDecodeError as error:
        place = place if line else f"{place}, line {error.lineno}"
        what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise PanglotError(f"{place}: is not valid JSON ({what}); {fix}.") from error
    except RecursionError as error:
        raise PanglotError(f"{place}: has more than {DEEPEST} levels of nesting; use fewer.") from error
    except ValueError as error:
        raise PanglotError(f"{place}: has {error}; {fix}.") from error
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value, place)
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise PanglotError(
                f"{place}: holds half a character (a lone surrogate, \\ud800 to \\udfff); correct the text."
            ) from error
    return value


def read_json(path: Path, *, fix: str = "copy or fetch the file again") -> Any:
    """Return the content of a JSON file (plain, .gz, .zst)."""
    return parse_json(read_whole(path, LARGEST_FILE), path, fix=fix)


def read_form(path: Path, form: type[Form], *, fix: str = "copy or fetch the file again") -> Form:
    """Return the content of a JSON file that must have a form; see ``validated``."""
    return validated(form, read_json(path, fix=fix), path, fix=fix)


def parse_toml(content: bytes | str, where: Path | str) -> dict[str, Any]:
    """Return what TOML says."""
    try:
        found = tomllib.loads(content if isinstance(content, str) else content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise PanglotError(
            f"{where}: is not valid TOML, because it is not UTF-8; save it as UTF-8."
        ) from error
    except RecursionError as error:
        raise PanglotError(f"{where}: has more than {DEEPEST} levels of nesting; use fewer.") from error
    except ValueError as error:  # tomllib's own error, and numbers of too many digits
        raise PanglotError(f"{where}: is not valid TOML: {error}; fix it.") from error
    _check_depth(found, where)
    return found


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file."""
    return parse_toml(read_whole(path, LARGEST_SETTINGS), path)


def parse_yaml(text: str, where: Path | str, *, texts: bool = False, first: int = 1) -> Any:
    """Return what YAML says.

    Args:
        texts: leave every value a text.
        first: line of the file on which the text begins.
    """
    try:
        found = (yaml.BaseLoader if texts else yaml.SafeLoader)(text).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + first}" if error.problem_mark else ""
        raise PanglotError(f"{where}{line}: is not valid YAML ({error.problem}); fix it.") from error
    except RecursionError as error:
        raise PanglotError(f"{where}: has more than {DEEPEST} levels of nesting; use fewer.") from error
    # its constructors of numbers and dates let errors of all kinds through
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError) as error:
        raise PanglotError(f"{where}: is not valid YAML ({error}); fix it.") from error
    _check_depth(found, where)
    return found


def _check_depth(value: Any, where: Path | str) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        inner = {  # by identity: in YAML one value may occur in many places, even in itself
            id(found): found
            for outer in level
            for found in (
                outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()
            )
            if isinstance(found, dict | list)
        }
        if not inner:
            return
        level = list(inner.values())
    raise PanglotError(f"{where}: has more than {DEEPEST} levels of nesting; use fewer.")


def validated(form: type[Form], value: object, where: Path | str, *, fix: str = "fix it") -> Form:
    """Return parsed JSON in its form, a type that pydantic knows; no text is taken for a number."""
    try:
        # in JSON's way, in which strict forms take lists for tuples
        found: Form = _adapter(form).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise PanglotError(f"{where}: {what_is_wrong(error)[2]}; {fix}.") from error
    return found


def what_is_wrong(error: ValidationError) -> tuple[str, str, str]:
    """Return pydantic's kind of the first error, the place in the value, and a sentence without its end."""
    first = max(  # what is nearest to what is wrong; an unknown name may be why another is missing
        error.errors(), key=lambda found: (len(found["loc"]), found["type"] == "extra_forbidden")
    )
    place = ".".join(str(part) for part in first["loc"] if not UNION.fullmatch(str(part)))
    message = first["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    message = re.sub(r"^Input should be (?=greater|less)", "use a number ", message)
    message = re.sub(r"^Input should be ", "use ", message).replace("Input should", "it should", 1)
    if first["type"] == "missing":
        return first["type"], place, f"'{place}' is missing"
    choices = re.findall("'([^']*)'", message) if first["type"] == "literal_error" else []
    question = meant(str(first["input"]), choices).replace(" Did", "; did")
    given = f" (given: {reprlib.repr(first['input'])}{question})" if place else ""
    if not place and first["type"] == "value_error":  # of a whole form, whose words say of what
        return first["type"], place, message
    return first["type"], place, f"{place or 'its content'} is wrong: {message}{given}"
