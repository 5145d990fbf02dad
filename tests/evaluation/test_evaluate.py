import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, Texts
from panglot.errors import PanglotError
from panglot.evaluation import DEFAULT_MEASURES, evaluate, evaluate_embeddings

TEXTS = {
    "bread:en": ("How is bread made?", "Bread is baked from flour, water and yeast."),
    "bread:es": ("¿Cómo se hace el pan?", "El pan se hornea con harina, agua y levadura."),
    "bread:de": ("Wie wird Brot gemacht?", "Brot wird aus Mehl, Wasser und Hefe gebacken."),
    "bees:en": ("Who makes honey?", "Bees gather nectar and turn it into honey."),
    "bees:es": ("¿Quién hace la miel?", "Las abejas recogen néctar y lo convierten en miel."),
    "moon:en": ("What lights the night?", "The moon lights the night."),
}


@pytest.fixture
def benchmark() -> Benchmark:
    languages = ("de", "en", "es")
    ids = list(TEXTS)
    code = np.array([languages.index(name[-2:]) for name in ids])
    item = np.unique([name[:-3] for name in ids], return_inverse=True)[1]
    judged = np.argwhere(item[:, None] == item[None, :])
    return Benchmark(
        name="kitchen",
        languages=languages,
        queries=Texts(ids, code, [query for query, _ in TEXTS.values()]),
        passages=Texts(ids, code, [passage for _, passage in TEXTS.values()]),
        query_items=item,
        judged_query=judged[:, 0],
        judged_passage=judged[:, 1],
        gains=np.ones(len(judged), np.int64),
        sha256="f" * 64,
    )


def test_a_saved_evaluation_has_the_keys_of_the_schema(
    tmp_path: Path, encoder: SentenceTransformer, benchmark: Benchmark
) -> None:
    evaluate(encoder, benchmark, name="mine", training={"steps": 1}, seed=3).save(tmp_path / "results.json")
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert set(results) == {
        *("schema", "panglot", "command", "created", "seed", "versions", "model", "benchmark"),
        *("settings", "bias", "by_language", "matrix", "intervals", "groups", "per_query"),
    }
    assert {"name", "sha256", "prompts", "training"} <= results["model"].keys()
    assert (results["model"]["name"], results["model"]["training"], results["seed"]) == (
        "mine",
        {"steps": 1},
        3,
    )
    assert results["benchmark"] == {
        "name": "kitchen",
        "sha256": "f" * 64,
        "languages": ["de", "en", "es"],
        "queries": 6,
        "passages": 6,
        "candidate_text": "passage",
    }
    settings = {"monolingual", "crosslingual", "multilingual"}
    assert results["settings"].keys() == settings
    assert all(list(figures) == list(DEFAULT_MEASURES) for figures in results["settings"].values())
    assert {"rank_distance", "rank_distance_normalised"} <= results["bias"].keys()
    assert all(row.keys() == settings | {"rank_distance"} for row in results["by_language"].values())
    assert list(results["matrix"]) == list(DEFAULT_MEASURES)


def test_the_table_has_a_row_per_query_and_pool(
    tmp_path: Path, encoder: SentenceTransformer, benchmark: Benchmark
) -> None:
    evaluate(encoder, benchmark).save(tmp_path / "results.json")
    table = pq.read_table(tmp_path / "results.parquet")
    pools: dict[str, set[str]] = {}
    for row in table.to_pylist():
        pools.setdefault(row["query_id"], set()).add(row["pool"])
    three, two, one = {"*", "de", "en", "es"}, {"*", "en", "es"}, {"*", "en"}
    assert [pools[name] for name in TEXTS] == [three, three, three, two, two, one]
    assert table.num_rows == 3 * 4 + 2 * 3 + 2


def test_runs_hold_the_cosines_of_the_encoder_with_its_prompts(
    tmp_path: Path, encoder: SentenceTransformer, benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "prompts", {"query": "A question: ", "document": "An answer: "})
    evaluate(encoder, benchmark, runs=tmp_path, run_depth=None)
    queries = encoder.encode([f"A question: {query}" for query, _ in TEXTS.values()], prompt="")
    passages = encoder.encode([f"An answer: {passage}" for _, passage in TEXTS.values()], prompt="")
    lengths = np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(passages, axis=1))
    cosines = queries @ passages.T / lengths
    found = {}
    for path in tmp_path.glob("*-all.run"):
        for line in path.read_text(encoding="utf-8").splitlines():
            query, _, passage, _, score, _ = line.split()
            found[query, passage] = float(score)
    expected = {(q, p): cosines[i, j] for i, q in enumerate(TEXTS) for j, p in enumerate(TEXTS)}
    assert found == pytest.approx(expected, abs=1e-5)


def test_progress_counts_every_text(encoder: SentenceTransformer, benchmark: Benchmark) -> None:
    finished: list[int] = []
    evaluate(encoder, benchmark, progress=finished.append)
    assert sum(finished) == 2 * len(TEXTS)


def test_a_wrong_measure_or_id_is_told_before_anything_is_encoded(
    tmp_path: Path, encoder: SentenceTransformer, benchmark: Benchmark
) -> None:
    finished: list[int] = []
    with pytest.raises(PanglotError, match="'MAP' is not a measure"):
        evaluate(encoder, benchmark, measures=["MAP"], progress=finished.append)
    named = replace(benchmark, queries=replace(benchmark.queries, ids=["a b", *list("cdefg")]))
    with pytest.raises(PanglotError, match="query id 'a b'"):
        evaluate(encoder, named, runs=tmp_path, progress=finished.append)
    assert finished == []


def test_a_title_is_put_before_its_text() -> None:
    def benchmark(titles: list[str] | None) -> Benchmark:
        one = np.zeros(1, np.int64)
        return Benchmark(
            name="titled",
            languages=("en",),
            queries=Texts(["q"], one, ["a query"]),
            passages=Texts(["a", "b"], np.zeros(2, np.int64), ["first", "second"], titles),
            query_items=one,
            judged_query=one,
            judged_passage=one,
            gains=one + 1,
        )

    assert list(benchmark(None).passages.titled()) == ["first", "second"]
    assert list(benchmark(["Title", ""]).passages.titled()) == ["Title first", "second"]


def test_only_the_measures_asked_for_are_reported(benchmark: Benchmark) -> None:
    # each text is its own axis: a query finds its own passage first, all others tie below
    vectors = np.eye(6, dtype=np.float32)
    evaluation = evaluate_embeddings(benchmark, vectors, vectors, measures=["Success@1", "RR"])
    assert evaluation.results["settings"]["monolingual"] == {"Success@1": 1, "RR": 1}
    assert list(evaluation.results["matrix"]) == ["Success@1", "RR"]
    assert set(evaluation.results) == {"settings", "bias", "by_language", "matrix"}


def test_a_model_that_embeds_all_texts_alike_is_refused(
    benchmark: Benchmark, tiny_encoder: SentenceTransformer
) -> None:
    with torch.no_grad():
        for weight in tiny_encoder.parameters():
            weight.zero_()
    with pytest.raises(PanglotError, match="gives all passages the same embedding"):
        evaluate(tiny_encoder, benchmark)
