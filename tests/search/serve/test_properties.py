"""Requests made up from the API's own description (schemathesis): none may break it."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sentence_transformers import SentenceTransformer
from starlette.testclient import TestClient

from panglot.search.serve import IndexSearcher, create_app

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytestmark = pytest.mark.slow
OPERATIONS = [
    ("GET", "/search"),
    ("POST", "/search"),
    ("POST", "/encode"),
    ("GET", "/languages"),
    ("GET", "/health"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def running(encoder: SentenceTransformer, searcher: IndexSearcher) -> Iterator[TestClient]:
    """A client of a running application; errors nobody foresaw are raised in the test."""
    with TestClient(create_app(encoder, searcher)) as client:
        yield client


def description(client: TestClient) -> Any:
    """The API as schemathesis reads it."""
    return schemathesis.openapi.from_dict(client.get("/openapi.json").json())


def test_all_operations_are_tried(running: TestClient) -> None:
    found = [result.ok() for result in description(running).get_all_operations()]
    assert sorted((one.method.upper(), one.path) for one in found) == sorted(OPERATIONS)


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_are_as_described(running: TestClient, method: str, path: str, broken: bool) -> None:
    mode = schemathesis.GenerationMode.NEGATIVE if broken else schemathesis.GenerationMode.POSITIVE
    operation = description(running)[path][method]
    if broken and not (operation.body or operation.query):
        return  # nothing to break
    seen: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def holds(case: Any) -> None:
        request = case.as_transport_kwargs(base_url="http://testserver")
        answer = running.request(**{name: request[name] for name in TAKEN if name in request})
        seen.add(answer.status_code)
        assert answer.status_code < 500, answer.text
        case.validate_response(answer)

    holds()
    assert seen, "nothing was tried"
    if not broken:
        assert 200 in seen


TAKEN = ("method", "url", "params", "json", "data", "content", "headers", "cookies")
