"""Processes that are forked from one that has imported panglot already, so that each begins at once.

A fresh interpreter takes seconds of work to import torch and the libraries on it. What such a process does is
what ``python -m panglot ...`` or ``python -c ...`` does: its own folder, environment, output and exit code.
"""

import gc
import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from multiprocessing.connection import Connection
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["still_gc", "panglot.cli", "panglot.training.recipes", "panglot.training.run", "panglot.search.serve"]
)


class Process:
    """A running process; see ``start``.

    Attributes:
        stdout: what it prints, as it prints it.
    """

    def __init__(
        self, code: str | None, arguments: Sequence[str], folder: Path, env: Mapping[str, str]
    ) -> None:
        reader, writer = CONTEXT.Pipe(duplex=False)
        self._errors = Path(tempfile.mkstemp()[1])
        given = (code, list(arguments), str(folder), dict(env), writer, str(self._errors))
        self._process = CONTEXT.Process(target=_be, args=given)
        self._process.start()
        writer.close()
        self.stdout = TextIOWrapper(os.fdopen(os.dup(reader.fileno()), "rb"), encoding="utf-8")
        reader.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to it."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def wait(self, seconds: float = 280) -> int:
        """Return its exit code, once it has ended."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, "it still runs"
        return self._process.exitcode

    def communicate(self) -> tuple[str, str]:
        """Return what it printed and what it said to standard error, once it has ended."""
        printed = self.stdout.read()
        self.wait()
        return printed, self._errors.read_text(encoding="utf-8")


def start(
    arguments: Sequence[str],
    *,
    code: str | None = None,
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Process:
    """Start ``panglot`` with arguments, or Python code that reads them in ``sys.argv[1:]``."""
    return Process(code, arguments, folder or Path.cwd(), os.environ if env is None else env)


def run(
    arguments: Sequence[str], *, code: str | None = None, folder: Path | None = None
) -> tuple[int, str, str]:
    """Return the exit code of what ``start`` starts, what it printed and what it said to standard error."""
    process = start(arguments, code=code, folder=folder)
    printed, said = process.communicate()
    return process.wait(), printed, said


def _be(
    code: str | None, arguments: list[str], folder: str, env: dict[str, str], writer: Connection, errors: str
) -> None:
    gc.freeze()  # collections look at what this process makes
    gc.enable()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(writer.fileno(), 1)
    os.dup2(os.open(errors, os.O_WRONLY), 2)
    sys.argv = ["panglot" if code is None else "-c", *arguments]
    if code is None:
        runpy.run_module("panglot", run_name="__main__", alter_sys=True)
    else:
        exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
