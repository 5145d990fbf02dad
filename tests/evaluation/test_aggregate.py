from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from panglot.data import Benchmark
from panglot.evaluation import ALL, Ranks, evaluate_embeddings, per_query, summarise

MakeBenchmark = Callable[..., Benchmark]
MEASURES = ("RR", "Success@2")
# query, passage, rank in its language, rank in all
RANKS = [
    ("q0", "d0", 1, 1),
    ("q0", "e0", 2, 4),
    ("q1", "d1", 2, 2),
    ("q1", "e1", 1, 3),
    ("q2", "d0", 2, 5),
    ("q3", "d0", 2, 5),
    ("q3", "e1", 1, 1),
    ("q3", "f0", 1, 2),
]


@pytest.fixture
def benchmark(make_benchmark: MakeBenchmark) -> Benchmark:
    """Three German queries and one English; the French one finds nothing; q0 and q3 are one item."""
    return make_benchmark(
        {"q0": "de", "q1": "de", "q2": "de", "q3": "en", "q4": "fr"},
        {"d0": "de", "d1": "de", "e0": "en", "e1": "en", "f0": "fr", "f1": "fr"},
        [(query, passage, 1) for query, passage, _, _ in RANKS],
        items=[7, 8, 9, 7, 8],
    )


@pytest.fixture
def table(benchmark: Benchmark) -> pa.Table:
    query = [benchmark.queries.ids.index(name) for name, _, _, _ in RANKS]
    passage = [benchmark.passages.ids.index(name) for _, name, _, _ in RANKS]
    own, every = np.array([ranks for _, _, *ranks in RANKS]).T
    ranks = Ranks(np.array(query), np.array(passage), np.ones(len(RANKS), np.int64), own, every)
    return per_query(benchmark, ranks, MEASURES)


def rows(table: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row[c] for c in columns) for row in table.select(list(columns)).to_pylist())


def test_per_query_has_the_documented_columns(table: pa.Table) -> None:
    assert table.column_names == [
        *("query_id", "item", "query_language", "pool", "relevant", "best_rank", "worst_rank"),
        *MEASURES,
        "rank_distance",
    ]


def test_per_query_has_a_row_per_query_and_pool_with_a_relevant_passage(table: pa.Table) -> None:
    assert rows(table, "query_id", "query_language", "pool") == [
        *(("q0", "de", ALL), ("q0", "de", "de"), ("q0", "de", "en")),
        *(("q1", "de", ALL), ("q1", "de", "de"), ("q1", "de", "en")),
        *(("q2", "de", ALL), ("q2", "de", "de")),
        *(("q3", "en", ALL), ("q3", "en", "de"), ("q3", "en", "en"), ("q3", "en", "fr")),
    ]


def test_per_query_takes_ranks_of_the_pool(table: pa.Table) -> None:
    columns = ("query_id", "pool", "relevant", "best_rank", "worst_rank", "RR", "Success@2")
    found = rows(table, *columns)
    assert ("q0", "en", 1, 2, 2, 0.5, 1.0) in found
    assert ("q2", ALL, 1, 5, 5, 0.2, 0.0) in found
    assert ("q3", ALL, 3, 1, 5, 1.0, 1.0) in found


def test_translations_keep_their_item(table: pa.Table) -> None:
    assert set(rows(table, "query_id", "item")) == {("q0", 7), ("q1", 8), ("q2", 9), ("q3", 7)}


def test_rank_distance_is_of_the_multilingual_pool_and_two_relevant_passages(table: pa.Table) -> None:
    known = [row for row in table.to_pylist() if row["rank_distance"] is not None]
    assert sorted((row["query_id"], row["pool"], row["rank_distance"]) for row in known) == [
        ("q0", ALL, 3),
        ("q1", ALL, 1),
        ("q3", ALL, 4),
    ]


def test_matrix_averages_over_queries_with_a_relevant_passage(benchmark: Benchmark, table: pa.Table) -> None:
    matrix = summarise(benchmark, table, MEASURES)["matrix"]["RR"]
    assert matrix["de"] == pytest.approx({"de": (1 + 1 / 2 + 1 / 2) / 3, "en": (1 / 2 + 1) / 2})
    assert matrix["en"] == pytest.approx({"de": 1 / 2, "en": 1, "fr": 1})
    assert matrix["fr"] == {}


def test_settings_are_means_over_languages_not_over_queries(benchmark: Benchmark, table: pa.Table) -> None:
    settings = summarise(benchmark, table, MEASURES)["settings"]
    assert settings["monolingual"] == pytest.approx({"RR": (2 / 3 + 1) / 2, "Success@2": 1})
    assert settings["crosslingual"] == pytest.approx({"RR": (3 / 4 + 1 / 2 + 1) / 3, "Success@2": 1})
    german = (1 + 1 / 2 + 1 / 5) / 3
    assert settings["multilingual"] == pytest.approx({"RR": (german + 1) / 2, "Success@2": (2 / 3 + 1) / 2})


def test_rank_distance_is_averaged_over_languages_and_divided_by_the_pool(
    benchmark: Benchmark, table: pa.Table
) -> None:
    bias = summarise(benchmark, table, MEASURES)["bias"]
    # German: (3 + 1) / 2, English: 4; six passages
    assert bias == pytest.approx({"rank_distance": 3, "rank_distance_normalised": 3 / 6})


def test_figures_by_language(benchmark: Benchmark, table: pa.Table) -> None:
    by_language = summarise(benchmark, table, MEASURES)["by_language"]
    german, english = by_language["de"], by_language["en"]
    assert list(by_language) == ["de", "en", "fr"]
    assert [german[name]["RR"] for name in ("monolingual", "crosslingual", "multilingual")] == pytest.approx(
        [2 / 3, 3 / 4, 17 / 30]
    )
    assert [english[name]["RR"] for name in ("monolingual", "crosslingual", "multilingual")] == pytest.approx(
        [1, 3 / 4, 1]
    )
    assert (german["rank_distance"], english["rank_distance"]) == (2, 4)
    assert set(by_language["fr"].values()) == {None}


def one_hot(benchmark: Benchmark) -> dict[str, Any]:
    size = max(len(benchmark.queries), len(benchmark.passages))
    vectors = np.eye(size, dtype=np.float32)
    return evaluate_embeddings(
        benchmark, vectors[: len(benchmark.queries)], vectors[: len(benchmark.passages)]
    ).results


def test_a_benchmark_of_one_language_has_the_monolingual_setting_only(make_benchmark: MakeBenchmark) -> None:
    benchmark = make_benchmark(
        {"q0": "sw", "q1": "sw"}, {"p0": "sw", "p1": "sw"}, [("q0", "p0", 1), ("q1", "p1", 1)]
    )
    results = one_hot(benchmark)
    assert results["settings"]["monolingual"]["AP"] == 1
    assert results["settings"]["crosslingual"] is None
    assert results["settings"]["multilingual"] is None
    assert results["bias"] == {"rank_distance": None, "rank_distance_normalised": None}
    assert results["matrix"]["AP"] == {"sw": {"sw": 1}}


def test_judgements_in_the_query_language_only_give_no_crosslingual_setting(
    make_benchmark: MakeBenchmark,
) -> None:
    benchmark = make_benchmark(
        {"q0": "sw", "q1": "en"}, {"p0": "sw", "p1": "en"}, [("q0", "p0", 1), ("q1", "p1", 1)]
    )
    results = one_hot(benchmark)
    assert results["settings"]["crosslingual"] is None
    assert results["settings"]["monolingual"]["AP"] == results["settings"]["multilingual"]["AP"] == 1
    assert results["bias"]["rank_distance"] is None


def test_judgements_in_another_language_only_give_no_monolingual_setting(
    make_benchmark: MakeBenchmark,
) -> None:
    benchmark = make_benchmark({"q0": "sw"}, {"p0": "en"}, [("q0", "p0", 1)])
    settings = one_hot(benchmark)["settings"]
    assert settings["monolingual"] is None
    assert settings["crosslingual"]["AP"] == 1
