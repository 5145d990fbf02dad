"""The HTTP API and the search page."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Response, Security
from fastapi.security import HTTPBearer
from sentence_transformers import SentenceTransformer
from starlette.responses import HTMLResponse

from panglot.data import FloatArray
from panglot.encoders import encode, passage_prompt, query_prompt
from panglot.errors import PanglotError
from panglot.languages import is_language, language_code, language_name, matching
from panglot.search.look_up import Options, Result
from panglot.search.serve import schemas
from panglot.search.serve.batching import EncodingQueue
from panglot.search.serve.errors import ErrorBody, UnknownLanguageError, answered_whatever, handle_errors
from panglot.search.serve.limits import (
    LONGEST_QUERY,
    MOST_CONDITIONS,
    MOST_LANGUAGES,
    MOST_RESULTS,
    Limits,
    guarded,
)
from panglot.search.serve.metrics import Metrics, measured
from panglot.search.serve.pages import api_page, search_page, with_headers
from panglot.search.serve.searcher import Searcher

SEARCHES = 4  # at once; the engines leave Python's lock while they work
DESCRIPTION = "Search in texts of many languages: ask in any, and find passages in all."
FAILURES: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "The request cannot be read"},
    401: {"model": ErrorBody, "description": "No API key, or a wrong one"},
    404: {"model": ErrorBody, "description": "The index has no passages in a language asked for"},
    405: {"model": ErrorBody, "description": "Not with that method; the header Allow has those that work"},
    408: {"model": ErrorBody, "description": "The request arrived too slowly"},
    413: {"model": ErrorBody, "description": "The request is too large"},
    421: {"model": ErrorBody, "description": "The server does not go by that name"},
    422: {"model": ErrorBody, "description": "The request does not fit, or the index cannot do it"},
    500: {"model": ErrorBody, "description": "Something went wrong in the server"},
    503: {"model": ErrorBody, "description": "Too many requests wait, or the index is gone"},
    504: {"model": ErrorBody, "description": "There was no answer in time"},
}
CONDITION = r"^[^=\x00-\x1f\x7f]+=[^\x00-\x1f\x7f]*$"


def create_app(
    model: SentenceTransformer,
    searcher: Searcher,
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
        hosts: names under which the server may be asked for; None: any.
    """
    limits = limits or Limits()
    metrics = Metrics()
    queue = EncodingQueue(
        partial(_encode, model),
        length_limit=_length_limit(model),
        waiting=limits.waiting,
        observe=metrics.observe_batch,
    )
    metrics.waiting.set_function(lambda: len(queue))
    threads = ThreadPoolExecutor(SEARCHES, thread_name_prefix="search")

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        async with queue:
            yield
        threads.shutdown(cancel_futures=True)

    app = FastAPI(
        title="panglot", version=version("panglot"), description=DESCRIPTION, lifespan=running,
        docs_url=None, redoc_url=None, responses=FAILURES,
    )  # fmt: skip
    handle_errors(app)
    app.include_router(_api(model, searcher, queue, threads, metrics, name, bool(keys)))
    app.include_router(_pages(app))
    app.add_middleware(answered_whatever)
    app.add_middleware(guarded, limits=limits, keys=keys, hosts=hosts)
    app.add_middleware(measured, metrics=metrics)
    app.add_middleware(with_headers)
    return app


def _api(
    model: SentenceTransformer,
    searcher: Searcher,
    queue: EncodingQueue,
    threads: ThreadPoolExecutor,
    metrics: Metrics,
    name: str,
    locked: bool,
) -> APIRouter:
    """Make what programs use."""
    # the guard checks the key, before anything is read; this says so in the description
    needed = [Security(HTTPBearer(auto_error=False, description="An API key."))] if locked else []
    router = APIRouter()

    async def find(request: schemas.SearchRequest) -> schemas.SearchResponse:
        start = time.perf_counter()
        if request.languages:
            _check_languages(request.languages, await _counts(searcher, threads))
        vectors = await queue.embed(request.queries, "query")
        options = Options(
            languages=request.languages, where=request.where, balanced=request.balanced, hybrid=request.hybrid
        )
        search = partial(searcher.search, request.queries, vectors, request.k, **options)
        lists = await asyncio.get_running_loop().run_in_executor(threads, search)
        results = [
            schemas.Answers(query=query, hits=[_hit(found) for found in hits])
            for query, hits in zip(request.queries, lists, strict=True)
        ]
        return schemas.SearchResponse(results=results, seconds=round(time.perf_counter() - start, 6))

    @router.get("/search", dependencies=needed)
    async def search_one(
        question: Annotated[schemas.SearchRequest, Depends(_question)],
    ) -> schemas.SearchResponse:
        """Find passages for one question."""
        return await find(question)

    @router.post("/search", dependencies=needed)
    async def search_many(request: schemas.SearchRequest) -> schemas.SearchResponse:
        """Find passages for one question or several."""
        return await find(request)

    @router.post("/encode", dependencies=needed)
    async def encode_texts(request: schemas.EncodeRequest) -> schemas.EncodeResponse:
        """Turn texts into vectors of length 1, whose dot products say how near their meanings are."""
        vectors = await queue.embed(request.texts, request.role)
        return schemas.EncodeResponse(model=name, dimension=vectors.shape[1], vectors=vectors.tolist())

    @router.get("/languages", dependencies=needed)
    async def languages() -> schemas.Languages:
        """List the languages of the index."""
        counts = await _counts(searcher, threads)
        return schemas.Languages(
            languages=[
                schemas.LanguageCount(code=code, name=_name(code), passages=count)
                for code, count in sorted(counts.items())
            ]
        )

    @router.get("/health")
    async def health() -> schemas.Health:
        """Say whether the server works."""
        counts = await _counts(searcher, threads)
        return schemas.Health(
            status="ok", model=_public(name), passages=sum(counts.values()), waiting=len(queue)
        )

    @router.get("/metrics", dependencies=needed, response_class=Response)
    async def show_metrics() -> Response:
        """Give the server's counters to Prometheus."""
        with suppress(PanglotError):  # the index is gone; the other counters go on
            for code, count in (await _counts(searcher, threads)).items():
                metrics.passages.labels(code).set(count)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


def _pages(app: FastAPI) -> APIRouter:
    """Make what people see."""
    router = APIRouter(include_in_schema=False)
    html, policy = search_page()

    @router.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(html, headers={"content-security-policy": policy})

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        text, own_policy = api_page(app.openapi())
        return HTMLResponse(text, headers={"content-security-policy": own_policy})

    @router.get("/favicon.ico")
    async def icon() -> Response:
        return Response(status_code=204)

    return router


def _question(
    q: Annotated[
        str, Query(min_length=1, max_length=LONGEST_QUERY, description="A question in any language.")
    ],
    k: Annotated[int, Query(ge=1, le=MOST_RESULTS, description="Passages at most.")] = 10,
    languages: Annotated[
        list[schemas.Code], Query(max_length=MOST_LANGUAGES, description="Only passages in these languages.")
    ] = [],  # noqa: B006
    where: Annotated[
        list[Annotated[str, Query(pattern=CONDITION, max_length=400)]],
        Query(
            max_length=MOST_CONDITIONS,
            description="Only passages whose metadata has this: key=value (of one key, the last).",
        ),
    ] = [],  # noqa: B006
    balanced: Annotated[Literal["scores", "turns"] | None, Query(description=schemas.BALANCE)] = None,
    hybrid: Annotated[bool, Query(description="Fuse with BM25, the search by words.")] = False,
) -> schemas.SearchRequest:
    """Read one question out of an address."""
    conditions = dict(condition.split("=", 1) for condition in where)
    return schemas.SearchRequest.model_construct(
        queries=[q], k=k, languages=languages, where=conditions, balanced=balanced, hybrid=hybrid
    )


def _encode(model: SentenceTransformer, texts: Sequence[str], role: str) -> FloatArray:
    return encode(model, texts, query_prompt(model) if role == "query" else passage_prompt(model))


async def _counts(searcher: Searcher, threads: ThreadPoolExecutor) -> Mapping[str, int]:
    return await asyncio.get_running_loop().run_in_executor(threads, searcher.languages)


def _check_languages(codes: Sequence[str], known: Collection[str]) -> None:
    for code in codes:
        if not matching([language_code(code) or code], known):
            raise UnknownLanguageError


def _name(code: str) -> str:
    return language_name(code) if is_language(code) else code


def _public(name: str) -> str:
    """Return the name of a model without the folder that it is in: no key is needed to read it."""
    is_path = name.count("/") != 1 or name.startswith((".", "/", "~")) or Path(name).exists()
    return Path(name).name if is_path else name


def _length_limit(model: SentenceTransformer) -> int:
    limit = model.max_seq_length
    return int(limit) if limit and limit < float("inf") else 512


def _hit(found: Result) -> schemas.Hit:
    return schemas.Hit(
        id=found.id,
        document=found.document,
        score=found.score,
        language=found.language,
        title=found.title,
        text=found.text,
        source=found.source,
        metadata=found.metadata,
        weak=found.weak,
    )
