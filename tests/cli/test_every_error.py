"""Whatever is wrong with a command, one sentence names the file, option or setting and says how to fix it.

All commands run in one process that cannot import torch, so that each mistake is answered at once.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from panglot.files import write_manifest

WITHOUT = """
import contextlib, io, json, sys
from pathlib import Path
from typing import Any
library, commands = sys.argv[1], json.loads(sys.argv[2])
sys.modules[library] = None  # importing it is an error
from panglot.cli import main
answers, before = [], sorted(map(str, Path().rglob("*")))
for command in commands:
    sys.argv[:] = ["panglot", *command.split()]
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    now = sorted(map(str, Path().rglob("*")))
    answers.append((code, out.getvalue(), said.getvalue(), sorted({*now} ^ {*before})))
    before = now
print(json.dumps(answers))
"""
Answer = tuple[int, str, str, list[str]]  # exit code, standard output, standard error, files that are new
VERBS = (
    "add|change|check|choose|close|compute|continue|copy|did you mean|evaluate|export|fetch|fill|fix|free|"
    "give|hold|install|keep|leave|load|lower|make|map|name|put|remove|rename|replace|run|save|see|set|split|"
    "try|use|write"
)
FIX = re.compile(rf"\b({VERBS})\b", re.IGNORECASE)

ROW = '{"item_id": "1", "language": "en", "query": "q?", "passage": "p"}'
PAIRS = ROW + "\n" + ROW.replace('"en"', '"de"')
FILES = {
    "good.jsonl": PAIRS,
    "mined.jsonl": PAIRS.replace("}", ', "negatives": ["No."]}'),
    "broken.jsonl": ROW + '\n{"item_id": "1", "language": "de", "query": "q',
    "misspelt.jsonl": ROW + "\n" + ROW.replace("language", "langauge"),
    "number.jsonl": ROW + "\n" + ROW.replace('"1"', "1"),
    "twice.jsonl": ROW + "\n" + ROW,
    "blank.jsonl": ROW + "\n" + ROW.replace("q?", " "),
    "code.jsonl": ROW + "\n" + ROW.replace('"en"', '"klingonish"'),
    "empty.jsonl": "",
    "misspelt.csv": "item_id,langauge,query,passage\n1,en,q,p\n",
    "ragged.csv": "item_id,language,query,passage\n1,en,q,p\n1,de,q\n",
    "cut.jsonl.gz": "no gzip",
    "wrong.parquet": "no parquet",
    "pairs.xlsx": "no table",
    "misspelt.toml": "[batches]\nalhpa = 0.3",
    "broken.toml": "[batches\nalpha = 0.3",
    "range.toml": "[batches]\nalpha = 1.3",
    "empty.toml": "",
    "weightless.toml": '[merge.parts]\na = {}\nb = {"batches.strategy" = "mixed"}',
    "other.toml": 'question = "alpha"\nbenchmarks = ["sample"]',
    "unknown.toml": 'question = "omega"\nbenchmarks = ["sample"]',
    "schema.json": '{"a": 1}',
    "broken.json": '{"a": ',
    "cells.csv": "id,body\n1,text\n",
    "card.md": "---\nlicense: mit\n",
    "held/modules.json": "[]",
    "held/run.json": "{}",
    "half/checkpoints/checkpoint-1/state": "x",
    "merged/merge.json": "{}",
    "full/kept": "x",
    "quick/hybrid/kept": "x",
    "copy/good.jsonl": PAIRS,
    "speechless.jsonl": '{"text": "A text.", "language": "en"}\n{"text": "More."}',
}
SMALL = "multilingual-e5-small"
TRAIN = "train --pairs sample --batch-size 4 --output new"
ALPHA = "experiment alpha --pairs sample --output new"
STRATEGIES = "experiment strategies empty.toml --pairs sample --benchmark sample=x --output new"
WRONG = {
    # train
    "train --output new": "--pairs",
    "train --pairs sample": "--output",
    "train missing.toml --pairs sample --output new": "missing.toml",
    "train misspelt.toml --pairs sample --output new": "batches.alhpa",
    "train broken.toml --pairs sample --output new": "broken.toml",
    "train range.toml --pairs sample --output new": "batches.alpha",
    "train weightless.toml --pairs sample --output new": "merge.weights",
    "train full --pairs sample --output new": "full",
    "train owner/name --pairs sample --output new": "--model owner/name",
    "train --pairs missing.jsonl --output new": "missing.jsonl",
    "train --pairs sampel --output new": "Did you mean sample?",
    "train --pairs pairs.xlsx --output new": "pairs.xlsx",
    "train --pairs empty.jsonl --output new": "empty.jsonl",
    "train --pairs broken.jsonl --output new": "broken.jsonl, line 2",
    "train --pairs misspelt.jsonl --output new": "misspelt.jsonl, line 2",
    "train --pairs number.jsonl --output new": "number.jsonl, line 2",
    "train --pairs twice.jsonl --output new": "twice.jsonl, line 2",
    "train --pairs blank.jsonl --output new": "blank.jsonl, line 2",
    "train --pairs code.jsonl --output new": "code.jsonl, line 2",
    "train --pairs misspelt.csv --output new": "misspelt.csv",
    "train --pairs ragged.csv --output new": "ragged.csv, line 3",
    "train --pairs cut.jsonl.gz --output new": "cut.jsonl.gz, line 1",
    "train --pairs wrong.parquet --output new": "wrong.parquet",
    "train --pairs full --output new": "full",
    "train --pairs good.jsonl --column query --output new": "--column",
    "train --pairs good.jsonl --column qeury=question --output new": "qeury",
    "train --pairs good.jsonl --column query=question --output new": "question",
    "train --pairs good.jsonl --languages en,sw --output new": "'sw'",
    "train --pairs good.jsonl --languages en,xx --output new": "'xx'",
    "train --pairs good.jsonl --batch-size 9 --output new": "9 items",
    "train --pairs sample --batch-size 999 --strategy specific --output new": "batch size",
    "train --pairs sample --batch-size 999 --set batches.join_sources=true --output new": "batch size",
    f"{TRAIN} --model ./missing": "./missing",
    f"{TRAIN} --strategy zigzag": "batches.strategy",
    f"{TRAIN} --alpha 1.5": "batches.alpha",
    f"{TRAIN} --alpha nan": "--alpha",
    f"{TRAIN} --alpha many": "--alpha",
    f"{TRAIN} --steps 0": "training.steps",
    f"{TRAIN} --seed -1": "--seed",
    f"{TRAIN} --batch-sise 3": "--batch-sise",
    f"{TRAIN} --held-out 0.3 --set data.held_out_items=1": "data.held_out_items",
    f"{TRAIN} --patience 2": "patience",
    f"{TRAIN} --set alpha": "alpha",
    f"{TRAIN} --set alpha=0.3": "alpha",
    f"{TRAIN} --set batches.alhpa=1": "batches.alpha",
    f"{TRAIN} --set training.report_to=['nobody']": "nobody",
    f"{TRAIN} --resume": "--resume",
    f"{TRAIN} --strategy specific --resume": "--resume",
    f"train {SMALL}-merged --pairs sample --output new --resume": "--resume",
    f"train {SMALL}-merged --pairs sample --output merged": "--resume",
    f"train {SMALL}-merged --pairs sample --output full": "full",
    "train --pairs sample --output held": "held",
    "train --pairs sample --output held --resume": "held",
    "train --pairs sample --output half": "--resume",
    "train --pairs sample --output card.md": "card.md",
    "train --pairs sample --output card.md/new": "--output",
    "train --pairs sample --output /proc/new": "/proc/new",
    "train --pairs sample --output=": "--output",
    f"{TRAIN} --strategy english --set batches.language=pl": "'pl'",
    "train --pairs good.jsonl --batch-size 2 --strategy crosslingual --output new": "2 items",
    # evaluate
    "evaluate ./missing": "./missing",
    "evaluate missing": "missing",
    f"evaluate {SMALL} --benchmark smaple": "smaple",
    f"evaluate {SMALL} --benchmark beir": "beir",
    f"evaluate {SMALL} --benchmark mfaq --data full": "mfaq",
    f"evaluate {SMALL} --benchmark xquad-r": "--data",
    f"evaluate {SMALL} --benchmark xquad-r --data missing": "--data",
    f"evaluate {SMALL} --benchmark xquad-r --data full": "full",
    f"evaluate {SMALL} --benchmark pairs --data broken.jsonl": "broken.jsonl, line 2",
    f"evaluate {SMALL} --measures nDGC@10": "nDGC@10",
    f"evaluate {SMALL} --measures ,": "--measures",
    f"evaluate {SMALL} --languages en,xx": "'xx'",
    f"evaluate {SMALL} --split dev": "--split",
    f"evaluate {SMALL} --candidate-text title": "--candidate-text",
    f"evaluate {SMALL} --column query=question": "--column",
    f"evaluate {SMALL} --perturb typo": "'typo'",
    f"evaluate {SMALL} --lexicon full": "--lexicon",
    f"evaluate {SMALL} --seed 3": "--perturb",
    f"evaluate {SMALL} --balanced score": "'score'",
    f"evaluate {SMALL} --centre modle": "--centre",
    f"evaluate {SMALL} --run-depth 5": "--runs",
    f"evaluate {SMALL} --rerank-depth 5": "--rerank",
    f"evaluate {SMALL} --output full": "full",
    f"evaluate {SMALL} --output results.parquet": "results.parquet",
    f"evaluate {SMALL} --output card.md/new.json": "--output",
    "evaluate bm25 --centre corpus": "--centre",
    "evaluate bm25 --max-length 12": "--max-length",
    "evaluate mteb:a/b --centre corpus": "--centre",
    "evaluate a/b --rerank c/d --runs e": "--runs",
    "evaluate a/b --rerank c/d --balanced turns": "--balanced",
    "evaluate a/b --store c --every-item": "--every-item",
    "evaluate a/b --balanced turns --runs new": "--runs",
    # what reads results
    "compare missing.json plain.json": "missing.json",
    "compare schema.json plain.json": "schema.json",
    "compare broken.json plain.json": "broken.json",
    "compare full plain.json": "full",
    "compare plain.json": "results",
    "compare plain.json tuned.json --measure nDGC@10": "nDGC@10",
    "compare plain.json tuned.json --baseline 3": "baseline",
    "compare plain.json tuned.json --alpha 2": "alpha",
    "compare plain.json tuned.json --resamples 0": "resamples",
    "compare plain.json tuned.json --details --json": "--details",
    "report plain.json --reference papers": "--reference",
    "report plain.json --output plain.json": "--output",
    "report plain.json --output full": "full",
    "report plain.json --failures schema.json": "schema.json",
    f"inspect schema.json --model {SMALL}": "schema.json",
    f"inspect plain.json --model {SMALL} --count 0": "--count",
    f"inspect plain.json --model {SMALL} --depth 0": "--depth",
    "inspect plain.json --model ./missing": "./missing",
    "export mteb schema.json --output new": "schema.json",
    "export mteb plain.json --output card.md/new": "--output",
    "export model-card missing.json --card new.md": "missing.json",
    "export model-card plain.json --card full": "full",
    "export model-card plain.json --card card.md": "card.md",
    "export onnx ./missing --output new": "./missing",
    f"export onnx {SMALL} --output full": "full",
    "push missing me/hybrid": "missing",
    "push full me/hybrid": "full",
    "push held hybrid": "hybrid",
    "push held me/hybrid --results missing.json": "missing.json",
    "report plain.json --reference paper": "sample",
    "report plain.json tuned.json --measure P@1": "P@1",
    # data
    "data check sampel": "Did you mean sample?",
    "data check pairs.xlsx": "pairs.xlsx",
    "data check good.jsonl --run 1": "--run",
    "data check good.jsonl --column query": "--column",
    "data check good.jsonl --model ./missing": "./missing",
    "data get xquadr": "xquad-r",
    "data get sample": "sample",
    "data get mtop --from missing": "missing",
    "data get mtop --from full": "full",
    "data get miracl --languages xx": "xx",
    "data list --kind models": "--kind",
    "data list --language xxx": "xxx",
    "data translate good.jsonl --model ./missing --to de --output new.jsonl": "./missing",
    "data translate missing.jsonl --model held --to de --output new.jsonl": "missing.jsonl",
    "data translate good.jsonl --model held --to xxx --output new.jsonl": "xxx",
    "data translate good.jsonl --model held --to de --output new.xlsx": "new.xlsx",
    "data translate good.jsonl --model held --output new.jsonl": "--to",
    "data get beir": "beir",
    "data check good.jsonl --run 9": "--benchmark",
    "data check good.jsonl --batch-size 1": "--batch-size",
    "data check good.jsonl --column query=words": "words",
    "data check good.jsonl --column query=a --column query=b": "query",
    # models
    "mine --pairs missing.jsonl --output new.jsonl": "missing.jsonl",
    "mine --pairs good.jsonl --output good.jsonl": "--output",
    "mine --pairs good.jsonl --output new.xlsx": "new.xlsx",
    "mine --pairs good.jsonl --output full": "full",
    "mine --pairs broken.jsonl --output new.jsonl": "broken.jsonl, line 2",
    "mine --pairs good.jsonl --model ./missing --output new.jsonl": "./missing",
    "mine --pairs good.jsonl --corpus card.md --output new.jsonl": "--corpus",
    "mine --pairs good.jsonl --margin nan --output new.jsonl": "--margin",
    f"centre {SMALL} --output new": "--pairs",
    f"centre {SMALL} --pairs sample": "--output",
    "centre ./missing --pairs sample --output new": "./missing",
    f"trim {SMALL} --pairs missing.jsonl --output new": "missing.jsonl",
    f"trim {SMALL} --languages en --output full": "full",
    "average ./missing ./other --output new": "./missing",
    f"average {SMALL} {SMALL} --output full": "full",
    f"average {SMALL} {SMALL} --weights a,b --output new": "--weights",
    "encode ./missing --output new": "./missing",
    "mine --pairs good.jsonl --pairs copy/good.jsonl --output new": "good.jsonl",
    "mine --pairs twice.jsonl --pairs copy/good.jsonl --output copy": "--output",
    "mine --pairs good.jsonl --within-language --corpus speechless.jsonl --output new.jsonl": (
        "speechless.jsonl, line 2"
    ),
    # search
    "index --index new": "--input",
    "index --index new --input missing": "missing",
    "index --index new --input card.md --model ./missing": "./missing",
    "index --index new --input broken.jsonl": "broken.jsonl, line 2",
    "index --index new --input cells.csv --column text": "--column",
    "index --index new --input cells.csv --column text=words": "words",
    "index --index new --input cells.csv --column text=body --language xxx": "xxx",
    "index --index new --input card.md --export new.csv": "new.csv",
    "index --index new --delete 7": "new",
    "index --index new --delete 7 --length 9": "--input",
    "index --index full --input card.md": "full",
    "search question --index missing": "missing",
    "search question --index full": "full",
    "search question": "--index",
    "search question --index missing --where language": "--where",
    "search question --index missing --rerank-depth 4": "--rerank",
    "serve --index missing": "missing",
    "serve --index missing --port 99999999": "--port",
    "serve --index missing --api-key-file missing.txt": "missing",
    "index --index new --delete 7 --bf16": "--input",
    "index --index new --recall 9 --model a/b": "--model",
    "search --index missing": "question",
    # experiments
    f"{ALPHA} --set grid.alhpas=[0.1]": "alphas",
    f"{ALPHA} --set grid.alphas=5": "alphas",
    f"{ALPHA} --set training.seed=1": "training.seed",
    f"{ALPHA} --seeds 0": "seeds",
    f"{ALPHA} --recipe missing.toml": "missing.toml",
    f"{ALPHA} --recipe unknown.toml": "omega",
    "experiment scaling --recipe other.toml --output new": "other.toml",
    "experiment scaling --set grid.counts=5 --output new": "counts",
    f"{ALPHA} --benchmark smaple": "smaple",
    f"{ALPHA} --data xquad-r": "--data",
    f"{ALPHA} --held-out 2": "--held-out",
    f"{ALPHA} --model ./missing": "./missing",
    "experiment alpha --pairs missing.jsonl --output new": "missing.jsonl",
    f"{STRATEGIES} --strategy zigzag": "zigzag",
    f"{STRATEGIES} --variant a": "--variant",
    f"{STRATEGIES} --variant a:b=3": "'b'",
    f"{STRATEGIES} --variant hybrid:batches.size=3": "hybrid",
    f"{STRATEGIES} --benchmark xquad-r": "--benchmark",
    "experiment strategies missing.toml --pairs sample --benchmark sample=x --output new": "missing.toml",
    f"{ALPHA} --set steps=3": "steps",
    f"{ALPHA} --set training.sped=3": "training.sped",
    f"{ALPHA} --data sample=a --data sample=b": "--data",
    "experiment beta --output new": "beta",
    f"{STRATEGIES} --strategy specific": "specific",
    f"{STRATEGIES} --benchmark sample=y": "--benchmark",
    f"{STRATEGIES} --variant :loss.pull=1": "--variant",
    f"{STRATEGIES} --variant a:loss.pull=1 --variant a:loss.pull=2": "--variant",
    f"{STRATEGIES} --variant a:loss.teacher=b,steps=3": "steps=3",
    f"{STRATEGIES} --variant a:training.seed=1": "training.seed",
    f"{STRATEGIES} --set training.seed=1": "training.seed",
    f"{STRATEGIES} --set data.held_out=0.1": "data.held_out",
    "reproduce papers": "paper",
    "quickstart --outptu quick": "--outptu",
    "quickstart --model ./missing": "./missing",
    "trian": "trian",
    "experiment alpha --benchmark sample --output new": "--pairs",
    "index --index new --input good.jsonl --engine foo": "foo",
    "index --index full --input good.jsonl": "full",
    "reproduce paper --model bert": "bert",
    "reproduce paper --scale 2": "scale",
    "reproduce paper --source sample": "sample",
    "reproduce paper --benchmark smaple": "smaple",
    "quickstart --output quick": "--overwrite",
    f"trim {SMALL} --output new": "--pairs",
    f"{ALPHA} --data xquad-r=full": "full",
    f"{ALPHA} --benchmark xquad-r": "'xquad-r'",
    f"{ALPHA} --benchmark held-out": "--held-out",
    f"{ALPHA} --benchmark sample --set grid.alphas=[0.4]": "alphas",
}
LATE = {  # what is wrong is only known to what imports torch
    f"{ALPHA} --benchmark sample --set batches.size=99": "48",
    f'{ALPHA} --benchmark sample --set grid.languages=["en","fr"]': "'fr'",
    "evaluate nobody/no-such-model": "nobody/no-such-model",
    "evaluate TINY --max-length 5": "5 tokens",
    "evaluate TINY --max-length 65": "64 tokens",
    "evaluate TINY --centre model": "panglot centre",
    "evaluate TINY --centre good.jsonl --languages es": "good.jsonl",
    "evaluate TINY --centre card.md": "card.md",
    "inspect plain.json --model TINY": "plain",
    "inspect plain.json --model bm25": "bm25",
    "train --pairs sample --batch-size 4 --model nobody/no-such-model --output new": "nobody/no-such-model",
    "mine --pairs good.jsonl --model TINY --negatives 0 --output new.jsonl": "negatives",
    "mine --pairs good.jsonl --model TINY --margin 95 --output new.jsonl": "95",
    "mine --pairs mined.jsonl --model TINY --output new.jsonl": "--overwrite",
    "centre TINY --pairs sample --texts 0 --output new": "0 texts",
    "trim TINY --languages xq --output new": "'xq'",
    "trim TINY --languages fi --pairs sample --output new": "'fi'",
    "trim TINY --languages en --extra none.txt --output new": "none.txt",
    "encode TINY --benchmark sample --output full": "full",
    "encode TINY --benchmark sample --part 4/3 --output new": "4/3",
    "encode TINY --benchmark sample --dtype int4 --output new": "'int4'",
    "encode TINY --benchmark sample --shard-size 0 --output new": "shard",
    "encode TINY --benchmark sample --workers -1 --output new": "workers",
    "encode TINY --benchmark sample --languages xx --output new": "'xx'",
}


def answers_without(library: str, commands: Sequence[str], folder: Path) -> list[Answer]:
    """Return what each command answers in one process that cannot import a library."""
    program = [sys.executable, "-c", WITHOUT, library, json.dumps(commands)]
    wide = {**os.environ, "COLUMNS": "400"}
    done = subprocess.run(program, cwd=folder, env=wide, capture_output=True, text=True, check=True)
    return [tuple(answer) for answer in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, runs: list[Path]) -> Path:
    """A folder with good and wrong files."""
    folder = tmp_path_factory.mktemp("wrong")
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    write_manifest(folder / "half/checkpoints/checkpoint-1")
    for run in runs:
        for path in (run, run.with_suffix(".parquet")):
            shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> dict[str, Answer]:
    """What each wrong command answers."""
    return dict(zip(WRONG, answers_without("torch", list(WRONG), folder), strict=True))


def check(said: str, wrong: str) -> None:
    """Check that a command said what is wrong, and how to fix it."""
    if "─ Error ─" not in said:  # of the options themselves, as typer shows it
        *before, said = said.rstrip("\n").split("\n")
        assert all(line.startswith(("loading ", "settings tested ", "note: ")) for line in before), before
        assert said.startswith("error: ") and said.endswith((".", "?")), said
        assert len(re.findall(r"[.?](?: |$)", said.replace(", ... ", ", "))) in (1, 2), said
    assert wrong in said
    assert FIX.search(said), said


@pytest.mark.parametrize("command", WRONG)
def test_an_error_names_what_is_wrong_and_how_to_fix_it(command: str, answers: dict[str, Answer]) -> None:
    code, out, said, new = answers[command]
    assert (code, out, new) == (2, "", []), said
    check(said, WRONG[command])


@pytest.mark.parametrize("command", LATE)
def test_so_does_an_error_that_needs_torch(
    panglot: Callable[..., Any],
    folder: Path,
    tiny_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    outcome = panglot(*command.replace("TINY", str(tiny_checkpoint)).split())
    assert (outcome.code, outcome.out, sorted(folder.rglob("*"))) == (2, "", before), outcome.err
    check(outcome.err, LATE[command])


def test_help_is_shown_without_numpy(tmp_path: Path) -> None:
    helped = answers_without("numpy", ["--help", "train --help", "data get --help"], tmp_path)
    assert [(code, said) for code, _, said, _ in helped] == [(0, "")] * 3
