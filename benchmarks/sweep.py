"""Malformed inputs, corrupted files, kills and load: counts of what must not happen.

python benchmarks/sweep.py [--parts inputs index checkpoints kills load] [--count 20] [--kills 20]
                           [--flips 150] [--clients 64 600] [--seconds 10] [--seed 0]

Each case is one command in a forked process, whose end is counted:

- ``ok``: exit code 0. ``sentence``: exit code 2, one sentence, no traceback.
- ``traceback``: an error that is no sentence on the input. ``died``: a signal, such as a segmentation fault.
- ``hung``: no end within half a minute. ``silent``: exit code 0 where the damage must be noticed.

The seed gives the cases. The exit code is 1 if there is a traceback, a death, a hang or a silent wrong.
"""

import argparse
import asyncio
import csv
import gzip
import importlib
import io
import json
import math
import os
import pkgutil
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ |= {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "COLUMNS": "200",
}

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

import panglot as package
from panglot.cli import main as panglot
from panglot.data.pairs_files.read import SAMPLE_FOLDER as SAMPLE
from panglot.files import sha256

BAD = ("traceback", "died", "hung", "silent")
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1e999,
    math.nan,
    0.5,
    "",
    "x",
    "\ud800",
    "\x1b[31m\0",
    [],
    {},
    [[]],
)
Argument = str | Path
Command = list[Argument]


@dataclass(frozen=True)
class Outcome:
    """How a command ended, what it printed, and the most memory that it held, in MB."""

    kind: str
    out: str
    err: str
    megabytes: int


def run(arguments: Sequence[Argument], *, seconds: float = 30, kill_after: float | None = None) -> Outcome:
    """Run ``panglot ARGUMENTS...`` in a forked process."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdout = io.TextIOWrapper(io.FileIO(1, "w"), "utf-8", "backslashreplace")
            sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), "utf-8", "backslashreplace")
            sys.argv = ["panglot", *(os.fsdecode(os.fspath(argument)) for argument in arguments)]
            code: Any = 99
            try:
                panglot()
            except SystemExit as end:
                code = end.code or 0
            except BaseException as error:
                print(f"UNCAUGHT {type(error).__name__}: {error}", file=sys.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        start, hung, killed = time.monotonic(), False, False
        while True:
            done, status, used = os.wait4(pid, os.WNOHANG)
            if done:
                break
            spent = time.monotonic() - start
            hung = hung or spent > seconds
            killed = killed or (kill_after is not None and spent > kill_after)
            if hung or killed:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        out.seek(0)
        err.seek(0)
        said, complaint = (file.read().decode("utf-8", "replace") for file in (out, err))
    code = os.waitstatus_to_exitcode(status)
    kind = {0: "ok", 2: "sentence"}.get(code, "traceback" if code > 0 else "died")
    kind = "hung" if hung else "killed" if killed and code < 0 else kind
    if kind == "sentence" and ("Traceback" in complaint or not complaint.strip()):
        kind = "traceback"
    if code == 1 and "error in panglot" not in complaint and "UNCAUGHT" not in complaint:
        kind = "sentence"  # data check, whose findings give 1
    return Outcome(kind, said, complaint, used.ru_maxrss >> 10)


def tiny_model(folder: Path) -> Path:
    """Write a BERT of two small random layers that reads the sample's characters."""
    texts = (SAMPLE / "train.jsonl").read_text("utf-8") + (SAMPLE / "held-out.jsonl").read_text("utf-8")
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    number = {token: k for k, token in enumerate([*special.values(), *sorted(set(texts))])}
    tokenizer = Tokenizer(models.WordLevel(number, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    ends = [(token, number[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=48, **special)  # type: ignore[no-untyped-call]
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertModel(BertConfig(vocab_size=len(number), max_position_embeddings=64, **shape)).save_pretrained(folder)
    return folder


# ---- mutations: bytes of a valid file to bytes of a malformed one


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Change bytes, whatever they mean."""
    at, size = rng.randrange(max(1, len(content))), rng.choice((1, 4, 64))
    return rng.choice(
        (
            b"",
            content[:at],
            content[:at] + bytes(rng.randrange(256) for _ in range(size)) + content[at + size :],
            content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :],
            content[:at] + content[at + size :],
            content[:at] + b"\xff\xfe\xc3(\x00" + content[at:],
            content[:at] + b'"[{' * 50 + content[at:],
            content[:at] + b"9" * 5000 + content[at:],
            b"\xef\xbb\xbf" + content,
            content.replace(b"\n", b"\r"),
            content[at:] + content[:at],
            b"[" * 100_000,
            content.decode("utf-8", "replace").encode("utf-16"),
        )
    )


def other_json(content: bytes, rng: random.Random) -> bytes:
    """Replace, remove or nest one value of a JSON file, or of one line of JSON lines."""
    lines = content.splitlines()
    whole = content.lstrip()[:1] == b"[" or len(lines) == 1 or not lines[0].rstrip().endswith(b"}")
    k = rng.randrange(len(lines))
    value = json.loads(content if whole else lines[k])
    places: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        outer = todo.pop()
        keys = list(outer) if isinstance(outer, dict) else range(len(outer))
        places += [(outer, key) for key in keys]
        todo += [outer[key] for key in keys if isinstance(outer[key], dict | list)]
    if places:
        outer, key = rng.choice(places)
        if rng.random() < 0.15:
            del outer[key]
        else:
            deep: Any = outer[key]
            for _ in range(rng.choice((3, 90, 400))):
                deep = [deep]
            outer[key] = rng.choice((*ODD, [outer[key]], {"x": outer[key]}, deep, str(outer[key])))
    else:
        value = rng.choice(ODD)
    changed = json.dumps(value).encode()
    return changed if whole else b"\n".join([*lines[:k], changed, *lines[k + 1 :]]) + b"\n"


def other_settings(content: bytes, rng: random.Random) -> bytes:
    """Replace a value of a TOML or YAML file, or add a line."""
    lines = content.splitlines()
    values = (
        b"nan",
        b"-inf",
        b"1e999",
        b"9" * 5000,
        b"-1",
        b"0",
        b"true",
        b'""',
        b"[" * 500 + b"]" * 500,
        b"{x = 1}",
        b'"\\u0000"',
        b"1979-05-27T07:32:00Z",
        b"[1, 'a']",
        b"&a [*a]",
        b"!!int 'x'",
        b"!!timestamp 'x'",
        b"9" * 30,
    )
    filled = [k for k, line in enumerate(lines) if b"=" in line or b": " in line]
    k = rng.choice(filled)
    sign = b"=" if b"=" in lines[k] else b":"
    name = lines[k].partition(sign)[0]
    line = rng.choice(
        (name + sign + b" " + rng.choice(values), b"[" + b"a." * 3000 + b"a]", name + sign, b"- x")
    )
    return b"\n".join([*lines[:k], line, *lines[k + 1 :]])


def other_columns(content: bytes, rng: random.Random) -> bytes:
    """Give a column of a Parquet file another type, or broken UTF-8."""
    table = pq.read_table(io.BytesIO(content))
    k = rng.randrange(table.num_columns)
    n = table.num_rows
    column = rng.choice(
        (
            pa.array(range(n)),
            pa.array([b"\xff\xfe"] * n),
            pa.array([[1.5]] * n),
            pa.nulls(n),
            pa.array([{"a": None}] * n),
            pa.array([True] * n),
            pa.array([math.nan] * n),
            pa.array([2**63] * n, pa.uint64()),
            pa.array([0] * n, pa.timestamp("us")),
            pa.Array.from_buffers(
                pa.string(),
                n,
                [None, pa.array(range(n + 1), pa.int32()).buffers()[1], pa.py_buffer(b"\xff" * n)],
            ),
        )
    )
    table = table.set_column(k, table.column_names[k], column)
    table = rng.choice((table, table.slice(0, 0), table.drop_columns(table.column_names[k])))
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


Mutation = Callable[[bytes, random.Random], bytes]
MUTATIONS: dict[str, tuple[Mutation, ...]] = {
    "json": (damaged, other_json, other_json, other_json),
    "settings": (damaged, other_settings, other_settings),
    "parquet": (damaged, other_columns),
    "other": (damaged,),
}


def special_files(path: Path) -> Iterator[str]:
    """Put what is no plain file under a name, one kind after the other."""
    for kind in ("folder", "pipe", "dangling link", "device", "missing", "empty file"):
        path.unlink(missing_ok=True)
        if kind == "folder":
            path.mkdir()
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind in ("dangling link", "device"):
            path.symlink_to("/dev/zero" if kind == "device" else "nowhere")
        elif kind != "missing":
            path.write_bytes(b"")
            path.chmod(0)
        yield kind
        if path.is_dir() and not path.is_symlink():
            path.rmdir()


# ---- valid inputs, and the commands that read them


@dataclass(frozen=True)
class Target:
    """A file that is made malformed, and the command that reads it."""

    name: str
    file: Path
    command: Command
    kind: str = "json"


def put(path: Path, content: bytes | str | list[Any] | dict[str, Any]) -> Path:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list | dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def make_files(place: Path, model: Path) -> list[Target]:
    """Write small valid files of the formats that people bring."""
    rows = [json.loads(line) for line in (SAMPLE / "train.jsonl").read_text("utf-8").splitlines()[:24]]
    for row in rows[:3]:
        row["negatives"] = ["another passage"]
    jsonl = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    fields = ("item_id", "language", "query", "passage")
    texts = [
        {"id": str(k), "text": row["passage"], "language": row["language"], "n": k}
        for k, row in enumerate(rows)
    ]

    def table(path: str, of: list[dict[str, Any]]) -> Path:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(of), place / path)
        return place / path

    def separated(sign: str) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=sign).writerows([fields, *([row[f] for f in fields] for row in rows)])
        return text.getvalue()

    out = place / "out"

    def check(path: Path) -> Command:
        return ["data", "check", path]

    found = [
        Target("pairs.jsonl", path := put(place / "a/pairs.jsonl", jsonl), check(path)),
        Target(
            "pairs.jsonl.gz",
            path := put(place / "a/p.jsonl.gz", gzip.compress(jsonl.encode())),
            check(path),
            "other",
        ),
        Target(
            "pairs.jsonl.zst",
            path := put(place / "a/p.jsonl.zst", pa.compress(jsonl.encode(), "zstd", asbytes=True)),
            check(path),
            "other",
        ),
        Target("pairs.csv", path := put(place / "a/pairs.csv", separated(",")), check(path), "other"),
        Target("pairs.tsv", path := put(place / "a/pairs.tsv", separated("\t")), check(path), "other"),
        Target("pairs.parquet", path := table("a/pairs.parquet", rows), check(path), "parquet"),
    ]

    def index(path: Path) -> Command:
        place_of: Command = ["--index", out / "index", "--engine", "exact"]
        return ["index", *place_of, "--model", model, "--input", path]

    found += [
        Target(
            "documents.jsonl",
            path := put(place / "d/d.jsonl", "".join(json.dumps(row) + "\n" for row in texts)),
            index(path),
        ),
        Target("documents.parquet", path := table("d/d.parquet", texts), index(path), "parquet"),
        Target(
            "documents.csv",
            path := put(place / "d/d.csv", "id,text,language\n1,one,en\n2,moja,sw\n"),
            index(path),
            "other",
        ),
        Target(
            "documents.md",
            path := put(place / "d/d.md", "---\ntitle: A\nlang: en\n---\n# One\ntext\n"),
            index(path),
            "settings",
        ),
        Target(
            "documents.html",
            path := put(place / "d/d.html", "<html lang=en><title>A</title><p>text"),
            index(path),
            "other",
        ),
    ]
    context = "Owls fly. Bats hang."
    answer = {"answer_start": 10, "text": "Bats"}
    asked = {"id": "a", "question": "What hangs?", "answers": [answer]}
    paragraph = {
        "context": context,
        "sentences": ["Owls fly.", "Bats hang."],
        "sentence_breaks": [[0, 9], [10, 20]],
        "qas": [asked],
    }
    lareqa = {"data": [{"title": "t", "paragraphs": [paragraph]}]}
    put(place / "lareqa/de.json", lareqa)
    put(place / "beir/queries.jsonl", '{"_id": "q", "text": "what hangs"}\n')
    put(place / "beir/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq\td\t1\n")
    put(
        place / "beir/corpus.jsonl",
        '{"_id": "d", "title": "", "text": "bats hang"}\n{"_id": "e", "text": "owls"}\n',
    )
    images = [
        {"image/key": k, "en": {"caption": ["a bat", "bats"]}, "de": {"caption": ["eine Eule"]}} for k in "ab"
    ]
    mkqa = [{"example_id": k, "queries": {"en": f"who {k}", "de": f"wer {k}"}} for k in range(2)]
    forms = {"en": "[IN:GET_X ]", "de": "[IN:GET_X ]"}
    mtop = [
        {"id": k, "question": {"en": f"play {k}", "de": f"spiele {k}"}, "mr": {"slot_intent": forms}}
        for k in (1, 2)
    ]

    def measured(name: str, folder: str) -> Command:
        return ["evaluate", "bm25", "--benchmark", name, "--data", place / folder]

    found += [
        Target("lareqa", put(place / "lareqa/en.json", lareqa), measured("xquad-r", "lareqa")),
        Target("squad", put(place / "squad/data/arcd.json", lareqa), measured("arcd", "squad")),
        Target(
            "captions",
            put(place / "xm/captions.jsonl", "".join(json.dumps(i) + "\n" for i in images)),
            measured("xm3600", "xm"),
        ),
        Target(
            "mkqa",
            put(place / "mkqa/mkqa.jsonl", "".join(json.dumps(i) + "\n" for i in mkqa)),
            measured("mkqa", "mkqa"),
        ),
        Target("mtop", put(place / "mtop/test.json", mtop), measured("mtop", "mtop")),
        Target("beir corpus", place / "beir/corpus.jsonl", measured("nfcorpus", "beir")),
        Target("beir queries", place / "beir/queries.jsonl", measured("nfcorpus", "beir")),
        Target("beir judgements", place / "beir/qrels/test.tsv", measured("nfcorpus", "beir"), "other"),
    ]
    return found


def make_inputs(place: Path) -> tuple[Path, list[Target]]:
    """Write small valid files of every kind that panglot reads; return the model and the files."""
    model = tiny_model(place / "model")
    found, out = make_files(place, model), place / "out"
    prepared: list[Command] = [
        ["evaluate", "bm25", "--languages", "en,de", "--output", place / "r/one.json"],
        ["evaluate", model, "--languages", "en,de", "--output", place / "r/two.json"],
        [
            "index",
            "--index",
            place / "index",
            "--engine",
            "exact",
            "--model",
            model,
            "--input",
            place / "d/d.jsonl",
        ],
        ["centre", model, "--pairs", place / "a/pairs.jsonl", "--output", place / "means.safetensors"],
        ["encode", model, "--benchmark", "sample", "--output", place / "store"],
        [
            "train",
            "--pairs",
            SAMPLE / "train.jsonl",
            "--model",
            model,
            "--steps",
            "2",
            "--batch-size",
            "4",
            "--output",
            place / "trained",
        ],
    ]
    for command in prepared:
        ended = run(command, seconds=600)
        assert ended.kind == "ok", (command, ended)
    worst = run(["inspect", place / "r/two.json", "--json"])
    put(place / "worst.json", worst.out)
    quick = ["--resamples", "20", "--flips", "20"]
    recipe = "[data]\npairs = ['a/pairs.jsonl']\n[batches]\nsize = 4\nstrategy = 'hybrid'\nalpha = 0.5\n[loss]\ntemperature = 0.05\n[training]\nsteps = 1\nlearning_rate = 1e-3\nseed = 1\n"  # noqa: E501
    card = "---\nlanguage: en\nmodel-index:\n- name: a\n  results: []\n---\n# Card\n"
    one, two = place / "r/one.json", place / "r/two.json"
    english = ["--languages", "en", "--benchmark", "sample"]
    found += [
        Target("results", two, ["compare", one, two, *quick]),
        Target("results, report", two, ["report", two, *quick, "--output", out / "r.html"]),
        Target("results, mteb", two, ["export", "mteb", two, "--output", out / "mteb"]),
        Target("results, card", two, ["export", "model-index", two, "--card", out / "new.md"]),
        Target("results, inspect", two, ["inspect", two, "--count", "1"]),
        Target("results table", two.with_suffix(".parquet"), ["compare", one, two, *quick], "parquet"),
        Target(
            "failures",
            place / "worst.json",
            ["report", two, *quick, "--output", out / "r.html", "--failures", place / "worst.json"],
        ),
        Target(
            "card",
            put(place / "README.md", card),
            ["export", "model-index", two, "--card", place / "README.md"],
            "settings",
        ),
        Target(
            "recipe",
            put(place / "recipe.toml", recipe),
            ["train", place / "recipe.toml", "--steps", "1", "--model", model, "--output", out / "run"],
            "settings",
        ),
        Target(
            "experiment",
            put(place / "e.toml", "seeds = 1\nmeasure = 'AP'\n[grid]\nalphas = [0.0, 0.5]\n"),
            [
                "experiment",
                "alpha",
                "--recipe",
                place / "e.toml",
                "--pairs",
                place / "none.jsonl",
                "--output",
                out / "e",
            ],
            "settings",
        ),
        Target("index facts", place / "index/index.json", ["search", "owls", "--index", place / "index"]),
        Target(
            "language means",
            place / "means.safetensors",
            ["evaluate", model, *english, "--centre", place / "means.safetensors"],
            "other",
        ),
        Target(
            "store facts",
            place / "store/store.json",
            ["evaluate", model, "--benchmark", "sample", "--store", place / "store"],
        ),
        Target(
            "store shard",
            next((place / "store").glob("shard-*.npy")),
            ["evaluate", model, "--benchmark", "sample", "--store", place / "store"],
            "other",
        ),
        Target("run.json", place / "trained/run.json", ["evaluate", place / "trained", *english]),
    ]
    for path in sorted((place / "trained").rglob("*")):
        if path.suffix in (".json", ".safetensors") and path.name not in (
            "run.json",
            "log.json",
            "trainer_state.json",
        ):
            kind = "json" if path.suffix == ".json" else "other"
            name = f"model: {path.relative_to(place / 'trained')}"
            found.append(Target(name, path, ["evaluate", place / "trained", *english], kind))
    return model, found


def inputs(place: Path, count: int, seed: int) -> Counter[tuple[str, str]]:
    """Give malformed files, options and outputs to the commands."""
    model, targets = make_inputs(place)
    tally: Counter[tuple[str, str]] = Counter()
    out = place / "out"

    def note(name: str, command: Command, must_fail: bool = False, of: str = "") -> None:
        shutil.rmtree(out, ignore_errors=True)
        ended = run(command)
        kind = "silent" if must_fail and ended.kind == "ok" else ended.kind
        tally[name, kind] += 1
        if kind in BAD:
            print(f"{kind}: {name} {of} {command[:2]} {command[-2:]}: {ended.err.strip()[-700:]}", flush=True)
            keep = Path(tempfile.gettempdir()) / "sweep-failures"
            keep.mkdir(exist_ok=True)
            for target in targets:
                if target.name == name and target.file.is_file() and target.file.stat().st_size < 1 << 22:
                    (keep / f"{sum(tally.values())}-{target.file.name}").write_bytes(target.file.read_bytes())

    for number, target in enumerate(targets):
        print(f"{number}/{len(targets)} {target.name}", file=sys.stderr, flush=True)
        rng = random.Random(f"{seed} {target.name}")
        valid = target.file.read_bytes()
        try:
            for _ in range(count):
                content = rng.choice(MUTATIONS[target.kind])(valid, rng)
                target.file.write_bytes(content)
                packed = target.file.suffix in (".gz", ".zst", ".parquet")
                cut = packed and 0 < len(content) < len(valid) and valid.startswith(content)
                note(target.name, target.command, must_fail=cut)
            for kind in special_files(target.file):
                note(
                    f"no plain file: {kind}",
                    target.command,
                    of=target.name,
                    must_fail=kind in ("pipe", "device", "dangling link", "folder")
                    and target.file.name not in ("README.md", "run.json")
                    and not target.name.startswith("model"),
                )
        finally:
            target.file.unlink(missing_ok=True)
            target.file.write_bytes(valid)
    for name, command in odd_options(place, model):
        note(name, command)
    for command in odd_copies(place):
        note("data get --from", command, must_fail=True)
    return tally


def odd_options(place: Path, model: Path) -> Iterator[tuple[str, Command]]:
    """Yield commands with numbers out of range, invalid bytes and outputs that cannot be."""
    pairs, one, two = place / "a/pairs.jsonl", place / "r/one.json", place / "r/two.json"
    out, few = place / "out", ["--resamples", "5", "--flips", "5"]
    train: Command = [
        "train",
        "--pairs",
        pairs,
        "--model",
        model,
        "--steps",
        "1",
        "--batch-size",
        "2",
        "--output",
        out / "m",
    ]
    numbers: list[tuple[Command, list[str]]] = [
        (
            train,
            [
                "--steps",
                "--batch-size",
                "--learning-rate",
                "--temperature",
                "--alpha",
                "--max-length",
                "--held-out",
                "--seed",
                "--eval-steps",
                "--save-steps",
                "--patience",
                "--embedding-learning-rate",
            ],
        ),
        (["compare", one, two, *few], ["--alpha", "--baseline", "--resamples", "--flips", "--seed"]),
        (
            ["report", one, *few, "--output", out / "r.html"],
            ["--alpha", "--baseline", "--resamples", "--flips", "--seed"],
        ),
        (["evaluate", model, "--languages", "en"], ["--max-length", "--seed", "--run-depth"]),
        (["encode", model, "--output", out / "s"], ["--shard-size", "--workers", "--max-length", "--part"]),
        (["inspect", two], ["--count", "--depth", "--max-length"]),
        (
            ["mine", "--pairs", pairs, "--model", model, "--output", out / "m.jsonl"],
            ["--negatives", "--margin", "--absolute-margin", "--duplicate", "--skip-top", "--max-length"],
        ),
        (["centre", model, "--pairs", pairs, "--output", out / "c"], ["--texts", "--max-length"]),
        (["trim", model, "--output", out / "t", "--pairs", pairs], ["--min-count"]),
        (["average", model, model, "--output", out / "a"], ["--weights"]),
        (["search", "owls", "--index", place / "index"], ["--top"]),
        (
            [
                "index",
                "--index",
                out / "i",
                "--engine",
                "exact",
                "--model",
                model,
                "--input",
                place / "d/d.jsonl",
            ],
            ["--length", "--max-length", "--recall"],
        ),
        (["data", "check", pairs], ["--run", "--batch-size"]),
    ]
    for command, names in numbers:
        for name in names:
            for text in ("nan", "inf", "-inf", str(10**22), "-1", "0", "", "x", "1e999", "\udcff"):
                if not (name == "--steps" and text == str(10**22)):
                    yield "numbers", [*command, name, text]
    yield "numbers", [*train, "--steps", str(10**22), "--learning-rate", "nan"]
    (place / "folder").mkdir(exist_ok=True)
    os.mkfifo(place / "pipe")
    (place / "file").write_text("x")
    outputs: list[tuple[Command, str]] = [
        (train[:-2], "--output"),
        (["report", one, *few], "--output"),
        (["report", one, *few, "--output", out / "r.html"], "--assets"),
        (["evaluate", model, "--languages", "en"], "--output"),
        (["evaluate", model, "--languages", "en"], "--runs"),
        (["encode", model], "--output"),
        (["mine", "--pairs", pairs, "--model", model], "--output"),
        (["centre", model, "--pairs", pairs], "--output"),
        (["trim", model, "--pairs", pairs], "--output"),
        (["average", model, model], "--output"),
        (["export", "mteb", two], "--output"),
        (["export", "model-index", two], "--card"),
        (["export", "onnx", model], "--output"),
        (["index", "--index", place / "index"], "--export"),
        (["data", "translate", pairs, "--model", model, "--to", "sw"], "--output"),
        (["quickstart", "--model", model], "--output"),
        (["index", "--input", place / "d/d.jsonl", "--model", model], "--index"),
    ]
    for command, name in outputs:
        given = {str(word) for word in command}
        for value in (
            place / "file/below",
            place / "pipe",
            "",
            "\udcff/x",
            "/dev/full/x",
            "/proc/x",
            pairs,
            one,
            "a" * 300,
            place / "new.parquet",
        ):
            if not (name == "--output" and str(value) in (str(pairs), str(one)) and str(value) not in given):
                yield "outputs", [*command, name, value]
        if name in ("--card", "--export") or command[0] in ("report", "evaluate"):
            yield "outputs", [*command, name, place / "folder"]
    invalid: list[Command] = [
        ["search", "\udcff", "--index", place / "index"],
        ["evaluate", "\udcff"],
        ["data", "info", "\udcff"],
        ["\udcff"],
        ["train", "\udcff.toml", "--output", out / "m"],
        ["data", "check", "\udcff.jsonl"],
        ["compare", "\udcff", "\udcff"],
        ["search", "--index", "\udcff", "x"],
        ["index", "--index", out / "\udcff", "--input", place / "d/d.jsonl"],
        [*train, "--set", "batches.alpha=\udcff"],
        [*train, "--set", "a" * 10_000 + "=1"],
        ["evaluate", "bm25", "--data", "\udcff"],
        [*train, "--set", "batches.alpha=" + "[" * 5000],
        [*train, "--set", "batches.size=" + "9" * 5000],
    ]
    yield from (("bytes in arguments", command) for command in invalid)


def odd_copies(place: Path) -> Iterator[Command]:
    """Yield ``data get --from`` a folder with links out of it, a pipe, or a link to itself."""
    os.environ["PANGLOT_CACHE"] = str(place / "cache")
    for kind in ("link to a file", "link to a folder", "pipe", "loop"):
        folder = place / "from" / kind
        (folder / "data").mkdir(parents=True)
        shutil.copyfile(place / "squad/data/arcd.json", folder / "data/arcd.json")
        odd = folder / "data" / "odd"
        if kind == "pipe":
            os.mkfifo(odd)
        else:
            odd.symlink_to(
                {"link to a file": "/etc/hostname", "link to a folder": "/etc", "loop": ".."}[kind]
            )
        yield ["data", "get", "arcd", "--from", folder]


def memory(place: Path) -> Counter[tuple[str, str]]:
    """Give a line of 200 MB, and one of 4 GB in a small gzip file: each must fail within 1 GB of memory."""
    tally: Counter[tuple[str, str]] = Counter()
    model = tiny_model(place / "model")
    line, bomb = place / "line.jsonl", place / "bomb.jsonl.gz"
    line.write_bytes(b'{"item_id": "' + b"a" * (200 << 20) + b'"}\n')
    with gzip.open(bomb, "wb", 1) as file:
        for _ in range(64):
            file.write(b" " * (64 << 20))
    index: Command = ["index", "--index", place / "i", "--engine", "exact", "--model", model, "--input"]
    check: Command = ["data", "check"]
    for command in ([*check, line], [*check, bomb], [*index, line], [*index, bomb]):
        before = run(["--version"]).megabytes
        ended = run(command)
        more = ended.megabytes - before
        print(f"memory: {command[-1]}: {more} MB more, {ended.err.strip()[-160:]}")
        tally["a row without an end", "silent" if ended.kind == "ok" or more > 1024 else ended.kind] += 1
    return tally


# ---- corruption


def index(place: Path, flips: int, seed: int) -> Counter[tuple[str, str]]:
    """Flip, cut and remove in the files of an exact index: a search must answer as before, or say why not."""
    model = tiny_model(place / "model")
    rows = (SAMPLE / "train.jsonl").read_text("utf-8").splitlines()[:120]
    for k in range(3):
        part = place / f"part-{k}.jsonl"
        texts = [
            {"id": str(n), "text": json.loads(row)["passage"], "language": "en"}
            for n, row in enumerate(rows)
            if n % 3 == k
        ]
        part.write_text("".join(json.dumps(text) + "\n" for text in texts))
        run(
            ["index", "--index", place / "index", "--engine", "exact", "--model", model, "--input", part],
            seconds=600,
        )
    search: Command = ["search", "What do owls do?", "--index", place / "index", "--top", "5", "--json"]
    right = run(search)
    assert right.kind == "ok", right
    files = sorted(path for path in (place / "index").rglob("*") if path.is_file() and path.stat().st_size)
    rng, tally = random.Random(seed), Counter[tuple[str, str]]()
    for number in range(flips):
        path = files[number % len(files)]
        valid = path.read_bytes()
        at = rng.randrange(len(valid))
        how = rng.choice(("flip", "flip", "flip", "cut", "remove"))
        if how == "remove":
            path.unlink()
        else:
            changed = bytes([valid[at] ^ (1 << rng.randrange(8))])
            path.write_bytes(valid[:at] if how == "cut" else valid[:at] + changed + valid[at + 1 :])
        ended = run(search)
        kind = "silent" if ended.kind == "ok" and ended.out != right.out else ended.kind
        tally[f"index: {how}", kind] += 1
        if kind in BAD:
            print(f"{kind}: {how} at {at} of {path.name}: {ended.err.strip()[-500:]}", flush=True)
        path.write_bytes(valid)
    return tally


def training(place: Path, model: Path, output: Path) -> Command:
    """Return a short training with four checkpoints."""
    more: Command = [
        "--model",
        model,
        "--steps",
        "24",
        "--save-steps",
        "6",
        "--batch-size",
        "8",
        "--languages",
        "en,de",
    ]
    return ["train", "--pairs", SAMPLE / "train.jsonl", *more, "--output", place / output]


def checkpoints(place: Path, flips: int, seed: int) -> Counter[tuple[str, str]]:
    """Damage the newest checkpoint of a stopped run: it must resume to the same weights, or say why not."""
    model = tiny_model(place / "model")
    assert run(training(place, model, Path("whole")), seconds=600).kind == "ok"
    right = sha256(place / "whole/model.safetensors")
    stopped = place / "stopped"
    after = 0.3
    while len(list(stopped.glob("checkpoints/checkpoint-*/sha256.json"))) < 2:
        shutil.rmtree(stopped, ignore_errors=True)
        run(training(place, model, stopped), seconds=600, kill_after=after)
        after = after * 1.1 if after < 20 else 0.3
    rng, tally = random.Random(seed), Counter[tuple[str, str]]()
    for _ in range(flips):
        copy = place / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(stopped, copy)
        newest = max(copy.glob("checkpoints/checkpoint-*"), key=lambda path: int(path.name[11:]))
        path = rng.choice(sorted(path for path in newest.rglob("*") if path.is_file()))
        valid = path.read_bytes()
        at = rng.randrange(len(valid))
        how = rng.choice(("flip", "cut", "remove"))
        if how == "remove":
            path.unlink()
        else:
            path.write_bytes(
                valid[:at] + (bytes([valid[at] ^ 1]) + valid[at + 1 :] if how == "flip" else b"")
            )
        ended = run([*training(place, model, copy), "--resume"], seconds=600)
        same = ended.kind != "ok" or sha256(copy / "model.safetensors") == right
        kind = ended.kind if same else "silent"
        tally[f"checkpoint: {how}", kind] += 1
        if kind in BAD:
            print(f"{kind}: {how} at {at} of {path.name}: {ended.err.strip()[-500:]}", flush=True)
    return tally


# ---- kills


def kills(place: Path, count: int, seed: int) -> Counter[tuple[str, str]]:
    """Kill training, indexing and updating at random, go on, and compare with what was never killed."""
    model, rng = tiny_model(place / "model"), random.Random(seed)
    return kill_training(place, model, count, rng) + kill_indexing(place, model, count, rng)


def kill_training(place: Path, model: Path, count: int, rng: random.Random) -> Counter[tuple[str, str]]:
    """Weights after a kill and a resume must be those of a run that was never killed, bit for bit."""
    tally: Counter[tuple[str, str]] = Counter()
    start = time.monotonic()
    assert run(training(place, model, place / "whole"), seconds=600).kind == "ok"
    seconds = time.monotonic() - start
    right = sha256(place / "whole/model.safetensors")
    for _ in range(count):
        folder = place / "run"
        shutil.rmtree(folder, ignore_errors=True)
        first = run(training(place, model, folder), seconds=600, kill_after=rng.uniform(0, seconds))
        begun = (folder / "run.json").exists() and first.kind == "killed"
        again = run([*training(place, model, folder), *(["--resume"] if begun else [])], seconds=600)
        finished = again.kind == "ok" or "finished" in again.err or "already holds" in again.err
        same = finished and sha256(folder / "model.safetensors") == right
        tally["killed training", "same" if same else "silent"] += 1
        if not same:
            print(f"training: {first.kind}, then {again.kind}: {again.err.strip()[-500:]}", flush=True)
    return tally


def kill_indexing(place: Path, model: Path, count: int, rng: random.Random) -> Counter[tuple[str, str]]:
    """An index after a kill and the same command again must have every passage, once and with its vector."""
    tally: Counter[tuple[str, str]] = Counter()
    rows = [json.loads(row) for row in (SAMPLE / "train.jsonl").read_text("utf-8").splitlines()]
    for version in ("old", "new"):
        texts = [
            {"id": str(n), "text": f"{version} {row['passage']}", "language": "en"}
            for n, row in enumerate(rows)
        ]
        put(place / f"{version}.jsonl", "".join(json.dumps(text) + "\n" for text in texts))

    def indexing(name: str, version: str) -> Command:
        options: Command = ["--engine", "exact", "--model", model, "--recall", "0"]
        return ["index", "--index", place / name, *options, "--input", place / f"{version}.jsonl"]

    def found(name: str) -> dict[str, tuple[str, Any]]:
        table = place / f"{name}.parquet"
        assert run(["index", "--index", place / name, "--export", table]).kind == "ok"
        return {row["id"]: (row["text"], np.array(row["vector"])) for row in pq.read_table(table).to_pylist()}

    start = time.monotonic()
    for version in ("old", "new"):
        assert run(indexing("index", version), seconds=600).kind == "ok"
    seconds = (time.monotonic() - start) / 2
    right = found("index")
    assert len(right) >= len(rows)
    for what in ("indexing", "updating") * count:
        shutil.rmtree(place / "again", ignore_errors=True)
        if what == "updating":
            assert run(indexing("again", "old"), seconds=600).kind == "ok"
        run(indexing("again", "new"), seconds=600, kill_after=rng.uniform(0, seconds))
        ended = run(indexing("again", "new"), seconds=600)
        hits = found("again") if ended.kind == "ok" else {}
        same = hits.keys() == right.keys() and all(
            text == right[name][0]
            and np.abs(vector - right[name][1]).max() < 1e-5  # other batches round otherwise
            for name, (text, vector) in hits.items()
        )
        tally[f"killed {what}", "same" if same else "silent"] += 1
        if not same:
            print(f"{what}: {ended.kind}: {ended.err.strip()[-500:]}", flush=True)
    return tally


# ---- load


async def client(
    host: str, port: int, until: float, number: int, tally: Counter[tuple[str, str]], name: str
) -> None:
    """Ask one question after the other over a connection that stays open; after an error over another."""
    count = 0
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 30)
            try:
                while time.monotonic() < until:
                    count += 1
                    body = json.dumps({"queries": [f"question {number} {count}"], "k": 5}).encode()
                    head = f"POST /search HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
                    writer.write(head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
                    answer = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)).decode()
                    length = next(
                        int(line.split(":")[1])
                        for line in answer.split("\r\n")
                        if line.lower().startswith("content-length")
                    )
                    await reader.readexactly(length)
                    tally[name, answer.split(" ")[1]] += 1
                    if "connection: close" in answer.lower():
                        break
            finally:
                writer.close()
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            tally[name, type(error).__name__] += 1
            await asyncio.sleep(0.1)


def load(place: Path, clients: Sequence[int], seconds: float) -> Counter[tuple[str, str]]:
    """Ask a server on loopback with many clients at once, and count answers by status."""
    model = tiny_model(place / "model")
    documents = place / "d.jsonl"
    rows = (SAMPLE / "train.jsonl").read_text("utf-8").splitlines()
    documents.write_text(
        "".join(json.dumps({"text": json.loads(row)["passage"], "language": "en"}) + "\n" for row in rows)
    )
    assert (
        run(
            ["index", "--index", place / "i", "--engine", "exact", "--model", model, "--input", documents],
            seconds=600,
        ).kind
        == "ok"
    )
    command = [
        sys.executable,
        "-m",
        "panglot",
        "serve",
        "--json",
        "--port",
        "0",
        "--index",
        str(place / "i"),
        "--model",
        str(model),
    ]
    tally: Counter[tuple[str, str]] = Counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            said = ""
            assert server.stdout is not None
            while "}" not in said:
                said += server.stdout.readline()
            host, _, port = (
                str(json.loads(said)["address"]).removeprefix("http://").rstrip("/").partition(":")
            )

            async def ask(count: int) -> None:
                until = time.monotonic() + seconds
                await asyncio.gather(
                    *(client(host, int(port), until, n, tally, f"{count} clients") for n in range(count))
                )

            for count in clients:
                asyncio.run(ask(count))
            status = Path(f"/proc/{server.pid}/status").read_text()
            print("server:", next(line for line in status.splitlines() if line.startswith("VmHWM")))
            if server.poll() is not None:
                tally["server", "died"] += 1
        finally:
            server.terminate()
    return tally


PARTS = ("inputs", "memory", "index", "checkpoints", "kills", "load")


def main() -> int:
    """Run the parts, and print a table of counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--count", type=int, default=60, help="malformed versions of each file")
    parser.add_argument(
        "--flips", type=int, default=150, help="corruptions of an index, and a third of them of checkpoints"
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--clients", type=int, nargs="+", default=[64, 600])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for module in pkgutil.walk_packages(package.__path__, "panglot."):  # once, and not in every fork
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    np.seterr(all="ignore")
    parts: dict[str, Callable[[Path], Counter[tuple[str, str]]]] = {
        "inputs": lambda place: inputs(place, given.count, given.seed),
        "memory": memory,
        "index": lambda place: index(place, given.flips, given.seed),
        "checkpoints": lambda place: checkpoints(place, given.flips // 3, given.seed),
        "kills": lambda place: kills(place, given.kills, given.seed),
        "load": lambda place: load(place, given.clients, given.seconds),
    }
    bad = 0
    for part in given.parts:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            os.environ["PANGLOT_CACHE"] = f"{folder}/cache"
            os.chdir(folder)
            tally = parts[part](Path(folder))
            os.chdir("/")
        names = list(dict.fromkeys(name for name, _ in tally))
        kinds = list(dict.fromkeys(kind for _, kind in tally))
        print(f"\n{part}: {sum(tally.values())} cases in {time.monotonic() - start:.0f} s")
        print(f"{'':44}" + "".join(f"{kind:>12}" for kind in kinds))
        for name in names:
            print(f"{name:44}" + "".join(f"{tally[name, kind]:>12}" for kind in kinds))
        print(
            f"{'all':44}"
            + "".join(f"{sum(n for (_, k), n in tally.items() if k == kind):>12}" for kind in kinds),
            flush=True,
        )
        bad += sum(number for (_, kind), number in tally.items() if kind in BAD)
    print(f"\n{bad} of these must not happen")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
