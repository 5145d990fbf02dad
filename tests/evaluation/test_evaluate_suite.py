"""Suites: each part in its own pool, one results file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, sample_benchmark
from panglot.data.readers.parallel import bitext
from panglot.data.suite import Suite, merge
from panglot.encoders.language_means import centre_benchmark, corpus_means
from panglot.evaluation import (
    Evaluation,
    compare_results,
    describe_run,
    evaluate,
    evaluate_embeddings,
    load_results,
)
from panglot.evaluation.aggregate import all_cells
from panglot.evaluation.bootstrap import estimates
from panglot.evaluation.results import describe_benchmark
from panglot.evaluation.run import assembled, embed_benchmark
from panglot.search.baseline import bm25_evaluation

GERMAN = bitext(
    "de-en", ("de", "en"), (["Brot", "Mond", "Biene"], ["bread", "moon", "bee"]), np.array([0, 1, 2])
)
SPANISH = bitext("es-en", ("es", "en"), (["pan", "luna"], ["bread", "moon"]), np.array([0, 1]))
PAIRS = Suite("pairs", (GERMAN, SPANISH), ("crosslingual",), {"one": ("es-en",), "two": ("de-en", "es-en")})
BREAD, MOON, BEE = np.eye(3, dtype=np.float32)
# de has bee where the moon should be; en and es are right. Rows are de 3, en 3 | en 2, es 2
VECTORS = np.stack([BREAD, BEE, BEE, BREAD, MOON, BEE, BREAD, MOON, BREAD, MOON])


def test_the_matrix_holds_each_part_in_both_directions() -> None:
    results = evaluate_embeddings(PAIRS, VECTORS, VECTORS, ["Success@1"]).results
    # de to en: bread and bee find theirs, the moon (a bee in de) does not. en to de: bread finds its own; the
    # bee two equal ones, of which de:2, its own, comes first by id; to the moon all are equally far: not de:1
    matrix = results["matrix"]["Success@1"]
    assert matrix["de"] == {"en": pytest.approx(2 / 3)}
    assert matrix["en"] == {"de": pytest.approx(2 / 3), "es": 1.0}
    assert matrix["es"] == {"en": 1.0}
    mean = (2 / 3 + 2 / 3 + 1 + 1) / 4
    assert results["settings"] == {
        "monolingual": None,
        "crosslingual": {"Success@1": pytest.approx(mean)},
        "multilingual": None,
    }
    assert results["bias"] == {"rank_distance": None, "rank_distance_normalised": None}
    assert results["by_language"]["en"]["crosslingual"] == {"Success@1": pytest.approx(5 / 6)}


def test_parts_that_share_languages_count_as_one(tmp_path: Path) -> None:
    first = sample_benchmark().restrict(["de", "en"])
    parts = (replace(first, name="both"), replace(first.restrict(["en"]), name="english"))
    suite = Suite("unequal", parts)
    vectors = np.random.default_rng(0).normal(size=(3 * len(parts[1].queries), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = assembled(
        suite, evaluate_embeddings(suite, vectors, vectors, ["AP"]), {"name": "random", "sha256": None}
    )
    ap = found.per_query.to_pandas().groupby(["part", "query_language", "pool"])["AP"].mean()
    german, english = ap["both", "de", "de"], (ap["both", "en", "en"] + ap["english", "en", "en"]) / 2
    assert found.results["settings"]["monolingual"]["AP"] == pytest.approx((german + english) / 2)
    estimated = estimates(found.per_query, ["AP"], {"settings": all_cells}, resamples=10)
    for row in estimated.itertuples():
        assert row.value == pytest.approx(found.results["settings"][row.setting]["AP"])
    assert "rank_distance_normalised" not in found.results["intervals"]["bias"]
    found.save(tmp_path / "results.json")
    assert load_results(tmp_path / "results.json").results == found.results


def test_groups_and_parts_are_reported_by_themselves() -> None:
    results = evaluate_embeddings(PAIRS, VECTORS, VECTORS, ["Success@1"]).results
    groups = {name: group["settings"]["crosslingual"] for name, group in results["part_groups"].items()}
    assert groups == {
        "one": {"Success@1": 1.0},
        "two": {"Success@1": pytest.approx((2 / 3 + 2 / 3 + 1 + 1) / 4)},
    }
    assert results["part_groups"]["two"]["parts"] == ["de-en", "es-en"]
    assert results["parts"]["de-en"] == {
        "languages": ["de", "en"],
        "queries": 6,
        "passages": 6,
        "settings": {
            "monolingual": None,
            "crosslingual": {"Success@1": pytest.approx(2 / 3)},
            "multilingual": None,
        },
    }


def test_the_table_names_the_part_of_each_row() -> None:
    table = evaluate_embeddings(PAIRS, VECTORS, VECTORS, ["Success@1"]).per_query
    rows = [(row["part"], row["query_id"], row["pool"]) for row in table.to_pylist()]
    expected = [("de-en", f"de:{k}", "en") for k in range(3)] + [("de-en", f"en:{k}", "de") for k in range(3)]
    expected += [("es-en", f"en:{k}", "es") for k in range(2)] + [
        ("es-en", f"es:{k}", "en") for k in range(2)
    ]
    assert sorted(rows) == sorted(expected)


@pytest.fixture
def forums(make_benchmark: Callable[..., Benchmark]) -> Suite:
    forum = make_benchmark(
        {"a": "en", "b": "en", "c": "en"},
        {"x": "en", "y": "en"},
        [("a", "x", 1), ("b", "x", 1), ("c", "y", 1)],
    )
    other = make_benchmark({"a": "en"}, {"x": "en"}, [("a", "x", 1)])
    parts = tuple(
        Benchmark(**{**vars(part), "name": name}) for part, name in [(forum, "big"), (other, "small")]
    )
    return Suite("forums", parts)


QUERIES = np.stack([BREAD, MOON, BREAD, BEE])  # of the three in big only a finds its own
PASSAGES = np.stack([BREAD, MOON, BEE])


def test_parts_of_one_language_count_the_same_whatever_their_size(forums: Suite) -> None:
    """As BEIR averages CQADupStack: over its forums, not over their queries."""
    results = evaluate_embeddings(forums, QUERIES, PASSAGES, ["Success@1"]).results
    assert results["settings"] == {
        "monolingual": {"Success@1": pytest.approx((1 / 3 + 1) / 2)},
        "crosslingual": None,
        "multilingual": None,
    }


def test_parts_of_one_language_are_read_again_and_compared(forums: Suite, tmp_path: Path) -> None:
    found = {
        name: evaluate_embeddings(forums, queries, PASSAGES, ["Success@1"])
        for name, queries in {"one": QUERIES, "all": np.stack([BREAD, BREAD, MOON, BEE])}.items()
    }
    read = []
    for name, evaluation in found.items():
        results = {**describe_run(), "model": {"name": name, "sha256": None}, **evaluation.results}
        results["benchmark"] = describe_benchmark(merge(forums))
        Evaluation(results, evaluation.per_query).save(tmp_path / f"{name}.json")
        read.append(load_results(tmp_path / f"{name}.json"))
    compared = compare_results(*read).to_dict()["compared"]
    of_settings = {name: run["settings"]["monolingual"]["value"] for name, run in compared.items()}
    assert of_settings == {"one": pytest.approx((1 / 3 + 1) / 2), "all": 1.0}
    of_english = compared["all"]["by_language"]["en"]["monolingual"]
    assert of_english["difference"] == pytest.approx(1 - (1 / 3 + 1) / 2)
    assert compared["all"]["matrix"] == {}  # en is in two pools


def test_a_suite_of_one_part_has_the_figures_of_that_part(make_benchmark: Callable[..., Benchmark]) -> None:
    part = make_benchmark(
        {"a": "en", "b": "de", "c": "de"},
        {"x": "en", "y": "de", "z": "de"},
        [("a", "x", 1), ("a", "y", 1), ("b", "y", 1), ("b", "x", 1), ("c", "z", 1)],
    )
    rng = np.random.default_rng(5)
    queries, passages = (rng.standard_normal((3, 4)).astype(np.float32) for _ in range(2))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    passages /= np.linalg.norm(passages, axis=1, keepdims=True)
    alone = evaluate_embeddings(part, queries, passages).results
    found = evaluate_embeddings(Suite("one", (part,)), queries, passages).results
    for key in ("settings", "by_language", "matrix"):
        assert found[key] == alone[key]
    assert found["bias"]["rank_distance"] == alone["bias"]["rank_distance"]


def test_an_encoder_is_measured_on_every_part(encoder: SentenceTransformer, tmp_path: Path) -> None:
    finished: list[int] = []
    evaluation = evaluate(
        encoder, PAIRS, name="mine", runs=tmp_path / "runs", progress=finished.append, seed=3
    )
    results = evaluation.results
    assert sum(finished) == 2 * 10
    assert results["benchmark"]["name"] == "pairs"
    assert results["benchmark"]["queries"] == results["benchmark"]["passages"] == 10
    assert results["benchmark"]["sha256"] == merge(PAIRS).sha256
    assert (results["model"]["name"], results["seed"], results["schema"]) == ("mine", 3, 1)
    alone = evaluate(encoder, SPANISH).results["settings"]["crosslingual"]
    assert results["parts"]["es-en"]["settings"]["crosslingual"] == pytest.approx(alone)
    assert (tmp_path / "runs" / "de-en" / "de-en.run").exists()
    evaluation.save(tmp_path / "results.json")
    assert (tmp_path / "results.parquet").exists()


def test_a_suite_is_centred_with_the_means_of_all_its_parts(encoder: SentenceTransformer) -> None:
    both = Suite("both", (GERMAN, SPANISH), ("monolingual", "crosslingual"))
    merged = merge(both)
    notes: list[str] = []
    found = evaluate(encoder, both, centre="corpus", note=notes.append).results
    queries, passages = embed_benchmark(encoder, merged)
    means = corpus_means(encoder, merged, queries, passages)
    expected = evaluate_embeddings(both, *centre_benchmark(merged, queries, passages, means)).results
    assert found["settings"] == expected["settings"]
    assert found["matrix"] == expected["matrix"]
    assert found["model"]["centring"]["means"] == "corpus"
    assert found["model"]["centring"]["texts"]["query"]["en"] == 5
    assert any("en" in sentence for sentence in notes)  # fewer than ten texts


def test_a_suite_has_intervals_groups_and_changed_queries(encoder: SentenceTransformer) -> None:
    found = evaluate(encoder, PAIRS, measures=["Success@1"], perturb=["lower-case"])
    figure = found.results["intervals"]["settings"]["crosslingual"]["Success@1"]
    value = found.results["settings"]["crosslingual"]["Success@1"]
    assert figure[0] <= value <= figure[1]
    families = found.results["groups"]["languages"]["family"].values()
    assert sorted(code for family in families for code in family["languages"]) == ["de", "en", "es"]
    # only Brot, Mond and Biene change; the Spanish and English words are in lower case
    drops = found.results["perturbed"]["lower-case"]
    assert drops["by_language"]["es"]["changed"] == drops["by_language"]["en"]["changed"] == 0
    assert drops["by_language"]["de"]["changed"] == 1
    assert drops["by_language"]["es"]["crosslingual"]["change"] == 0
    assert found.perturbed is not None
    assert set(found.perturbed["part"].to_pylist()) == {"de-en", "es-en"}


def test_bm25_ranks_each_part_in_its_own_pool() -> None:
    both = Suite("both", (GERMAN, SPANISH), ("monolingual", "crosslingual"))
    found = bm25_evaluation(both, measures=["Success@1"]).results
    for part in both.parts:
        alone = bm25_evaluation(part, measures=["Success@1"]).results["settings"]
        assert found["parts"][part.name]["settings"]["crosslingual"] == alone["crosslingual"]
