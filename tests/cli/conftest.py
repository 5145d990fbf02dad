"""The command line, run in this process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from transformers.utils.logging import disable_progress_bar

from panglot.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    code: object
    out: str
    err: str

    @property
    def results(self) -> Any:
        """What was printed as JSON, and nothing else."""
        return json.loads(self.out)


@pytest.fixture
def panglot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run ``panglot ARGUMENTS...`` on a wide screen."""
    monkeypatch.setenv("COLUMNS", "160")
    disable_progress_bar()  # type: ignore[no-untyped-call]  # main is too late once it is imported

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["panglot", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        return Outcome(stopped.value.code, *capsys.readouterr())

    return run
