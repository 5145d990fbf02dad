"""Training speed and memory of panglot and of the tools people use now, on the very same batches.

python benchmarks/peers.py --model FOLDER --paragraphs LAREQA_FOLDER... [--batch-size 64 256] [--output FILE]
python benchmarks/peers.py --model FOLDER --pairs FILE_OR_LAREQA_FOLDER... [--precision float32 bfloat16]

Tools: `stock`, sentence-transformers' trainer with MultipleNegativesRankingLoss; `stock-cached`, the same
with CachedMultipleNegativesRankingLoss; `panglot`; `panglot-cached`, the same with gradient caching; and
`flagembedding`, FlagEmbedding's encoder-only trainer, which --peer-python has.

All train the same checkpoint with AdamW on the batches that panglot's sampler draws (hybrid), with the same
prompts, length, precision, learning rate and threads; panglot's AdamW passes over the unused rows of the
token table unless --table is dense. Each measurement is a process of its own, and the tools take turns.
Before them the losses of the first steps are compared, without dropout, in float32 on small batches: all
tools have to compute the same thing. --paragraphs takes whole paragraphs of LAReQA as passages; two
questions about one paragraph never share a batch, and XQuAD-R alone has 240 paragraphs.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from panglot.batches import make_sampler
from panglot.data import ParallelPairs
from panglot.data.catalogue.training import load_source
from panglot.errors import PanglotError
from panglot.files import write_json

RUN = Path(__file__).with_name("peer_run.py")
TOOLS = ("stock", "panglot", "stock-cached", "panglot-cached", "flagembedding")
AGREE = 1e-3  # relative; padding changes the rounding, and AdamW makes much of a small gradient
LOSS_STEPS, LOSS_BATCH = 4, 16
NO_FIT = "does not fit"
NO_MEMORY = re.compile(r"alloc|out of memory|MemoryError", re.IGNORECASE)


def main() -> None:
    """Compare the losses, time the tools in turn, print a table."""
    arguments = parse()
    result: dict[str, Any] = {
        "data": "",
        **{key: value for key, value in vars(arguments).items() if isinstance(value, (int, float, list))},
        "paragraphs": [path.name for path in arguments.paragraphs],
        "pairs": [path.name for path in arguments.pairs],
        "runs": [],
    }
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        os.environ["PANGLOT_CACHE"] = str(folder / "cache")
        paths = list(arguments.pairs)
        if arguments.paragraphs:
            paths.append(write_paragraphs(arguments.paragraphs, folder / "paragraphs.jsonl"))
        sources = [load(path) for path in paths]
        for size in arguments.batch_size:
            make_sampler(sources, batch_size=size)  # says so if a batch cannot be filled
        result["data"] = ", ".join(source.name for source in sources)
        common = common_settings(arguments, folder, paths)
        result["losses"] = compare_losses(arguments, common, sources)
        for precision in arguments.precision:
            for size in arguments.batch_size:
                settings = {**common, "precision": precision, "batch_size": size}
                write_texts(sources, size, common["steps"], Path(common["texts"]))
                measure(arguments, settings, result)
    result["table"] = summary(result["runs"])
    print("\n" + table(result["data"], result["table"]))
    if arguments.output:
        write_json(arguments.output, result)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="a sentence-transformers folder")
    parser.add_argument("--paragraphs", type=Path, nargs="+", default=[])
    parser.add_argument("--pairs", type=Path, nargs="+", default=[])
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=["stock", "panglot"])
    parser.add_argument("--batch-size", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--precision", nargs="+", choices=("float32", "bfloat16"), default=["float32"])
    parser.add_argument("--steps", type=int, default=4, help="timed, after --warm others")
    parser.add_argument("--warm", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--mini-batch", type=int, default=32, help="texts at a time, stock-cached")
    parser.add_argument("--micro-batch-tokens", type=int, help="of panglot; default: its own")
    parser.add_argument("--table", choices=("sparse", "dense"), default="sparse", help="panglot's AdamW")
    parser.add_argument("--memory-gb", type=float, default=14, help="a run that asks for more does not fit")
    parser.add_argument("--peer-python", help="python of an environment with FlagEmbedding")
    parser.add_argument("--no-losses", action="store_true", help="do not compare losses first")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    if not (arguments.paragraphs or arguments.pairs):
        parser.error("name data with --paragraphs or --pairs")
    if arguments.warm < 1 or arguments.steps < 1 or arguments.rounds < 1:
        parser.error("--warm, --steps and --rounds are 1 or more: a step is timed from the end of another")
    if "flagembedding" in arguments.tools and not arguments.peer_python:
        parser.error("flagembedding runs in an environment of its own; name its --peer-python")
    return arguments


def load(path: Path) -> ParallelPairs:
    """Load a source without hard negatives."""
    source = load_source(path)
    if source.has_negatives:
        sys.exit(f"{path}: has hard negatives, which this comparison leaves out; name another file.")
    return source


def write_paragraphs(folders: list[Path], target: Path) -> Path:
    """Write LAReQA's questions with their paragraphs as a pairs file.

    Questions that share a paragraph in any language share the ``passage_id``, so that no batch holds two.
    """
    leader: dict[str, str] = {}

    def first(question: str) -> str:
        while leader.setdefault(question, question) != question:
            question = leader[question]
        return question

    rows = []
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
            for question in paragraph["qas"]:
                leader[first(question["id"])] = first(paragraph["qas"][0]["id"])
                rows.append((question["id"], path.stem, question["question"], paragraph["context"]))
    if not rows:
        sys.exit(f"{folders[0]}: holds no LAReQA files (such as en.json); check the path.")
    with target.open("w", encoding="utf-8") as file:
        for item, language, query, passage in rows:
            row = {"item_id": item, "passage_id": first(item), "language": language}
            file.write(json.dumps({**row, "query": query, "passage": passage}) + "\n")
    return target


def write_texts(sources: list[ParallelPairs], size: int, steps: int, target: Path) -> None:
    """Write the texts of the batches that ``panglot.train`` will draw, in order, for the other tools."""
    sampler = make_sampler(sources, strategy="hybrid", batch_size=size, seed=0)
    with target.open("w", encoding="utf-8") as file:
        for batch in (sampler.draw(step) for step in range(steps)):
            pairs = sources[batch.source]
            queries = pairs.texts("query", pairs.rows(batch.items, batch.query_languages))
            passages = pairs.texts("passage", pairs.rows(batch.items, batch.passage_languages))
            for query, passage in zip(queries, passages, strict=True):
                file.write(json.dumps({"query": query, "pos": [passage], "neg": []}) + "\n")


def common_settings(arguments: argparse.Namespace, folder: Path, paths: list[Path]) -> dict[str, Any]:
    """Return what all runs share; see ``peer_run.py``."""
    model: Path = arguments.model
    about = json.loads((model / "config_sentence_transformers.json").read_text(encoding="utf-8"))
    pools = json.loads((model / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
    own = about.get("prompts") or {}
    return {
        "model": str(model),
        "folder": str(folder / "run"),
        "texts": str(folder / "texts.jsonl"),
        "sources": [str(path) for path in paths],
        "prompts": [own.get("query") or "", own.get("document") or own.get("passage") or ""],
        "pooling": "cls" if pools.get("pooling_mode_cls_token") else "mean",
        "max_length": arguments.max_length,
        "steps": arguments.warm + arguments.steps,
        "threads": arguments.threads,
        "memory_gb": arguments.memory_gb,
        "mini_batch": arguments.mini_batch,
        "micro_batch_tokens": arguments.micro_batch_tokens,
        "table": arguments.table,
        "compare_losses": False,
    }


def compare_losses(
    arguments: argparse.Namespace, common: dict[str, Any], sources: list[ParallelPairs]
) -> dict[str, list[float]]:
    """Run each tool for a few small steps without dropout and compare the losses with the first tool's.

    panglot runs twice: with AdamW for the whole token table, as the others have it, and with its own lazy
    AdamW, whose losses drift apart from the second step on; only the first is held to agree.
    """
    if arguments.no_losses:
        return {}
    write_texts(sources, LOSS_BATCH, LOSS_STEPS, Path(common["texts"]))
    settings = {
        **common,
        "steps": LOSS_STEPS,
        "batch_size": LOSS_BATCH,
        "precision": "float32",
        "compare_losses": True,
    }
    found = {}
    for tool in arguments.tools:
        found[tool] = run(arguments, {**settings, "tool": tool, "table": "dense"})["losses"]
        if tool == "panglot":
            lazy = {**settings, "tool": tool, "table": "sparse"}
            found["panglot, lazy table"] = run(arguments, lazy)["losses"]
    print(f"losses of the first {LOSS_STEPS} steps, {LOSS_BATCH} pairs each, float32, no dropout")
    for name, losses in found.items():
        print(f"  {name:20}", *(f"{loss:.6f}" for loss in losses), flush=True)
    reference = found[arguments.tools[0]]
    for tool in arguments.tools:
        if len(found[tool]) != LOSS_STEPS or any(
            abs(a - b) > AGREE * max(abs(b), AGREE) for a, b in zip(found[tool], reference, strict=True)
        ):
            sys.exit(f"{tool} does not compute what {arguments.tools[0]} does; there is nothing to compare.")
    return found


def measure(arguments: argparse.Namespace, settings: dict[str, Any], result: dict[str, Any]) -> None:
    """Time the tools in turn, round by round, in changing order; add to the result's runs, and save them."""
    tools = list(arguments.tools)
    for number in range(arguments.rounds):
        for tool in tools if number % 2 == 0 else tools[::-1]:
            about = {"tool": tool, "batch_size": settings["batch_size"], "precision": settings["precision"]}
            if any({**about, "error": NO_FIT}.items() <= seen.items() for seen in result["runs"]):
                continue
            seen = {**about, "round": number, **run(arguments, {**settings, "tool": tool})}
            if "error" not in seen:
                timed = seen["seconds"][arguments.warm - 1 :]
                seen["pairs_per_second"] = settings["batch_size"] * len(timed) / sum(timed)
            result["runs"].append(seen)
            print(json.dumps(seen), file=sys.stderr, flush=True)
            if arguments.output:
                write_json(arguments.output, result)


def run(arguments: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Run one tool in a process of its own and return what it saw."""
    python = arguments.peer_python if settings["tool"] == "flagembedding" else sys.executable
    threads = str(settings["threads"])
    with tempfile.TemporaryDirectory(dir=Path(settings["folder"]).parent) as name:
        given, seen = Path(name, "settings.json"), Path(name, "result.json")
        write_json(given, {**settings, "folder": f"{name}/model"})
        done = subprocess.run(
            [python, str(RUN), str(given), str(seen)],
            env={
                **os.environ,
                "OMP_NUM_THREADS": threads,
                "MKL_NUM_THREADS": threads,
                "TOKENIZERS_PARALLELISM": "false",
                "HF_HUB_OFFLINE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if seen.exists():
            return dict(json.loads(seen.read_text(encoding="utf-8")))
    if done.returncode < 0 and NO_MEMORY.search(done.stderr[-2000:]):  # aborted by a library
        return {"error": NO_FIT}
    sys.exit(f"{settings['tool']} failed ({done.returncode}):\n{done.stderr[-4000:]}")


def summary(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per tool, batch size and precision: medians over the rounds; ratios are within a round."""
    rows = []
    keys = dict.fromkeys((seen["precision"], seen["batch_size"], seen["tool"]) for seen in runs)
    for precision, size, tool in keys:
        of = {
            name: {
                seen["round"]: seen
                for seen in runs
                if (seen["precision"], seen["batch_size"], seen["tool"]) == (precision, size, name)
                and "error" not in seen
            }
            for name in {tool, "stock"}
        }
        row: dict[str, Any] = {"tool": tool, "batch_size": size, "precision": precision}
        if of[tool]:
            speeds = [seen["pairs_per_second"] for seen in of[tool].values()]
            ratios = [
                seen["pairs_per_second"] / of["stock"][number]["pairs_per_second"]
                for number, seen in of[tool].items()
                if number in of["stock"]
            ]
            row |= {
                "pairs_per_second": statistics.median(speeds),
                "lowest": min(speeds),
                "highest": max(speeds),
                "times_stock": statistics.median(ratios) if ratios else None,
                "peak_mb": max(seen["peak_mb"] for seen in of[tool].values()),
            }
        rows.append(row)
    return rows


def table(data: str, rows: list[dict[str, Any]]) -> str:
    """Return the summary in Markdown."""
    lines = [
        "| data | batch | precision | tool | pairs/s | lowest to highest | times stock | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        about = f"| {data} | {row['batch_size']} | {row['precision']} | {row['tool']} |"
        if "peak_mb" not in row:
            lines.append(f"{about} {NO_FIT} | | | |")
            continue
        ratio = "" if row["times_stock"] is None else f"{row['times_stock']:.2f}"
        lines.append(
            f"{about} {row['pairs_per_second']:.2f} | {row['lowest']:.2f} to {row['highest']:.2f} "
            f"| {ratio} | {row['peak_mb']:,} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except PanglotError as error:
        sys.exit(str(error))
