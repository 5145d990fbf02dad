"""The one error that is shown to a person without a traceback."""


class PanglotError(Exception):
    """Something a person can mend: the message says what is wrong, where, and how to mend it.

    The command line prints it as one sentence and exits with code 2.
    """
