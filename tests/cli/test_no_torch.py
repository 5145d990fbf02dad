"""Wrong input is refused, and finished results are read, without loading torch, which takes seconds."""

import json
import subprocess
import sys
from pathlib import Path

WITHOUT_TORCH = """
import contextlib, io, json, sys
sys.modules["torch"] = None  # importing it is an error
from panglot.cli import main
answers = []
for command in json.loads(sys.argv[1]):
    sys.argv[1:] = command.split()
    with contextlib.redirect_stderr(io.StringIO()) as said:
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
    "evaluate ./missing": "./missing",
    "evaluate multilingual-e5-small --benchmark smaple": "smaple",
    "evaluate multilingual-e5-small --measures nDGC@10": "nDGC@10",
    "compare missing.json other.json": "missing.json",
    "report missing.json --output page.html": "missing.json",
    "mine --pairs missing.jsonl --output mined.jsonl": "missing.jsonl",
    "index --index new --input missing-folder": "missing-folder",
    "search question --index missing": "missing",
    "serve --index missing": "missing",
    "encode ./missing --output store": "./missing",
    "centre ./missing --pairs sample --output means": "./missing",
    "push missing-folder me/hybrid": "missing-folder",
    "average ./missing ./other --output mean": "./missing",
}


def test_a_mistake_is_answered_without_torch(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, json.dumps(list(MISTAKES))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)
    for (mistake, wrong), (code, said) in zip(MISTAKES.items(), answers, strict=True):
        assert code == 2, f"{mistake}: {said}"
        assert wrong in said, mistake
    assert not list(tmp_path.iterdir())
