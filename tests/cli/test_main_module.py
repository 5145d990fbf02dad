"""``python -m panglot`` is the program ``panglot``."""

import runpy
import subprocess
import sys
from importlib.metadata import version

from panglot import cli


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "panglot", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, version("panglot"), "")


def test_importing_the_module_runs_nothing() -> None:
    found = runpy.run_module("panglot.__main__", run_name="__mp_main__")  # as a spawned process does
    assert found["main"] is cli.main
