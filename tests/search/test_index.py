"""Documents into an index and found again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import panglot
from panglot import PanglotError
from panglot.encoders import encode, model_sha256, prompts_of
from panglot.encoders.language_means import LanguageMeans, means_of_texts
from panglot.search.documents import Document
from panglot.search.documents.document import Section
from panglot.search.export import check_recall
from panglot.search.facts import check_same
from panglot.search.index import Index
from panglot.search.look_up import Options, snippet

Make = Callable[[Mapping[str, Sequence[float]]], SentenceTransformer]
TEXTS = {
    "tell one": [1.0, 0.0, 0.0],
    "tell two": [0.8, 0.6, 0.0],
    "tell moja": [0.6, 0.8, 0.0],
    "tell mbili": [0.0, 1.0, 0.0],
    "tell Numbers one": [0.0, 0.0, 1.0],
    "ask one?": [1.0, 0.0, 0.0],
    "one": [1.0, 0.0, 0.0],
    "two": [1.0, 0.0, 0.0],
    "moja": [1.0, 0.0, 0.0],
    "mbili": [1.0, 0.0, 0.0],
    "Numbers": [1.0, 0.0, 0.0],
    "tell ": [1.0, 0.0, 0.0],
}


def document(name: str, text: str, language: str = "en", title: str = "", **metadata: object) -> Document:
    return Document(name, (Section("", text),), title, language, metadata=dict(metadata))


def encoder_of(table_encoder: Make, cosines: Mapping[str, float]) -> SentenceTransformer:
    """An encoder of texts that have given cosines with the query ``q``."""
    words = {f"tell {name}": [c, float(np.sqrt(1 - c * c))] for name, c in cosines.items()}
    model = table_encoder(words | {name: [1.0, 0.0] for name in (*cosines, "ask q", "tell ")})
    model.max_seq_length = 64
    return model


DOCUMENTS = [
    document("1", "one", n=1),
    document("2", "two", n=2),
    document("3", "moja", "sw", n=1),
    document("4", "mbili", "sw", n=2),
]


@pytest.fixture
def model(table_encoder: Make) -> SentenceTransformer:
    model = table_encoder(TEXTS)
    model.max_seq_length = 64
    return model


@pytest.fixture(params=["exact", "milvus"])
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "milvus":
        pytest.importorskip("milvus_lite")
    return str(request.param)


def test_an_index_is_made_searched_and_brought_up_to_date(
    engine: str, model: SentenceTransformer, tmp_path: Path
) -> None:
    made = Index.create(tmp_path / "index", model, name="table", engine=engine)
    first = made.add_documents(DOCUMENTS)
    assert (first.documents, first.added, first.encoded) == (4, 4, 4)
    index = Index.open(tmp_path / "index", model)
    assert index.facts.languages == ("en", "sw")
    vectors = index.embed(["one?"])
    (found,) = index.look_up(["one?"], vectors, 3)
    assert [(hit.id, hit.language, hit.text) for hit in found] == [
        ("1", "en", "one"),
        ("2", "en", "two"),
        ("3", "sw", "moja"),
    ]
    assert [hit.score for hit in found] == pytest.approx([1, 0.8, 0.6])
    (found,) = index.look_up(["one?"], vectors, 3, languages=["sw"], where={"n": "2"})
    assert [hit.id for hit in found] == ["4"]
    (found,) = index.look_up(["one?"], vectors, 3, where={"n": 2})
    assert "4" in [hit.id for hit in found]
    (found,) = index.look_up(["one?"], vectors, 4, balanced="turns")
    assert [hit.id for hit in found] == ["1", "3", "2", "4"]
    (found,) = index.look_up(["mbili"], vectors, 4, hybrid=True)
    # mbili is the last of four by its vector and the first by its words; 1 is the first by its vector
    assert [hit.id for hit in found] == ["4", "1", "2", "3"]
    assert found[0].score == pytest.approx(1 / 64 + 1 / 61)

    again = index.add_documents(DOCUMENTS)
    assert (again.unchanged, again.encoded, again.added) == (4, 0, 0)
    changed = [document("1", "two", n=1), document("2", "two", n=3), document("3", "moja", "sw", n=1)]
    updated = index.add_documents(changed)
    assert (updated.changed, updated.moved, updated.unchanged, updated.encoded) == (1, 1, 1, 1)
    (found,) = index.look_up(["one?"], vectors, 4)
    assert {hit.id for hit in found[:2]} == {"1", "2"}
    assert [hit.score for hit in found[:2]] == pytest.approx([0.8, 0.8])
    assert next(hit for hit in found if hit.id == "2").metadata == {"n": 3}

    assert index.delete(["1"]) == 1
    with pytest.raises(PanglotError, match="has no document '1'"):
        index.delete(["2", "1"])
    (found,) = index.look_up(["one?"], vectors, 4)
    assert {hit.id for hit in found} == {"2", "3", "4"}
    measured = check_recall(index, 3, 2)
    assert measured is not None
    assert (measured.recall, measured.questions) == (1.0, 3)
    index.engine.release()


REGIONS = {"1": "de-AT", "2": "de-CH", "3": "en-US", "4": "de"}


def test_a_language_includes_its_regions_and_has_one_turn(
    engine: str, model: SentenceTransformer, tmp_path: Path
) -> None:
    index = Index.create(tmp_path / "index", model, name="table", engine=engine)
    index.add_documents([replace(d, language=REGIONS[d.id]) for d in DOCUMENTS])
    vectors = index.embed(["one?"])

    def ids(**options: Any) -> list[str]:
        (found,) = index.look_up(["one?"], vectors, 4, **options)
        return [hit.id for hit in found]

    assert ids(languages=["de"]) == ids(languages=["deu"]) == ids(languages=["german"]) == ["1", "2", "4"]
    assert ids(languages=["en"]) == ["3"]
    assert ids(languages=["de-CH", "EN"]) == ["2", "3"]
    assert ids(balanced="turns") == ["1", "3", "2", "4"]  # German, English, German, German
    assert set(ids(balanced="scores")) == {"1", "2", "3", "4"}
    with pytest.raises(PanglotError, match="has no language 'den'; it has de, de-AT, de-CH, en-US"):
        ids(languages=["den"])
    index.engine.release()


def test_passages_that_a_document_lost_are_taken_out(encoder: SentenceTransformer, tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", encoder, name="small-e5", engine="exact", length=20)
    long = " ".join(f"This is sentence number {k} of a text about rivers." for k in range(8))
    first = index.add_documents([document("long", long)])
    assert first.added > 2
    kept = set(index.engine.kept(["long"]))
    assert {"long", "long#2"} < kept
    second = index.add_documents([document("long", long.split(". ")[0] + ".")])
    assert second.deleted == first.added - 1
    assert set(index.engine.kept(["long"])) == {"long"}


def test_documents_whose_ids_look_like_passages_keep_all_their_texts(
    engine: str, encoder: SentenceTransformer, tmp_path: Path
) -> None:
    index = Index.create(tmp_path / "index", encoder, name="small-e5", engine=engine, length=20)
    long = " ".join(f"This is sentence number {k} of the rules." for k in range(4))
    texts = [
        document("rules", long),
        document("rules#2", "A second text."),
        document("rules#2#1", "A third."),
    ]
    added = index.add_documents(texts).added
    parts = [passage for passages, _ in index.engine.scan() for passage in passages]
    assert added == len(parts) == index.engine.count() >= 4
    assert {p.document for p in parts} == {"rules", "rules#2", "rules#2#1"}
    assert index.delete(["rules#2"]) == 1
    assert index.engine.count() == added - 1
    index.engine.release()


def test_an_id_that_occurs_twice_is_an_error_and_a_document_without_text_is_counted(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    index = Index.create(tmp_path / "index", model, name="table", engine="exact")
    changes = index.add_documents([document("1", "one"), document("empty", " \n")])
    assert (changes.added, changes.without_text) == (1, ["empty"])
    with pytest.raises(PanglotError, match="the id '2' occurs twice"):
        index.add_documents([document("2", "two"), document("2", "one")])
    assert index.engine.count() == 1


def test_balanced_scores_lift_a_language_that_scores_low(table_encoder: Make, tmp_path: Path) -> None:
    cosines = {f"e{k}": 0.9 - k / 50 for k in range(12)} | {f"s{k}": 0.4 - k / 50 for k in range(12)}
    model = encoder_of(table_encoder, cosines)
    index = Index.create(tmp_path / "index", model, name="table", engine="exact")
    texts = [document(name, name, "en" if name[0] == "e" else "sw") for name in cosines]
    index.add_documents(texts)
    vectors = index.embed(["q"])
    (plain,) = index.look_up(["q"], vectors, 4)
    assert [hit.id for hit in plain] == ["e0", "e1", "e2", "e3"]
    (found,) = index.look_up(["q"], vectors, 4, balanced="scores")
    # both languages have the same spread: 12 steps of 0.02 around their means, 5.5 steps below the best
    assert {hit.id for hit in found[:2]} == {"e0", "s0"}
    assert {hit.id for hit in found[2:]} == {"e1", "s1"}
    assert found[0].score == pytest.approx(5.5 / np.std(np.arange(12), ddof=1), abs=1e-4)


def test_another_models_vectors_are_refused(
    model: SentenceTransformer, table_encoder: Make, tmp_path: Path
) -> None:
    index = Index.create(tmp_path / "index", model, name="table", engine="exact")
    other = table_encoder({**TEXTS, "tell one": [0.0, 1.0, 0.0]})
    other.max_seq_length = 64
    with pytest.raises(PanglotError, match=r"holds vectors of the model 'table'.*, not of 'other'"):
        Index.create(tmp_path / "index", other, name="other")
    with pytest.raises(PanglotError, match="holds vectors of the model 'table'"):
        Index.open(tmp_path / "index", other)
    model.prompts = {"query": "ask ", "document": ""}
    with pytest.raises(PanglotError, match="holds vectors made with the prompts"):
        Index.open(tmp_path / "index", model)
    check_same(index.facts, index.facts, "index")


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "null", "{", "[" * 100_000, '{"schema": 2}', "facts of other types"]
)
def test_damaged_facts_of_an_index_are_one_sentence(
    model: SentenceTransformer, tmp_path: Path, content: str
) -> None:
    Index.create(tmp_path / "index", model, name="table", engine="exact")
    path = tmp_path / "index/index.json"
    if content.startswith("facts"):
        content = path.read_text().replace('"dimension": 3', '"dimension": "three"')
    path.write_text(content)
    with pytest.raises(PanglotError, match=r"index.*index|another version"):
        Index.open(tmp_path / "index")


def test_what_no_engine_can_keep_is_refused_wherever_it_comes_in(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    index = Index.create(tmp_path / "index", model, name="table", engine="exact")
    index.add_documents(DOCUMENTS)
    vectors = index.embed(["one?"])
    for refused in (
        lambda: index.embed(["\ud800"]),
        lambda: index.look_up(["one?"], vectors, where={"\ud800": "1"}),
        lambda: index.look_up(["one?"], vectors, where={"n": "\ud800"}),
        lambda: index.look_up(["one?"], vectors, where={"n": None}),  # type: ignore[dict-item]
        lambda: index.delete(["\ud800"]),
        lambda: Index.create(tmp_path / "\udce9", model, name="table", engine="exact"),
        lambda: index.add_documents([document("\ud800", "one")]),
        lambda: index.add_documents([document("5", "\ud800")]),
        lambda: index.add_documents([document("5", "one", bad="\ud800")]),
        lambda: index.add_documents([document("5", "one", bad=float("nan"))]),
    ):
        with pytest.raises(PanglotError):
            refused()
    with pytest.raises(PanglotError, match=r"metadata are not JSON \(.*\); write them as texts\.$"):
        index.add_documents([document("5", "one", bad=float("nan"))])


def test_wishes_out_of_range_are_refused(model: SentenceTransformer, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="there is no index"):
        Index.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(PanglotError, match="passages cannot have 4 tokens"):
        Index.create(tmp_path / "index", model, name="table", engine="exact", length=4)
    index = Index.create(tmp_path / "index", model, name="table", engine="exact")
    index.add_documents(DOCUMENTS)
    vectors = index.embed(["one?"])
    with pytest.raises(PanglotError, match="0 results cannot be given"):
        index.look_up(["one?"], vectors, 0)
    with pytest.raises(PanglotError, match="has no language 'fr'"):
        index.look_up(["one?"], vectors, languages=["fr"])
    with pytest.raises(PanglotError, match=r"its passages have up to .* tokens, not 32"):
        Index.create(tmp_path / "index", model, name="table", length=32)


def test_a_centred_index_takes_the_means_away(model: SentenceTransformer, tmp_path: Path) -> None:
    vectors = encode(model, ["one", "two", "moja", "mbili"], "tell ")
    means = means_of_texts(np.repeat(vectors, 5, axis=0), np.repeat([0, 0, 1, 1], 5), ["en", "sw"])
    of_model = LanguageMeans(means, means, model_sha256(model), prompts_of(model), ())
    index = Index.create(tmp_path / "index", model, name="table", engine="exact", means=of_model)
    index.add_documents(DOCUMENTS)
    stored = index.engine.vectors(["1", "2"])
    # one and two lie on either side of their mean, whatever the mean is
    assert stored["1"] @ stored["2"] == pytest.approx(-1, abs=1e-5)
    half = (vectors[0] - vectors[1]) / np.linalg.norm(vectors[0] - vectors[1])
    assert stored["1"] == pytest.approx(half, abs=1e-5)
    with pytest.raises(PanglotError, match="its vectors are centred"):
        Index.open(tmp_path / "index", model)
    asked = index.embed(["one?"], languages=["en"])
    assert asked[0] == pytest.approx(half, abs=1e-5)


def test_the_public_index_reads_files_answers_and_forgets(
    encoder: SentenceTransformer, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    for name, text in {
        "sea.md": "The sea is salty.",
        "moon.md": "The moon is round.",
        "bee.txt": "Bees fly.",
    }.items():
        (tmp_path / "docs" / name).write_text(text)
    with panglot.Index.create(tmp_path / "index", encoder) as index:
        assert index.add(tmp_path / "docs", language="en", progress=False).added == 3
    with panglot.Index.open(tmp_path / "index", encoder) as index:
        first, *rest = index.search("Is the sea salty?", 3)
        assert (first.id, first.weak, len(rest)) == ("sea.md", False, 2)  # too few passages to call one weak
        assert [found[0].id for found in index.search(["Is the moon round?", "Do bees fly?"], 1)] == [
            "moon.md",
            "bee.txt",
        ]
        assert index.search([]) == []
        assert index.languages() == {"en": 3} and index.count("en") == index.count() == 3
        assert "\n" not in repr(index) and "en" in repr(index)
        assert index.delete(["sea.md"]) == 1 and index.count() == 2


def test_a_reranker_orders_the_first_results_anew(
    model: SentenceTransformer, tiny_reranker: Path, tmp_path: Path
) -> None:
    index = Index.create(tmp_path / "index", model, name="table", engine="exact")
    index.add_documents(DOCUMENTS)
    reranker = panglot.load_reranker(str(tiny_reranker))
    plain = index.search("one?", 4)
    scores = reranker.score(["one?"] * 4, [found.text for found in plain])
    best = [plain[k].id for k in np.argsort(-scores)]
    assert [found.id for found in index.search("one?", 4, reranker=reranker)] == best
    (found,) = index.search("one?", 1, reranker=reranker, rerank_depth=4)
    assert found.id == best[0] and found.score == pytest.approx(scores.max())
    # only the first two are read: the others are not given
    two = [plain[k].id for k in np.argsort(-scores) if k < 2]
    assert [found.id for found in index.search("one?", 2, reranker=reranker, rerank_depth=2)] == two
    with pytest.raises(PanglotError):
        index.search("one?", reranker=reranker, rerank_depth=0)


def test_matches_no_nearer_than_chance_are_weak(engine: str, table_encoder: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cosines = {"answer": 0.95} | {f"other{k}": float(c) for k, c in enumerate(rng.normal(0.3, 0.05, 60))}
    model = encoder_of(table_encoder, cosines)
    index = Index.create(tmp_path / "index", model, name="table", engine=engine)
    index.add_documents([document(name, name) for name in cosines])
    every: list[Options] = [{}, {"balanced": "scores"}, {"hybrid": True}]
    for options in every:
        found = {hit.id: hit.weak for hit in index.search("q", 5, **options)}
        assert not found.pop("answer") and all(found.values())
    index.delete(["answer"])
    assert all(hit.weak for hit in index.search("q", 5))
    index.close()


def test_no_match_is_weak_in_a_language_of_few_passages(table_encoder: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cosines = {f"other{k}": float(c) for k, c in enumerate(rng.normal(0.3, 0.05, 70))}
    model = encoder_of(table_encoder, cosines)
    index = Index.create(tmp_path / "index", model, name="table")
    index.add_documents(
        [replace(document(name, name), language="sw" if k < 10 else "en") for k, name in enumerate(cosines)]
    )
    hits = index.search("q", 70)
    assert {(hit.language, hit.weak) for hit in hits} == {("en", True), ("sw", False)}


def test_titles_are_encoded_and_shown(model: SentenceTransformer, tmp_path: Path) -> None:
    index = Index.create(tmp_path / "index", model, name="table", engine="exact")
    index.add_documents([document("t", "one", title="Numbers")])
    assert index.engine.vectors(["t"])["t"] == pytest.approx([0, 0, 1])


def test_a_snippet_is_one_line_cut_at_a_space() -> None:
    assert snippet("a\n  b") == "a b"
    assert snippet("one two three", 9) == "one two…"
    assert snippet("x" * 20, 9) == "x" * 8 + "…"


def test_a_model_that_reads_texts_whole_has_an_index(
    static_encoder: SentenceTransformer, tmp_path: Path
) -> None:
    static_encoder.save(str(tmp_path / "model"))
    with Index.create(tmp_path / "index", str(tmp_path / "model")) as index:
        index.add_documents([document("1", "a")])
    with Index.open(tmp_path / "index") as again:
        assert [result.id for result in again.search("a")] == ["1"]
        assert again.facts.max_length is None
