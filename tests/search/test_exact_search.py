import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from panglot.data import Texts
from panglot.encoders import encode
from panglot.search import search

PASSAGES = [
    "The cat sleeps on the warm roof.",
    "The cat slept on the roof.",
    "A cat sleeps under the roof.",
    "Interest rates rose sharply last year.",
    "Last year interest rates fell.",
    "The rates of interest rose.",
]


def passages(texts: list[str]) -> Texts:
    return Texts([f"p{k}" for k in range(len(texts))], np.arange(len(texts)) % 3, texts)


def test_hits_are_best_first_with_their_cosines(encoder: SentenceTransformer) -> None:
    query = encode(encoder, ["query: Where does the cat sleep?"])[0]
    other = np.roll(query, 1) - np.dot(np.roll(query, 1), query) * query  # at a right angle
    other /= np.linalg.norm(other)
    vectors = np.stack([-query, 0.6 * query + 0.8 * other, query, other]).astype(np.float32)
    hits = search(encoder, "Where does the cat sleep?", passages(list("abcd")), vectors, limit=4)
    assert [hit.row for hit in hits] == [2, 1, 3, 0]
    assert [hit.text for hit in hits] == ["c", "b", "d", "a"]
    assert [hit.score for hit in hits] == pytest.approx([1, 0.6, 0, -1], abs=1e-5)


@pytest.mark.parametrize(
    ("query", "topic"), [("Where does the cat sleep?", {0, 1, 2}), ("Did interest rates rise?", {3, 4, 5})]
)
def test_the_right_passages_come_first(encoder: SentenceTransformer, query: str, topic: set[int]) -> None:
    hits = search(encoder, query, passages(PASSAGES), encode(encoder, PASSAGES, "passage: "))
    assert {hit.row for hit in hits} == topic
    assert [hit.text for hit in hits] == [PASSAGES[hit.row] for hit in hits]


def test_a_limit_cuts_the_list_and_a_small_pool_too(encoder: SentenceTransformer) -> None:
    vectors = encode(encoder, PASSAGES)
    whole = search(encoder, "cat", passages(PASSAGES), vectors, limit=99)
    assert sorted(hit.row for hit in whole) == list(range(6))
    assert search(encoder, "cat", passages(PASSAGES), vectors, limit=2) == whole[:2]


def test_the_query_prompt_is_used(encoder: SentenceTransformer, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = encode(encoder, PASSAGES)
    monkeypatch.setattr(encoder, "prompts", {"query": "", "document": ""})
    spelt_out = search(encoder, "Question: cat", passages(PASSAGES), vectors)
    monkeypatch.setattr(encoder, "prompts", {"query": "Question: ", "document": ""})
    assert search(encoder, "cat", passages(PASSAGES), vectors) == spelt_out
