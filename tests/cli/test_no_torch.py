"""Wrong input is refused, and finished results are read, without loading torch, which takes seconds."""

import json
import subprocess
import sys
from pathlib import Path

WITHOUT = """
import contextlib, io, json, sys
library, commands = sys.argv[1], json.loads(sys.argv[2])
sys.modules[library] = None  # importing it is an error
from panglot.cli import main
answers = []
for command in commands:
    sys.argv[1:] = command.split()
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        try:
            main()
        except SystemExit as ended:
            answers.append([ended.code, said.getvalue()])
print(json.dumps(answers))
"""
MISTAKES = {
    "train missing.toml --output run": "missing.toml",
    "train --set batches.alhpa=1 --output run": "batches.alpha",
    "train --pairs missing.jsonl --output run": "missing.jsonl",
    "train --model ./missing --pairs sample --output run": "./missing",
    "train --output run": "there is nothing to train on",
    "train --pairs sample --batch-size 999 --output run": "no source has 999 items",
    "train --pairs sample --batch-size 999 --strategy specific --output run": "no source has 999 items",
    "train --pairs sample --batch-size 999 --set batches.join_sources=true --output run": "the most is 48",
    "train multilingual-e5-small-merged --pairs sample --batch-size 999 --output run": "999 items",
    "train --pairs sample --patience 2 --output run": "patience needs held-out documents",
    "train --pairs sample --batch-size 4 --set training.report_to=['nobody'] --output run": "'nobody'",
    "train weightless.toml --pairs sample --output run": "merge.weights is empty",
    "evaluate ./missing": "./missing",
    "evaluate multilingual-e5-small --benchmark smaple": "smaple",
    "evaluate multilingual-e5-small --measures nDGC@10": "nDGC@10",
    "compare missing.json other.json": "missing.json",
    "report missing.json --output page.html": "missing.json",
    "mine --pairs missing.jsonl --output mined.jsonl": "missing.jsonl",
    "index --index new --input missing-folder": "missing-folder",
    "evaluate multilingual-e5-small --perturb typo": "'typo'",
    "evaluate multilingual-e5-small --balanced score": "'score'",
    "evaluate multilingual-e5-small --centre modle": "--centre modle",
    "experiment alpha --set grid.alhpas=[0.1] --output run": "alphas",
    "experiment scaling --set grid.counts=5 --output run": "counts",
    "search question --index missing": "missing",
    "serve --index missing": "missing",
    "encode ./missing --output store": "./missing",
    "centre ./missing --pairs sample --output means": "./missing",
    "push missing-folder me/hybrid": "missing-folder",
    "average ./missing ./other --output mean": "./missing",
}


def answers_without(library: str, commands: list[str], folder: Path) -> list[tuple[int, str]]:
    """Return the exit code of each command and what it says, in a process that cannot import a library."""
    program = [sys.executable, "-c", WITHOUT, library, json.dumps(commands)]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=True)
    return [(code, said) for code, said in json.loads(done.stdout)]


def test_help_is_shown_without_numpy(tmp_path: Path) -> None:
    assert answers_without("numpy", ["--help", "train --help", "data get --help"], tmp_path) == [(0, "")] * 3


def test_a_mistake_is_answered_without_torch(tmp_path: Path) -> None:
    recipe = tmp_path / "weightless.toml"
    recipe.write_text('[merge.parts]\na = {}\nb = {"batches.strategy" = "mixed"}')
    answers = answers_without("torch", list(MISTAKES), tmp_path)
    for (mistake, wrong), (code, said) in zip(MISTAKES.items(), answers, strict=True):
        assert code == 2, f"{mistake}: {said}"
        assert wrong in said, mistake
    assert list(tmp_path.iterdir()) == [recipe]
