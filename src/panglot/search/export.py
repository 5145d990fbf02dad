"""A whole index: its passages and vectors as files that other programs read, and how exact its engine is."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from panglot.errors import PanglotError
from panglot.files import atomic_write
from panglot.search.engines import Filter
from panglot.search.engines.engine import passage_table
from panglot.search.index import Index

KINDS = (".parquet", ".npy")
QUESTIONS = 50
TIED = 1e-5  # scores as near as that are equal: engines sum in different orders


def export_index(index: Index, path: str | Path) -> int:
    """Write all passages of an index; return how many.

    Args:
        path: ``.parquet``: id, document, language, title, text, source, metadata (JSON) and vector. ``.npy``:
            vectors ``(n, d)`` in float32, and beside it, as ``.ids.txt``, their ids, one a line.

    Raises:
        PanglotError: another ending, or an empty index.
    """
    path = Path(path)
    check_export(path)
    total = index.engine.count()
    if not total:
        index.engine.release()
        raise PanglotError(f"{index.place}: is empty; there is nothing to export.")
    return _parquet(index, path) if path.suffix == ".parquet" else _numpy(index, path, total)


def check_export(path: Path) -> None:
    """Raise a ``PanglotError`` where a path has not the ending of a file that vectors are exported to."""
    if path.suffix not in KINDS:
        raise PanglotError(f"{path}: vectors are exported to {' or '.join(KINDS)}; change its ending.")


def _parquet(index: Index, path: Path) -> int:
    rows = 0
    schema = passage_table([], np.empty((0, index.facts.dimension), np.float32)).schema
    with atomic_write(path) as part, pq.ParquetWriter(part, schema) as writer:
        for passages, vectors in index.scan():
            writer.write_table(pa.Table.from_batches(passage_table(passages, vectors).to_batches(), schema))
            rows += len(passages)
    return rows


def _numpy(index: Index, path: Path, total: int) -> int:
    ids: list[str] = []
    header = {"descr": "<f4", "fortran_order": False, "shape": (total, index.facts.dimension)}
    names = path.with_suffix(".ids.txt")
    with atomic_write(path) as part:
        with part.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for passages, vectors in index.scan():
                file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
                ids += [passage.id for passage in passages]
        if len(ids) != total:
            raise PanglotError(f"{index.place}: was changed while it was read; export it again.")
        with atomic_write(names) as list_part:
            list_part.write_text("".join(f"{' '.join(name.split())}\n" for name in ids), encoding="utf-8")
    return len(ids)


@dataclass(frozen=True)
class Recall:
    """What was measured."""

    k: int  # passages in a list
    questions: int  # how many were asked: passages of the index, drawn at random, each for its neighbours
    recall: float  # share of the k best passages that the engine found, mean over questions
    milliseconds: float  # median of the engine's time for one question
    exact_milliseconds: float  # median of the time for scoring every passage in NumPy


def check_recall(index: Index, questions: int = QUESTIONS, k: int = 10) -> Recall | None:
    """Compare an engine's lists with exact ones; None for an empty index.

    All vectors are read into memory once.
    """
    asked = index.engine.sample(Filter(), questions)
    parts = [vectors for _, vectors in index.engine.scan()]
    if not len(asked) or not parts:
        index.engine.release()
        return None
    pool = np.concatenate(parts)
    found, times = [], []
    for vector in asked:
        start = time.perf_counter()
        (ranked,) = index.engine.dense(vector[None], k, Filter())
        times.append(time.perf_counter() - start)
        found.append([hit.score for hit in ranked])
    index.engine.release()
    shares, exact_times = [], []
    for vector, scores in zip(asked, found, strict=True):
        start = time.perf_counter()
        exact = pool @ vector
        last = len(pool) - min(k, len(pool))
        lowest = np.partition(exact, last)[last]  # of the k best
        exact_times.append(time.perf_counter() - start)
        shares.append(float((np.array(scores) >= lowest - TIED).sum()) / min(k, len(pool)))
    return Recall(
        k=k,
        questions=len(asked),
        recall=float(np.mean(shares)),
        milliseconds=1000 * float(np.median(times)),
        exact_milliseconds=1000 * float(np.median(exact_times)),
    )
