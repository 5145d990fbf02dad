"""An index as the server has it."""

import shutil
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer

from panglot.encoders import encode, load, load_reranker, passage_prompt
from panglot.encoders.onnx import OnnxTransformer, export_onnx
from panglot.errors import PanglotError
from panglot.search.documents.document import Document, Section
from panglot.search.index import Index
from panglot.search.serve import IndexSearcher, open_searcher, searcher

TEXTS = {
    "one": ("en", "The sea is salty."),
    "two": ("de", "Der Mond ist rund."),
    "three": ("en", "Bees fly."),
}


def documents() -> list[Document]:
    return [Document(id_, (Section("", text),), language=code) for id_, (code, text) in TEXTS.items()]


@pytest.fixture(params=["exact", "milvus"])
def place(
    request: pytest.FixtureRequest, tiny_encoder: SentenceTransformer, tiny_checkpoint: Path, tmp_path: Path
) -> Path:
    """An index of three passages."""
    if request.param == "milvus":
        pytest.importorskip("pymilvus", reason="pymilvus is not installed")
        pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")
    index = Index.create(tmp_path / "index", tiny_encoder, name=str(tiny_checkpoint), engine=request.param)
    index.add_documents(documents())
    index.engine.release()
    return tmp_path / "index"


def test_an_index_is_opened_with_its_own_model(place: Path, tiny_checkpoint: Path) -> None:
    model, name, opened = open_searcher(str(place))
    assert name == str(tiny_checkpoint)
    assert opened.languages() == {"de": 1, "en": 2}
    # a passage's own text, encoded as a passage, is nearest to itself
    vectors = encode(model, [text for _, text in TEXTS.values()], passage_prompt(model))
    lists = opened.search([text for _, text in TEXTS.values()], vectors, 1)
    assert [results[0].id for results in lists] == list(TEXTS)


def test_results_are_reranked_and_cut(place: Path, tiny_reranker: Path) -> None:
    reranker = load_reranker(str(tiny_reranker))
    model, _, opened = open_searcher(str(place), reranker=reranker, rerank_depth=3)
    texts = [text for _, text in TEXTS.values()]
    scores = dict(zip(TEXTS, reranker.score(["Bees?"] * 3, texts).tolist(), strict=True))
    (found,) = opened.search(["Bees?"], encode(model, ["Bees?"]), 2)
    assert [hit.id for hit in found] == sorted(scores, key=lambda name: -scores[name])[:2]


def test_another_process_can_write_while_it_is_served(
    place: Path, tiny_encoder: SentenceTransformer, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searcher, "HOLD", 0.2)
    monkeypatch.setattr(searcher, "FRESH", 0.0)
    _, _, opened = open_searcher(str(place))
    writer = Index.create(place, tiny_encoder, name=str(tiny_checkpoint))
    writer.add_documents([*documents(), Document("four", (Section("", "Jua."),), language="sw")])
    writer.engine.release()
    assert opened.languages() == {"de": 1, "en": 2, "sw": 1}
    vectors = encode(tiny_encoder, ["Jua."], passage_prompt(tiny_encoder))
    assert [hit.id for hit in opened.search(["Jua."], vectors, 5, languages=["sw"])[0]] == ["four"]


def test_an_index_that_is_gone_or_another_models_is_refused_until_it_is_back(
    place: Path,
    tiny_encoder: SentenceTransformer,
    tiny_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(searcher, "FRESH", 0.0)
    _, _, opened = open_searcher(str(place))
    vectors = encode(tiny_encoder, ["Bees fly."], passage_prompt(tiny_encoder))
    assert opened.search(["Bees fly."], vectors, 1)[0][0].id == "three"

    place.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(PanglotError, match="there is no index"):
            opened.search(["Bees fly."], vectors, 1)
    assert not place.exists()  # nothing empty is made in its place

    engine = opened._index.engine.kind
    with torch.no_grad():
        next(tiny_encoder.parameters()).add_(1.0)
    other = Index.create(place, tiny_encoder, name=str(tiny_checkpoint), engine=engine)
    other.add_documents(documents()[:1])
    other.engine.release()
    with pytest.raises(PanglotError, match="holds vectors of the model"):
        opened.search(["Bees fly."], vectors, 1)

    shutil.rmtree(place)
    (tmp_path / "away").rename(place)
    assert opened.search(["Bees fly."], vectors, 1)[0][0].id == "three"
    assert opened.languages() == {"de": 1, "en": 2}


def test_an_index_made_again_of_the_same_model_is_searched_at_once(
    tiny_encoder: SentenceTransformer, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    def make(document: Document) -> Index:
        index = Index.create(tmp_path / "index", tiny_encoder, name=str(tiny_checkpoint), engine="exact")
        index.add_documents([document])
        return index

    opened = IndexSearcher(make(documents()[0]))
    assert opened.languages() == {"en": 1}
    shutil.rmtree(tmp_path / "index")
    make(documents()[2])  # a segment of the same name
    vectors = encode(tiny_encoder, ["Bees fly."], passage_prompt(tiny_encoder))
    assert [hit.id for hit in opened.search(["Bees fly."], vectors, 3)[0]] == ["three"]


def test_a_model_exported_from_the_indexs_own_may_ask_and_another_may_not(
    tiny_encoder: SentenceTransformer, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    name = f"{OnnxTransformer.__module__}.{OnnxTransformer.__name__}"
    monkeypatch.setitem(load.OWN_MODULES, name, OnnxTransformer)
    index = Index.create(tmp_path / "index", tiny_encoder, name=str(tiny_checkpoint), engine="exact")
    index.add_documents(documents())
    export_onnx(tiny_encoder, tmp_path / "same")
    model, _, opened = open_searcher(str(tmp_path / "index"), str(tmp_path / "same"))
    assert isinstance(opened, IndexSearcher)
    vectors = encode(model, ["Bees fly."], passage_prompt(model))
    assert opened.search(["Bees fly."], vectors, 1)[0][0].id == "three"
    with torch.no_grad():
        next(tiny_encoder.parameters()).add_(1.0)
    export_onnx(tiny_encoder, tmp_path / "other")
    with pytest.raises(PanglotError, match="holds vectors of the model"):
        open_searcher(str(tmp_path / "index"), str(tmp_path / "other"))
