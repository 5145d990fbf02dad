"""What the API answers, and what it refuses."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from sentence_transformers import SentenceTransformer
from starlette.testclient import TestClient

from panglot.data import sample_benchmark
from panglot.encoders import encode
from panglot.errors import PanglotError
from panglot.search.serve import Limits

MakeApp = Callable[..., FastAPI]
KEY = "correct-horse-battery-staple"


def best(
    encoder: SentenceTransformer, question: str, k: int, languages: list[str] | None = None
) -> list[str]:
    """Find the ids of the best passages by the definition: one product, sorted."""
    sample = sample_benchmark()
    codes = np.array([sample.languages[at] for at in sample.passages.languages])
    scores = encode(encoder, sample.passages.texts, "passage: ") @ encode(encoder, [question], "query: ")[0]
    rows = [row for row in np.argsort(-scores) if languages is None or codes[row] in languages]
    return [sample.passages.ids[row] for row in rows[:k]]


def found(answer: dict[str, Any], at: int = 0) -> list[str]:
    return [hit["id"] for hit in answer["results"][at]["hits"]]


def test_get_and_post_find_what_the_definition_finds(
    client: TestClient, encoder: SentenceTransformer
) -> None:
    question = "How do plants make sugar?"
    expected = best(encoder, question, 7)
    assert found(client.get("/search", params={"q": question, "k": 7}).json()) == expected
    answer = client.post("/search", json={"queries": ["¿Qué altura tiene?", question], "k": 7}).json()
    assert found(answer, 1) == expected
    assert found(answer, 0) == best(encoder, "¿Qué altura tiene?", 7)


def test_languages_filter(client: TestClient, encoder: SentenceTransformer) -> None:
    expected = best(encoder, "plants", 5, ["de", "ar"])
    params: dict[str, Any] = {"q": "plants", "k": 5, "languages": ["de", "ar"]}
    assert found(client.get("/search", params=params).json()) == expected


@pytest.mark.parametrize("option", [{"hybrid": True}, {"balanced": "turns"}, {"balanced": "scores"}])
def test_options_reach_the_index(client: TestClient, option: dict[str, Any]) -> None:
    body = {"queries": ["How do plants make sugar?"], "k": 12}
    plain = client.post("/search", json=body).json()["results"][0]["hits"]
    other = client.post("/search", json=body | option).json()["results"][0]["hits"]
    assert len(other) == 12
    assert [hit["score"] for hit in plain] != [hit["score"] for hit in other]
    if option.get("balanced") == "turns":
        assert len({hit["language"] for hit in other}) == 12  # the sample has twelve


def test_metadata_that_no_passage_has_finds_nothing(client: TestClient) -> None:
    assert found(client.get("/search", params={"q": "plants", "where": "year=1991"}).json()) == []


def test_encode_gives_the_encoders_vectors(client: TestClient, encoder: SentenceTransformer) -> None:
    texts = ["one", "", "drei", "one"]
    answer = client.post("/encode", json={"texts": texts, "role": "passage"}).json()
    assert answer["dimension"] == 384
    np.testing.assert_allclose(answer["vectors"], encode(encoder, texts, "passage: "), atol=1e-6)


def test_languages_health_and_metrics(client: TestClient) -> None:
    languages = client.get("/languages").json()["languages"]
    sample = sample_benchmark()  # 24 short texts in each of 12 languages; a long one may make two passages
    assert [one["code"] for one in languages] == sorted(sample.languages)
    assert all(24 <= one["passages"] <= 26 for one in languages)
    assert {"code": "de", "name": "German"}.items() <= next(
        one for one in languages if one["code"] == "de"
    ).items()
    assert client.get("/health").json()["passages"] == sum(one["passages"] for one in languages)
    client.get("/search", params={"q": "secret words"})
    client.get("/nothing/secret")
    client.request("SECRET", "/search")
    text = client.get("/metrics").text
    assert 'panglot_requests_total{handler="/search",status="200"} 1.0' in text
    assert 'panglot_requests_total{handler="none",status="404"} 1.0' in text
    assert "panglot_batch_texts_count 1.0" in text
    assert f'panglot_passages{{language="de"}} {languages[1]["passages"]}.0' in text
    assert "panglot_requests_running 1.0" in text  # this one
    assert "secret" not in text.lower()


def test_concurrent_searches_each_get_their_own(client: TestClient, encoder: SentenceTransformer) -> None:
    questions = sample_benchmark().queries.texts[::6]
    alone = [found(client.get("/search", params={"q": question}).json()) for question in questions]
    with ThreadPoolExecutor(16) as threads:
        for _ in range(3):
            answers = list(
                threads.map(lambda question: client.get("/search", params={"q": question}).json(), questions)
            )
            assert [found(answer) for answer in answers] == alone
            assert [answer["results"][0]["query"] for answer in answers] == questions


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.queries"),
        ({"queries": []}, "body.queries"),
        ({"queries": [""]}, "body.queries.0"),
        ({"queries": ["x" * 2001]}, "body.queries.0"),
        ({"queries": ["x"] * 65}, "body.queries"),
        ({"queries": ["x"], "k": 101}, "body.k"),
        ({"queries": ["x"], "k": 0}, "body.k"),
        ({"queries": ["x"], "balanced": "yes"}, "body.balanced"),
        ({"queries": ["x"], "where": {"a": 1}}, "body.where.a"),
        ({"queries": ["x"], "where": {"a": "b\n"}}, "body.where.a"),
        ({"queries": ["x"], "where": {"a": "\x7f"}}, "body.where.a"),
        ({"queries": ["x"], "where": {"\x00": "b"}}, "body.where.\x00.[key]"),
        ({"queries": ["x"], "kk": 1}, "body.kk"),
        ({"queries": [7]}, "body.queries.0"),
        ([], "body"),
    ],
)
def test_malformed_requests_are_refused_by_field(client: TestClient, body: Any, field: str) -> None:
    answer = client.post("/search", json=body)
    assert answer.status_code == 422
    assert field in [one["field"] for one in answer.json()["error"]["fields"]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"queries":["\\ud800"]}',
        b'{"queries":["x"],"where":{"a":NaN}}',
        b'{"queries":["x"],"where":{"a":Infinity}}',
        b'{"queries":["x"],"where":{"a":"\\udc00"}}',
        b"null",
        b"[" * 100_000,
        b"NaN",
    ],
)
def test_broken_json_is_refused(client: TestClient, content: bytes) -> None:
    answer = client.post("/search", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("where", ["a=\n", "a=\x00", "\x1b=a", "a", "=a"])
def test_a_filter_in_an_address_has_a_name_and_no_control_characters(client: TestClient, where: str) -> None:
    assert client.get("/search", params={"q": "x", "where": where}).status_code == 422


@pytest.mark.parametrize("name", ["language", "top", "query"])
def test_an_unknown_name_in_an_address_is_refused(client: TestClient, name: str) -> None:
    assert client.get("/search", params={"q": "x", name: "en"}).status_code == 422


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "'] or id != ['", "\\", '"', "\u2028"])
def test_a_filter_that_fits_nothing_finds_nothing(client: TestClient, value: str) -> None:
    answer = client.post("/search", json={"queries": ["x"], "where": {value: value}})
    assert (answer.status_code, found(answer.json())) == (200, [])


@pytest.mark.parametrize("code", ["is", "no language", "enm"])
def test_a_language_that_is_not_there_is_refused(client: TestClient, code: str) -> None:
    answer = client.get("/search", params={"q": "x", "languages": ["en", code]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_language")


def test_other_paths_and_methods(client: TestClient) -> None:
    assert client.get("/nothing").json()["error"]["code"] == "not_found"
    answer = client.delete("/search")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "not_allowed")
    assert "GET" in answer.headers["allow"]


def test_a_page_of_another_site_learns_nothing(client: TestClient) -> None:
    answer = client.get("/languages", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    plain = client.post("/search", content=b'{"queries":["x"]}', headers={"content-type": "text/plain"})
    assert plain.status_code == 422  # what a page can send without asking first


def test_huge_bodies_are_refused_before_they_are_read(make_app: MakeApp) -> None:
    with TestClient(make_app(limits=Limits(body_bytes=1000))) as client:
        answer = client.post("/encode", json={"texts": ["x" * 1000]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        assert answer.headers["connection"] == "close" and "nosniff" in answer.headers.values()
        answer = client.request("GET", "/health", content=b"x" * 1001)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        # in chunks, without a length
        answer = client.post("/encode", content=(b"x" * 100 for _ in range(11)))
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        assert client.post("/encode", json={"texts": ["x" * 900]}).status_code == 200


def test_keys(make_app: MakeApp) -> None:
    with TestClient(make_app(keys=[KEY, "another-key-another-key"])) as client:
        for path in ("/search?q=x", "/languages", "/metrics", "/nothing"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "no_key"), path
            assert answer.headers["www-authenticate"] == "Bearer"
        for wrong in (KEY, f"Bearer {KEY}x", f"Basic {KEY}", "Bearer", f"Bearer {KEY[:-1]}"):
            assert client.get("/languages", headers={"authorization": wrong}).status_code == 401
        for right in (f"Bearer {KEY}", f"bearer {KEY}", "Bearer another-key-another-key"):
            assert client.get("/languages", headers={"authorization": right}).status_code == 200
        for path in ("/", "/health", "/docs", "/openapi.json", "/static/swagger-ui.css"):
            assert client.get(path).status_code == 200, path
        for host in ("x/health?", "x/static/", "x/#"):  # which path is asked for is not the host's to say
            assert client.get("/languages", headers={"host": host}).status_code == 401, host


def test_the_server_answers_only_to_its_names(make_app: MakeApp) -> None:
    with TestClient(make_app(hosts={"localhost", "::1"})) as client:
        for host, status in (
            ("localhost", 200),
            ("LOCALHOST:8000", 200),
            ("[::1]:80", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("", 421),
        ):
            answer = client.get("/health", headers={"host": host})
            assert answer.status_code == status, host
            assert answer.headers["x-content-type-options"] == "nosniff"
            if status == 421:
                assert answer.json()["error"]["code"] == "wrong_host"


def test_a_full_queue_is_503_and_says_when_to_come_back(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go = threading.Event(), threading.Event()

    def encode(*_: Any) -> Any:
        entered.set()
        go.wait(30)
        return np.ones((1, 2), np.float32)

    monkeypatch.setattr("panglot.search.serve.app.encode", encode)
    with TestClient(make_app(limits=Limits(waiting=1))) as client, ThreadPoolExecutor(2) as threads:

        def embed() -> Any:
            return client.post("/encode", json={"texts": ["x"]})

        first = threads.submit(embed)
        entered.wait(30)
        second = threads.submit(embed)
        while client.get("/health").json()["waiting"] == 0:
            pass
        answer = embed()
        go.set()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "busy")
        assert answer.headers["retry-after"] == "1"
        assert [one.result().status_code for one in (first, second)] == [200, 200]


def test_an_error_nobody_foresaw_is_logged_and_not_shown(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def languages(self) -> dict[str, int]:
            return {}

        def search(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError("private matter")

    with TestClient(make_app(searcher=Broken())) as client:
        answer = client.get("/search", params={"q": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "private" not in answer.text and "Traceback" not in answer.text
    number = answer.json()["error"]["message"].split()[-1].rstrip(".")
    assert any(number in record.getMessage() and record.exc_info for record in caplog.records)


def test_an_index_that_is_gone_is_503_with_the_reason_for_those_with_a_key(make_app: MakeApp) -> None:
    class Gone:
        def languages(self) -> dict[str, int]:
            raise PanglotError("/home/me/index: there is no index.")

        def search(self, *_: Any, **__: Any) -> Any:
            return self.languages()

    app = make_app(searcher=Gone(), name="/home/me/runs/hybrid")
    with TestClient(app) as client:
        for path in ("/search?q=x", "/search?q=x&languages=en", "/languages", "/health"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert ("/home/me" in answer.text) is (path != "/health")
        assert client.get("/metrics").status_code == 200


def test_health_shows_no_path(make_app: MakeApp) -> None:
    for name, shown in (("/home/me/runs/hybrid", "hybrid"), ("../x", "x"), ("some/model", "some/model")):
        with TestClient(make_app(name=name, keys=[KEY])) as client:
            assert client.get("/health").json()["model"] == shown


def test_an_answer_that_takes_too_long(make_app: MakeApp) -> None:
    stop = threading.Event()

    class Slow:
        def languages(self) -> dict[str, int]:
            return {}

        def search(self, *_: Any, **__: Any) -> Any:
            stop.wait(30)
            return [[]]

    with TestClient(make_app(searcher=Slow(), limits=Limits(seconds=0.3))) as client:
        answer = client.get("/search", params={"q": "x"})
        stop.set()
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")


def test_pages_load_nothing_from_elsewhere(client: TestClient) -> None:
    for path in ("/", "/docs"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert "http://" not in answer.text and "https://" not in answer.text
    for address in re.findall('(?:src|href)="([^"]*)"', client.get("/docs").text):
        assert address == "data:," or client.get(address).status_code == 200
