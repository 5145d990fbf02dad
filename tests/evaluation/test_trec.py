from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from panglot.data import Benchmark, FloatArray
from panglot.errors import PanglotError
from panglot.evaluation import write_runs

MakeBenchmark = Callable[..., Benchmark]
RandomBenchmark = Callable[..., tuple[Benchmark, FloatArray, FloatArray]]
# all, best first: e9 .75, then d2, d1 and e3 at .5 as e3, d2, d10, then e1 .25, d1 -.125
SCORES = {"e1": 0.25, "d2": 0.5, "e9": 0.75, "d10": 0.5, "e3": 0.5, "d1": -0.125}


@pytest.fixture
def benchmark(make_benchmark: MakeBenchmark) -> Benchmark:
    return make_benchmark(
        {"q": "en", "idle": "en"},
        {name: {"d": "de", "e": "en"}[name[0]] for name in SCORES},
        [("q", "e1", 2), ("q", "d2", 1), ("q", "d1", 0), ("idle", "d2", 0), ("idle", "e1", 0)],
    )


@pytest.fixture
def vectors() -> tuple[FloatArray, FloatArray]:
    passages = np.array([[score, 0] for score in SCORES.values()], np.float32)
    return np.array([[1, 0], [0, 1]], np.float32), passages


def listed(path: Path) -> list[str]:
    return [line.split()[2] for line in path.read_text(encoding="utf-8").splitlines()]


def test_one_run_and_qrels_per_query_language_and_pool(
    tmp_path: Path, benchmark: Benchmark, vectors: tuple[FloatArray, FloatArray]
) -> None:
    written = write_runs(tmp_path / "runs", benchmark, *vectors)
    assert sorted(path.name for path in written) == ["en-all.run", "en-de.run", "en-en.run"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        *("en-all.qrels", "en-all.run", "en-de.qrels", "en-de.run", "en-en.qrels", "en-en.run")
    ]


def test_a_benchmark_of_one_language_has_one_run(tmp_path: Path, make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark({"q": "sw"}, {"p": "sw"}, [("q", "p", 1)])
    written = write_runs(tmp_path, benchmark, np.ones((1, 2), np.float32), np.ones((1, 2), np.float32))
    assert [path.name for path in written] == ["sw-sw.run"]


def test_runs_are_best_first_and_ties_by_id_descending(
    tmp_path: Path, benchmark: Benchmark, vectors: tuple[FloatArray, FloatArray]
) -> None:
    write_runs(tmp_path, benchmark, *vectors, depth=None)
    assert listed(tmp_path / "en-all.run") == ["e9", "e3", "d2", "d10", "e1", "d1"]
    assert listed(tmp_path / "en-en.run") == ["e9", "e3", "e1"]
    assert listed(tmp_path / "en-de.run") == ["d2", "d10", "d1"]


def test_a_run_has_the_six_columns_of_trec(
    tmp_path: Path, benchmark: Benchmark, vectors: tuple[FloatArray, FloatArray]
) -> None:
    write_runs(tmp_path, benchmark, *vectors, depth=None, tag="mine")
    fields = [line.split() for line in (tmp_path / "en-de.run").read_text().splitlines()]
    assert [(f[0], f[1], f[2], f[3], float(f[4]), f[5]) for f in fields] == [
        ("q", "Q0", "d2", "1", 0.5, "mine"),
        ("q", "Q0", "d10", "2", 0.5, "mine"),
        ("q", "Q0", "d1", "3", -0.125, "mine"),
    ]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6, 7])
def test_a_cut_within_ties_keeps_their_order(
    tmp_path: Path, benchmark: Benchmark, vectors: tuple[FloatArray, FloatArray], depth: int
) -> None:
    write_runs(tmp_path, benchmark, *vectors, depth=depth)
    assert listed(tmp_path / "en-all.run") == ["e9", "e3", "d2", "d10", "e1", "d1"][:depth]
    assert listed(tmp_path / "en-de.run") == ["d2", "d10", "d1"][:depth]


def test_qrels_hold_the_judgements_of_queries_with_a_relevant_passage_in_the_pool(
    tmp_path: Path, benchmark: Benchmark, vectors: tuple[FloatArray, FloatArray]
) -> None:
    # trec_eval counts a query without relevant passages as 0; we leave it out of the mean
    write_runs(tmp_path, benchmark, *vectors)
    assert (tmp_path / "en-en.qrels").read_text() == "q 0 e1 2\n"
    assert sorted((tmp_path / "en-de.qrels").read_text().splitlines()) == ["q 0 d1 0", "q 0 d2 1"]
    assert sorted((tmp_path / "en-all.qrels").read_text().splitlines()) == [
        *("q 0 d1 0", "q 0 d2 1", "q 0 e1 2")
    ]


def test_scores_read_back_to_the_same_float32(tmp_path: Path, make_benchmark: MakeBenchmark) -> None:
    rng = np.random.default_rng(3)
    scores = np.concatenate(
        [
            rng.uniform(-1, 1, 500).astype(np.float32),
            np.nextafter(
                np.float32(0.5), np.array([0, 1], np.float32)
            ),  # neighbours that differ in the last bit
            np.array([1e-38, -1e-45, 1 / 3], np.float32),
        ]
    )
    names = [f"p{k}" for k in range(len(scores))]
    benchmark = make_benchmark({"q": "en"}, dict.fromkeys(names, "en"), [("q", "p0", 1)])
    write_runs(tmp_path, benchmark, np.ones((1, 1), np.float32), scores[:, None], depth=None)
    lines = [line.split() for line in (tmp_path / "en-en.run").read_text().splitlines()]
    read = {line[2]: np.float32(float(line[4])) for line in lines}
    assert [read[name].tobytes() for name in names] == [score.tobytes() for score in scores]


def test_progress_counts_the_queries_written(tmp_path: Path, random_benchmark: RandomBenchmark) -> None:
    benchmark, queries, passages = random_benchmark(seed=2, queries=600, passages=30)
    finished: list[int] = []
    write_runs(tmp_path, benchmark, queries, passages, progress=finished.append)
    with_relevant = len(set(benchmark.judged_query[benchmark.gains > 0]))
    assert finished == [512, with_relevant - 512]


@pytest.mark.parametrize("name", ["two words", "a\ttab", "a\u3000wide blank", "line\n", ""])
def test_an_id_that_a_run_cannot_hold_is_named(
    tmp_path: Path, make_benchmark: MakeBenchmark, name: str
) -> None:
    vectors = np.ones((1, 2), np.float32)
    for query, passage, kind in ((name, "p", "query"), ("q", name, "passage")):
        benchmark = make_benchmark({query: "en"}, {passage: "en"}, [(query, passage, 1)])
        with pytest.raises(PanglotError, match=f"{kind} id '{name}'"):
            write_runs(tmp_path / "runs", benchmark, vectors, vectors)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("depth", [None, 1])
def test_what_is_left_out_of_a_pool_is_in_no_run_and_no_qrels(
    tmp_path: Path,
    make_benchmark: MakeBenchmark,
    vectors: tuple[FloatArray, FloatArray],
    depth: int | None,
) -> None:
    benchmark = make_benchmark(
        {"q": "en", "other": "en"},
        {name: {"d": "de", "e": "en"}[name[0]] for name in SCORES},
        [("q", "e9", -1), ("q", "e3", -1), ("q", "e1", 1), ("other", "e9", 1)],
    )
    queries = np.array([[1, 0], [1, 0]], np.float32)
    write_runs(tmp_path, benchmark, queries, vectors[1], depth=depth)
    runs = [line.split()[:3:2] for line in (tmp_path / "en-all.run").read_text().splitlines()]
    of_query = [passage for query, passage in runs if query == "q"]
    of_other = [passage for query, passage in runs if query == "other"]
    assert of_query == ["d2", "d10", "e1", "d1"][:depth]
    assert of_other == ["e9", "e3", "d2", "d10", "e1", "d1"][:depth]
    assert (tmp_path / "en-all.qrels").read_text() == "q 0 e1 1\nother 0 e9 1\n"
