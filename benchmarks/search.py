"""Time the engines of an index, and their recall: python benchmarks/search.py --passages 20000.

Vectors are drawn around random centres, as passages of a few subjects would lie; no model is needed.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from panglot.data import FloatArray
from panglot.search.documents import Passage
from panglot.search.engines import ENGINES, open_engine
from panglot.search.export import check_recall
from panglot.search.facts import IndexFacts
from panglot.search.index import Index

PART = 4096


def main() -> None:
    """Print a line an engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--dimension", type=int, default=384)
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES))
    parser.add_argument("--milvus", help="address of a Milvus server, to be timed as well")
    chosen = parser.parse_args()
    vectors = _vectors(chosen.passages, chosen.dimension)
    print(f"{chosen.passages:,} passages of {chosen.dimension} dimensions")
    with tempfile.TemporaryDirectory() as folder:
        places = [(name, str(Path(folder) / name)) for name in chosen.engines]
        if chosen.milvus:
            places.append(("milvus", chosen.milvus))
        for name, place in places:
            _time(name, place, vectors, chosen.questions)


def _time(name: str, place: str, vectors: FloatArray, questions: int) -> None:
    engine = open_engine(place, name if "://" not in place else None)
    facts = IndexFacts("drawn", "0" * 64, {}, None, vectors.shape[1], None, 256, ("en", "sw"))
    engine.write_facts(facts.as_json())
    start = time.perf_counter()
    for first in range(0, len(vectors), PART):
        part = vectors[first : first + PART]
        engine.write([_passage(first + k) for k in range(len(part))], part)
    engine.settle()
    written = time.perf_counter() - start
    measured = check_recall(Index(place, engine, facts), questions)
    assert measured is not None
    print(
        f"{name:8} {len(vectors) / written:9,.0f} passages/s written   recall@10 {measured.recall:.3f}   "
        f"{measured.milliseconds:.2f} ms a question   "
        f"(scores in NumPy alone: {measured.exact_milliseconds:.2f} ms)"
    )
    engine.release()


def _passage(number: int) -> Passage:
    language = ("en", "sw")[number % 2]
    return Passage(str(number), str(number), f"passage number {number}", "", language, "", {})


def _vectors(count: int, dimension: int) -> FloatArray:
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(max(1, count // 200), dimension)).astype(np.float32)
    drawn = centres[generator.integers(len(centres), size=count)]
    drawn += 0.7 * generator.normal(size=drawn.shape).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


if __name__ == "__main__":
    main()
