"""A server's application over the bundled sample."""

from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from sentence_transformers import SentenceTransformer
from starlette.testclient import TestClient

from panglot.data import sample_benchmark
from panglot.search.serve import IndexSearcher, create_app, index_texts

MakeApp = Callable[..., FastAPI]


@pytest.fixture(scope="session")
def searcher(encoder: SentenceTransformer) -> IndexSearcher:
    """The sample's passages, searched exactly."""
    sample = sample_benchmark()
    return index_texts(encoder, sample.passages, sample.languages)


@pytest.fixture(scope="session")
def make_app(encoder: SentenceTransformer, searcher: IndexSearcher) -> MakeApp:
    """Make an application with other options."""
    return lambda **options: create_app(encoder, options.pop("searcher", searcher), **options)


@pytest.fixture
def client(make_app: MakeApp) -> Iterator[TestClient]:
    """A client of the application with the usual options."""
    with TestClient(make_app(name="small-e5"), raise_server_exceptions=False) as started:
        yield started
