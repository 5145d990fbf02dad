"""A search server: an HTTP API and a page."""

from panglot.search.serve.app import create_app
from panglot.search.serve.batching import EncodingQueue
from panglot.search.serve.limits import Limits, read_keys
from panglot.search.serve.searcher import IndexSearcher, index_texts, open_searcher

__all__ = [
    "EncodingQueue",
    "IndexSearcher",
    "Limits",
    "create_app",
    "index_texts",
    "open_searcher",
    "read_keys",
]
