"""The one error that is shown to a person without a traceback, and what is left out of a file with a note."""

import logging
import os

STRICT = "PANGLOT_STRICT"


class PanglotError(Exception):
    """Something a person can mend: the message says what is wrong, where, and how to mend it.

    The command line prints it as one sentence and exits with code 2.
    """


def leave_out(sentence: str) -> None:
    """Say which rows of an official file cannot be used; with ``PANGLOT_STRICT=1`` refuse the file.

    Raises:
        PanglotError: nothing may be left out.
    """
    if os.environ.get(STRICT, "0") not in ("", "0"):
        raise PanglotError(sentence)
    logging.getLogger("panglot").warning(sentence)
