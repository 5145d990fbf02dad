"""What a client may ask for, and what it gets when something goes wrong: one shape, never a traceback."""

import asyncio
import hashlib
import hmac
import logging
import uuid
from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from prometheus_client import Gauge
from pydantic import BaseModel, Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panglot.errors import PanglotError
from panglot.search.documents.document import as_text

LOG = logging.getLogger("panglot.serve")
MOST_FIELDS = 8  # complaints in one answer
# the codes do not change; the status of each, and its sentence where no better one is given
PROBLEMS = {
    "bad_request": (400, "this cannot be read as an HTTP request."),
    "no_key": (401, "give an API key, as 'Authorization: Bearer KEY'."),
    "not_found": (404, "there is nothing here; see /docs."),
    "no_language": (
        404,
        "the index has no passages in one of these languages; /languages lists those it has.",
    ),
    "not_allowed": (405, "this is not done with that method; see /docs."),
    "too_slow": (408, "the request arrived too slowly."),
    "too_large": (413, "the request is too large."),
    "wrong_host": (421, "this server does not go by that name."),
    "invalid": (422, "the request does not fit the description in /openapi.json."),
    "gone": (499, "the client has gone."),  # for the metrics: nobody gets it
    "internal": (500, "something went wrong here; the server's log says what."),
    "busy": (503, "too many requests wait; come back in a moment."),
    "unavailable": (503, "the index cannot be searched; /languages says why."),
    "timeout": (504, "the answer took too long; send fewer or shorter texts."),
}
CLOSE = {"connection": "close"}  # the rest of such a request is not read
HEADERS = {
    "bad_request": CLOSE,
    "no_key": {"www-authenticate": "Bearer", **CLOSE},
    "too_slow": CLOSE,
    "too_large": CLOSE,
    "wrong_host": CLOSE,
    "busy": {"retry-after": "1"},
    "unavailable": {"retry-after": "5"},
}


class FieldError(BaseModel):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong."""

    code: str = Field(description="For programs; does not change.")
    message: str = Field(description="For people.")
    fields: list[FieldError] | None = Field(None, description="The fields of a request that are wrong.")


class ErrorBody(BaseModel):
    """The answer to a request that failed."""

    error: Problem


class ProblemError(Exception):
    """One of ``PROBLEMS``, with a sentence that is better than its own if there is one."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code, self.message = code, message


def error_response(
    code: str,
    message: str = "",
    fields: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Make the answer to a request that failed, with the status of one of ``PROBLEMS``."""
    status, usual = PROBLEMS[code]
    body = ErrorBody(error=Problem(code=code, message=message or usual, fields=fields))
    headers = {**HEADERS.get(code, {}), **(headers or {})}
    return JSONResponse(body.model_dump(exclude_none=True), status, headers)


def in_shape(app: ASGIApp, refusals: Mapping[int, Response]) -> ASGIApp:
    """Wrap an application, so that every error has its shape.

    ``refusals`` has, by status, what replaces an answer in plain text.
    """

    async def shaped(scope: Scope, receive: Receive, send: Send) -> None:
        begun, refusal = False, None

        async def instead(message: Message) -> None:
            nonlocal begun, refusal
            if message["type"] == "http.response.start":
                begun = True
                plain = Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
                refusal = refusals.get(message["status"]) if plain else None
                if refusal is not None:
                    await refusal(scope, receive, send)
            if refusal is None:
                await send(message)

        try:
            await app(scope, receive, instead)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            number = uuid.uuid4().hex[:12]
            LOG.error("error %s", number, exc_info=error)
            sentence = f"something went wrong here; the server's log has it as {number}."
            await error_response("internal", sentence)(scope, receive, send)

    return shaped


def with_headers(app: ASGIApp, headers: Mapping[str, str]) -> ASGIApp:
    """Wrap an application, so that every answer has some headers, unless it sets them."""

    async def headed(scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in headers.items():
                    given.setdefault(name, value)
            await send(message)

        await app(scope, receive, add)

    return headed


# the errors of the API's description
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "model": ErrorBody,
        "description": " Or: ".join(sentence for other, sentence in PROBLEMS.values() if other == status),
    }
    for status, _ in PROBLEMS.values()
    if status != PROBLEMS["gone"][0]
}


async def _invalid(_: Request, error: Any) -> JSONResponse:
    # the input itself is not repeated: it may be long, or hold what JSON cannot
    fields = [
        FieldError(field=as_text(".".join(map(str, found["loc"]))[:200]), message=as_text(found["msg"][:200]))
        for found in error.errors()[:MOST_FIELDS]
    ]
    return error_response("invalid", fields=fields)


async def _http(_: Request, error: Any) -> JSONResponse:
    code = {404: "not_found", 405: "not_allowed"}.get(error.status_code, "bad_request")
    return error_response(code, str(error.detail) if code == "bad_request" else "", headers=error.headers)


async def _problem(_: Request, error: Any) -> JSONResponse:
    return error_response(error.code, error.message)


async def _unavailable(request: Request, error: Any) -> JSONResponse:
    """Answer that the index cannot be searched; those who need no key do not hear where it is."""
    return error_response("unavailable", "" if request.scope["path"] == "/health" else as_text(str(error)))


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    RequestValidationError: _invalid,
    HTTPException: _http,
    ProblemError: _problem,
    PanglotError: _unavailable,
}


# part of the API's description; the rest is the server's own business
MOST_RESULTS = 100
MOST_QUERIES = 64
MOST_TEXTS = 256
MOST_LANGUAGES = 200
MOST_CONDITIONS = 8
LONGEST_QUERY = 2_000  # characters
LONGEST_TEXT = 20_000
SHORTEST_KEY = 16
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# they reveal nothing of the texts
OPEN_PATHS = frozenset({"/", "/health", "/docs", "/openapi.json", "/favicon.ico"})
STATIC = "/static"  # files of the page /docs, open as well
BEARER = HTTPBearer(auto_error=False, description="An API key.")


@dataclass(frozen=True)
class Limits:
    """Bounds of the server."""

    body_bytes: int = 1 << 20  # of a request
    body_seconds: float = 10.0  # in which a request must have arrived
    seconds: float = 30.0  # in which it must be answered
    waiting: int = 1024  # requests that wait to be encoded at most
    connections: int = 512  # open at once at most

    def __post_init__(self) -> None:
        if min(self.body_bytes, self.body_seconds, self.seconds, self.waiting, self.connections) <= 0:
            raise PanglotError("the limits of the server are numbers above 0.")


def read_keys(path: Path) -> list[str]:
    """Read API keys, one a line; empty lines and lines with ``#`` in front are left out.

    Raises:
        PanglotError: no such file, no key in it, or one that is short or holds other than visible ASCII.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PanglotError(f"{path}: cannot be read as a file of API keys; check the path.") from error
    keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not keys:
        raise PanglotError(f"{path}: holds no API key; write one a line.")
    for number, key in enumerate(keys, 1):
        if len(key) < SHORTEST_KEY or not (key.isascii() and key.isprintable()) or " " in key:
            raise PanglotError(
                f"{path}: API key {number} is shorter than {SHORTEST_KEY} characters or holds others than "
                "ASCII letters, digits and signs; make one with: openssl rand -hex 32"
            )
    return keys


def guard(app: ASGIApp, limits: Limits, keys: Collection[str] = ()) -> ASGIApp:
    """Wrap an application, so that it sees only requests with a key whose body arrives in time.

    Any key opens the API; without keys it is open. The key is checked before the body is read, which
    ``RequestBodyLimitMiddleware`` bounds.
    """
    digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []  # the body, which the application reads once more

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        answer = app
        if scope["type"] == "http":
            request, path = Request(scope, receive), scope["path"]
            is_open = not digests or path in OPEN_PATHS or path.startswith(f"{STATIC}/")
            try:
                if not is_open and not await _has_key(request, digests):
                    raise ProblemError("no_key")
                async with asyncio.timeout(limits.body_seconds):
                    messages = [{"type": "http.request", "body": await request.body(), "more_body": False}]
            except ProblemError as error:
                answer = error_response(error.code)
            except TimeoutError:
                within = f"a request must have arrived within {limits.body_seconds:g} seconds."
                answer = error_response("too_slow", within)
            except ClientDisconnect:
                answer = error_response("gone")
        await answer(scope, again, send)

    return guarded


async def _has_key(request: Request, digests: Collection[bytes]) -> bool:
    """Compare a request's key with all keys, in a time that reveals nothing about them."""
    given = await BEARER(request)
    digest = hashlib.sha256(given.credentials.strip().encode() if given else b"").digest()
    return sum(hmac.compare_digest(digest, known) for known in digests) > 0


def timed(seconds: float, running: Gauge) -> type[APIRoute]:
    """Make a kind of route that stops an answer when time is up, or when the client goes.

    A dependency could do the same, for a third of the time that a request takes in FastAPI. ``running``
    counts the requests that are being answered.

    Raises:
        ProblemError: ``timeout`` or ``gone``.
    """

    async def stop_when_gone(request: Request, timer: asyncio.Timeout) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        timer.reschedule(asyncio.get_running_loop().time())

    class Timed(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def limited(request: Request) -> Response:
                await request.body()  # what comes after it is that the client goes
                try:
                    async with asyncio.timeout(seconds) as timer:
                        watcher = asyncio.create_task(stop_when_gone(request, timer))
                        try:
                            with running.track_inprogress():
                                return await answer(request)
                        finally:
                            watcher.cancel()
                except TimeoutError:
                    if watcher.done():
                        raise ProblemError("gone") from None
                    message = f"the answer took longer than {seconds:g} seconds; send fewer or shorter texts."
                    raise ProblemError("timeout", message) from None

            return limited

    return Timed
