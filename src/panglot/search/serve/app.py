"""The HTTP API, the search page, and what the server counts."""

import asyncio
import base64
import hashlib
import math
import re
import time
from collections.abc import AsyncIterator, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Response, Security
from fastapi.openapi.docs import get_swagger_ui_html
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_fastapi_instrumentator import Instrumentator
from prometheus_fastapi_instrumentator import metrics as counters
from sentence_transformers import SentenceTransformer
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.staticfiles import StaticFiles

from panglot.encoders import encode, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.languages import is_language, language_code, language_name, matching
from panglot.search.serve import schemas
from panglot.search.serve.batching import EncodingQueue
from panglot.search.serve.limits import (
    BEARER,
    HANDLERS,
    RESPONSES,
    STATIC,
    Limits,
    ProblemError,
    error_response,
    guard,
    in_shape,
    timed,
    with_headers,
)
from panglot.search.serve.searcher import IndexSearcher

SEARCHES = 4  # at once; the engines leave Python's lock while they work
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)  # buckets of the metrics
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
DESCRIPTION = (
    "Search in texts of many languages: ask in any, and find passages in all. "
    "For people: [the search page](/)."
)


def create_app(
    model: SentenceTransformer,
    searcher: IndexSearcher,
    *,
    name: str = "",
    limits: Limits | None = None,
    keys: Collection[str] = (),
    hosts: Collection[str] | None = None,
) -> FastAPI:
    """Make the application: the page, and search, encode, languages, health, metrics and docs below it.

    Args:
        model: encodes questions; the one that the passages were encoded with.
        searcher: the index.
        name: of the model, for clients.
        limits: of size and time; None: the usual ones.
        keys: API keys; none: no key is asked for.
        hosts: names under which the server may be asked for; None: any. A page of a foreign site that has
            its own name point at this machine (DNS rebinding) is thus kept out of a server on loopback.
    """
    limits = limits or Limits()
    metrics = Metrics()
    prompts = {"query": query_prompt(model), "passage": passage_prompt(model)}
    longest = model.max_seq_length or math.inf
    queue = EncodingQueue(
        lambda texts, role: encode(model, texts, prompts[role]),
        length_limit=512 if longest == math.inf else int(longest),
        waiting=limits.waiting,
        observe=metrics.observe_batch,
    )
    metrics.waiting.set_function(lambda: len(queue))
    service = _Service(searcher, queue)
    app = FastAPI(
        title="panglot", version=version("panglot"), description=DESCRIPTION, lifespan=service.running,
        docs_url=None, redoc_url=None, responses=RESPONSES, exception_handlers=HANDLERS,
    )  # fmt: skip
    _protect(app, limits, keys, hosts)
    metrics.instrument(app)
    # the guard checks the key, before anything is read; this says so in the description
    needed = [Security(BEARER)] if keys else []
    router = APIRouter(route_class=timed(limits.seconds, metrics.running))
    app.include_router(_api(router, service, metrics, name, needed))
    app.add_api_route("/", search_page, include_in_schema=False)
    app.add_api_route("/docs", api_page, include_in_schema=False)
    app.mount(STATIC, StaticFiles(packages=[("fastapi_offline", "static")]))  # Swagger UI
    return app


def _protect(app: FastAPI, limits: Limits, keys: Collection[str], hosts: Collection[str] | None) -> None:
    """Let in only what comes under the right name, with a key, in time and in bounds; each is one middleware.

    The one that is added last sees a request first.
    """
    names = ["*"] if hosts is None else [f"[{host}]" if ":" in host else host for host in hosts]
    # what the two middlewares of Starlette answer in plain text
    refusals = {
        400: error_response("wrong_host"),
        413: error_response("too_large", f"a request has at most {limits.body_bytes} bytes."),
    }
    app.add_middleware(guard, limits=limits, keys=keys)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=limits.body_bytes)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)
    app.add_middleware(in_shape, refusals=refusals)
    app.add_middleware(with_headers, headers=SECURITY_HEADERS)


class Metrics:
    """Metrics of one server, in a registry of their own, so that a process can have several servers."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.running = Gauge("panglot_requests_running", "Requests being answered", registry=registry)
        self.waiting = Gauge("panglot_requests_waiting", "Requests waiting to be encoded", registry=registry)
        of_batch = partial(Histogram, buckets=TEXTS, registry=registry)
        self.texts = of_batch("panglot_batch_texts", "Texts encoded together")
        self.merged = of_batch("panglot_batch_requests", "Requests encoded together")
        self.passages = Gauge("panglot_passages", "Passages in the index", ["language"], registry=registry)

    def observe_batch(self, texts: int, requests: int) -> None:
        """Count a batch of encoded texts."""
        self.texts.observe(texts)
        self.merged.observe(requests)

    def text(self, passages: Mapping[str, int]) -> bytes:
        """Return all metrics, with the number of passages of each language."""
        self.passages.clear()
        for code, count in passages.items():
            self.passages.labels(code).set(count)
        return generate_latest(self.registry)

    def instrument(self, app: FastAPI) -> None:
        """Count the requests of an application, by path and status; nothing that clients write is kept.

        The method would be: it is whatever a client writes, and each value would take memory for ever.
        """
        kept: dict[str, Any] = {"should_include_method": False, "registry": self.registry}
        requests = counters.requests("panglot_requests", "Requests answered", **kept)
        latency = counters.latency(
            "panglot_request_seconds", "Time to answer", should_include_status=False, buckets=SECONDS, **kept
        )
        counting = Instrumentator(should_group_status_codes=False, registry=self.registry)
        counting.add(requests, latency).instrument(app)


class _Service:
    def __init__(self, searcher: IndexSearcher, queue: EncodingQueue) -> None:
        self._searcher = searcher
        self.queue = queue
        self._threads = ThreadPoolExecutor(SEARCHES, thread_name_prefix="search")

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Encode and search until the server stops."""
        async with self.queue:
            yield
        self._threads.shutdown(cancel_futures=True)

    async def count_passages(self) -> Mapping[str, int]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._searcher.languages)

    async def find(self, request: schemas.SearchRequest) -> schemas.SearchResponse:
        """Encode questions and search for them.

        Raises:
            ProblemError: ``no_language``, or ``busy``.
            PanglotError: the index cannot be searched.
        """
        start = time.perf_counter()
        if request.languages:
            known = await self.count_passages()
            if not all(matching([language_code(code) or code], known) for code in request.languages):
                raise ProblemError("no_language")
        vectors = await self.queue.embed(request.queries, "query")
        options: Any = request.model_dump(include={"languages", "where", "balanced", "hybrid"})
        search = partial(self._searcher.search, request.queries, vectors, request.k, **options)
        lists = await asyncio.get_running_loop().run_in_executor(self._threads, search)
        results = [
            schemas.Answers(query=query, hits=[schemas.Hit.model_validate(hit) for hit in hits])
            for query, hits in zip(request.queries, lists, strict=True)
        ]
        return schemas.SearchResponse(results=results, seconds=round(time.perf_counter() - start, 6))


def _api(router: APIRouter, service: _Service, metrics: Metrics, name: str, needed: list[Any]) -> APIRouter:

    @router.get("/search", dependencies=needed)
    async def search_one(address: Annotated[schemas.SearchAddress, Query()]) -> schemas.SearchResponse:
        """Find passages for one question."""
        return await service.find(address.request())

    @router.post("/search", dependencies=needed)
    async def search_many(request: schemas.SearchRequest) -> schemas.SearchResponse:
        """Find passages for one question or several."""
        return await service.find(request)

    @router.post("/encode", dependencies=needed)
    async def encode_texts(request: schemas.EncodeRequest) -> schemas.EncodeResponse:
        """Turn texts into vectors of length 1, whose dot products say how near their meanings are."""
        vectors = await service.queue.embed(request.texts, request.role)
        return schemas.EncodeResponse(model=name, dimension=vectors.shape[1], vectors=vectors.tolist())

    @router.get("/languages", dependencies=needed)
    async def languages() -> schemas.LanguageList:
        """List the languages of the index."""
        counts = sorted((await service.count_passages()).items())
        return schemas.LanguageList(
            languages=[
                schemas.LanguageCount(
                    code=code, name=language_name(code) if is_language(code) else code, passages=count
                )
                for code, count in counts
            ]
        )

    @router.get("/health")
    async def health() -> schemas.Health:
        """Say whether the server works."""
        passages = sum((await service.count_passages()).values())
        return schemas.Health(status="ok", model=_public(name), passages=passages, waiting=len(service.queue))

    @router.get("/metrics", dependencies=needed, response_class=PlainTextResponse)
    async def show_metrics() -> Response:
        """Give the server's counters to Prometheus."""
        passages: Mapping[str, int] = {}
        with suppress(PanglotError):  # the index is gone; the other counters go on
            passages = await service.count_passages()
        return Response(metrics.text(passages), media_type=CONTENT_TYPE_LATEST)

    return router


def _public(name: str) -> str:
    """Return the name of a model without the folder that it is in: no key is needed to read it."""
    is_path = name.count("/") != 1 or name.startswith((".", "/", "~")) or Path(name).exists()
    return Path(name).name if is_path else name


# what keeps a browser from doing more with an answer than show it
SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
PAGE_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def search_page() -> HTMLResponse:
    """Return the search page, with a policy under which only its own code and style run."""
    folder = files("panglot.search.serve") / "page"
    html, style, script = (
        (folder / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
    return _page(html.replace("/*style*/", style).replace("/*script*/", script), _hash(script), _hash(style))


def api_page() -> HTMLResponse:
    """Return FastAPI's page of the API (Swagger UI), with a policy under which only its own code runs."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="panglot: the API",
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url="data:,",
    )
    html = bytes(page.body).decode()
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    return _page(html, f"'self' {_hash(script)}", "'self'")


def _page(html: str, script: str, style: str) -> HTMLResponse:
    policy = PAGE_POLICY.format(script=script, style=style)
    return HTMLResponse(html, headers={"content-security-policy": policy})


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
