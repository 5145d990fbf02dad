"""Documents into an index and found again."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot import PanglotError
from panglot.encoders import encode, model_sha256, prompts_of
from panglot.encoders.language_means import LanguageMeans, means_of_texts
from panglot.search.documents import Document
from panglot.search.documents.document import Section
from panglot.search.facts import check_same
from panglot.search.index import add_documents, delete_documents, make_index, open_index
from panglot.search.look_up import check_model, embed_questions, search_index, snippet
from panglot.search.recall import check_recall

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
    made = make_index(tmp_path / "index", model, "table", engine=engine)
    first = add_documents(made, model, DOCUMENTS)
    assert (first.documents, first.added, first.encoded) == (4, 4, 4)
    index = open_index(tmp_path / "index")
    check_model(index, model)
    assert index.facts.languages == ("en", "sw")
    vectors = embed_questions(index, model, ["one?"])
    (found,) = search_index(index, ["one?"], vectors, 3)
    assert [(hit.id, hit.language, hit.text) for hit in found] == [
        ("1", "en", "one"),
        ("2", "en", "two"),
        ("3", "sw", "moja"),
    ]
    assert [hit.score for hit in found] == pytest.approx([1, 0.8, 0.6])
    (found,) = search_index(index, ["one?"], vectors, 3, languages=["sw"], where={"n": "2"})
    assert [hit.id for hit in found] == ["4"]
    (found,) = search_index(index, ["one?"], vectors, 4, balanced="turns")
    assert [hit.id for hit in found] == ["1", "3", "2", "4"]
    (found,) = search_index(index, ["mbili"], vectors, 4, hybrid=True)
    # mbili is the last of four by its vector and the first by its words; 1 is the first by its vector
    assert [hit.id for hit in found] == ["4", "1", "2", "3"]
    assert found[0].score == pytest.approx(1 / 64 + 1 / 61)

    again = add_documents(index, model, DOCUMENTS)
    assert (again.unchanged, again.encoded, again.added) == (4, 0, 0)
    changed = [document("1", "two", n=1), document("2", "two", n=3), document("3", "moja", "sw", n=1)]
    updated = add_documents(index, model, changed)
    assert (updated.changed, updated.moved, updated.unchanged, updated.encoded) == (1, 1, 1, 1)
    (found,) = search_index(index, ["one?"], vectors, 4)
    assert {hit.id for hit in found[:2]} == {"1", "2"}
    assert [hit.score for hit in found[:2]] == pytest.approx([0.8, 0.8])
    assert next(hit for hit in found if hit.id == "2").metadata == {"n": 3}

    assert delete_documents(index, ["1"]) == 1
    with pytest.raises(PanglotError, match="has no document '1'; nothing was deleted"):
        delete_documents(index, ["2", "1"])
    (found,) = search_index(index, ["one?"], vectors, 4)
    assert {hit.id for hit in found} == {"2", "3", "4"}
    measured = check_recall(index, 3, 2)
    assert measured is not None
    assert (measured.recall, measured.questions) == (1.0, 3)
    index.engine.release()


REGIONS = {"1": "de-AT", "2": "de-CH", "3": "en-US", "4": "de"}


def test_a_language_includes_its_regions_and_has_one_turn(
    engine: str, model: SentenceTransformer, tmp_path: Path
) -> None:
    index = make_index(tmp_path / "index", model, "table", engine=engine)
    add_documents(index, model, [replace(d, language=REGIONS[d.id]) for d in DOCUMENTS])
    vectors = embed_questions(index, model, ["one?"])

    def ids(**options: Any) -> list[str]:
        (found,) = search_index(index, ["one?"], vectors, 4, **options)
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
    index = make_index(tmp_path / "index", encoder, "small-e5", engine="exact", length=20)
    long = " ".join(f"This is sentence number {k} of a text about rivers." for k in range(8))
    first = add_documents(index, encoder, [document("long", long)])
    assert first.added > 2
    kept = set(index.engine.kept(["long"]))
    assert {"long", "long#2"} < kept
    second = add_documents(index, encoder, [document("long", long.split(". ")[0] + ".")])
    assert second.deleted == first.added - 1
    assert set(index.engine.kept(["long"])) == {"long"}


def test_documents_whose_ids_look_like_passages_keep_all_their_texts(
    engine: str, encoder: SentenceTransformer, tmp_path: Path
) -> None:
    index = make_index(tmp_path / "index", encoder, "small-e5", engine=engine, length=20)
    long = " ".join(f"This is sentence number {k} of the rules." for k in range(4))
    texts = [
        document("rules", long),
        document("rules#2", "A second text."),
        document("rules#2#1", "A third."),
    ]
    added = add_documents(index, encoder, texts).added
    parts = [passage for passages, _ in index.engine.scan() for passage in passages]
    assert added == len(parts) == index.engine.count() >= 4
    assert {p.document for p in parts} == {"rules", "rules#2", "rules#2#1"}
    assert delete_documents(index, ["rules#2"]) == 1
    assert index.engine.count() == added - 1
    index.engine.release()


def test_an_id_that_occurs_twice_is_an_error_and_a_document_without_text_is_counted(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    index = make_index(tmp_path / "index", model, "table", engine="exact")
    changes = add_documents(index, model, [document("1", "one"), document("empty", " \n")])
    assert (changes.added, changes.without_text) == (1, ["empty"])
    with pytest.raises(PanglotError, match="the id '2' occurs twice"):
        add_documents(index, model, [document("2", "two"), document("2", "one")])
    assert index.engine.count() == 1


def test_balanced_scores_lift_a_language_that_scores_low(table_encoder: Make, tmp_path: Path) -> None:
    cosines = {f"e{k}": 0.9 - k / 50 for k in range(12)} | {f"s{k}": 0.4 - k / 50 for k in range(12)}
    words = {f"tell {name}": [c, float(np.sqrt(1 - c * c))] for name, c in cosines.items()}
    words |= {name: [1.0, 0.0] for name in (*cosines, "ask q", "tell ")}
    model = table_encoder(words)
    model.max_seq_length = 64
    index = make_index(tmp_path / "index", model, "table", engine="exact")
    texts = [document(name, name, "en" if name[0] == "e" else "sw") for name in cosines]
    add_documents(index, model, texts)
    vectors = embed_questions(index, model, ["q"])
    (plain,) = search_index(index, ["q"], vectors, 4)
    assert [hit.id for hit in plain] == ["e0", "e1", "e2", "e3"]
    (found,) = search_index(index, ["q"], vectors, 4, balanced="scores")
    # both languages have the same spread: 12 steps of 0.02 around their means, 5.5 steps below the best
    assert {hit.id for hit in found[:2]} == {"e0", "s0"}
    assert {hit.id for hit in found[2:]} == {"e1", "s1"}
    assert found[0].score == pytest.approx(5.5 / np.std(np.arange(12), ddof=1), abs=1e-4)


def test_another_models_vectors_are_refused(
    model: SentenceTransformer, table_encoder: Make, tmp_path: Path
) -> None:
    index = make_index(tmp_path / "index", model, "table", engine="exact")
    other = table_encoder({**TEXTS, "tell one": [0.0, 1.0, 0.0]})
    other.max_seq_length = 64
    with pytest.raises(PanglotError, match=r"holds vectors of the model 'table'.*, not of 'other'"):
        make_index(tmp_path / "index", other, "other")
    with pytest.raises(PanglotError, match="holds vectors of the model 'table'"):
        check_model(index, other)
    model.prompts = {"query": "ask ", "document": ""}
    with pytest.raises(PanglotError, match="holds vectors made with the prompts"):
        check_model(index, model)
    check_same(index.facts, index.facts, "index")


@pytest.mark.parametrize(
    "content", ["", "[]", "3", "null", "{", "[" * 100_000, '{"schema": 2}', "facts of other types"]
)
def test_damaged_facts_of_an_index_are_one_sentence(
    model: SentenceTransformer, tmp_path: Path, content: str
) -> None:
    make_index(tmp_path / "index", model, "table", engine="exact")
    path = tmp_path / "index/index.json"
    if content.startswith("facts"):
        content = path.read_text().replace('"dimension": 3', '"dimension": "three"')
    path.write_text(content)
    with pytest.raises(PanglotError, match=r"index.*index|another version"):
        open_index(tmp_path / "index")


def test_what_no_engine_can_keep_is_refused_wherever_it_comes_in(
    model: SentenceTransformer, tmp_path: Path
) -> None:
    index = make_index(tmp_path / "index", model, "table", engine="exact")
    add_documents(index, model, DOCUMENTS)
    vectors = embed_questions(index, model, ["one?"])
    for refused in (
        lambda: embed_questions(index, model, ["\ud800"]),
        lambda: search_index(index, ["one?"], vectors, where={"\ud800": "1"}),
        lambda: search_index(index, ["one?"], vectors, where={"n": "\ud800"}),
        lambda: delete_documents(index, ["\ud800"]),
        lambda: make_index(tmp_path / "\udce9", model, "table", engine="exact"),
        lambda: add_documents(index, model, [document("\ud800", "one")]),
        lambda: add_documents(index, model, [document("5", "\ud800")]),
        lambda: add_documents(index, model, [document("5", "one", bad="\ud800")]),
        lambda: add_documents(index, model, [document("5", "one", bad=float("nan"))]),
    ):
        with pytest.raises(PanglotError):
            refused()


def test_wishes_out_of_range_are_refused(model: SentenceTransformer, tmp_path: Path) -> None:
    with pytest.raises(PanglotError, match="there is no index; make one with panglot index"):
        open_index(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(PanglotError, match="passages of 4 tokens cannot be made"):
        make_index(tmp_path / "index", model, "table", engine="exact", length=4)
    index = make_index(tmp_path / "index", model, "table", engine="exact")
    add_documents(index, model, DOCUMENTS)
    vectors = embed_questions(index, model, ["one?"])
    with pytest.raises(PanglotError, match="0 results cannot be given"):
        search_index(index, ["one?"], vectors, 0)
    with pytest.raises(PanglotError, match="has no language 'fr'; it has en, sw"):
        search_index(index, ["one?"], vectors, languages=["fr"])
    with pytest.raises(PanglotError, match=r"its passages have up to .* tokens, not 32"):
        make_index(tmp_path / "index", model, "table", length=32)


def test_a_centred_index_takes_the_means_away(model: SentenceTransformer, tmp_path: Path) -> None:
    vectors = encode(model, ["one", "two", "moja", "mbili"], "tell ")
    means = means_of_texts(np.repeat(vectors, 5, axis=0), np.repeat([0, 0, 1, 1], 5), ["en", "sw"])
    of_model = LanguageMeans(means, means, model_sha256(model), prompts_of(model), ())
    index = make_index(tmp_path / "index", model, "table", engine="exact", means=of_model)
    add_documents(index, model, DOCUMENTS, means=of_model)
    stored = index.engine.vectors(["1", "2"])
    # one and two lie on either side of their mean, whatever the mean is
    assert stored["1"] @ stored["2"] == pytest.approx(-1, abs=1e-5)
    half = (vectors[0] - vectors[1]) / np.linalg.norm(vectors[0] - vectors[1])
    assert stored["1"] == pytest.approx(half, abs=1e-5)
    with pytest.raises(PanglotError, match="its vectors are centred"):
        check_model(index, model)
    asked = embed_questions(index, model, ["one?"], means=of_model, languages=["en"])
    assert asked[0] == pytest.approx(half, abs=1e-5)


def test_titles_are_encoded_and_shown(model: SentenceTransformer, tmp_path: Path) -> None:
    index = make_index(tmp_path / "index", model, "table", engine="exact")
    add_documents(index, model, [document("t", "one", title="Numbers")])
    assert index.engine.vectors(["t"])["t"] == pytest.approx([0, 0, 1])


def test_a_snippet_is_one_line_cut_at_a_space() -> None:
    assert snippet("a\n  b") == "a b"
    assert snippet("one two three", 9) == "one two…"
    assert snippet("x" * 20, 9) == "x" * 8 + "…"
