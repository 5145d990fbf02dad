"""Ranking in one pass over a synthetic pool on disk, against the limits of memory and of arithmetic.

python benchmarks/streaming.py [--rows 5000000] [--queries 1 64 512] [--dtype float16] [--folder FOLDER]

Writes a store of random unit vectors of 384 dimensions (3.8 GB for 5 million rows in float16; removed at the
end unless --folder names a place), and ranks two relevant passages a query in it. Beside the pass stand
what bounds it: reading the same files and adding up their bytes, copying in memory, and the bare float32
products. Each figure is measured in a process of its own, so that peak memory is that of the pass alone;
it is measured on a fifth of the rows, too, to show that it does not grow with the pool.
"""

import argparse
import json
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from panglot.data import Benchmark, FloatArray, IntArray, Texts
from panglot.data.text_column import TextColumn
from panglot.encoders.store import DTYPES, StoreFacts, map_shard, open_store, scale_path, shard_path
from panglot.encoders.store_write import begin_store, pack
from panglot.evaluation import exact_ranks
from panglot.evaluation.scores import COLUMNS, ROWS

DIMENSION = 384
SHARD = 100_000
SPARE = 1 << 30  # bytes of disk that stay free


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 64, 512])
    parser.add_argument("--dtype", choices=DTYPES, default="float16")
    parser.add_argument("--folder", type=Path, help="keep the stores here and use them again")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="panglot-streaming-"))
    try:
        print(json.dumps(measure(folder, arguments), indent=2))
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Make the stores, and run each measurement in a process of its own."""
    sizes = [arguments.rows, max(1, arguments.rows // 5)]
    stores = [folder / f"{arguments.dtype}-{rows}" for rows in sizes]
    for store, rows in zip(stores, sizes, strict=True):
        make_store(store, rows, arguments.dtype)
    size = sum(path.stat().st_size for path in stores[0].glob("shard-*.npy"))
    alone(read_all, stores[0])  # into the page cache, where it fits
    read, copied = alone(read_all, stores[0])["seconds"], alone(copy, 1 << 28)["seconds"]
    return {
        "pool": f"{sizes[0]:,} x {DIMENSION} {arguments.dtype}, {size / 1e9:.2f} GB",
        "threads": torch.get_num_threads(),
        "reading and adding up the files, GB/s": round(size / read / 1e9, 2),
        "copying in memory, GB/s (read and written)": round(2 * (1 << 28) / copied / 1e9, 2),
        "passes": [one_pass(stores, sizes, size, read, queries) for queries in arguments.queries],
    }


def one_pass(
    stores: list[Path], sizes: list[int], size: int, read: float, queries: int
) -> dict[str, int | float]:
    """Rank with some queries; compare with the bounds and with a smaller pool."""
    found, smaller = alone(rank, stores[0], queries), alone(rank, stores[1], queries)
    products = alone(multiply, sizes[0], queries)["seconds"]
    return {
        "queries": queries,
        "seconds": round(found["seconds"], 2),
        "million passages/s": round(sizes[0] / found["seconds"] / 1e6, 3),
        "GB of the store/s": round(size / found["seconds"] / 1e9, 2),
        "share of the reading speed": round(read / found["seconds"], 3),
        "bare products, s": round(products, 2),
        "share of the products' speed": round(products / found["seconds"], 3),
        "peak memory, MB": round(found["peak"] / 1e6),
        f"peak memory at {sizes[1]:,} rows, MB": round(smaller["peak"] / 1e6),
        "before the pass (torch, ids, languages), MB": round(found["before"] / 1e6),
        f"before it at {sizes[1]:,} rows, MB": round(smaller["before"] / 1e6),
    }


def alone(work: Callable[..., dict[str, float]], *given: object) -> dict[str, float]:
    """Run some work in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def make_store(folder: Path, rows: int, dtype: str) -> None:
    """Write a store of random unit vectors, or the shards of it that are missing."""
    facts = StoreFacts({"name": "random"}, {"name": "synthetic"}, rows, DIMENSION, dtype, SHARD)
    needed = rows * DIMENSION * np.dtype(dtype).itemsize
    folder.mkdir(parents=True, exist_ok=True)
    made = sum(path.stat().st_size for path in folder.glob("shard-*.npy"))
    if shutil.disk_usage(folder).free < needed - made + SPARE:
        sys.exit(f"{folder}: the store takes {needed / 1e9:.1f} GB, which are not free; use fewer --rows.")
    begin_store(folder, facts)
    for shard in range(facts.shards):
        if shard_path(folder, shard).exists():
            continue
        span = facts.span(shard)
        values, scale = pack(unit(np.random.default_rng(shard), span.stop - span.start), dtype)
        if scale is not None:
            np.save(scale_path(folder, shard), scale)
        np.save(shard_path(folder, shard), values)


def unit(rng: np.random.Generator, rows: int) -> FloatArray:
    """Draw unit vectors."""
    vectors = rng.standard_normal((rows, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def rank(folder: Path, queries: int) -> dict[str, float]:
    """Rank two relevant passages for each query in one pass."""
    store = open_store(folder)
    rng = np.random.default_rng(1)
    relevant = rng.integers(0, len(store), (queries, 2))
    vectors = store[relevant[:, 0]] + 0.3 * unit(rng, queries)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    benchmark = synthetic(len(store), np.sort(relevant))
    before = peak()
    begun = time.perf_counter()
    exact_ranks(benchmark, vectors, store)
    return {"seconds": time.perf_counter() - begun, "peak": peak(), "before": before}


def synthetic(passages: int, relevant: IntArray) -> Benchmark:
    """Return a benchmark of empty texts in one language; passage ids are held by Arrow."""
    queries = len(relevant)
    ids = TextColumn([pc.cast(pa.array(np.arange(passages)), pa.string())], distinct=True)
    empty = TextColumn([pa.nulls(0, pa.string())])
    return Benchmark(
        name="synthetic",
        languages=("en",),
        queries=Texts([f"q{k}" for k in range(queries)], np.zeros(queries, np.int64), empty),
        passages=Texts(ids, np.zeros(passages, np.int64), empty),
        query_items=np.arange(queries),
        judged_query=np.repeat(np.arange(queries), 2),
        judged_passage=relevant.reshape(-1),
        gains=np.ones(2 * queries, np.int64),
    )


def read_all(folder: Path) -> dict[str, float]:
    """Read all shards, mapped as the pass maps them, and add up their bytes, 8 at a time."""
    facts = open_store(folder).facts
    begun = time.perf_counter()
    total = 0
    for shard in range(facts.shards):
        values, _ = map_shard(folder, facts, shard)
        whole = values.reshape(-1).view(np.uint8)
        total += int(whole[: len(whole) // 8 * 8].view(np.int64).sum())
    return {"seconds": time.perf_counter() - begun, "sum": float(total)}


def copy(size: int) -> dict[str, float]:
    """Copy some bytes from one place in memory to another; the best of five times."""
    a, b = np.ones(size // 8), np.zeros(size // 8)
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        np.copyto(b, a)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": min(seconds)}


def multiply(rows: int, queries: int) -> dict[str, float]:
    """Multiply a block that is already in memory, as float32, as often as the pool has blocks."""
    block, few = torch.ones(COLUMNS, DIMENSION), torch.ones(queries, DIMENSION)
    few @ block.t()
    begun = time.perf_counter()
    for start in range(0, rows, COLUMNS):
        for first in range(0, queries, ROWS):
            few[first : first + ROWS] @ block[: rows - start].t()
    return {"seconds": time.perf_counter() - begun}


def peak() -> float:
    """Return the most memory, in bytes, that this process has had (Linux; elsewhere its parent may count)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(k for k in status.read_text().splitlines() if k.startswith("VmHWM"))
        return float(line.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (
        1 if sys.platform == "darwin" else 1024
    )


if __name__ == "__main__":
    main()
