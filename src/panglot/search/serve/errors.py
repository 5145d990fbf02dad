"""What a client hears when something goes wrong: one shape, one sentence, never a traceback."""

import logging
import uuid

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from panglot.errors import PanglotError
from panglot.search.serve.batching import QueueFullError

LOG = logging.getLogger("panglot.serve")
MOST_FIELDS = 8  # complaints in one answer


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


class UnknownLanguageError(Exception):
    """A search in a language that the index does not have."""


def error_response(
    status: int, code: str, message: str, fields: list[FieldError] | None = None
) -> JSONResponse:
    """Make the answer to a request that failed."""
    problem = Problem(code=code, message=message, fields=fields)
    return JSONResponse(ErrorBody(error=problem).model_dump(exclude_none=True), status)


def handle_errors(app: FastAPI) -> None:
    """Have all errors of an application answered in the shape of ``ErrorBody``."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(QueueFullError, _full)
    app.add_exception_handler(UnknownLanguageError, _unknown_language)
    app.add_exception_handler(PanglotError, _unavailable)


def unexpected(error: Exception) -> JSONResponse:
    """Write an error nobody foresaw to the log, and answer with the number it has there."""
    number = uuid.uuid4().hex[:12]
    LOG.error("error %s", number, exc_info=error)
    return error_response(500, "internal", f"something went wrong here; the server's log has it as {number}.")


def answered_whatever(app: ASGIApp) -> ASGIApp:
    """Answer where ``app`` fails in a way nobody foresaw."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        started = scope["type"] != "http"

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await app(scope, receive, watched_send)
        except Exception as error:
            if started:
                raise
            await unexpected(error)(scope, receive, send)

    return answer


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # the input itself is not repeated: it may be long, or hold what JSON cannot
    fields = [
        FieldError(field=".".join(str(part) for part in found["loc"])[:200], message=found["msg"][:200])
        for found in error.errors()[:MOST_FIELDS]
    ]
    safe = [FieldError(field=_plain(f.field), message=_plain(f.message)) for f in fields]
    return error_response(422, "invalid", "the request does not fit the description in /openapi.json.", safe)


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "not_allowed", 400: "bad_request"}
    sentences = {
        404: "there is nothing here; see /docs.",
        405: "this is not done with that method; see /docs.",
    }
    message = sentences.get(error.status_code, str(error.detail))
    response = error_response(error.status_code, codes.get(error.status_code, "refused"), message)
    response.headers.update(error.headers or {})
    return response


async def _unknown_language(_: Request, error: Exception) -> JSONResponse:
    return error_response(
        404,
        "no_language",
        "the index has no passages in one of these languages; /languages lists those it has.",
    )


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    """Answer that the index cannot be searched; those who need no key do not hear where it is."""
    reason = str(error)
    if request.url.path == "/health":
        reason = "the index cannot be searched; /languages says why."
    response = error_response(503, "unavailable", _plain(reason))
    response.headers["retry-after"] = "5"
    return response


async def _full(_: Request, error: Exception) -> JSONResponse:
    response = error_response(503, "busy", "too many requests wait; come back in a moment.")
    response.headers["retry-after"] = "1"
    return response
