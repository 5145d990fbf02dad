"""Stores of a benchmark's passages, and evaluating with them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot.data import Benchmark, sample_benchmark
from panglot.encoders import encode
from panglot.encoders.store import open_store
from panglot.errors import PanglotError
from panglot.evaluation import evaluate
from panglot.evaluation.run import embed_queries
from panglot.evaluation.stores import corpus_facts, encode_passages, load_reader, store_facts

MakeBenchmark = Callable[..., Benchmark]


@pytest.fixture(scope="session")
def benchmark() -> Benchmark:
    return sample_benchmark().restrict(["en", "es"])


def encoded(model: SentenceTransformer, benchmark: Benchmark, folder: Path, **settings: Any) -> Path:
    encode_passages(model, benchmark, folder, store_facts(model, benchmark, shard_size=50, **settings))
    return folder


def test_figures_from_a_float32_store_equal_those_without(
    tiny_encoder: SentenceTransformer, benchmark: Benchmark, tmp_path: Path
) -> None:
    store = open_store(encoded(tiny_encoder, benchmark, tmp_path, dtype="float32"))
    queries = embed_queries(tiny_encoder, benchmark)
    with_store = evaluate(tiny_encoder, benchmark, embeddings=(queries, store))
    in_memory = evaluate(tiny_encoder, benchmark, embeddings=(queries, store[:]))
    assert with_store.results["model"].pop("store") == "float32"
    assert "store" not in in_memory.results["model"]
    for key in ("model", "benchmark", "settings", "bias", "matrix"):
        assert with_store.results[key] == in_memory.results[key]
    assert with_store.per_query.equals(in_memory.per_query)


def test_the_store_holds_titles_and_texts(
    tiny_encoder: SentenceTransformer, make_benchmark: MakeBenchmark, tmp_path: Path
) -> None:
    benchmark = make_benchmark({"q": "en"}, {"a": "en", "b": "en"}, [("q", "a", 1)])
    titled = replace(benchmark, passages=replace(benchmark.passages, titles=["bread", ""]))
    expected = encode(tiny_encoder, ["bread the text of a", "the text of b"], "Passage: ")
    store = open_store(encoded(tiny_encoder, titled, tmp_path, dtype="float32"))
    np.testing.assert_allclose(store[:], expected, atol=1e-6)


class _Lazy(list[str]):
    """Texts that may be read in slices only."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all texts were read")


def test_texts_are_read_in_slices_only(
    tiny_encoder: SentenceTransformer, benchmark: Benchmark, tmp_path: Path
) -> None:
    lazy = replace(benchmark, passages=replace(benchmark.passages, texts=_Lazy(benchmark.passages.texts)))
    store = open_store(encoded(tiny_encoder, lazy, tmp_path, dtype="float16"))
    assert len(store) == len(benchmark.passages)


def test_facts_tell_where_languages_lie(benchmark: Benchmark, make_benchmark: MakeBenchmark) -> None:
    facts = corpus_facts(make_benchmark({"q": "en"}, {"a": "de", "b": "de", "c": "en"}, [("q", "a", 1)]))
    assert facts["languages"] == {"de": [0, 2], "en": [2, 3]}
    assert (facts["name"], facts["rows"], facts["candidate_text"]) == ("handmade", 3, "passage")
    mixed = make_benchmark({"q": "en"}, {"a": "de", "b": "en", "c": "de"}, [("q", "a", 1)])
    assert corpus_facts(mixed)["languages"] is None


def test_facts_tell_passages_apart(make_benchmark: MakeBenchmark) -> None:
    one = make_benchmark({"q": "en"}, {"a": "de", "b": "en"}, [("q", "a", 1)])
    other = make_benchmark({"q": "en"}, {"a": "en", "b": "de"}, [("q", "a", 1)])
    assert corpus_facts(one)["rows_sha256"] != corpus_facts(other)["rows_sha256"]
    no_sum = replace(one, sha256="")
    texts = replace(no_sum, passages=replace(no_sum.passages, texts=["the text of a", "changed"]))
    assert corpus_facts(no_sum) == corpus_facts(replace(no_sum))
    assert corpus_facts(no_sum)["rows_sha256"] != corpus_facts(texts)["rows_sha256"]


def test_a_store_of_something_else_is_refused(
    tiny_encoder: SentenceTransformer,
    encoder: SentenceTransformer,
    benchmark: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = encoded(tiny_encoder, benchmark, tmp_path)
    given = embed_queries(tiny_encoder, benchmark), open_store(folder)
    with pytest.raises(PanglotError, match=r"holds embeddings of another model \('model'\)"):
        evaluate(encoder, benchmark, embeddings=given)
    with pytest.raises(PanglotError, match="holds other passages"):
        evaluate(tiny_encoder, benchmark.restrict(["en"]), embeddings=given)
    with pytest.raises(PanglotError, match="cannot be centred"):
        evaluate(tiny_encoder, benchmark, embeddings=given, centre="corpus")
    monkeypatch.setattr(tiny_encoder, "max_seq_length", 9)
    with pytest.raises(PanglotError, match="cut at 48 tokens, the model now cuts at 9"):
        evaluate(tiny_encoder, benchmark, embeddings=given)
    with pytest.raises(PanglotError, match="holds a store of the same model with another max length"):
        encoded(tiny_encoder, benchmark, folder)


def test_parts_make_one_store(
    tiny_encoder: SentenceTransformer, benchmark: Benchmark, tmp_path: Path
) -> None:
    facts = store_facts(tiny_encoder, benchmark, shard_size=20)
    assert facts.shards > 2
    finished: list[int] = []
    for k in (2, 1, 2):  # the third has nothing left to do
        written = encode_passages(
            tiny_encoder, benchmark, tmp_path, facts, part=(k, 2), progress=finished.append
        )
    assert written.shards == []
    assert sum(finished) == len(benchmark.passages) == len(open_store(tmp_path))


def test_a_reader_is_loaded_by_name(benchmark: Benchmark) -> None:
    assert load_reader("sample", languages="en,es")(slice(3, 5)) == benchmark.passages.texts[3:5]
