"""What the README shows works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SAMPLE = ROOT / "src/panglot/data/sample/train.jsonl"


def python_lines() -> str:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.slow
def test_the_lines_of_python_run(tmp_path: Path) -> None:
    smaller = {
        '"pairs.jsonl.gz"': repr(str(SAMPLE)),
        '"xquad-r", "lareqa/xquad-r"': '"sample"',
        "steps=100": "steps=2",
        "batch_size=128": "batch_size=8",
    }
    code = python_lines()
    for shown, tried in smaller.items():
        assert shown in code
        code = code.replace(shown, tried)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == ["monolingual", "crosslingual", "multilingual", "rank"]
    assert (tmp_path / "results.json").exists()
    assert (tmp_path / "runs/hybrid/modules.json").exists()


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
