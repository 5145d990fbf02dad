"""Wrong input is refused, and finished results are read, without loading torch, which takes seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it is an error
from panglot.cli import main
main()
"""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train missing.toml --output run", "missing.toml"),
        ("train --set batches.alhpa=1 --output run", "batches.alpha"),
        ("train --pairs missing.jsonl --output run", "missing.jsonl"),
        ("train --model ./missing --pairs sample --output run", "./missing"),
        ("evaluate ./missing", "./missing"),
        ("evaluate multilingual-e5-small --benchmark smaple", "smaple"),
        ("evaluate multilingual-e5-small --measures nDGC@10", "nDGC@10"),
        ("compare missing.json other.json", "missing.json"),
        ("report missing.json --output page.html", "missing.json"),
        ("mine --pairs missing.jsonl --output mined.jsonl", "missing.jsonl"),
        ("index --index new --input missing-folder", "missing-folder"),
        ("search question --index missing", "missing"),
        ("serve --index missing", "missing"),
        ("encode ./missing --output store", "./missing"),
        ("centre ./missing --pairs sample --output means", "./missing"),
        ("average ./missing ./other --output mean", "./missing"),
    ],
)
def test_a_mistake_is_answered_without_torch(command: str, said: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *command.split()], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert said in done.stderr
    assert not list(tmp_path.iterdir())
