"""What the README shows works: its commands, its Python, its links."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import warm

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVES = "panglot serve"  # runs until it is stopped; tests/search/serve has tests of its own


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def clone(tmp_path: Path, small_by_default: None) -> Path:
    """A folder like a fresh clone: with pages of docs, and nothing that a run has left."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("bias.md", "search.md"):
        (docs / name).write_text(
            (ROOT / "docs" / "guides" / name).read_text(encoding="utf-8"), encoding="utf-8"
        )
    return tmp_path


@pytest.mark.slow
def test_the_commands_run_one_after_the_other(clone: Path) -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("panglot ")]
    assert len(lines) >= 8
    for line in lines:
        if not line.startswith(SERVES):
            # two small steps instead of the README's, which take a minute; three languages of twelve
            small = line.replace("--steps 15", "--steps 2").replace("--batch-size 32", "--batch-size 8")
            command = shlex.split(small.replace("sample --output", "sample --languages en,sw,th --output"))
            code, printed, said = warm.run(command[1:], folder=clone)
            assert printed, line
            assert code == 0, said
    for name in ("zero-shot.json", "tuned.json", "tuned/model.safetensors"):
        assert (clone / "runs" / name).exists()


@pytest.mark.slow
def test_the_lines_of_python_run(clone: Path) -> None:
    (code,) = blocks("python")
    assert "steps=15" in code
    small = code.replace("steps=15", "steps=2").replace("batch_size=32", "batch_size=8")
    ended, printed, said = warm.run([], code=small, folder=clone)
    assert ended == 0, said
    assert "rank_distance" in printed
    assert (clone / "runs" / "python.json").exists()


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_extras_that_it_names_exist() -> None:
    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (named,) = re.findall(r"pip install '\.\[([a-z,]+)\]'", README)
    assert set(named.split(",")) <= known["optional-dependencies"].keys()


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 90
