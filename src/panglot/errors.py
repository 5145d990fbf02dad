"""The one error that is shown to a person without a traceback; what is left out; what the hub refuses."""

import difflib
import logging
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

STRICT = "PANGLOT_STRICT"
LISTED = 10  # names in a sentence
Kind = TypeVar("Kind")


class PanglotError(Exception):
    """An error that a person can correct: the message says what is wrong, where, and how to correct it.

    The command line prints it as one sentence and exits with code 2.
    """


def of_kind(value: object, load: Callable[[str], Kind], *kinds: type) -> Kind:
    """Return a value of one of some kinds as it is, or what a name or path loads.

    Raises:
        PanglotError: it is of another type, or cannot be loaded.
    """
    if isinstance(value, str | Path):
        return load(str(value))
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise PanglotError(
            f"{type(value).__name__} is given where {wanted} is needed; give that, or its name or path."
        )
    return value  # type: ignore[return-value]  # what is loaded is of one of the kinds, too


def needs(extra: str, *libraries: str, hint: str = "") -> None:
    """Raise a ``PanglotError`` where a library of an extra is not installed; ``hint``: what else helps."""
    for library in libraries:
        if sys.modules.get(library) is None and find_spec(library) is None:
            raise PanglotError(f"{library} is not installed; {hint}run pip install 'panglot[{extra}]'.")


def first_line(error: object) -> str:
    """Return the first line of what an error of a library says, or else its type."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(error).__name__


def meant(name: str, known: Iterable[str]) -> str:
    """Return a question, behind a space, that names the likeliest of the known names; or nothing."""
    near = difflib.get_close_matches(name, list(known), 1, cutoff=0.65)
    return f" Did you mean {near[0]}?" if near else ""


def some_of(names: Sequence[str], between: str = ", ") -> str:
    """Return some names as a sentence shows them: the first ten of many."""
    more = f"{between}and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return between.join(names[:LISTED]) + more


def leave_out(sentence: str) -> None:
    """Say which rows of an official file cannot be used; with ``PANGLOT_STRICT=1`` refuse the file.

    Raises:
        PanglotError: nothing may be left out.
    """
    if os.environ.get(STRICT, "0") not in ("", "0"):
        raise PanglotError(sentence)
    logging.getLogger("panglot").warning(sentence)


def hub_refusal(error: BaseException, what: str) -> str | None:
    """Say why the hub did not give something and what helps; None where neither hub nor network is the cause.

    Args:
        error: what a library raised; the hub's own error may be among its causes.
    """
    from huggingface_hub import constants, errors

    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    sentences: dict[type[Exception], str] = {
        errors.GatedRepoError: (
            f"its owners ask you to accept terms first; do so on the {what}'s page of the hub, then run "
            "'hf auth login' and this command again"
        ),
        errors.RepositoryNotFoundError: (
            f"the hub has no such {what}, or it is private; check the id, and run 'hf auth login' for a "
            "private one"
        ),
        errors.RevisionNotFoundError: "the hub does not have that revision; check it",
    }
    for kind, sentence in sentences.items():
        if any(isinstance(cause, kind) for cause in causes):
            return sentence
    network = (
        errors.OfflineModeIsEnabled,
        errors.LocalEntryNotFoundError,
        errors.HfHubHTTPError,
        ConnectionError,
        TimeoutError,
    )
    if not any(isinstance(one, network) or type(one).__module__.startswith("httpx") for one in causes):
        return None
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set, so nothing is fetched; unset it"
    return (
        f"the hub did not answer as it should ({first_line(error)}); check the network and the proxy, "
        "and run the command again (it continues where it stopped)"
    )
