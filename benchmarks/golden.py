"""Freeze the figures of a version and compare those of another with them.

    python benchmarks/golden.py before --model CHECKPOINT --data DATASETS
    ... change the code ...
    python benchmarks/golden.py after --model CHECKPOINT --data DATASETS --against before

Everything runs through the command line, so that the code may move freely between the two. CHECKPOINT is the
folder of an encoder; its first two layers are kept (--layers), since the code and not the model is compared.
DATASETS holds the folders lareqa, beir, mtop and tatoeba; a set that is missing is left out. Weights after 10
steps are compared by checksum, rankings and figures by value.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "src/panglot/data/sample/train.jsonl"
STRATEGIES = ("monolingual", "crosslingual", "mixed", "hybrid", "bilingual", "english")
BENCHMARKS = {  # name: its folder and the options of one evaluation
    "sample": (None, ()),
    "xquad-r": ("lareqa/xquad-r", ("--languages", "ar,de,en,th")),
    "mlqa-r": ("lareqa/mlqa-r", ("--languages", "de,en,hi")),
    "nfcorpus": ("beir/nfcorpus", ("--max-length", "64")),
    "mtop": ("mtop", ()),
    "tatoeba": ("tatoeba", ("--languages", "en,de,sw")),
}
LEFT_OUT = ("command", "created", "versions", "panglot", "per_query")
TOLERANCE = 1e-6


def panglot(*arguments: object) -> None:
    """Run the command line of this checkout."""
    command = [sys.executable, "-m", "panglot", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"failed ({done.returncode}): {' '.join(command)}\n{done.stderr[-2000:]}")


def cut(checkpoint: Path, layers: int, folder: Path) -> Path:
    """Write an encoder's first layers as a checkpoint of their own."""
    from sentence_transformers import SentenceTransformer

    if not (folder / "modules.json").exists():
        model = SentenceTransformer(str(checkpoint), device="cpu")
        inner: Any = model[0].model
        inner.encoder.layer = inner.encoder.layer[:layers]
        inner.config.num_hidden_layers = layers
        model.save_pretrained(str(folder))
    return folder


def freeze(folder: Path, model: Path, data: Path) -> None:
    """Write results, runs and checksums of weights into a folder."""
    for name, (where, options) in BENCHMARKS.items():
        place = () if where is None else ("--data", data / where)
        if where is not None and not (data / where).exists():
            continue
        for encoder in (model, "bm25"):
            stem = folder / f"{name}-{'bm25' if encoder == 'bm25' else 'model'}"
            if stem.with_suffix(".json").exists():
                continue
            own = ("--runs", stem) if encoder != "bm25" and name != "tatoeba" else ()
            given = (*place, *options, *own) if encoder != "bm25" or "--max-length" not in options else place
            print(f"evaluating {stem.name}", flush=True)
            panglot("evaluate", encoder, "--benchmark", name, *given, "--output", stem.with_suffix(".json"))
    for strategy in STRATEGIES:
        print(f"training {strategy}", flush=True)
        settings = ("--strategy", strategy, "--steps", 10, "--batch-size", 16, "--max-length", 64)
        output = folder / "models" / strategy
        rates = ("--learning-rate", 1e-4, "--temperature", 0.05)
        panglot("train", "--model", model, "--pairs", SAMPLE, *settings, *rates, "--output", output)
        weights = output / "model.safetensors"
        checksum = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else "none"
        (folder / f"weights-{strategy}.json").write_text(json.dumps({"sha256": checksum}))


def numbers(value: Any, path: str = "") -> dict[str, Any]:
    """Flatten nested figures to ``{"settings/monolingual/AP": 0.5}``."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in numbers(part, f"{path}/{key}").items()}
    if isinstance(value, list):
        return {k: v for n, part in enumerate(value) for k, v in numbers(part, f"{path}/{n}").items()}
    return {path: value}


def figures(path: Path) -> dict[str, Any]:
    """Read what is compared of one file."""
    if path.suffix == ".json":
        read = json.loads(path.read_text(encoding="utf-8"))
        return numbers({key: part for key, part in read.items() if key not in LEFT_OUT})
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return {
            f"{name}/{n}": value
            for name in sorted(table.column_names)
            for n, value in enumerate(table.column(name).to_pylist())
        }
    return {str(n): line for n, line in enumerate(path.read_text(encoding="utf-8").splitlines())}


def differ(one: Any, other: Any) -> bool:
    """Say whether two figures differ by more than rounding."""
    if isinstance(one, float) and isinstance(other, float | int):
        return not (one == other or abs(one - other) <= TOLERANCE * max(1.0, abs(one)) or one != one)
    return bool(one != other)


def compare(before: Path, after: Path) -> int:
    """Print what differs; return how many files do."""
    wrong = 0
    for path in sorted(p for p in before.rglob("*") if p.is_file() and "models" not in p.parts):
        name = path.relative_to(before)
        if not (after / name).exists():
            print(f"{name}: missing")
            wrong += 1
            continue
        old, new = figures(path), figures(after / name)
        changed = [key for key in old if differ(old[key], new.get(key))]
        if changed:
            wrong += 1
            first = changed[0]
            change = f"{first}: {old[first]} -> {new.get(first)}"
            print(f"{name}: {len(changed)} of {len(old)} differ, first {change}")
    print(f"{wrong} files differ")
    return wrong


def main() -> None:
    """Freeze, and compare where a folder to compare with is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--only-compare", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if not given.only_compare:
        small = cut(given.model, given.layers, given.folder.parent / "golden-encoder")
        freeze(given.folder, small, given.data)
    if given.against is not None:
        sys.exit(1 if compare(given.against, given.folder) else 0)


if __name__ == "__main__":
    main()
