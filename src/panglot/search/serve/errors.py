"""What a client hears when something goes wrong: one shape, one sentence, never a traceback."""

import logging
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panglot.errors import PanglotError
from panglot.search.serve.batching import QueueFullError

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
    "gone": (499, "the client has gone."),  # for the metrics: nobody hears it
    "internal": (500, "something went wrong here; the server's log says what."),
    "busy": (503, "too many requests wait; come back in a moment."),
    "unavailable": (503, "the index cannot be searched; /languages says why."),
    "timeout": (504, "there was no answer in time; ask for less."),
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
    return JSONResponse(
        body.model_dump(exclude_none=True), status, {**HEADERS.get(code, {}), **(headers or {})}
    )


def unexpected(error: Exception) -> JSONResponse:
    """Write an error nobody foresaw to the log, and answer with the number that it has there."""
    number = uuid.uuid4().hex[:12]
    LOG.error("error %s", number, exc_info=error)
    return error_response("internal", f"something went wrong here; the server's log has it as {number}.")


def in_shape(app: ASGIApp, refusals: Mapping[int, Response]) -> ASGIApp:
    """Wrap an application, so that every error has its shape.

    Args:
        app: the application.
        refusals: by status, what replaces an answer in plain text.
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
            await unexpected(error)(scope, receive, send)

    return shaped


def with_headers(app: ASGIApp, headers: Mapping[str, str]) -> ASGIApp:
    """Wrap an application, so that every answer has some headers, unless it sets them."""

    async def headed(scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                for name, value in headers.items():
                    MutableHeaders(scope=message).setdefault(name, value)
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
        FieldError(field=_plain(".".join(map(str, found["loc"]))[:200]), message=_plain(found["msg"][:200]))
        for found in error.errors()[:MOST_FIELDS]
    ]
    return error_response("invalid", fields=fields)


async def _http(_: Request, error: Any) -> JSONResponse:
    code = {404: "not_found", 405: "not_allowed"}.get(error.status_code, "bad_request")
    return error_response(code, str(error.detail) if code == "bad_request" else "", headers=error.headers)


async def _problem(_: Request, error: Any) -> JSONResponse:
    return error_response(error.code, error.message)


async def _full(_: Request, error: Any) -> JSONResponse:
    return error_response("busy")


async def _unavailable(request: Request, error: Any) -> JSONResponse:
    """Answer that the index cannot be searched; those who need no key do not hear where it is."""
    return error_response("unavailable", "" if request.scope["path"] == "/health" else _plain(str(error)))


def _plain(text: str) -> str:
    """Return a text without the characters that UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()


HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    RequestValidationError: _invalid,
    HTTPException: _http,
    ProblemError: _problem,
    QueueFullError: _full,
    PanglotError: _unavailable,
}
