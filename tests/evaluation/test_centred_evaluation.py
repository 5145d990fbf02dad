"""Evaluation of embeddings without their languages' means."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sentence_transformers import SentenceTransformer

from panglot import Benchmark, PanglotError, evaluate, sample_benchmark, sample_pairs
from panglot.encoders import LanguageMeans, RoleMeans, means_of_pairs, model_sha256, prompts_of
from panglot.encoders.language_means import centre_benchmark, corpus_means
from panglot.evaluation import evaluate_embeddings

Floats = npt.NDArray[np.float32]
LANGUAGES = ("sw", "yo")
ITEMS = 10
FEW = ("ar", "de", "ru")  # of the sample


@pytest.fixture
def benchmark(make_benchmark: Callable[..., Benchmark]) -> Benchmark:
    """Ten items in two languages; an item's query has its passages in both for right ones."""
    names = {f"{k}:{language}": language for language in LANGUAGES for k in range(ITEMS)}
    judged = [(q, p, 1) for q in names for p in names if q.split(":")[0] == p.split(":")[0]]
    return make_benchmark(names, names, judged, items=[int(name.split(":")[0]) for name in names])


@pytest.fixture
def embeddings() -> Floats:
    """Item k lies on axis k, plus 1 (sw) or minus 1 (yo) on the last axis, all over sqrt 2."""
    of_language = [np.hstack([np.eye(ITEMS), np.full((ITEMS, 1), sign)]) for sign in (1, -1)]
    return np.asarray(np.vstack(of_language) / 2**0.5, np.float32)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch, tiny_encoder: SentenceTransformer, embeddings: Floats) -> None:
    monkeypatch.setattr(tiny_encoder, "get_embedding_dimension", lambda: embeddings.shape[1])
    module = import_module("panglot.evaluation.run")  # the package's name for it is the function's
    monkeypatch.setattr(module, "encode", lambda *_, **__: embeddings)


def test_language_offsets_cost_ranks(
    encoded: None, benchmark: Benchmark, tiny_encoder: SentenceTransformer
) -> None:
    results = evaluate(tiny_encoder, benchmark, measures=["AP"]).results
    # own language: the right passage scores 1, the wrong ones 1/2; other language: 0 and -1/2. Ranks 1 and 11
    assert results["bias"]["rank_distance"] == 10
    assert results["settings"]["multilingual"]["AP"] == pytest.approx((1 + 2 / 11) / 2)
    assert results["model"]["centring"] is None


def test_means_of_the_corpus_take_the_offsets_away(
    encoded: None, benchmark: Benchmark, tiny_encoder: SentenceTransformer
) -> None:
    results = evaluate(tiny_encoder, benchmark, measures=["AP"], centre="corpus").results
    # the last axis falls away, and the two right passages read the same: ranks 1 and 2
    assert results["bias"]["rank_distance"] == 1
    assert results["settings"]["multilingual"]["AP"] == pytest.approx(1)
    assert results["model"]["centring"] == {
        "means": "corpus",
        "sources": [{"name": "handmade", "sha256": "0" * 64}],
        "texts": {"query": {"sw": 10, "yo": 10}, "passage": {"sw": 10, "yo": 10}},
    }


def test_queries_and_passages_lose_means_of_their_own(
    benchmark: Benchmark, embeddings: Floats, tiny_encoder: SentenceTransformer
) -> None:
    turned = np.roll(embeddings, 1, axis=1)
    means = corpus_means(tiny_encoder, benchmark, embeddings, turned)
    queries, passages = centre_benchmark(benchmark, embeddings, turned, means)
    assert passages == pytest.approx(np.roll(queries, 1, axis=1), abs=1e-6)
    # item 0 in sw: (1, 0, ..., 0, 1) - (.1, .1, ..., .1, 1) = (.9, -.1, ..., -.1, 0), of length sqrt .9
    assert queries[0] == pytest.approx(np.array([0.9, *[-0.1] * 9, 0]) / 0.9**0.5, abs=1e-6)


def test_judgements_do_not_change_the_centring(
    benchmark: Benchmark, embeddings: Floats, tiny_encoder: SentenceTransformer
) -> None:
    first = np.zeros(1, np.int64)
    one = replace(benchmark, judged_query=first, judged_passage=first, gains=first + 1)
    a = corpus_means(tiny_encoder, benchmark, embeddings, embeddings)
    b = corpus_means(tiny_encoder, one, embeddings, embeddings)
    assert (a.query.vectors == b.query.vectors).all()
    assert (a.passage.vectors == b.passage.vectors).all()


def given(model: SentenceTransformer, languages: tuple[str, ...], texts: int) -> LanguageMeans:
    last = np.eye(1, ITEMS + 1, ITEMS, dtype=np.float32)
    signs = np.array([[1], [-1], [1]], np.float32)[: len(languages)]
    means = RoleMeans(languages, signs * last / 2**0.5, np.full(len(languages), texts))
    return LanguageMeans(
        means, means, model_sha256(model), prompts_of(model), ({"name": "n", "sha256": "1"},)
    )


def test_means_from_elsewhere_take_the_offsets_away(
    encoded: None, benchmark: Benchmark, tiny_encoder: SentenceTransformer
) -> None:
    notes: list[str] = []
    means = given(tiny_encoder, LANGUAGES, 1000)
    results = evaluate(tiny_encoder, benchmark, centre=means, note=notes.append).results
    # without the last axis, right passages score 1 and wrong ones 0
    assert results["bias"]["rank_distance"] == 1
    assert results["model"]["centring"] == {
        "means": "pairs",
        "sources": [{"name": "n", "sha256": "1"}],
        "texts": {"query": {"sw": 1000, "yo": 1000}, "passage": {"sw": 1000, "yo": 1000}},
    }
    assert notes == []


def test_a_person_reads_which_languages_have_no_mean(
    encoded: None, benchmark: Benchmark, tiny_encoder: SentenceTransformer
) -> None:
    notes: list[str] = []
    means = given(tiny_encoder, ("sw",), 9)
    results = evaluate(tiny_encoder, benchmark, centre=means, note=notes.append).results
    assert results["model"]["centring"]["texts"]["query"] == {"sw": 9, "yo": 0}
    assert [note.split(";")[0] for note in notes] == [
        "the means of queries rest on fewer than 10 texts in sw (9)",
        "there is no mean of queries in yo",
        "the means of passages rest on fewer than 10 texts in sw (9)",
        "there is no mean of passages in yo",
    ]


def test_a_language_without_queries_needs_no_mean_of_queries(
    make_benchmark: Callable[..., Benchmark], tiny_encoder: SentenceTransformer
) -> None:
    notes: list[str] = []
    queries = {f"q{k}": "sw" for k in range(10)}
    passages = {f"p{k}": "yo" for k in range(10)}
    benchmark = make_benchmark(queries, passages, [("q0", "p0", 1)])
    evaluate(tiny_encoder, benchmark, centre="corpus", note=notes.append)
    assert notes == []


def test_means_of_another_model_are_refused_before_anything_is_encoded(
    benchmark: Benchmark, tiny_encoder: SentenceTransformer
) -> None:
    finished: list[int] = []
    other = replace(given(tiny_encoder, LANGUAGES, 10), model_sha256="0" * 64)
    with pytest.raises(PanglotError, match="a model with other weights"):
        evaluate(tiny_encoder, benchmark, centre=other, progress=finished.append)
    with pytest.raises(PanglotError, match="'corpse' is not a kind of centring"):
        evaluate(tiny_encoder, benchmark, centre="corpse", progress=finished.append)  # type: ignore[arg-type]
    assert finished == []


def test_runs_are_those_of_the_centred_embeddings(
    encoded: None, benchmark: Benchmark, tiny_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    evaluate(tiny_encoder, benchmark, centre="corpus", runs=tmp_path, run_depth=2)
    lines = [line.split() for line in (tmp_path / "sw-all.run").read_text().splitlines()]
    assert len(lines) == 2 * ITEMS
    assert all(query.split(":")[0] == passage.split(":")[0] for query, _, passage, *_ in lines)


def test_the_sample_is_centred_as_numpy_does_it(encoder: SentenceTransformer) -> None:
    benchmark = sample_benchmark().restrict(FEW)
    centred = {}
    for role, texts in (("query", benchmark.queries), ("passage", benchmark.passages)):
        rows = encoder.encode(texts.texts, prompt=f"{role}: ", normalize_embeddings=True)
        for language in np.unique(texts.languages):
            rows[texts.languages == language] -= rows[texts.languages == language].mean(axis=0)
        centred[role] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = evaluate_embeddings(benchmark, centred["query"], centred["passage"]).results
    plain = evaluate(encoder, benchmark).results
    results = evaluate(encoder, benchmark, centre="corpus").results
    for setting, figures in expected["settings"].items():
        assert results["settings"][setting] == pytest.approx(figures, abs=1e-3)
        assert results["settings"][setting]["AP"] != plain["settings"][setting]["AP"]
    assert results["bias"]["rank_distance"] == pytest.approx(expected["bias"]["rank_distance"], abs=0.1)
    assert results["bias"]["rank_distance"] < plain["bias"]["rank_distance"]


def test_means_of_training_texts_serve_held_out_ones(encoder: SentenceTransformer) -> None:
    notes: list[str] = []
    benchmark = sample_benchmark().restrict(FEW)
    means = means_of_pairs(encoder, [sample_pairs().select(languages=FEW)])
    plain = evaluate(encoder, benchmark, measures=["AP"]).results["settings"]
    results = evaluate(encoder, benchmark, measures=["AP"], centre=means, note=notes.append).results
    assert results["settings"]["multilingual"]["AP"] > plain["multilingual"]["AP"]
    assert set(results["model"]["centring"]["texts"]["passage"].values()) == {48}
    assert notes == []
