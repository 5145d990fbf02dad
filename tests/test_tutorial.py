"""What the tutorial shows works: its commands, one after the other, and its Python."""

import json
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import warm

from panglot.cli import main

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
DOCUMENTS = Path("src", "panglot", "data", "sample", "held-out.jsonl")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path, small_by_default: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, like a fresh clone with a quarter of the file that the tutorial indexes."""
    (tmp_path / DOCUMENTS).parent.mkdir(parents=True)
    lines = (ROOT / DOCUMENTS).read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / DOCUMENTS).write_text("".join(lines[:72]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command of panglot in this process, which has imported torch already."""
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0, shlex.join(command)


def answered(command: list[str], request: str | None) -> bytes:
    """Start a server on a free port, send it a request, and stop it."""
    server = warm.start([*command[1:], "--port", "0", "--json"])
    try:
        printed = ""
        while not printed.rstrip().endswith("}"):
            line = server.stdout.readline()
            assert line, shlex.join(command)
            printed += line
        address = json.loads(printed)["address"]
        path = "health" if request is None else request.removeprefix("localhost:8000/")
        with urllib.request.urlopen(address + path, timeout=60) as answer:
            return bytes(answer.read())
    finally:
        server.terminate()


def requested(following: str) -> str | None:
    """Return what the next block asks the server for, if it does."""
    words = shlex.split(following)
    return words[-1] if words[:1] == ["curl"] else None


@pytest.mark.slow
def test_the_commands_run_one_after_the_other(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = blocks("sh")
    for block, following in zip(shown, [*shown[1:], ""], strict=True):
        if block.startswith("panglot serve"):
            if request := requested(following):
                found = json.loads(answered(shlex.split(block), request))
                assert [len(result["hits"]) for result in found["results"]] == [3]
        elif block.startswith("panglot"):
            for line in block.splitlines():
                # one small step instead of the tutorial's, which take a minute; three languages of twelve
                small = line.replace("--steps 15", "--steps 1").replace("--batch-size 32", "--batch-size 8")
                small = small.replace("sample --output", "sample --languages en,sw,th --output")
                run(shlex.split(small), monkeypatch)
                assert capsys.readouterr().out
        elif not block.startswith("curl"):
            subprocess.run(["bash", "-e"], input=block, text=True, check=True, cwd=clone)
    made = [
        "zero-shot.json",
        "mixed.json",
        "tuned.json",
        "mine.json",
        "report.html",
        "mine/model.safetensors",
    ]
    assert [name for name in made if not (clone / "runs" / name).exists()] == []


@pytest.mark.slow
def test_the_lines_of_python_run(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pairs,) = (block for block in blocks("sh") if block.startswith("cat > my-pairs.csv"))
    subprocess.run(["bash", "-e"], input=pairs, text=True, check=True, cwd=clone)
    (code,) = blocks("python")
    assert "steps=15" in code
    exec(compile(code.replace("steps=15", "steps=1"), "tutorial.md", "exec"), {})
    assert "rank_distance" in capsys.readouterr().out


def test_the_tutorial_shows_every_part_of_the_work() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    shown = {line.split()[1] for line in lines if line.startswith("panglot ")}
    assert shown >= {"data", "train", "evaluate", "compare", "inspect", "report", "index", "search", "serve"}
